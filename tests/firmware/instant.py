"""asyncio and time in virtual time, which passes only while a test waits: so no test is slow.

Import it before anything that imports one of them.
"""

import os

os.putenv("NOISEBOX_FAST", "1")

import asyncio  # noqa: E402
import time  # noqa: E402, F401


def within(seconds, coroutine):
    """Runs a coroutine for at most so many virtual seconds; its result, or None."""

    async def bounded():
        try:
            return await asyncio.wait_for(coroutine, seconds)
        except asyncio.TimeoutError:
            return None

    return asyncio.run(bounded())
