"""Times of which no minute is here, and why: a gap must never look like quiet."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import sqlalchemy as sql

from noisewarden.schema import records
from noisewarden.station import minutes
from noisewarden.station.unpacking import MINUTE_S

OFF, WAITING, GONE = "off", "waiting", "gone"
"""The box recorded nothing: it had no power, or its app did not run. It may still have records of
that time. It had some, and had to give them up."""

SHORTEST_S = 10
"""What is shorter is a clock that was set right."""


class TimeGap(NamedTuple):
    from_s: int
    to_s: int
    why: str


class _Edge(NamedTuple):
    """A minute beside a gap. Below all numbers is the start of the journal."""

    unix_s: int
    seq: int


def time_gaps(connection: sql.Connection, box: str, from_s: int, to_s: int) -> list[TimeGap]:
    """Those of a period that is over, in the order of their times."""
    c = records.c
    columns = c.unix_s, c.seq
    one = minutes.of(box).with_only_columns(*columns).limit(1)
    before = one.where(c.unix_s <= from_s).order_by(c.unix_s.desc())
    inside = minutes.within(box, from_s, to_s).with_only_columns(*columns)
    after = one.where(c.unix_s > to_s).order_by(c.unix_s)
    first, middle, last = (
        [_Edge(*row) for row in connection.execute(query)] for query in (before, inside, after)
    )
    edges = [*(first or [_Edge(from_s, 0)]), *middle, *last]
    lost = _lost(connection, box, edges)
    gaps = [
        TimeGap(start.unix_s, end.unix_s - MINUTE_S, _why(lost, start.seq, end.seq))
        for start, end in pairwise(edges)
    ]
    if not last:
        gaps.append(TimeGap(edges[-1].unix_s, to_s, WAITING))
    return list(_cut(gaps, from_s, to_s))


def _lost(connection: sql.Connection, box: str, edges: list[_Edge]) -> list[tuple[int, bool]]:
    """Where numbers are missing: the one behind each hole, and whether the box gave them up."""
    c = records.c
    lowest = min(edge.seq for edge in edges)
    before = sql.func.coalesce(sql.func.lag(c.seq).over(order_by=c.seq), lowest).label("before")
    rows = (
        sql.select(c.seq, c.after, before)
        .where(c.box == box, c.seq > lowest, c.seq <= max(edge.seq for edge in edges))
        .subquery()
    )
    query = sql.select(rows).where(rows.c.seq > rows.c.before + 1)
    return [(row.seq, row.after <= row.before) for row in connection.execute(query)]


def _why(lost: list[tuple[int, bool]], above: int, up_to: int) -> str:
    gone = [is_gone for seq, is_gone in lost if above < seq <= up_to]
    if not gone:
        return OFF
    return GONE if all(gone) else WAITING


def _cut(gaps: list[TimeGap], from_s: int, to_s: int) -> Iterator[TimeGap]:
    for gap in gaps:
        if gap.to_s - gap.from_s >= SHORTEST_S and gap.from_s < to_s and gap.to_s > from_s:
            yield TimeGap(max(gap.from_s, from_s), min(gap.to_s, to_s), gap.why)
