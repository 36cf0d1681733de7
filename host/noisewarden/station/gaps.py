"""Times of which no minute is here, and why: a gap must never look like quiet."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sql

from noisewarden import missing
from noisewarden.schema import records
from noisewarden.station import minutes
from noisewarden.station.unpacking import MINUTE_S

OFF, WAITING, GONE = "off", "waiting", "gone"
"""The box recorded nothing: it had no power, or its app did not run. It may still have records of
that time. It had some, and had to give them up."""

SHORTEST_S = 10
"""What is shorter is a clock that was set right."""


class TimeGap(NamedTuple):
    """From `from_s` to before `to_s`, unix time; `why` is OFF, WAITING or GONE."""

    from_s: int
    to_s: int
    why: str


def time_gaps(connection: sql.Connection, box: str, from_s: int, to_s: int) -> list[TimeGap]:
    """Those of a period that is over, in the order of their times."""
    c = records.c
    known = minutes.of(box)

    def edge(find: Any, *where: Any) -> int | None:
        return connection.scalar(known.with_only_columns(find(c.unix_s)).where(*where))

    before = edge(sql.func.max, c.unix_s <= from_s)
    after = edge(sql.func.min, c.unix_s > to_s)
    jumps = _jumps(
        connection,
        known,
        from_s if before is None else before,
        to_s if after is None else after,
    )
    gaps = [
        TimeGap(jump.start_s, jump.end_s - MINUTE_S, _why(connection, box, jump.above, jump.up_to))
        for jump in jumps
    ]
    if after is None:
        newest = edge(sql.func.max)
        gaps.append(TimeGap(from_s if newest is None else newest, to_s, WAITING))
    return list(_cut(gaps, from_s, to_s))


def _jumps(
    connection: sql.Connection, known: sql.Select[Any], from_s: int, to_s: int
) -> Sequence[sql.Row[Any]]:
    """Where the time between two minutes is longer than one: time and number of both. Below all
    numbers is the start of the journal."""
    c = records.c
    pairs = (
        known.with_only_columns(
            sql.func.lag(c.unix_s, 1, from_s).over(order_by=c.unix_s).label("start_s"),
            sql.func.lag(c.seq, 1, 0).over(order_by=c.unix_s).label("above"),
            c.unix_s.label("end_s"),
            c.seq.label("up_to"),
        )
        .where(c.unix_s.between(from_s, to_s))
        .subquery()
    )
    far = pairs.c.end_s - pairs.c.start_s >= MINUTE_S + SHORTEST_S
    return connection.execute(sql.select(pairs).where(far).order_by(pairs.c.end_s)).all()


def _why(connection: sql.Connection, box: str, above: int, up_to: int) -> str:
    """By the numbers that are missing between two minutes."""
    lost = missing.between(connection, box, above, up_to)
    if not lost:
        return OFF
    return GONE if all(gap.gone for gap in lost) else WAITING


def _cut(gaps: list[TimeGap], from_s: int, to_s: int) -> Iterator[TimeGap]:
    for gap in gaps:
        if gap.to_s - gap.from_s >= SHORTEST_S and gap.from_s < to_s and gap.to_s > from_s:
            yield TimeGap(max(gap.from_s, from_s), min(gap.to_s, to_s), gap.why)
