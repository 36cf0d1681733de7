"""Times that a box did not know when it wrote a record, found later and never guessed."""

from collections.abc import Iterable

import sqlalchemy as sql

from noisewarden import places
from noisewarden.places import Place
from noisewarden.schema import RESOLVED, UNSET, records, without_time


def resolve_times(connection: sql.Connection, boots: Iterable[Place]) -> None:
    """Gives records that knew no time the time of the first later one of their boot that does.

    A start is told by its number; where another lies in between, a journal was erased and began
    to count anew, and nothing is known.
    """
    c = records.c
    for wanted in places.tables_of(boots, "boot"):
        same = (c.box == wanted.c.box) & (c.boot == wanted.c.boot)
        ranges = (
            sql.select(c.box, c.boot, sql.func.min(c.seq), sql.func.max(c.seq))
            .join_from(wanted, records, same)
            .where(without_time)
            .group_by(c.box, c.boot)
        )
        for box, boot, first, last in connection.execute(ranges).all():
            _resolve(connection, box, boot, first, last)


def _resolve(connection: sql.Connection, box: str, boot: int, first: int, last: int) -> None:
    c = records.c
    witness = connection.execute(
        sql.select(c.seq, c.uptime_ms, c.unix_s)
        .where(c.box == box, c.boot == boot, c.seq > last, c.clock.not_in((UNSET, RESOLVED)))
        .order_by(c.seq)
        .limit(1)
    ).first()
    if witness is None:
        return
    between = sql.select(c.seq).where(
        c.box == box, c.seq > first, c.seq < witness.seq, c.boot != boot
    )
    if connection.execute(between.limit(1)).first():
        return
    # The witness's seconds are whole, cut off: half of one is the best guess of the rest.
    boot_unix_ms = witness.unix_s * 1000 + 500 - witness.uptime_ms
    connection.execute(
        sql.update(records)
        .where(c.box == box, c.boot == boot, without_time)
        .values(unix_s=(c.uptime_ms + boot_unix_ms) // 1000, clock=RESOLVED)
    )
