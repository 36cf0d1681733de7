"""The tables of the station's store, of types that suit SQLite and PostgreSQL alike."""

from typing import Any

import sqlalchemy as sql

from noisewarden import mosquitto_password
from noisewarden.firmware import wire

UNVERIFIED, VERIFIED, BROKEN = "unverified", "verified", "broken"
"""Of a record's chain: nobody had the key, the mac holds, it does not."""

CLOCK = ("unset", "kept", "set", "resolved")
"""What `clock` says of a record's time. The box wrote the first three; a time that it did not know
is resolved from a later record of the same boot that does."""
UNSET, RESOLVED = 0, 3

ROLL_UP = ("laeq", "lafmax", "lafmin", "l10", "l50", "l90", "valid_s", "flags", "limit", "stage")

metadata = sql.MetaData()


def _box(**options: Any) -> sql.Column[Any]:
    return sql.Column("box", sql.String(wire.BOX_MOST_CHARS), nullable=False, **options)


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
    _box(primary_key=True),
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
    *[sql.Column(name, sql.Integer) for name in ROLL_UP[6:]],
    sqlite_with_rowid=False,
)
"""`after`: the box has nothing between this number and `seq`."""

without_time = records.c.clock == sql.literal_column(str(UNSET))
"""A literal, since SQLite finds no partial index by a parameter."""

sql.Index(
    "records_timeless",
    records.c.box,
    records.c.boot,
    records.c.clock,
    sqlite_where=without_time,
    postgresql_where=without_time,
)
"""With `clock`, which says the same in each of its rows: with two columns SQLite, which prefers a
primary key, would look through all records of the box."""

broken = records.c.chain == sql.literal_column(f"'{BROKEN}'")

sql.Index(
    "records_broken",
    records.c.box,
    records.c.seq,
    records.c.chain,
    sqlite_where=broken,
    postgresql_where=broken,
)
"""Those that a box is asked for again; `chain` stands in it as `clock` does above."""

claims = records.c.after < records.c.seq - sql.literal_column("1")

sql.Index(
    "records_of_claims",
    records.c.box,
    records.c.seq,
    records.c.after,
    records.c.chain,
    sqlite_where=claims,
    postgresql_where=claims,
)
"""Where a box is said to have nothing between two numbers: gaps are looked for there alone."""

minutes = records.c.kind == sql.literal_column("'minute'")

sql.Index(
    "minutes_by_time",
    records.c.box,
    records.c.unix_s,
    *[records.c[name] for name in ("laeq", "lafmax", "valid_s", "flags", "stage")],
    sqlite_where=minutes,
    postgresql_where=minutes,
)
"""What a look at all boxes wants of a minute, so that it need not read their records."""

events = records.c.kind != sql.literal_column("'minute'")

sql.Index(
    "records_of_events",
    records.c.box,
    records.c.seq,
    *[records.c[name] for name in ("kind", "boot", "uptime_ms", "unix_s", "stage", "received_s")],
    sqlite_where=events,
    postgresql_where=events,
)
"""One record in hundreds. With all that incidents want of them, since else SQLite would rather
look through all records of the box."""

conflicts = sql.Table(
    "conflicts",
    metadata,
    sql.Column("id", sql.Integer, primary_key=True),
    _box(index=True),
    sql.Column("seq", sql.BigInteger, nullable=False),
    *_bytes_as_they_came(),
)
"""Records that came under a number that another one has: a journal was erased, or forged."""

boxes = sql.Table(
    "boxes",
    metadata,
    _box(primary_key=True),
    sql.Column("held", sql.BigInteger, nullable=False),
)
"""`held`: all that the box has up to this number is here."""

register = sql.Table(
    "register",
    metadata,
    _box(primary_key=True),
    sql.Column("place", sql.String(60), nullable=False),
    sql.Column("board", sql.String(32), nullable=False),
    sql.Column("serial", sql.String(32), nullable=False),
    sql.Column("password_sha256", sql.LargeBinary, nullable=False),
    sql.Column("command_key", sql.LargeBinary, nullable=False),
    sql.Column("journal_key", sql.LargeBinary, nullable=False),
    sql.Column("counter", sql.BigInteger, nullable=False),
    sql.Column("added_s", sql.BigInteger, nullable=False),
    sql.Column("revoked_s", sql.BigInteger),
    sql.Column("mosquitto", sql.String(mosquitto_password.CHARS)),
)
"""Boxes that may speak to this station. `serial`: of the chip; `counter`: of the last command;
`mosquitto`: the password as that broker keeps it, None for a box of before."""

states = sql.Table(
    "states",
    metadata,
    _box(primary_key=True),
    sql.Column("online", sql.Boolean, nullable=False),
    sql.Column("state", sql.Text, nullable=False),
    sql.Column("seen_s", sql.BigInteger, nullable=False),
)
"""What each box last said of itself, so that a page has it before the box speaks again."""

incidents = sql.Table(
    "incidents",
    metadata,
    sql.Column("id", sql.Integer, primary_key=True),
    _box(),
    sql.Column("opened_seq", sql.BigInteger, nullable=False),
    sql.Column("opened_s", sql.BigInteger),
    sql.Column("calmed_s", sql.BigInteger),
    sql.Column("ended_s", sql.BigInteger),
    sql.Column("stage", sql.SmallInteger, nullable=False),
    sql.Column("live", sql.Boolean, nullable=False),
    sql.Column("taken_by", sql.Integer),
    sql.Column("taken_s", sql.BigInteger),
    sql.Column("closed_by", sql.Integer),
    sql.Column("closed_s", sql.BigInteger),
    sql.Column("outcome", sql.Text, nullable=False),
    sql.UniqueConstraint("box", "opened_seq"),
)
"""`opened_seq`: the record that left stage 0. `calmed_s`: since when it is there again, `ended_s`
when that had lasted. `stage`: the highest. `live`: it was told while it lasted. `taken_by` and
`closed_by` are people."""

interventions = sql.Table(
    "interventions",
    metadata,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("incident", sql.ForeignKey("incidents.id"), nullable=False, index=True),
    sql.Column("at_s", sql.BigInteger),
    sql.Column("kind", sql.String(16), nullable=False),
    sql.Column("person", sql.Integer),
    sql.Column("seq", sql.BigInteger),
    sql.Column("note", sql.Text, nullable=False),
    sql.Column("outcome", sql.Text, nullable=False),
)
"""By the box (`seq` of its record) or a person."""

commands = sql.Table(
    "commands",
    metadata,
    sql.Column("id", sql.String(32), primary_key=True),
    _box(),
    sql.Column("action", sql.String(16), nullable=False),
    sql.Column("arguments", sql.Text, nullable=False),
    sql.Column("asked_by", sql.Integer),
    sql.Column("asked_s", sql.BigInteger, nullable=False),
    sql.Column("expires_s", sql.BigInteger),
    sql.Column("sent_s", sql.BigInteger),
    sql.Column("answered_s", sql.BigInteger),
    sql.Column("status", sql.String(9), nullable=False),
    sql.Column("detail", sql.Text, nullable=False),
)
"""`status`: asked, sent, done, refused or timed_out. `asked_by` is a person, None the station."""

sql.Index("commands_of_box", commands.c.box, commands.c.asked_s)

people = sql.Table(
    "people",
    metadata,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("name", sql.String(60), nullable=False, unique=True),
    sql.Column("role", sql.String(13), nullable=False),
    sql.Column("password", sql.String(160)),
    sql.Column("created_s", sql.BigInteger, nullable=False),
    sql.Column("disabled_s", sql.BigInteger),
)
"""`password`: argon2id; None until the invitation was used. Nobody is ever deleted: evidence names
them."""

tokens = sql.Table(
    "tokens",
    metadata,
    sql.Column("sha256", sql.LargeBinary, primary_key=True),
    sql.Column("kind", sql.String(10), nullable=False),
    sql.Column("person", sql.ForeignKey("people.id"), nullable=False, index=True),
    sql.Column("label", sql.String(60), nullable=False),
    sql.Column("csrf", sql.String(64), nullable=False),
    sql.Column("created_s", sql.BigInteger, nullable=False),
    sql.Column("seen_s", sql.BigInteger, nullable=False),
    sql.Column("expires_s", sql.BigInteger, nullable=False),
)
"""What stands for a person: kind session, machine or invitation. Only the hash is here."""

audit = sql.Table(
    "audit",
    metadata,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("at_s", sql.BigInteger, nullable=False, index=True),
    sql.Column("person", sql.Integer),
    sql.Column("action", sql.String(32), nullable=False),
    sql.Column("about", sql.String(64), nullable=False),
    sql.Column("detail", sql.Text, nullable=False),
    sql.Column("address", sql.String(45), nullable=False),
)

plans = sql.Table(
    "plans",
    metadata,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("name", sql.String(60), nullable=False),
    sql.Column("media_type", sql.String(32), nullable=False),
    sql.Column("picture", sql.LargeBinary, nullable=False),
)

placements = sql.Table(
    "placements",
    metadata,
    _box(primary_key=True),
    sql.Column("plan", sql.ForeignKey("plans.id"), nullable=False),
    sql.Column("x", sql.Float, nullable=False),
    sql.Column("y", sql.Float, nullable=False),
)
"""Where a box stands on a plan: fractions of its width and height from the top left."""
