import asyncio

import check
from noisebox.microphone import BLOCK_BYTES, Microphone


class Reads:
    """A stream that gives so many bytes a read, each its number, and then ends."""

    def __init__(self, *counts):
        self._counts = list(counts)
        self._next = 0

    async def readinto(self, view):
        if not self._counts:
            raise EOFError
        count = self._counts.pop(0)
        assert count <= len(view)
        for n in range(count):
            view[n] = self._next & 255
            self._next += 1
        return count


class Meter:
    """Takes whole blocks; every second one ends a second."""

    def __init__(self):
        self.blocks = []

    def lose(self, count):
        raise AssertionError("nothing was lost")

    def block(self, frames, count):
        self.blocks.append(bytes(frames))
        return None if len(self.blocks) & 1 else len(self.blocks)


def heard(*counts):
    """What meter and box get of a stream of such reads."""
    meter, seconds = Meter(), []
    block = bytearray(BLOCK_BYTES)
    microphone = Microphone(None, block, meter, seconds.append, 48_000)
    microphone._reader = Reads(*counts)
    asyncio.run(microphone.run())
    assert b"".join(meter.blocks) == bytes(
        [n & 255 for n in range(len(meter.blocks) * BLOCK_BYTES)]
    )
    return len(meter.blocks), seconds


def test_whole_blocks_are_made_of_what_is_there():
    assert heard(BLOCK_BYTES, 2048, BLOCK_BYTES - 2048, 8, BLOCK_BYTES - 16, 8) == (3, [2])


def test_a_read_that_gives_nothing_is_no_end():
    # At the start, after a block that emptied the driver, and in the middle of one.
    assert heard(0, BLOCK_BYTES, 0, 2048, 0, 0, BLOCK_BYTES - 2048) == (2, [2])


def test_what_is_left_at_the_end_is_no_block():
    assert heard(BLOCK_BYTES, 2048) == (1, [])


check.run(globals())
