"""The whole system on one computer and without a board: boxes, a station, its pages."""
