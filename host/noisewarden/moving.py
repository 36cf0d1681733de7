"""Carries a station's database over to a server, every row of it.

    python -m noisewarden.moving station postgresql+psycopg://station@localhost/noisewarden

Stop the station first. Its database in the data folder stays, renamed, so that nothing goes on in
it.
"""

import sys
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sql

from noisewarden.database import FILE, MOVED, Database
from noisewarden.errors import UserError
from noisewarden.schema import metadata
from noisewarden.urls import tells_password

_AT_ONCE = 1000


def move(source: Database, target: Database) -> dict[str, int]:
    """Rows of each table; all of them are there then, or none.

    UserError when there is something in the target already, or a database refuses.
    """
    moved = {}
    with source.reading() as reading, target.transaction() as writing:
        for table in metadata.sorted_tables:
            if writing.scalar(sql.select(sql.exists(sql.select(table)))):
                raise UserError(
                    f"{table}: has rows there already; name a database that is new and empty"
                )
            rows = reading.execute(sql.select(table), execution_options={"yield_per": _AT_ONCE})
            moved[table.name] = 0
            for some in rows.mappings().partitions():
                writing.execute(sql.insert(table), [dict(row) for row in some])
                moved[table.name] += len(some)
            if writing.dialect.name == "postgresql" and "id" in table.c:
                _count_on(writing, table)
    return moved


def _count_on(connection: sql.Connection, table: sql.Table) -> None:
    """The next row gets a number that none of these has."""
    if isinstance(table.c.id.type, sql.Integer):
        sequence = sql.func.pg_get_serial_sequence(table.name, "id")
        next_id = sql.select(sql.func.coalesce(sql.func.max(table.c.id), 0) + 1).scalar_subquery()
        connection.execute(sql.select(sql.func.setval(sequence, next_id, False)))


def main(folder: str, url: str) -> None:
    file = Path(folder) / FILE
    with suppress(OSError):  # the database says why it cannot
        if not file.exists():
            raise UserError(f"{folder}: has no {FILE}; name the station's data folder")
    Database.in_folder(Path(folder)).close()
    # SQLite removes its log when the last program has closed the database.
    if file.with_name(f"{FILE}-wal").exists():
        raise UserError(f"{folder}: another program has it open; stop the station first")
    with Database.in_folder(Path(folder)) as source, Database(url) as target:
        for table, rows in move(source, target).items():
            print(f"{table:14} {rows}")
    file.rename(file.with_name(MOVED))


def _run(words: list[str]) -> tuple[int, str]:
    """(exit code, what to say of it), as `noisewarden` ends: 2 for wrong use, 130 stopped."""
    if len(words) != 2:
        return 2, "wrong use; write python -m noisewarden.moving FOLDER URL"
    if tells_password(words[1]):
        return 2, "URL: its password would stand in every list of processes; use ~/.pgpass"
    try:
        main(*words)
    except UserError as error:
        return 1, str(error)
    except KeyboardInterrupt:
        return 130, "stopped; nothing was carried over, begin again"
    return 0, ""


if __name__ == "__main__":
    code, said = _run(sys.argv[1:])
    if said:
        print(f"noisewarden: {said}", file=sys.stderr)
    sys.exit(code)
