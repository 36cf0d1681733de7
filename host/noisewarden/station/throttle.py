"""Guessing made slow: after some free tries each further one has to wait, ever longer."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FORGET_S = 3600
"""So long after its last try a key begins anew."""

REMEMBERED = 10_000
"""Keys; the one that was quiet longest gives way to the next."""


@dataclass
class _Tries:
    count: int = 0
    last_s: float = 0.0


class Throttle:
    """By key (an address, an account). Of several threads.

    free         tries before the first wait
    most_wait_s  waits double from 1 s up to this
    """

    def __init__(
        self, free: int, most_wait_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._free = free
        self._most_wait_s = most_wait_s
        self._now = now
        self._tries: OrderedDict[str, _Tries] = OrderedDict()
        self._lock = threading.Lock()

    def enter(self, key: str) -> float:
        """0 for a try that may go on, counted as failed until `passed`; else the wait left in s.

        It is counted before anyone knows how it ends: a hundred tries at once are a hundred.
        """
        with self._lock:
            now_s = self._now()
            tries = self._tries.setdefault(key, _Tries(last_s=now_s))
            self._tries.move_to_end(key)
            if len(self._tries) > REMEMBERED:
                self._tries.popitem(last=False)
            if now_s - tries.last_s > FORGET_S:
                tries.count = 0
            left_s = tries.last_s + self._wait_s(tries.count) - now_s
            if left_s > 0:
                return left_s
            tries.count += 1
            tries.last_s = now_s
            return 0.0

    def take_back(self, key: str) -> None:
        """The try was none: it came to nothing for another reason."""
        with self._lock:
            if tries := self._tries.get(key):
                tries.count = max(tries.count - 1, 0)

    def passed(self, key: str) -> None:
        """The try was right: the key begins anew."""
        with self._lock:
            self._tries.pop(key, None)

    def _wait_s(self, count: int) -> float:
        if count < self._free:
            return 0.0
        return min(self._most_wait_s, 2.0 ** min(count - self._free, 30))
