"""Noise Warden: the firmware of a box."""

__version__ = "0.1.0"
