"""Up to which number all that a box has is here: `held`, which is what it is acknowledged.

Only a record that its chain bears out moves it, over what its `after` says that the box has not.
One that does not is kept, and passed by the next that does, as where flash is damaged.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sql
from sqlalchemy.dialects import postgresql, sqlite

from noisewarden import chain, places
from noisewarden.chain import Keys
from noisewarden.places import Place
from noisewarden.schema import boxes, records


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


def advance(
    connection: sql.Connection,
    held: dict[str, int],
    stored: Mapping[Place, sql.Row[Any]],
    afters: Mapping[Place, int],
    states: Mapping[Place, str],
    keys: Mapping[str, Keys],
) -> None:
    """Moves `held` of each box over all that now stands there without a hole.

    stored  the rows that stood at `held`, and others
    afters  of each record that was written, the number before it in the journal
    states  how its chain was judged
    """
    standing = {box: stored[box, at].chain for box, at in held.items() if (box, at) in stored}
    before = dict(held)
    for (box, seq), state in sorted(states.items()):
        carries = not keys[box] or chain.carries(standing.get(box), state)
        if carries and afters[box, seq] <= held[box] < seq:
            held[box], standing[box] = seq, state
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
        held[box] = _reach(connection, box, held[box], keys[box])
    _write_held(connection, held, before)


def verify(connection: sql.Connection, box: str, keys: Keys) -> None:
    """Judges anew what is not verified of a box, and moves `held` over what now is."""
    held = lock(connection, [box])
    chain.verify(connection, box, keys)
    _write_held(connection, {box: _reach(connection, box, held[box], keys)}, held)


def _reach(connection: sql.Connection, box: str, held: int, keys: Keys) -> int:
    """A broken record fills its own place, no more, and only a sound one behind it ends there."""
    c = records.c
    query = sql.select(c.seq, c.after, c.chain).where(c.box == box)
    reached, standing = held, None
    for page in places.pages(connection, query, held):
        for seq, after, state in page:
            if seq == held:
                standing = state
            elif not keys or chain.carries(standing, state):
                if after > reached:
                    return held
                held = reached = seq
                standing = state
            elif seq == reached + 1:
                reached = seq
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
