"""Proof of life: heartbeats of all that matters, and tasks restarted when they fail."""

import asyncio
import time

from micropython import const

WATCHDOG_MS = const(15_000)
"""Longer than the longest silence of a healthy box (a journal recovery, a TLS handshake), short
enough that the street does not look at a frozen number."""

_RESTART_MS = const((1000, 2000, 5000, 10_000, 30_000))


class Heartbeats:
    """One beat a name; `alive` when each came within its time."""

    def __init__(self, limits_ms):
        self._limits_ms = limits_ms
        now_ms = time.ticks_ms()
        self._last_ms = {name: now_ms for name in limits_ms}

    def beat(self, name):
        self._last_ms[name] = time.ticks_ms()

    def late(self):
        """Names whose beat is overdue."""
        now_ms = time.ticks_ms()
        return [
            name
            for name, limit_ms in self._limits_ms.items()
            if time.ticks_diff(now_ms, self._last_ms[name]) > limit_ms
        ]


async def keep(name, start, on_fault):
    """Runs the coroutine of `start()` for ever: restarts it with growing pauses when it raises.

    `on_fault(name, error)` hears of each failure. Returns when the task ends by itself; a
    cancellation and KeyboardInterrupt pass through.
    """
    failures = 0
    while True:
        began_ms = time.ticks_ms()
        try:
            return await start()
        except Exception as error:
            if time.ticks_diff(time.ticks_ms(), began_ms) > _RESTART_MS[-1]:
                failures = 0
            try:
                on_fault(name, error)
            except Exception:
                pass  # the heap is too full to tell it, too; the task goes on all the same
        await asyncio.sleep_ms(_RESTART_MS[min(failures, len(_RESTART_MS) - 1)])
        failures += 1
