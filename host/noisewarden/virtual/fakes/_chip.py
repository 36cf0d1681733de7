"""What the fakes of the chip share: its clock, its retained memory and the line to the host.

The environment says what the board is wired to; without it the fakes still work, deaf and unheard.

    NOISEBOX_FAST=1      time is virtual, see `_virtual`
    NOISEBOX_SOUND=fd    stereo frames of two int32 at 48 kHz, what the microphone hears
    NOISEBOX_EVENTS=fd   where pins, matrix and resets are reported, one JSON object a line
    NOISEBOX_RTC=fd      file of what survives a reset but not a power cut
    NOISEBOX_RESET=n     the cause that `machine.reset_cause()` gives, 1 (power-on) by default
    NOISEBOX_TIME=s      unix time at power-on; without it 2000-01-01, as on the chip
    NOISEBOX_ID=hex      the six bytes of `machine.unique_id()`
    NOISEBOX_PINS=0:0    levels from outside on input pins, comma separated
    NOISEBOX_AIR=fd      file that says which network the radio finds, see `network`
"""

import os

import utime
from micropython import const

UNIX_OF_2000_S = 946_684_800
_RTC_MEMORY_BYTES = const(2048)
_CLOCK_BYTES = const(8)
_HEAD_BYTES = const(10)

if os.getenv("NOISEBOX_FAST") == "1":
    from _virtual import clock

    now_us = clock.now_us
else:
    clock = None
    now_us = utime.ticks_us


def _descriptor(name):
    fd = os.getenv(name)
    return open(int(fd), "r+b" if name == "NOISEBOX_RTC" else "rb") if fd else None


class Retained:
    """The wall clock and the RTC memory: kept over a reset by a file of the host."""

    def __init__(self):
        self._file = _descriptor("NOISEBOX_RTC")
        kept = self._file.read() if self._file else b""
        length = int.from_bytes(kept[_CLOCK_BYTES:_HEAD_BYTES], "little")
        self.memory = kept[_HEAD_BYTES : _HEAD_BYTES + length]
        if kept:
            self._wall_us = int.from_bytes(kept[:_CLOCK_BYTES], "little")
        else:
            self.set_unix_us(int(os.getenv("NOISEBOX_TIME") or UNIX_OF_2000_S) * 1_000_000)

    def unix_us(self):
        return now_us() + self._wall_us

    def set_unix_us(self, us):
        self._wall_us = us - now_us()
        self._save()

    def set_memory(self, data):
        if len(data) > _RTC_MEMORY_BYTES:
            raise ValueError("buffer too long")
        self.memory = bytes(data)
        self._save()

    def _save(self):
        if self._file:
            self._file.seek(0)
            wall = self._wall_us.to_bytes(_CLOCK_BYTES, "little")
            self._file.write(wall + len(self.memory).to_bytes(2, "little") + self.memory)


_start_us = now_us()
retained = Retained()
sound = _descriptor("NOISEBOX_SOUND")
air = _descriptor("NOISEBOX_AIR")
_events = _descriptor("NOISEBOX_EVENTS")


def report(event, before="", pieces=(), after=""):
    """Tells the host of an event and its ms since the start; the rest is JSON members."""
    if _events:
        t = (now_us() - _start_us) // 1000
        _events.write('{"event":"%s","t":%d%s%s' % (event, t, "," if before else "", before))
        for piece in pieces:
            _events.write(piece)
        _events.write(after + "}\n")


def reset(cause):
    """Ends this life of the chip at once: the host pulls the plug and may start the next."""
    report("reset", '"cause":%d' % cause)
    if not _events:
        raise SystemExit
    while True:
        utime.sleep(1)
