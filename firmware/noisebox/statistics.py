"""A minute out of its seconds: its mean energy, its extremes, and how its levels are spread."""

from array import array
from math import log10

from micropython import const

_MINUTE_SECONDS = const(60)

NO_LEVEL_DB10 = const(0xFFFF)
"""Stands in `Minute.seconds` for a second with no level."""

_LOWER_THAN_ANY_DB = const(-1000)

_MOST_LEVELS = const(600)
_MOST_DB10 = const(1499)
"""More than a microphone spans."""


def _db10(level):
    """A level in whole 0.1 dB, half up, nothing below 0 dB."""
    return max(int(level * 10 + 0.5), 0)


class Distribution:
    """The levels of a minute in order, for L10, L50, L90 (ISO 1996-1); 1.2 kB, allocated once."""

    def __init__(self):
        self._levels = memoryview(array("H", bytes(2 * _MOST_LEVELS)))
        self._count = 0

    def clear(self):
        self._count = 0

    def add(self, level):
        """Takes one level in dB, to 0.1 dB; at most 600 between two calls of `clear`."""
        levels, value = self._levels, min(_db10(level), _MOST_DB10)
        place, end = 0, self._count
        while place < end:
            middle = (place + end) // 2
            if levels[middle] < value:
                place = middle + 1
            else:
                end = middle
        # Views of one buffer: nothing is copied but in place.
        levels[place + 1 : self._count + 1] = levels[place : self._count]
        levels[place] = value
        self._count += 1

    def exceeded(self, percent):
        """The highest level in dB that at least `percent` of the levels reach, or None."""
        if not self._count:
            return None
        return self._levels[self._count - (self._count * percent + 99) // 100] / 10


class Minute:
    """What sixty seconds came to; one object, filled anew each minute.

    laeq lafmax lafmin lcpeak   dB, or None when no second had a level.
    l10 l50 l90                 dB or None, of LAF every 100 ms.
    seconds                     LAeq of each second in 0.1 dB, NO_LEVEL_DB10 for none.
    valid_s                     seconds with a level.
    flags                       those that any of the seconds had.
    """

    def __init__(self):
        self.seconds = array("H", bytes(2 * _MINUTE_SECONDS))
        self._levels = Distribution()
        self._clear()

    def _clear(self):
        self._filled = 0
        self._energy = 0.0
        self._samples = 0
        self._lafmax = self._lcpeak = _LOWER_THAN_ANY_DB
        self._lafmin = -_LOWER_THAN_ANY_DB
        self._levels.clear()
        self.flags = self.valid_s = 0
        self.laeq = self.lafmax = self.lafmin = self.lcpeak = None
        self.l10 = self.l50 = self.l90 = None

    def add(self, second):
        """Takes one `meter.Second`; True when it was the sixtieth and the minute can be read."""
        if self._filled == _MINUTE_SECONDS:
            self._clear()
        self.flags |= second.flags
        level = second.laeq
        self.seconds[self._filled] = NO_LEVEL_DB10 if level is None else _db10(level)
        self._filled += 1
        if level is not None:
            self._count(second)
        if self._filled < _MINUTE_SECONDS:
            return False
        if self.valid_s:
            self.laeq = 10 * log10(self._energy / self._samples)
            self.lafmax, self.lafmin, self.lcpeak = self._lafmax, self._lafmin, self._lcpeak
            self.l10 = self._levels.exceeded(10)
            self.l50 = self._levels.exceeded(50)
            self.l90 = self._levels.exceeded(90)
        return True

    def _count(self, second):
        self._energy += 10 ** (second.laeq / 10) * second.valid
        self._samples += second.valid
        for level in second.laf:
            self._levels.add(level)
        self._lafmax = max(self._lafmax, second.lafmax)
        self._lafmin = min(self._lafmin, second.lafmin)
        self._lcpeak = max(self._lcpeak, second.lcpeak)
        self.valid_s += 1
