"""From the I2S stream to the meter: whole blocks, and lost samples counted."""

import asyncio
import time

from micropython import const

from noisebox.kernels import BLOCK_FRAMES
from noisebox.losses import Losses

_FRAME_BYTES = const(8)
BLOCK_BYTES = BLOCK_FRAMES * _FRAME_BYTES


class Microphone:
    """Feeds `meter` from `stream`, and calls `on_second(second)` after each second. `block`, of
    BLOCK_BYTES, takes what is read.

    In the same task, so that the number is on the matrix before the next block is read.
    """

    def __init__(self, stream, block, meter, on_second, rate_hz):
        self._reader = asyncio.StreamReader(stream)
        self._meter = meter
        self._on_second = on_second
        self._losses = Losses(rate_hz)
        self._block = block
        self._whole = memoryview(block)

    async def run(self):
        """Runs until the stream ends, with an EOFError: a recording does, the chip never."""
        try:
            await self._run()
        except EOFError:
            pass

    async def _run(self):
        reader, block, whole = self._reader, self._block, self._whole
        before_us = time.ticks_us()
        while True:
            # A read returns what is there: often less than a block, and 0 bytes at the start and
            # after a block that took the last ones, which the driver has not noticed before
            # (`dma_buffer_status` in esp32/machine_i2s.c).
            have = await reader.readinto(whole)
            while have < len(block):
                have += await reader.readinto(whole[have:])
            now_us = time.ticks_us()
            lost = self._losses.block(time.ticks_diff(now_us, before_us), BLOCK_FRAMES)
            before_us = now_us
            if lost:
                self._meter.lose(lost)
            second = self._meter.block(block, BLOCK_FRAMES)
            if second:
                self._on_second(second)
