"""`time` of MicroPython on ESP32: the epoch is 2000, there are no zones, time may be virtual."""

import utime
from _chip import UNIX_OF_2000_S, clock, retained
from utime import ticks_add, ticks_diff  # noqa: F401


def ticks_us():
    return clock.look_us()


ticks_cpu = ticks_us


def ticks_ms():
    return clock.look_us() // 1000


def sleep_us(us):
    if clock.virtual:
        clock.move_to(clock.now_us() + us)
    else:
        utime.sleep_us(us)


def sleep_ms(ms):
    sleep_us(ms * 1000)


def sleep(s):
    sleep_us(int(s * 1_000_000))


def time_ns():
    return (retained.unix_us() - UNIX_OF_2000_S * 1_000_000) * 1000


def time():
    return time_ns() // 1_000_000_000


def gmtime(s=None):
    return utime.gmtime((time() if s is None else s) + UNIX_OF_2000_S)[:8]


localtime = gmtime


def mktime(fields):
    return utime.mktime(fields) - UNIX_OF_2000_S
