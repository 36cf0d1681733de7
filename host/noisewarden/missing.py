"""Numbers of a journal that are not here, and which of them the box itself says are gone.

Which record a box has before another, `after`, comes beside the record and is not signed: whoever
passes records on may keep one back and claim that it never was. That lets the box go on
(`taking`), but only what is signed makes a number *gone*: the record behind it continues the one
before it, or an `overwritten` record tells that the ring gave it up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql

from noisewarden import chain
from noisewarden.firmware import evidence
from noisewarden.schema import BROKEN, UNVERIFIED, VERIFIED, broken, claims, events, records


@dataclass(frozen=True)
class Gap:
    """Numbers `first` to `last` are not here; `gone` when the box has them no more either."""

    first: int
    last: int
    gone: bool


def of(connection: sql.Connection, box: str, held: int) -> list[Gap]:
    """What is missing below the last record of a box, from its first number on."""
    return [*_held(connection, box, 0, held), *between(connection, box, held)]


def between(
    connection: sql.Connection, box: str, above: int, up_to: int | None = None
) -> list[Gap]:
    """What is missing between two records; `above` 0 for the start of the journal, `up_to` None
    for its end."""
    c = records.c
    pairs = (
        sql.select(
            sql.func.coalesce(_before(c.seq), above).label("before"),
            _before(c.mac).label("mac"),
            _before(c.chain).label("standing"),
            c.seq,
            c.previous,
            c.chain,
        )
        .where(c.box == box, c.seq >= above, c.seq <= up_to if up_to else sql.true())
        .subquery()
    )
    holes = sql.select(pairs).where(pairs.c.seq > pairs.c.before + 1).order_by(pairs.c.seq)
    found: list[Gap] = []
    for row in connection.execute(holes).all():
        first, last = row.before + 1, row.seq - 1
        if row.previous == row.mac and BROKEN not in (row.standing, row.chain):
            found.append(Gap(first, last, gone=True))
        else:
            found.extend(_told(connection, box, first, last, row.chain))
    return found


def to_fill(connection: sql.Connection, box: str, held: int) -> list[Gap]:
    """The gaps that the box can still fill: all are above what is held.

    Where a broken record stands the true one is missing, and above it nobody knows.
    """
    c = records.c
    at = connection.scalar(sql.select(c.chain).where(c.box == box, c.seq == held))
    sound = [state for state in (VERIFIED, UNVERIFIED) if chain.carries(at, state)]
    pairs = (
        sql.select(sql.func.coalesce(_before(c.seq), held).label("before"), c.seq, c.after)
        .where(c.box == box, c.seq > held, c.chain.in_(sound))
        .subquery()
    )
    holes = (
        sql.select(pairs)
        .where(pairs.c.seq > pairs.c.before + 1, pairs.c.after > pairs.c.before)
        .order_by(pairs.c.seq)
    )
    return [Gap(row.before + 1, row.seq - 1, gone=False) for row in connection.execute(holes)]


def doubts(connection: sql.Connection, box: str, held: int, first: int, count: int) -> list[Gap]:
    """The lowest from `first` up to what is held that the box may have, and better than they are
    here: what is missing and not gone, and records that do not verify."""
    c = records.c
    query = (
        sql.select(c.seq)
        .where(c.box == box, broken, c.seq.between(first, held))
        .order_by(c.seq)
        .limit(count)
    )
    false = [Gap(seq, seq, gone=False) for seq in connection.scalars(query)]
    lost = [
        Gap(max(gap.first, first), gap.last, gone=False)
        for gap in _held(connection, box, first, held)
        if gap.last >= first and not gap.gone
    ]
    return sorted([*false, *lost], key=lambda gap: gap.first)[:count]


def _held(connection: sql.Connection, box: str, first: int, held: int) -> Iterator[Gap]:
    """Gaps below what is held: each stands behind a record that claims it."""
    c = records.c
    query = (
        sql.select(c.seq, c.after)
        .where(c.box == box, claims, c.seq > first, c.seq <= held, c.chain != BROKEN)
        .order_by(c.seq)
    )
    spans: list[tuple[int, int]] = []
    for seq, after in connection.execute(query):
        while spans and spans[-1][1] > after:
            after = min(after, spans.pop()[0])
        spans.append((after, seq))
    for above, up_to in spans:
        yield from between(connection, box, above, up_to)


def _told(
    connection: sql.Connection, box: str, first: int, last: int, state: str
) -> Iterator[Gap]:
    """A hole in parts: what `overwritten` records behind it tell of, and the rest.

    They are to be as good as the record right behind the hole, of this state. The ring gives up
    the oldest first, so one that tells of what is above the hole is the last to look at.
    """
    c = records.c
    query = (
        sql.select(c.data)
        .where(c.box == box, events, c.kind == "overwritten", c.seq > last)
        .where(c.chain.in_({VERIFIED, state} - {BROKEN}))
        .order_by(c.seq)
    )
    at = first
    for given_up in _ranges(connection.scalars(query)):
        if given_up[0] > last or at > last:
            break
        if given_up[1] < at:
            continue
        if given_up[0] > at:
            yield Gap(at, given_up[0] - 1, gone=False)
        end = min(given_up[1], last)
        yield Gap(max(at, given_up[0]), end, gone=True)
        at = end + 1
    if at <= last:
        yield Gap(at, last, gone=False)


def _ranges(overwritten: sql.ScalarResult[bytes]) -> Iterator[tuple[int, int]]:
    for data in overwritten:
        try:
            fields = evidence.unpack(data)
        except ValueError:
            continue  # from a box that says more than this station knows
        yield fields["first"], fields["last"]


def _before(column: Any) -> Any:
    """Of the record before each."""
    return sql.func.lag(column).over(order_by=records.c.seq)
