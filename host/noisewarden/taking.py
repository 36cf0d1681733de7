"""Taking records in: what one intake does to the store, within its transaction.

Several processes may take in records, of the same box too: each locks the rows of its boxes until
it has committed.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql

from noisewarden import chain, holding, places
from noisewarden.chain import Keys
from noisewarden.firmware import evidence, wire
from noisewarden.places import Entry, Place
from noisewarden.resolving import resolve_times
from noisewarden.schema import BROKEN, ROLL_UP, VERIFIED, conflicts, records

_NEW, _KNOWN, _OTHER = range(3)

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

    A verified one that takes the place of one that was not is new.

    held    up to this number all that the box has is here, this batch included
    broken  those that no key of the journal signed
    """

    new: int
    known: int
    conflicts: int
    held: int
    broken: frozenset[Entry] = frozenset()


def take(connection: sql.Connection, batches: Mapping[str, Batch]) -> dict[str, Intake]:
    """Takes in a batch of each box. It does not commit."""
    held = holding.lock(connection, batches)
    desk = _Desk(_stored(connection, _with_neighbours(batches) | set(held.items())))
    keys = {box: batch.keys for box, batch in batches.items()}
    for box, batch in batches.items():
        for entry, after in batch.arrivals:
            desk.offer(box, entry, after, batch.keys)
    for box, entry in desk.aside:
        _keep_conflict(connection, box, entry)
    states = desk.states(keys)
    if states:
        _write(connection, desk, states)
        chain.judge_followers(connection, states, desk.entries, desk.stored, keys)
        resolve_times(connection, {desk.boot(place) for place in states})
        holding.advance(connection, held, desk.stored, desk.afters, states, keys)
    verified = {place for place, state in states.items() if state == VERIFIED}
    return {
        box: Intake(*desk.counts[box], held=held[box], broken=_broken(box, batch, desk, verified))
        for box, batch in batches.items()
    }


class _Desk:
    """What came, sorted beside what is there.

    stored   the rows that what came has to do with
    entries  what stands under each number in the end
    afters   of those that are to be written, the number before it in the journal
    aside    conflicts
    counts   of each box how many were new, known, other
    """

    def __init__(self, stored: dict[Place, sql.Row[Any]]) -> None:
        self.stored = stored
        self.entries = {place: places.entry(row) for place, row in stored.items()}
        self.afters: dict[Place, int] = {}
        self.aside: list[tuple[str, Entry]] = []
        self.counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])

    def offer(self, box: str, entry: Entry, after: int, keys: Keys) -> None:
        """One that is verified takes the place of one that is not."""
        place = box, entry[0]
        there = self.entries.get(place)
        stands = there is None or self._is_better(place, entry, after, keys)
        if stands:
            self.entries[place] = entry
            self.afters[place] = after
        if there not in (None, entry):
            self.aside.append((box, there if stands else entry))
        kind = _KNOWN if there == entry else _NEW if stands else _OTHER
        self.counts[box][kind] += 1

    def _is_better(self, place: Place, entry: Entry, after: int, keys: Keys) -> bool:
        there = self.entries[place]
        if place not in self.afters:
            row = self.stored[place]
            if there == entry and after < row.after:
                return True  # `after` is not signed, and a wrong one must not stop the box
            if row.chain == VERIFIED:
                return False
        box, seq = place
        before = self.entries.get((box, seq - 1))
        if chain.verdict(keys, before, entry) != VERIFIED:
            return False
        return there == entry or chain.verdict(keys, before, there) != VERIFIED

    def states(self, keys: Mapping[str, Keys]) -> dict[Place, str]:
        """How those are judged that are to be written."""
        return {
            (box, seq): chain.verdict(
                keys[box], self.entries.get((box, seq - 1)), self.entries[box, seq]
            )
            for box, seq in self.afters
        }

    def boot(self, place: Place) -> Place:
        return place[0], wire.header(self.entries[place][1])[2]


def _write(connection: sql.Connection, desk: _Desk, states: Mapping[Place, str]) -> None:
    """What gives way to a better one is among the conflicts."""
    c = records.c
    there = (c.box == sql.bindparam("of")) & (c.seq == sql.bindparam("at"))
    rows, same, former = [], [], []
    for place, state in states.items():
        box, seq = place
        entry, after, row = desk.entries[place], desk.afters[place], desk.stored.get(place)
        at = {"of": box, "at": seq}
        if row and entry == places.entry(row):
            same.append(at | {"told": after, "state": state})
            continue
        rows.append(_row(box, entry, after, state))
        if row:
            former.append(at)
    if former:
        connection.execute(sql.delete(records).where(there), former)
    if rows:
        connection.execute(sql.insert(records), rows)
    if same:
        told = {"after": sql.bindparam("told"), "chain": sql.bindparam("state")}
        connection.execute(sql.update(records).where(there).values(told), same)


def _broken(box: str, batch: Batch, desk: _Desk, verified: Set[Place]) -> frozenset[Entry]:
    """Not one that is signed and continues nothing here: the box wrote it all the same."""
    found = []
    for entry, _ in batch.arrivals:
        place = box, entry[0]
        stands = place in verified and desk.entries[place] == entry
        if not stands and chain.verdict(batch.keys, None, entry) == BROKEN:
            found.append(entry)
    return frozenset(found)


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
        query = sql.select(c.box, c.seq, c.after, c.data, c.mac, c.previous, c.chain)
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
