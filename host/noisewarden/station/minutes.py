"""The minutes of a box: records of the store that tell how loud one was, read out of their bytes.

A box stamps a minute when it is over, so a record's time is the **end** of what it tells: here
every minute has both, `from_s` and `to_s`. It belongs to the period in which it ends. Times are
unix seconds, and a period reaches from `from_s` to before `to_s`. Records whose time nobody knows
are in none.
"""

from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sql

from noisewarden.firmware import wire
from noisewarden.schema import ROLL_UP, minutes, records
from noisewarden.station import unpacking
from noisewarden.station.unpacking import MINUTE_S

LIVE_WITHIN_S = 360
"""A minute waits up to 300 s for its flush: one that came within this time came over a link that
stood."""

JITTER_S = 2
"""A minute's stamp is cut to whole seconds, and made when the box has time."""


class Minute(NamedTuple):
    """One record `minute`: levels in dB, None for none.

    l10, l50, l90   of LAF, each 100 ms
    flags   mask (`flags.names`) of all that its seconds carried
    limit   the last in force, dB; `stage` the highest
    clock   how far its time can be trusted, a place in `schema.CLOCK`
    chain   verified, broken or unverified
    live    it came while it was news, not after an outage
    """

    from_s: int
    to_s: int
    seq: int
    laeq: float | None
    lafmax: float | None
    lafmin: float | None
    l10: float | None
    l50: float | None
    l90: float | None
    valid_s: int
    flags: int
    limit: int
    stage: int
    clock: int
    chain: str
    live: bool


class Stretch(NamedTuple):
    """LAeq,1s in dB of seconds that follow each other from `from_s` on; None for no level."""

    from_s: int
    levels: list[float | None]


def of(box: str) -> sql.Select[Any]:
    """The minutes of a box that can be read and whose time is known."""
    c = records.c
    known = c.unix_s.is_not(None) & c.valid_s.is_not(None)
    return sql.select(records).where(minutes, c.box == box, known)


def within(box: str, from_s: int, to_s: int) -> sql.Select[Any]:
    """Those of a period, in the order of their times."""
    c = records.c
    return of(box).where(c.unix_s > from_s, c.unix_s <= to_s).order_by(c.unix_s)


def columns(connection: sql.Connection, query: sql.Select[Any]) -> dict[str, Any]:
    """The minutes of a query as a column for each field of `Minute`: tuples, and arrays in which
    NaN stands for no level."""
    c = records.c
    rows = connection.execute(
        query.with_only_columns(c.unix_s, c.seq, c.clock, c.chain, c.received_s, c.data)
    ).all()
    to_s, seq, clock, chain, received_s, data = zip(*rows, strict=True) if rows else [()] * 6
    heard = unpacking.minutes(data)
    ends = np.array(to_s, dtype=int)
    return {
        "from_s": ends - MINUTE_S,
        "to_s": ends,
        "seq": seq,
        **{name: getattr(heard, name) for name in ROLL_UP},
        "clock": clock,
        "chain": chain,
        "live": np.array(received_s, dtype=int) - ends <= LIVE_WITHIN_S,
    }


def rolled_up(connection: sql.Connection, query: sql.Select[Any]) -> list[Minute]:
    """The minutes of a query, a row each."""
    found = [_plain(column) for column in columns(connection, query).values()]
    return [Minute._make(row) for row in zip(*found, strict=True)]


def _plain(column: Any) -> list[Any]:
    values = list(column) if isinstance(column, tuple) else column.tolist()
    return [None if value != value else value for value in values]


def stretches(connection: sql.Connection, box: str, from_s: int, to_s: int) -> list[Stretch]:
    """The seconds of a period. Between two stretches nothing is known."""
    c = records.c
    query = within(box, from_s, to_s + MINUTE_S).with_only_columns(c.unix_s, c.data)
    rows = connection.execute(query).all()
    joined: list[Stretch] = []
    tenths = unpacking.minutes([row.data for row in rows]).tenths.tolist()
    for row, minute in zip(rows, tenths, strict=True):
        levels = [None if level == wire.NO_PACKED else level / 10 for level in minute]
        start_s = row.unix_s - MINUTE_S
        if joined and abs(joined[-1].from_s + len(joined[-1].levels) - start_s) <= JITTER_S:
            joined[-1].levels.extend(levels)
        else:
            joined.append(Stretch(start_s, levels))
    return [cut for stretch in joined if (cut := _cut(stretch, from_s, to_s)).levels]


def _cut(stretch: Stretch, from_s: int, to_s: int) -> Stretch:
    first = max(from_s - stretch.from_s, 0)
    last = max(to_s - stretch.from_s, 0)
    return Stretch(stretch.from_s + first, stretch.levels[first:last])
