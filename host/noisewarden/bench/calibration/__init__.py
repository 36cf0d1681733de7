"""Calibration against a reference meter: levels, alignment in time, result."""
