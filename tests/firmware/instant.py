"""asyncio in virtual time, which passes only while a test waits: so no test is slow.

Import it before anything that imports asyncio.
"""

import _chip

_chip.clock.virtual = True

import asyncio  # noqa: E402


def within(seconds, coroutine):
    """Runs a coroutine for at most so many virtual seconds; its result, or None."""

    async def bounded():
        try:
            return await asyncio.wait_for(coroutine, seconds)
        except asyncio.TimeoutError:
            return None

    return asyncio.run(bounded())
