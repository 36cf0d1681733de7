"""`noisewarden doctor`: every check of a box on USB, each with its cure."""
