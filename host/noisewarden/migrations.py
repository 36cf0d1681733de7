"""Versions of the station's tables: an older database is brought up to date, a newer one refused.

A whole number is the version, in the database itself. From one to the next the tables only grow,
so one way leads from any older version to this one: tables, indexes and columns that `schema` has
and the database has not are made; such a column may be empty. A change that is more than that gets
its own step here. (Alembic names revisions without an order, which cannot tell a newer database
from a foreign one, and wants a script for each change.)
"""

import os
import sqlite3
from pathlib import Path

import sqlalchemy as sql
from sqlalchemy.schema import CreateColumn

from noisewarden.errors import UserError
from noisewarden.schema import metadata

VERSION = 4
"""1: records, conflicts and boxes, as `collect` first wrote them. 2: what a station needs. 3: the
passwords of boxes as Mosquitto keeps them. 4: indexes of what is no minute, of broken
records, of claimed gaps and of commands."""

_FORMER_INDEXES = ("records_without_time",)

_LOCK = 0x6E6F697365  # "noise"; any number that no other program locks

_version = sql.Table("schema_version", sql.MetaData(), sql.Column("version", sql.Integer))


def bring_up_to_date(connection: sql.Connection, name: str) -> None:
    """Within a transaction that writes: all of it is done or nothing, and one process does it.

    Of an older SQLite file a copy is kept beside it. UserError when the version is newer than this
    one, or there is no room for the copy; `name` is what it calls the database.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sql.select(sql.func.pg_advisory_xact_lock(_LOCK)))
    version = _read(connection)
    if version == VERSION:
        return
    if version > VERSION:
        raise UserError(
            f"{name}: is of a newer version ({version}, and this noisewarden knows {VERSION}); "
            "update noisewarden, or use another data folder"
        )
    if version and connection.dialect.name == "sqlite":
        _keep_copy(Path(name), version)
    metadata.create_all(connection)
    if version:
        _add_columns(connection)
        _mend_indexes(connection)
    _version.create(connection, checkfirst=True)
    connection.execute(sql.delete(_version))
    connection.execute(sql.insert(_version).values(version=VERSION))


def _add_columns(connection: sql.Connection) -> None:
    found, dialect = sql.inspect(connection), connection.dialect
    for table in metadata.tables.values():
        there = {column["name"] for column in found.get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                made = CreateColumn(column).compile(dialect=dialect)
                name = dialect.identifier_preparer.format_table(table)
                connection.execute(sql.text(f"ALTER TABLE {name} ADD COLUMN {made}"))


def _mend_indexes(connection: sql.Connection) -> None:
    for name in _FORMER_INDEXES:
        connection.execute(sql.text(f"DROP INDEX IF EXISTS {name}"))
    for table in metadata.tables.values():
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def _read(connection: sql.Connection) -> int:
    """The version of a database; 0 for an empty one."""
    tables = sql.inspect(connection).get_table_names()
    if _version.name in tables:
        return connection.scalar(sql.select(_version.c.version)) or 0
    return 1 if "records" in tables else 0


def _keep_copy(file: Path, version: int) -> None:
    """`station.sqlite` → `station.sqlite.version-1`: whole, or not there."""
    copy = file.with_name(f"{file.name}.version-{version}")
    unfinished = copy.with_name(f"{copy.name}.new")
    try:
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        source, target = sqlite3.connect(file), sqlite3.connect(unfinished)
        try:
            source.backup(target)
        finally:
            source.close()
            target.close()
        os.replace(unfinished, copy)
    except (OSError, sqlite3.Error) as error:
        unfinished.unlink(missing_ok=True)
        raise UserError(
            f"{copy}: cannot be written ({error}), and without this copy the older database is "
            "left as it is; make room on the disk"
        ) from None
