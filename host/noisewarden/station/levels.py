"""What the boxes measured, over any period: minutes, seconds, statistics, gaps (DESIGN 6).

Times are unix seconds; `minutes` says which period a minute belongs to. Minutes come up to five
minutes late.
"""

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import log10
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sql

from noisewarden import schema
from noisewarden.database import Database
from noisewarden.errors import UserError
from noisewarden.schema import records
from noisewarden.station import local_time, minutes, periods, unpacking
from noisewarden.station.gaps import TimeGap, time_gaps
from noisewarden.station.minutes import Minute, Stretch
from noisewarden.station.periods import Period, Statistics, Tally

DAY_S = 86_400
MOST_S = 366 * DAY_S
MOST_SECONDS_S = 7 * DAY_S + 3600
"""The longest period of minutes and statistics, and of seconds: a week, with the hour that ends a
summer."""

_ROWS = 20_000
"""Minutes in memory at a time."""


class Today(NamedTuple):
    """A box from its midnight until now. `over_min`: minutes that were not all at stage 0.

    laeq, lafmax in dB; None when less than `periods.MIN_VALID_SHARE` has a level.
    """

    laeq: float | None
    lafmax: float | None
    valid_share: float
    stage: int
    over_min: int


class Levels:
    """Reads alone. UserError for a period that ends before it begins, or is too long.

    now  unix time: what lies after it is not missing
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._reading = database.reading
        self._now = now

    def minutes(self, box: str, from_s: int, to_s: int) -> list[Minute]:
        """In the order of their times."""
        _check(from_s, to_s, MOST_S)
        with self._reading() as connection:
            return minutes.rolled_up(connection, minutes.within(box, from_s, to_s))

    def minute_columns(self, box: str, from_s: int, to_s: int) -> dict[str, Any]:
        """The same as columns (`minutes.columns`), which is quicker by far."""
        _check(from_s, to_s, MOST_S)
        with self._reading() as connection:
            return minutes.columns(connection, minutes.within(box, from_s, to_s))

    def seconds(self, box: str, from_s: int, to_s: int) -> list[Stretch]:
        """What a chart draws, and what `what_if` hears. Between stretches nothing is known."""
        _check(from_s, to_s, MOST_SECONDS_S)
        with self._reading() as connection:
            return minutes.stretches(connection, box, from_s, to_s)

    def gaps(self, box: str, from_s: int, to_s: int) -> list[TimeGap]:
        """Times of which no minute is here, in their order; up to now."""
        _check(from_s, to_s, MOST_S)
        to_s = min(to_s, int(self._now()))
        with self._reading() as connection:
            return time_gaps(connection, box, from_s, to_s) if from_s < to_s else []

    def statistics(self, box: str, from_s: int, to_s: int, zone: str) -> Statistics:
        """Of any period; `zone` is the POSIX text of the box's place, for day and night."""
        tallies = self._tallies(box, from_s, to_s, zone, local_time.is_day)
        return periods.statistics(from_s, to_s, tallies)

    def days(self, box: str, from_s: int, to_s: int, zone: str) -> list[tuple[str, Statistics]]:
        """Of each local day in a period, with its date. A day's night is its own 00:00–06:00 and
        22:00–24:00."""
        by_date: dict[str, list[tuple[bool, Tally]]] = {}
        label = local_time.date_and_is_day
        for (date, is_day), tally in self._tallies(box, from_s, to_s, zone, label):
            by_date.setdefault(date, []).append((is_day, tally))
        return [
            (date, periods.statistics(parts[0][1].from_s, parts[-1][1].to_s, parts))
            for date, parts in by_date.items()
        ]

    def hours(self, box: str, from_s: int, to_s: int, zone: str) -> list[Period]:
        """Of each local hour in a period."""
        tallies = self._tallies(box, from_s, to_s, zone, local_time.hour)
        return [tally.period() for _, tally in tallies]

    def today(self, boxes: Sequence[str], zone: str) -> dict[str, Today]:
        """Of many boxes at once; one of which no minute is here is not in it."""
        now_s = int(self._now())
        from_s = local_time.midnight(local_time.zone(zone), now_s)
        c = records.c
        query = (
            sql.select(
                c.box,
                sql.func.sum(c.valid_s * sql.func.power(10.0, c.laeq / 10)),
                sql.func.max(c.lafmax),
                sql.func.sum(c.valid_s),
                sql.func.max(c.stage),
                sql.func.count(sql.case((c.stage > 0, 1))),
            )
            .where(schema.minutes, c.box.in_(boxes), c.unix_s > from_s, c.unix_s <= now_s)
            .where(c.valid_s.is_not(None))
            .group_by(c.box)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return {box: _today(now_s - from_s, *sums) for box, *sums in rows}

    def _tallies(
        self,
        box: str,
        from_s: int,
        to_s: int,
        zone: str,
        label: Callable[[local_time.Local], Any],
    ) -> list[tuple[Any, Tally]]:
        """The pieces of a period that have one label, and what was heard in each."""
        _check(from_s, to_s, MOST_S)
        now_s = int(self._now())
        pieces = local_time.split(local_time.zone(zone), from_s, to_s, label)
        tallies = [
            Tally(piece.from_s, piece.to_s, max(min(piece.to_s, now_s) - piece.from_s, 0))
            for piece in pieces
        ]
        edges = [from_s, *[piece.to_s for piece in pieces]]
        c = records.c
        query = minutes.within(box, from_s, to_s).with_only_columns(c.unix_s, c.data)
        with self._reading() as connection:
            result = connection.execute(query, execution_options={"yield_per": _ROWS})
            for rows in result.partitions():
                ends, data = zip(*rows, strict=True)
                heard = unpacking.minutes(data)
                places = np.searchsorted(ends, edges, side="right")
                for tally, (first, last) in zip(tallies, pairwise(places), strict=True):
                    if first < last:
                        tally.add(heard[first:last])
        return list(zip([piece.label for piece in pieces], tallies, strict=True))


def _today(
    length_s: int, energy: float | None, lafmax: float | None, valid_s: int, stage: int, over: int
) -> Today:
    share = periods.valid_share(valid_s, length_s)
    if not energy or share < periods.MIN_VALID_SHARE:
        return Today(None, None, share, stage, over)
    return Today(round(10 * log10(energy / valid_s), 2), lafmax, share, stage, over)


def _check(from_s: int, to_s: int, most_s: int) -> None:
    if from_s >= to_s:
        raise UserError(f"from {from_s} to {to_s}: ends before it begins; swap the two")
    if to_s - from_s > most_s:
        raise UserError(
            f"from {from_s} to {to_s}: is longer than {most_s // DAY_S} days; ask for less at once"
        )
