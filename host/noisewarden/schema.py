"""The tables of the station's store, of types that suit SQLite now and PostgreSQL later."""

from typing import Any

import sqlalchemy as sql

from noisewarden.firmware import wire

UNVERIFIED, VERIFIED, BROKEN = "unverified", "verified", "broken"
"""Of a record's chain: nobody had the key, the mac holds, it does not."""

CLOCK = ("unset", "kept", "set", "resolved")
"""What `clock` says of a record's time. The box wrote the first three; a time that it did not know
is resolved from a later record of the same boot that does."""
UNSET, RESOLVED = 0, 3

ROLL_UP = ("laeq", "lafmax", "lafmin", "l10", "l50", "l90", "valid_s", "flags", "limit", "stage")

metadata = sql.MetaData()


def _bytes_as_they_came() -> list[sql.Column[Any]]:
    return [
        sql.Column("data", sql.LargeBinary, nullable=False),
        sql.Column("mac", sql.LargeBinary, nullable=False),
        sql.Column("previous", sql.LargeBinary, nullable=False),
        sql.Column("received_s", sql.BigInteger, nullable=False),
    ]


records = sql.Table(
    "records",
    metadata,
    sql.Column("box", sql.String(wire.BOX_MOST_CHARS), primary_key=True),
    sql.Column("seq", sql.BigInteger, primary_key=True, autoincrement=False),
    sql.Column("after", sql.BigInteger, nullable=False),
    sql.Column("kind", sql.String(16), nullable=False),
    sql.Column("boot", sql.BigInteger, nullable=False),
    sql.Column("uptime_ms", sql.BigInteger, nullable=False),
    sql.Column("unix_s", sql.BigInteger),
    sql.Column("clock", sql.SmallInteger, nullable=False),
    sql.Column("chain", sql.String(10), nullable=False),
    *_bytes_as_they_came(),
    *[sql.Column(name, sql.Float) for name in ROLL_UP[:6]],
    *[sql.Column(name, sql.SmallInteger) for name in ROLL_UP[6:]],
    sqlite_with_rowid=False,
)
"""`after`: the box has nothing between this number and `seq`."""

without_time = records.c.clock == sql.literal_column(str(UNSET))
"""A literal, since SQLite finds no partial index by a parameter."""

sql.Index(
    "records_without_time",
    records.c.box,
    records.c.boot,
    sqlite_where=without_time,
    postgresql_where=without_time,
)

conflicts = sql.Table(
    "conflicts",
    metadata,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("box", sql.String(wire.BOX_MOST_CHARS), nullable=False, index=True),
    sql.Column("seq", sql.BigInteger, nullable=False),
    *_bytes_as_they_came(),
)
"""Records that came under a number that another one has: a journal was erased, or forged."""

boxes = sql.Table(
    "boxes",
    metadata,
    sql.Column("box", sql.String(wire.BOX_MOST_CHARS), primary_key=True),
    sql.Column("held", sql.BigInteger, nullable=False),
)
"""`held`: all that the box has up to this number is here."""
