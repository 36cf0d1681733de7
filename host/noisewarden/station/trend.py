"""The last ten minutes of a box, as a page draws them small beside its number."""

import math
from collections import deque

TREND_STEP_S = 10
TREND_STEPS = 60


class Trend:
    """LAeq of each TREND_STEP_S of the last ten minutes; None where there was no level."""

    def __init__(self) -> None:
        self._done: deque[float | None] = deque(maxlen=TREND_STEPS)
        self._step: int | None = None
        self._energy = 0.0
        self._seconds = 0

    def add(self, now_s: float, laeq: float | None) -> None:
        self._go_to(now_s)
        if laeq is not None:
            self._energy += 10 ** (laeq / 10)
            self._seconds += 1

    def levels(self, now_s: float) -> list[float | None]:
        """Oldest first; the step that goes on is not among them."""
        self._go_to(now_s)
        return list(self._done)

    def _go_to(self, now_s: float) -> None:
        step = int(now_s // TREND_STEP_S)
        if self._step is not None and step != self._step:
            level = 10 * math.log10(self._energy / self._seconds) if self._seconds else None
            self._done.append(None if level is None else round(level, 1))
            for _ in range(min(step - self._step - 1, TREND_STEPS)):
                self._done.append(None)
            self._energy, self._seconds = 0.0, 0
        self._step = step
