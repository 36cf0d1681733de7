"""Counts the samples that the I2S driver threw away, since it never says so.

Read blocks are counted against the clock. How far the count lags behind swings by what waits in
the driver's buffer; but every now and then the reader has caught up, and then the lag is what was
lost. So the smallest lag within a stretch longer than the buffer tells. A slow drift between the
clocks is followed.
"""

from micropython import const

_STRETCH_BLOCKS = const(20)
"""200 ms of blocks of 10 ms: the buffer holds 106 ms, so the reader catches up within them."""

_STEP_FRAMES = const(128)
"""Half a descriptor, the least that the driver throws away; less is drift and jitter."""


class Losses:
    """Lost frames of a stream of `rate_hz`."""

    def __init__(self, rate_hz):
        # Whole numbers only: the lag is in 125ths of a frame, which a µs at 48 kHz has 6 of.
        self._per_us = rate_hz // 8000
        self._scale = 125
        self._lag = 0
        self._base = None
        self._smallest = None
        self._blocks = 0

    def block(self, elapsed_us, frames):
        """To be called after each block: µs since the last call and frames read in it.

        Returns how many frames were lost, mostly 0.
        """
        self._lag += elapsed_us * self._per_us - frames * self._scale
        if self._smallest is None or self._lag < self._smallest:
            self._smallest = self._lag
        self._blocks += 1
        if self._blocks < _STRETCH_BLOCKS:
            return 0
        smallest = self._smallest
        self._blocks = 0
        self._smallest = None
        # Keeps the numbers small for ever.
        base = smallest if self._base is None else self._base
        self._lag -= smallest
        lost = (smallest - base) // self._scale
        self._base = 0
        return lost if lost >= _STEP_FRAMES else 0
