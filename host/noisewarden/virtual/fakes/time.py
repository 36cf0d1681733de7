"""`time` of MicroPython on ESP32: the epoch is 2000, there are no zones, time may be virtual."""

import utime
from _chip import UNIX_OF_2000_S, clock, retained
from utime import ticks_add, ticks_diff  # noqa: F401

if clock:
    from _virtual import sleep, sleep_ms, sleep_us, ticks_ms, ticks_us  # noqa: F401
else:
    from utime import sleep, sleep_ms, sleep_us, ticks_ms, ticks_us  # noqa: F401

ticks_cpu = ticks_us


def time_ns():
    return (retained.unix_us() - UNIX_OF_2000_S * 1_000_000) * 1000


def time():
    return time_ns() // 1_000_000_000


def gmtime(s=None):
    return utime.gmtime((time() if s is None else s) + UNIX_OF_2000_S)[:8]


localtime = gmtime


def mktime(fields):
    return utime.mktime(fields) - UNIX_OF_2000_S
