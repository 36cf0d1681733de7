"""The chain of a journal (docs/protocol.md): which records nobody has changed or taken away.

What a record is judged to be depends on itself and on the one that is stored before it, never on
the order in which they came.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sql

from noisewarden import places
from noisewarden.firmware import evidence, wire
from noisewarden.places import Entry, Place
from noisewarden.schema import BROKEN, UNVERIFIED, VERIFIED, records

UNPROVISIONED = wire.Key(wire.derive(bytes(32), "journal"))
"""Under which a box writes that has no secret yet. It proves order, but not who wrote."""

Keys = Sequence[Any]
"""The `wire.Key`s of a journal: the one in use and those before it; none when nobody has them."""


def verdict(keys: Keys, before: Entry | None, entry: Entry) -> str:
    """Of an entry, by itself and the one that is stored before it."""
    if not keys:
        return UNVERIFIED
    if any(_is_sound(key, before, entry) for key in keys):
        return VERIFIED
    # Whoever forges one so breaks the record after it, which has the mac of the true one.
    return UNVERIFIED if _is_sound(UNPROVISIONED, before, entry) else BROKEN


def carries(before: str | None, state: str) -> bool:
    """Whether a record that is judged so is taken at its word for what the box has before it.

    `before` is how the one stands that was last taken so, None for none. A box begins under the
    unprovisioned key; once it has its own, a record under that one may be anybody's.
    """
    return state == VERIFIED or (state == UNVERIFIED and before in (None, UNVERIFIED))


def _is_sound(key: Any, before: Entry | None, entry: Entry) -> bool:
    pair = (before, entry) if before else (entry,)
    return entry[0] not in evidence.breaks(key, pair)


def judge_followers(
    connection: sql.Connection,
    new: Iterable[Place],
    entries: Mapping[Place, Entry],
    stored: Mapping[Place, sql.Row[Any]],
    keys: Mapping[str, Keys],
) -> None:
    """Judges anew what was stored before the record that it follows, one of `new`."""
    verdicts = []
    for box, seq in new:
        row = stored.get((box, seq + 1))
        if row is None:
            continue
        before = entries[box, seq]
        if row.chain == VERIFIED:  # its mac is right, whatever the key was
            found = VERIFIED if row.previous == before[2] else BROKEN
        else:
            found = verdict(keys[box], before, places.entry(row))
        if found not in (row.chain, UNVERIFIED):
            verdicts.append({"of": box, "at": row.seq, "verdict": found})
    _write(connection, verdicts)


def verify(connection: sql.Connection, box: str, keys: Keys) -> None:
    """Judges anew what is not verified of a box."""
    c = records.c
    first = connection.scalar(
        sql.select(sql.func.min(c.seq)).where(c.box == box, c.chain != VERIFIED)
    )
    if first is None:
        return
    query = sql.select(c.seq, c.data, c.mac, c.previous, c.chain).where(c.box == box)
    before = None
    for page in places.pages(connection, query, first - 1):
        verdicts = []
        for row in page:
            entry = places.entry(row)
            if row.chain != VERIFIED and row.seq >= first:
                found = verdict(keys, before, entry)
                verdicts.append({"of": box, "at": row.seq, "verdict": found})
            before = entry
        _write(connection, verdicts)


def _write(connection: sql.Connection, verdicts: list[dict[str, Any]]) -> None:
    c = records.c
    if verdicts:
        connection.execute(
            sql.update(records)
            .where(c.box == sql.bindparam("of"), c.seq == sql.bindparam("at"))
            .values(chain=sql.bindparam("verdict")),
            verdicts,
        )
