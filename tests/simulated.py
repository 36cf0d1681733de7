"""Where simulated boxes were; they are `noisewarden.virtual.simulated`, which `demo` uses too."""

from noisewarden.virtual.simulated import READING, SimulatedBox, now_us

__all__ = ["READING", "SimulatedBox", "now_us"]
