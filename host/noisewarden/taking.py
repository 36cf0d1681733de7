"""Taking records in: what one intake does to the store, within its transaction.

Several processes may take in records, of the same box too: each locks the rows of its boxes until
it has committed.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql
from sqlalchemy.dialects import postgresql, sqlite

from noisewarden import chain, places
from noisewarden.chain import Keys
from noisewarden.firmware import evidence, wire
from noisewarden.places import Entry, Place
from noisewarden.resolving import resolve_times
from noisewarden.schema import ROLL_UP, boxes, conflicts, records

Arrival = tuple[Entry, int]
"""An entry, and the number of the one before it in the box's journal."""


@dataclass(frozen=True)
class Batch:
    """What came of a box; without keys of its journal, the records stay unverified."""

    arrivals: Sequence[Arrival]
    keys: Keys = ()


@dataclass(frozen=True)
class Intake:
    """How many records of a batch were new, there already, or other than those there.

    held  up to this number all that the box has is here, this batch included
    """

    new: int
    known: int
    conflicts: int
    held: int


def take(connection: sql.Connection, batches: Mapping[str, Batch]) -> dict[str, Intake]:
    """Takes in a batch of each box. It does not commit."""
    held = lock(connection, batches)
    stored = _stored(connection, _with_neighbours(batches))
    entries = {place: places.entry(row) for place, row in stored.items()}
    new: dict[Place, int] = {}
    known: Counter[str] = Counter()
    other: Counter[str] = Counter()
    for box, batch in batches.items():
        for entry, after in batch.arrivals:
            place = box, entry[0]
            there = entries.get(place)
            if there is None:
                entries[place] = entry
                new[place] = after
            elif there == entry:
                known[box] += 1
            else:
                other[box] += 1
                _keep_conflict(connection, box, entry)
    if new:
        rows = []
        for (box, seq), after in new.items():
            entry = entries[box, seq]
            verdict = chain.verdict(batches[box].keys, entries.get((box, seq - 1)), entry)
            rows.append(_row(box, entry, after, verdict))
        connection.execute(sql.insert(records), rows)
        keys = {box: batch.keys for box, batch in batches.items()}
        chain.judge_followers(connection, new, entries, stored, keys)
        resolve_times(connection, {(row["box"], row["boot"]) for row in rows})
        _advance(connection, held, new)
    count = Counter(box for box, _ in new)
    return {box: Intake(count[box], known[box], other[box], held[box]) for box in batches}


def lock(connection: sql.Connection, batches: Iterable[str]) -> dict[str, int]:
    """`held` of each box, whose rows are this transaction's until it ends.

    Rows are made and locked in one order, so that no two transactions wait for each other.
    """
    names = sorted(batches)
    c = boxes.c
    there = set(connection.scalars(sql.select(c.box).where(c.box.in_(names))))
    missing = [{"box": box, "held": 0} for box in names if box not in there]
    if missing:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(boxes).on_conflict_do_nothing(), missing)
    query = sql.select(c.box, c.held).where(c.box.in_(names)).order_by(c.box).with_for_update()
    return {box: held for box, held in connection.execute(query)}


def _with_neighbours(batches: Mapping[str, Batch]) -> set[Place]:
    """Of the records that came and of their neighbours."""
    return {
        (box, entry[0] + beside)
        for box, batch in batches.items()
        for entry, _ in batch.arrivals
        for beside in (-1, 0, 1)
    }


def _stored(connection: sql.Connection, there: set[Place]) -> dict[Place, sql.Row[Any]]:
    c = records.c
    found = {}
    for wanted in places.tables_of(there, "seq"):
        same = (c.box == wanted.c.box) & (c.seq == wanted.c.seq)
        query = sql.select(c.box, c.seq, c.data, c.mac, c.previous, c.chain)
        for row in connection.execute(query.join_from(wanted, records, same)):
            found[row.box, row.seq] = row
    return found


def _row(box: str, entry: Entry, after: int, verdict: str) -> dict[str, Any]:
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
        "chain": verdict,
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


# What is held.


def _advance(connection: sql.Connection, held: dict[str, int], new: Mapping[Place, int]) -> None:
    """Moves `held` of each box over all that now stands there without a hole."""
    before = dict(held)
    for (box, seq), after in sorted(new.items()):
        if after <= held[box]:
            held[box] = max(held[box], seq)
    _write_held(connection, held, before)
    # Most often that is all. But where a hole was filled, more stands behind it.
    c = records.c
    next_after = (
        sql.select(c.after)
        .where(c.box == boxes.c.box, c.seq > boxes.c.held)
        .order_by(c.seq)
        .limit(1)
        .scalar_subquery()
    )
    further = sql.select(boxes.c.box).where(boxes.c.box.in_(held), next_after <= boxes.c.held)
    before = dict(held)
    for box in connection.scalars(further).all():
        held[box] = _reach(connection, box, held[box])
    _write_held(connection, held, before)


def _reach(connection: sql.Connection, box: str, held: int) -> int:
    c = records.c
    query = sql.select(c.seq, c.after).where(c.box == box)
    for page in places.pages(connection, query, held + 1):
        for seq, after in page:
            if after > held:
                return held
            held = seq
    return held


def _write_held(
    connection: sql.Connection, held: Mapping[str, int], before: Mapping[str, int]
) -> None:
    moved = [{"of": box, "to": seq} for box, seq in held.items() if seq != before[box]]
    if moved:
        connection.execute(
            sql.update(boxes)
            .where(boxes.c.box == sql.bindparam("of"))
            .values(held=sql.bindparam("to")),
            moved,
        )
