"""A box's journal for who reads it: record by record, the newest first, each with its chain."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql

from noisewarden.database import Database
from noisewarden.firmware import evidence, flags, wire
from noisewarden.schema import CLOCK, events, records

PAGE = 50

ALL, EVENTS = "all", "events"
"""Choices beside the kinds of records; `events` is all but the minutes."""
CHOICES = (ALL, EVENTS, *wire.KINDS)


@dataclass(frozen=True)
class Read:
    """One record. `unix_s` is None while nobody knows its time; `clock` says how far it can be
    trusted (`schema.CLOCK`). `fields` is what is in its body, flags as names; of one that cannot
    be read it is empty, and `unreadable` says why."""

    seq: int
    kind: str
    boot: int
    uptime_ms: int
    unix_s: int | None
    clock: str
    chain: str
    received_s: int
    fields: dict[str, Any]
    unreadable: str


def page(database: Database, box: str, choice: str, before: int | None) -> list[Read]:
    """At most PAGE records of one of CHOICES: the newest, or those below a number."""
    c = records.c
    query = sql.select(records).where(c.box == box).order_by(c.seq.desc()).limit(PAGE)
    if before is not None:
        query = query.where(c.seq < before)
    if choice not in (ALL, "minute"):
        query = query.where(events)
    if choice not in (ALL, EVENTS):
        query = query.where(c.kind == choice)
    with database.reading() as connection:
        return [_read(row) for row in connection.execute(query)]


_OF_HEADER = ("kind", "seq", "boot", "uptime_ms", "time", "quality")


def _read(row: Any) -> Read:
    fields, unreadable = {}, ""
    try:
        unpacked = evidence.unpack(row.data)
    except ValueError as error:
        unreadable = str(error)
    else:
        fields = {name: value for name, value in unpacked.items() if name not in _OF_HEADER}
        if "flags" in fields:
            fields["flags"] = flags.names(fields["flags"])
    return Read(
        seq=row.seq,
        kind=row.kind,
        boot=row.boot,
        uptime_ms=row.uptime_ms,
        unix_s=row.unix_s,
        clock=CLOCK[row.clock],
        chain=row.chain,
        received_s=row.received_s,
        fields=fields,
        unreadable=unreadable,
    )
