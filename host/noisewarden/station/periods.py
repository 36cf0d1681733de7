"""What a period comes to: levels by energy, and how much of it they rest on.

Too little with a level is no value, never "quiet"; and minutes whose level is doubtful are counted
apart, so that nobody need take wind for music.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from noisewarden.firmware import flags, wire
from noisewarden.station import averaging
from noisewarden.station.unpacking import Minutes

MIN_VALID_SHARE = 0.75
"""With less than this of its seconds a period has no level: 45 minutes of an hour, 18 hours of a
day. No standard says so for a box like this; it is written beside each value."""

DOUBTFUL = flags.OVERLOAD | flags.WIND | flags.UNCALIBRATED
"""Marks of a level that may not be that of the place. Of a `clock` not set only the limit is."""

_FLAGS = flags.names(-1)
_BITS = 1 << np.arange(len(_FLAGS))


@dataclass(frozen=True)
class Period:
    """Levels in dB, None when less than MIN_VALID_SHARE of the period has a level.

    l10, l50, l90  of LAeq,1s
    valid_s        seconds with a level; valid_share, of the part of the period that is over
    stage          the highest
    marked_min     how many minutes carry each flag
    """

    from_s: int
    to_s: int
    laeq: float | None
    lafmax: float | None
    lafmin: float | None
    l10: float | None
    l50: float | None
    l90: float | None
    valid_s: int
    valid_share: float
    stage: int
    marked_min: dict[str, int]


@dataclass(frozen=True)
class Statistics:
    """`unmarked`: without minutes that carry a DOUBTFUL flag. `day` and `night` as `local_time`
    says; their laeq are Ld and Ln, and `ldn` comes of both (`averaging.day_night`)."""

    whole: Period
    unmarked: Period
    day: Period
    night: Period
    ldn: float | None


class Heard:
    """What minutes add up to."""

    def __init__(self) -> None:
        self.spread = averaging.Spread()
        self.lafmax, self.lafmin = -np.inf, np.inf
        self.stage = 0
        self.marked_min = np.zeros(len(_FLAGS), dtype=int)

    def add(self, minutes: Minutes) -> None:
        self.spread.add(minutes.tenths[minutes.tenths != wire.NO_PACKED])
        self.lafmax = np.fmax.reduce(minutes.lafmax, initial=self.lafmax)
        self.lafmin = np.fmin.reduce(minutes.lafmin, initial=self.lafmin)
        self.stage = int(np.max(minutes.stage, initial=self.stage))
        self.marked_min += np.count_nonzero(minutes.flags[:, np.newaxis] & _BITS, axis=0)

    def join(self, other: "Heard") -> None:
        self.spread.join(other.spread)
        self.lafmax = max(self.lafmax, other.lafmax)
        self.lafmin = min(self.lafmin, other.lafmin)
        self.stage = max(self.stage, other.stage)
        self.marked_min += other.marked_min


class Tally:
    """A piece of time and what was heard in it, in minutes that carry a DOUBTFUL flag and others;
    `length_s` of it are over."""

    def __init__(self, from_s: int, to_s: int, length_s: int) -> None:
        self.from_s, self.to_s = from_s, to_s
        self.length_s = length_s
        self.unmarked, self.doubtful = Heard(), Heard()

    @classmethod
    def of(cls, tallies: Iterable["Tally"], from_s: int, to_s: int) -> "Tally":
        """All of them as one, somewhere in a period."""
        joined = cls(from_s, to_s, 0)
        for tally in tallies:
            joined.length_s += tally.length_s
            joined.unmarked.join(tally.unmarked)
            joined.doubtful.join(tally.doubtful)
        return joined

    def add(self, minutes: Minutes) -> None:
        doubtful = (minutes.flags & DOUBTFUL) != 0
        if not doubtful.any():
            self.unmarked.add(minutes)
            return
        self.unmarked.add(minutes[~doubtful])
        self.doubtful.add(minutes[doubtful])

    def whole(self) -> Heard:
        joined = Heard()
        for part in (self.unmarked, self.doubtful):
            joined.join(part)
        return joined

    def period(self, heard: Heard | None = None) -> Period:
        """Of all that was heard, or of a part of it."""
        heard = heard or self.whole()
        valid_s = heard.spread.seconds
        share = valid_share(valid_s, self.length_s)
        enough = share >= MIN_VALID_SHARE
        l10, l50, l90 = heard.spread.exceeded(10, 50, 90) if enough else [None] * 3
        return Period(
            from_s=self.from_s,
            to_s=self.to_s,
            laeq=heard.spread.laeq() if enough else None,
            lafmax=float(heard.lafmax) if enough else None,
            lafmin=float(heard.lafmin) if enough else None,
            l10=l10,
            l50=l50,
            l90=l90,
            valid_s=valid_s,
            valid_share=share,
            stage=heard.stage,
            marked_min={
                name: int(count)
                for name, count in zip(_FLAGS, heard.marked_min, strict=True)
                if count
            },
        )


def valid_share(valid_s: int, length_s: int) -> float:
    """0 to 1, to 0.001; a clock that was set back may have lived a minute twice."""
    return min(round(valid_s / length_s, 3), 1.0) if length_s > 0 else 0.0


def statistics(from_s: int, to_s: int, pieces: Sequence[tuple[bool, Tally]]) -> Statistics:
    """Of a period out of its days (True) and nights (False)."""
    whole = Tally.of((tally for _, tally in pieces), from_s, to_s)
    day, night = (
        Tally.of((tally for is_day, tally in pieces if is_day is wanted), from_s, to_s).period()
        for wanted in (True, False)
    )
    return Statistics(
        whole=whole.period(),
        unmarked=whole.period(whole.unmarked),
        day=day,
        night=night,
        ldn=averaging.day_night(day.laeq, night.laeq),
    )
