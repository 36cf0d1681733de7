"""How SQLite goes about the queries of a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sql
from noisewarden.database import Database


@contextmanager
def plans_of(database: Database) -> Iterator[list[str]]:
    """A list that grows by the steps of the plan of each query within the block."""
    found: list[str] = []

    def note(
        connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH", "UPDATE")):
            one = parameters[0] if many else parameters
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", one)
            found.extend(row[3] for row in cursor.fetchall())

    with database.reading() as connection:
        engine = connection.engine
    sql.event.listen(engine, "before_cursor_execute", note)
    yield found
    sql.event.remove(engine, "before_cursor_execute", note)
