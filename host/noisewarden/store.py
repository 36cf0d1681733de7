"""The station's store: every record that a box gave, once and as it came (DESIGN 6).

A row is a record; a minute's row has its roll-up beside the bytes, in which its 60 seconds stay
packed. Nothing is ever deleted.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import sqlalchemy as sql

from noisewarden import holding, missing, taking
from noisewarden.database import Database
from noisewarden.missing import Gap
from noisewarden.places import Entry
from noisewarden.schema import BROKEN, UNVERIFIED, VERIFIED, boxes, conflicts, records
from noisewarden.taking import Arrival, Batch, Intake

__all__ = ["Arrival", "Batch", "Entry", "Gap", "Intake", "Store"]

_PAGE = 1_000
"""Rows in memory at a time."""


class Store:
    """Each method is one transaction. UserError when the database refuses."""

    def __init__(self, database: Database) -> None:
        self._transaction = database.transaction
        self._reading = database.reading

    def held(self, box: str) -> int:
        """The number up to which all that the box has is here; 0 for nothing."""
        with self._reading() as connection:
            return _held(connection, box)

    def intake(self, box: str, arrivals: Sequence[Arrival], *keys: Any) -> Intake:
        """`intake_many` of one box, with the keys of its journal or none."""
        return self.intake_many({box: Batch(arrivals, keys)})[box]

    def intake_many(self, batches: Mapping[str, Batch]) -> dict[str, Intake]:
        """Takes in what came of several boxes; when it returns, all of it is on disk."""
        with self._transaction() as connection:
            return taking.take(connection, batches)

    def verify(self, box: str, *keys: Any) -> None:
        """Judges anew what is not verified: it came without the key, or with a wrong one."""
        with self._transaction() as connection:
            holding.verify(connection, box, keys)

    def records(self, box: str) -> Generator[sql.Row[Any], None, None]:
        """All rows of a box in the order of their numbers."""
        query = sql.select(records).where(records.c.box == box).order_by(records.c.seq)
        with self._reading() as connection:
            yield from connection.execute(query, execution_options={"yield_per": _PAGE})

    def journal(self, box: str, count: int, below: int | None = None) -> list[sql.Row[Any]]:
        """The newest rows of a box, the newest first; or the newest of those below a number."""
        c = records.c
        query = sql.select(records).where(c.box == box).order_by(c.seq.desc()).limit(count)
        if below is not None:
            query = query.where(c.seq < below)
        with self._reading() as connection:
            return list(connection.execute(query))

    def gaps(self, box: str) -> list[Gap]:
        """What is missing below the last record of a box, from its first number on."""
        with self._reading() as connection:
            return missing.of(connection, box, _held(connection, box))

    def missing(self, box: str) -> list[Gap]:
        """The gaps that the box can still fill: all are above what is held."""
        with self._reading() as connection:
            return missing.to_fill(connection, box, _held(connection, box))

    def doubts(self, box: str, first: int, count: int) -> list[Gap]:
        """The lowest numbers from `first` up to what is held that the box may have, and better
        than they are here."""
        with self._reading() as connection:
            return missing.doubts(connection, box, _held(connection, box), first, count)

    def chain(self, box: str) -> dict[str, int]:
        """How many records are verified, broken and unverified."""
        c = records.c
        query = sql.select(c.chain, sql.func.count()).where(c.box == box).group_by(c.chain)
        with self._reading() as connection:
            counts = {state: count for state, count in connection.execute(query)}
        return {state: counts.get(state, 0) for state in (VERIFIED, BROKEN, UNVERIFIED)}

    def conflicts(self, box: str) -> list[int]:
        """The numbers under which other records came than those that were there."""
        c = conflicts.c
        query = sql.select(c.seq).where(c.box == box).order_by(c.seq, c.id)
        with self._reading() as connection:
            return list(connection.scalars(query))


def _held(connection: sql.Connection, box: str) -> int:
    return connection.scalar(sql.select(boxes.c.held).where(boxes.c.box == box)) or 0
