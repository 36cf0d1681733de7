"""Noise Warden on a PC: the virtual box, the bench and the station."""

__version__ = "0.1.0"
