"""`neopixel` of MicroPython: what is written to the strip goes to the host."""

from binascii import hexlify

from _chip import report
from micropython import const

_PIECE = const(48)  # bytes reported at a time: on the chip a write takes no heap, here only little
_ORDER = const((1, 0, 2, 3))


class NeoPixel:
    def __init__(self, pin, n, bpp=3, timing=1):
        self.bpp = bpp
        self.buf = bytearray(n * bpp)

    def __len__(self):
        return len(self.buf) // self.bpp

    def __setitem__(self, i, colour):
        for channel in range(self.bpp):
            self.buf[i * self.bpp + _ORDER[channel]] = colour[channel]

    def __getitem__(self, i):
        return tuple([self.buf[i * self.bpp + _ORDER[channel]] for channel in range(self.bpp)])

    def write(self):
        report("matrix", '"grb":"', self._pieces(), '"')

    def _pieces(self):
        view = memoryview(self.buf)
        for start in range(0, len(view), _PIECE):
            yield hexlify(view[start : start + _PIECE])
