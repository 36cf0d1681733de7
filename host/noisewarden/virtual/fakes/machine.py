"""`machine` of MicroPython 1.28 on ESP32, as far as the firmware uses it.

Pins, watchdog and resets are reported to the host, which plays the hardware around the chip: it
enforces the watchdog, and ends and restarts the process for a reset.
"""

import os
from errno import EINVAL
from io import IOBase

import utime
from _chip import clock, report, retained, sound
from _chip import reset as _reset
from micropython import const

PWRON_RESET = const(1)
HARD_RESET = const(2)
WDT_RESET = const(3)
DEEPSLEEP_RESET = const(4)
SOFT_RESET = const(5)

_FRAME_BYTES = const(8)
_RATE_HZ = const(48000)
_POLL = const(3)
_FILENO = const(10)
_READABLE = const(1)


def reset_cause():
    return int(os.getenv("NOISEBOX_RESET") or PWRON_RESET)


def reset():
    _reset(HARD_RESET)


def soft_reset():
    raise SystemExit


def unique_id():
    return bytes.fromhex(os.getenv("NOISEBOX_ID") or "240ac4000001")


def freq(hz=None):
    return 240_000_000 if hz is None else None


class Pin:
    IN = const(1)
    OUT = const(3)
    PULL_DOWN = const(1)
    PULL_UP = const(2)

    _inputs = {}
    _outputs = {}

    def __init__(self, pin, mode=-1, pull=-1, *, value=None):
        self._pin = pin
        if mode == Pin.IN:
            Pin._outputs.pop(pin, None)
            Pin._inputs.setdefault(pin, 1 if pull == Pin.PULL_UP else 0)
        elif mode == Pin.OUT:
            self._drive(Pin._outputs.get(pin, 0) if value is None else value)

    def _drive(self, level):
        level = 1 if level else 0
        if Pin._outputs.get(self._pin) != level:
            Pin._outputs[self._pin] = level
            report("pin", '"pin":%d,"value":%d' % (self._pin, level))

    def value(self, level=None):
        if level is None:
            return Pin._outputs.get(self._pin, Pin._inputs.get(self._pin, 0))
        if self._pin in Pin._outputs:
            self._drive(level)
        return None

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)


for _pair in (os.getenv("NOISEBOX_PINS") or "").split(","):
    if _pair:
        Pin._inputs[int(_pair.split(":")[0])] = int(_pair.split(":")[1])


class WDT:
    """The task watchdog: outlives a soft reset, can be made again with another timeout."""

    def __init__(self, id=0, timeout=5000):
        if id or timeout <= 0:
            raise ValueError
        self._timeout_us = timeout * 1000
        report("watchdog", '"timeout_ms":%d' % timeout)
        self.feed()

    def feed(self):
        if clock:
            clock.watch(self._timeout_us)
        report("feed")


class RTC:
    def datetime(self, fields=None):
        """(year, month, day, weekday 0=Monday, hour, minute, second, microsecond)."""
        if fields is None:
            us = retained.unix_us()
            y, mo, d, h, mi, s, weekday, _ = utime.gmtime(us // 1_000_000)[:8]
            return (y, mo, d, weekday, h, mi, s, us % 1_000_000)
        y, mo, d, _, h, mi, s, us = fields
        retained.set_unix_us(utime.mktime((y, mo, d, h, mi, s, 0, 0)) * 1_000_000 + us)
        return None

    def memory(self, data=None):
        return retained.memory if data is None else retained.set_memory(data)


class I2S(IOBase):
    """The microphone's side of I2S: receive, 32 bits, stereo, 48 kHz; DMA buffers of 256 frames.

    The first poll makes reads return what is there, as on the chip; before, they wait for all.
    """

    RX = const(18)
    TX = const(10)
    STEREO = const(0)
    MONO = const(1)

    def __init__(self, id, *, sck, ws, sd, mode, bits, format, rate, ibuf):
        if not (isinstance(sck, Pin) and isinstance(ws, Pin) and isinstance(sd, Pin)):
            raise ValueError("expecting a pin")
        if (id, mode, bits, format, rate) != (0, I2S.RX, 32, I2S.STEREO, _RATE_HZ):
            raise ValueError("the virtual box receives 32-bit stereo at 48 kHz on I2S 0")
        self._waits = True
        self._open = sound is not None
        self.arrivals = None
        if clock and sound:
            from _virtual import Arrivals

            self.arrivals = Arrivals(sound)
        report("i2s", '"ibuf":%d' % ibuf)

    def deinit(self):
        self._open = False
        self.arrivals = None
        report("i2s", '"ibuf":0')

    def readinto(self, buf):
        if len(buf) % _FRAME_BYTES or not self._open:
            raise OSError(EINVAL)
        if self.arrivals:
            return self.arrivals.readinto(buf, self._waits)
        return self._read(buf)

    def _read(self, buf):
        view = memoryview(buf)
        got = 0
        while got < len(buf):
            count = sound.readinto(view[got:])
            if count == 0:
                # Whoever ran the box is gone; it must not live on alone.
                raise SystemExit
            got += count or 0
            if not self._waits:
                break
            utime.sleep_ms(1)
        return got

    def ioctl(self, request, argument):
        if request == _POLL:
            return 0
        if request == _FILENO and self._open:
            # Only who is going to poll asks.
            self._waits = False
            return sound.fileno()
        return -EINVAL
