"""The station's store: every record that a box gave, once and as it came (DESIGN 6).

A row is a record; a minute's row has its roll-up beside the bytes, in which its 60 seconds stay
packed (`evidence.unpack`). SQLite now, PostgreSQL by another URL later.
"""

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql

from noisewarden.database import Database
from noisewarden.firmware import evidence, wire
from noisewarden.schema import (
    BROKEN,
    RESOLVED,
    ROLL_UP,
    UNVERIFIED,
    VERIFIED,
    boxes,
    conflicts,
    records,
    without_time,
)

Entry = tuple[int, bytes, bytes, bytes]
"""seq, record, mac, previous mac, as `evidence.entry` gives it."""


@dataclass(frozen=True)
class Intake:
    """How many records of a batch were new, there already, or other than those there."""

    new: int
    known: int
    conflicts: int


@dataclass(frozen=True)
class Gap:
    """Numbers `first` to `last` are not here; `gone` when the box has them no more either."""

    first: int
    last: int
    gone: bool


class Store:
    """Each method is one transaction. UserError when the database refuses."""

    def __init__(self, database: Database) -> None:
        self._transaction = database.transaction

    def held(self, box: str) -> int:
        """The number up to which all that the box has is here; 0 for nothing."""
        with self._transaction() as connection:
            return _held(connection, box)

    def intake(
        self, box: str, arrivals: Sequence[tuple[Entry, int]], key: Any | None = None
    ) -> Intake:
        """Takes a batch of (entry, after); when it returns, the records are on disk.

        key  the `wire.Key` of the box's journal, to verify them; without it they stay unverified.
        """
        known = conflicting = 0
        new: dict[int, Entry] = {}
        rows = []
        with self._transaction() as connection:
            stored = _entries(connection, box, [entry[0] for entry, _ in arrivals])
            for entry, after in arrivals:
                there = stored.get(entry[0]) or new.get(entry[0])
                if there is None:
                    new[entry[0]] = entry
                    rows.append(_row(box, entry, after))
                elif there == entry:
                    known += 1
                else:
                    conflicting += 1
                    _keep_conflict(connection, box, entry)
            if rows:
                connection.execute(sql.insert(records), rows)
                _advance(connection, box)
                _resolve_times(connection, box, {row["boot"] for row in rows})
                if key:
                    _judge(connection, box, key, min(new))
        return Intake(len(rows), known, conflicting)

    def verify(self, box: str, key: Any) -> None:
        """Judges anew what is not verified: it came without the key, or with a wrong one."""
        c = records.c
        with self._transaction() as connection:
            first = connection.scalar(
                sql.select(sql.func.min(c.seq)).where(c.box == box, c.chain != VERIFIED)
            )
            if first is not None:
                _judge(connection, box, key, first)

    def records(self, box: str) -> Generator[sql.Row[Any], None, None]:
        """All rows of a box in the order of their numbers."""
        with self._transaction() as connection:
            query = sql.select(records).where(records.c.box == box).order_by(records.c.seq)
            yield from connection.execute(query)

    def gaps(self, box: str) -> list[Gap]:
        """What is missing below the last record of a box, from its first number on."""
        c = records.c
        before = sql.func.coalesce(sql.func.lag(c.seq).over(order_by=c.seq), 0).label("before")
        pairs = sql.select(before, c.seq, c.after).where(c.box == box).subquery()
        query = sql.select(pairs).where(pairs.c.seq > pairs.c.before + 1).order_by(pairs.c.seq)
        with self._transaction() as connection:
            return [
                Gap(row.before + 1, row.seq - 1, gone=row.before >= row.after)
                for row in connection.execute(query)
            ]

    def chain(self, box: str) -> dict[str, int]:
        """How many records are verified, broken and unverified."""
        c = records.c
        query = sql.select(c.chain, sql.func.count()).where(c.box == box).group_by(c.chain)
        with self._transaction() as connection:
            counts = {state: count for state, count in connection.execute(query)}
        return {state: counts.get(state, 0) for state in (VERIFIED, BROKEN, UNVERIFIED)}

    def conflicts(self, box: str) -> list[int]:
        """The numbers under which other records came than those that were there."""
        c = conflicts.c
        query = sql.select(c.seq).where(c.box == box).order_by(c.seq, c.id)
        with self._transaction() as connection:
            return list(connection.scalars(query))


def _held(connection: sql.Connection, box: str) -> int:
    return connection.scalar(sql.select(boxes.c.held).where(boxes.c.box == box)) or 0


def _entries(connection: sql.Connection, box: str, seqs: Iterable[int]) -> dict[int, Entry]:
    c = records.c
    query = sql.select(c.seq, c.data, c.mac, c.previous).where(c.box == box, c.seq.in_(seqs))
    return {row.seq: tuple(row) for row in connection.execute(query)}


def _row(box: str, entry: Entry, after: int) -> dict[str, Any]:
    seq, data, mac, previous = entry
    kind, _, boot, uptime_ms, unix_s, quality = wire.header(data)
    try:
        fields = evidence.unpack(data)
    except ValueError:
        fields = {}  # a body that cannot be read is kept like any other
    return {
        "box": box,
        "seq": seq,
        "after": after,
        "kind": kind,
        "boot": boot,
        "uptime_ms": uptime_ms,
        "unix_s": unix_s,
        "clock": quality,
        "chain": UNVERIFIED,
        "data": data,
        "mac": mac,
        "previous": previous,
        "received_s": int(time.time()),
    } | {name: fields.get(name) for name in ROLL_UP}


def _keep_conflict(connection: sql.Connection, box: str, entry: Entry) -> None:
    c = conflicts.c
    row = dict(zip(("seq", "data", "mac", "previous"), entry, strict=True)) | {"box": box}
    same = [getattr(c, name) == value for name, value in row.items()]
    if connection.scalar(sql.select(c.id).where(*same)) is None:
        connection.execute(sql.insert(conflicts), row | {"received_s": int(time.time())})


def _advance(connection: sql.Connection, box: str) -> None:
    """Moves `held` over all that now stands there without a hole."""
    c = records.c
    held = before = _held(connection, box)
    later = sql.select(c.seq, c.after).where(c.box == box, c.seq > held).order_by(c.seq)
    for seq, after in connection.execute(later):
        if after > held:
            break
        held = seq
    if before:
        connection.execute(sql.update(boxes).where(boxes.c.box == box).values(held=held))
    elif held:
        connection.execute(sql.insert(boxes).values(box=box, held=held))


def _resolve_times(connection: sql.Connection, box: str, boots: Iterable[int]) -> None:
    """Gives records that knew no time the time of the first later one of their boot that does.

    A start is told by its number; where another lies in between, a journal was erased and began
    to count anew, and nothing is known.
    """
    c = records.c
    ranges = sql.select(c.boot, sql.func.min(c.seq), sql.func.max(c.seq)).where(
        c.box == box, c.boot.in_(boots), without_time
    )
    for boot, first, last in connection.execute(ranges.group_by(c.boot)).all():
        witness = connection.execute(
            sql.select(c.seq, c.uptime_ms, c.unix_s)
            .where(c.box == box, c.boot == boot, c.seq > last, c.unix_s.is_not(None))
            .order_by(c.seq)
        ).first()
        if witness is None:
            continue
        between = sql.select(c.seq).where(
            c.box == box, c.seq > first, c.seq < witness.seq, c.boot != boot
        )
        if connection.execute(between).first():
            continue
        # The witness's seconds are whole, cut off: half of one is the best guess of the rest.
        boot_unix_ms = witness.unix_s * 1000 + 500 - witness.uptime_ms
        connection.execute(
            sql.update(records)
            .where(c.box == box, c.boot == boot, without_time)
            .values(unix_s=(c.uptime_ms + boot_unix_ms) // 1000, clock=RESOLVED)
        )


def _judge(connection: sql.Connection, box: str, key: Any, since: int) -> None:
    """Verifies the chain from record `since` on; what was verified before stays so."""
    c = records.c
    rows = connection.execute(
        sql.select(c.seq, c.data, c.mac, c.previous, c.chain)
        .where(c.box == box, c.seq >= since - 1)
        .order_by(c.seq)
    )
    judged = []

    def entries() -> Iterator[Entry]:
        for seq, data, mac, previous, chain in rows:
            if chain != VERIFIED and seq >= since:
                judged.append(seq)
            yield seq, data, mac, previous

    broken = set(evidence.breaks(key, entries()))
    verdicts = [{"at": seq, "verdict": BROKEN if seq in broken else VERIFIED} for seq in judged]
    if verdicts:
        connection.execute(
            sql.update(records)
            .where(c.box == box, c.seq == sql.bindparam("at"))
            .values(chain=sql.bindparam("verdict")),
            verdicts,
        )
