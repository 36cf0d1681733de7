"""Levels of a period out of its seconds: by energy, never by decibels.

LAeq,1s are whole steps of 0.1 dB, so how often each step occurred says all there is to say of a
period, however long, and periods are joined by adding. L10, L50 and L90 are those **of LAeq,1s**:
the percentile of a period is not the mean of the percentiles of its minutes, which come of LAF.
"""

import math

import numpy as np
import numpy.typing as npt

Tenths = npt.NDArray[np.integer]
"""Levels in 0.1 dB."""

DAY_H, NIGHT_H = 16, 8
"""Of GB 3096-2008: day 06:00–22:00, night 22:00–06:00, local time."""
NIGHT_PENALTY_DB = 10
"""ISO 1996-1: what a night weighs more in Ldn."""

_STEPS = 4096
_NO_SECONDS = np.zeros(_STEPS, dtype=np.int64)
_ENERGIES = 10 ** (np.arange(_STEPS) / 100)
_HIGHEST_FIRST = slice(None, None, -1)


class Spread:
    """How often each level occurred."""

    def __init__(self) -> None:
        self._counts = _NO_SECONDS

    def add(self, tenths: Tenths) -> None:
        """Counts seconds by their LAeq,1s, 0 to 409.5 dB; those without a level are left out."""
        self._counts = self._counts + np.bincount(tenths, minlength=_STEPS)

    def join(self, other: "Spread") -> None:
        self._counts = self._counts + other._counts

    @property
    def seconds(self) -> int:
        return int(self._counts.sum())

    def laeq(self) -> float | None:
        """LAeq in dB to 0.01; None for no seconds."""
        if not self.seconds:
            return None
        mean = float(self._counts @ _ENERGIES) / self.seconds
        return round(10 * math.log10(mean), 2)

    def exceeded(self, *percents: int) -> list[float | None]:
        """For each the highest LAeq,1s in dB that at least so many of the seconds reach (ISO
        1996-1); None for no seconds."""
        reached = np.cumsum(self._counts[_HIGHEST_FIRST])
        seconds = int(reached[-1])
        if not seconds:
            return [None] * len(percents)
        wanted = [-(-seconds * percent // 100) for percent in percents]
        return [(_STEPS - 1 - int(steps)) / 10 for steps in np.searchsorted(reached, wanted)]


def day_night(day_db: float | None, night_db: float | None) -> float | None:
    """Ldn in dB to 0.01 out of Ld and Ln: the mean energy of 24 hours, 16 of them day, and the
    night's 10 dB up (ISO 1996-1, which leaves the hours to the authorities). None without either.
    """
    if day_db is None or night_db is None:
        return None
    night_energy = 10 ** ((night_db + NIGHT_PENALTY_DB) / 10)
    energy = (DAY_H * 10 ** (day_db / 10) + NIGHT_H * night_energy) / (DAY_H + NIGHT_H)
    return round(10 * math.log10(energy), 2)
