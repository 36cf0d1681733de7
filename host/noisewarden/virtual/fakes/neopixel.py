"""`neopixel` of MicroPython: what is written to the strip goes to the host."""

from binascii import hexlify

from _chip import report

_PIECE = 48
"""Bytes reported at a time: on the chip a write takes no heap, so here it may take only little."""


class NeoPixel:
    ORDER = (1, 0, 2, 3)

    def __init__(self, pin, n, bpp=3, timing=1):
        self.pin = pin
        self.n = n
        self.bpp = bpp
        self.buf = bytearray(n * bpp)

    def __len__(self):
        return self.n

    def __setitem__(self, i, colour):
        for channel in range(self.bpp):
            self.buf[i * self.bpp + self.ORDER[channel]] = colour[channel]

    def __getitem__(self, i):
        return tuple(self.buf[i * self.bpp + self.ORDER[channel]] for channel in range(self.bpp))

    def fill(self, colour):
        for i in range(self.n):
            self[i] = colour

    def write(self):
        report("matrix", '"grb":"', self._pieces(), '"')

    def _pieces(self):
        view = memoryview(self.buf)
        for start in range(0, len(view), _PIECE):
            yield hexlify(view[start : start + _PIECE])
