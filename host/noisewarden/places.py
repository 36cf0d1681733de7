"""Where records stand in the store, and ways to read them that stay quick with years in it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sql

from noisewarden.schema import records

Entry = tuple[int, bytes, bytes, bytes]
"""seq, record, mac, previous mac, as `evidence.entry` gives it."""

Place = tuple[str, int]
"""A box, and the number of a record of it or of a boot."""

_PAGE = 1_000
_AT_ONCE = 5_000
"""Places in one query: SQLite takes 32 766 parameters."""


def entry(row: sql.Row[Any]) -> Entry:
    return row.seq, row.data, row.mac, row.previous


def tables_of(places: Iterable[Place], number: str) -> Iterator[sql.CTE]:
    """Places as tables of `box` and `number` to join with: SQLite finds no index by pairs in an
    IN."""
    rows = list(places)
    columns = sql.column("box", sql.String), sql.column(number, sql.BigInteger)
    for at in range(0, len(rows), _AT_ONCE):
        some = rows[at : at + _AT_ONCE]
        yield sql.values(*columns, name="wanted").data(some).cte()


def pages(connection: sql.Connection, query: Any, since: int) -> Iterator[Sequence[Any]]:
    """Rows of one box from `since` on in the order of their numbers, a bounded list at a time."""
    c = records.c
    ordered = query.order_by(c.seq).limit(_PAGE)
    while page := connection.execute(ordered.where(c.seq >= since)).all():
        yield page
        since = page[-1].seq + 1
