"""The station's database: where it is, that a commit is on disk, and one line when it refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from noisewarden.errors import UserError
from noisewarden.schema import metadata

FILE = "station.sqlite"


class Database:
    """A context manager that closes it. UserError when the database refuses."""

    def __init__(self, url: str | sql.URL) -> None:
        self._engine = sql.create_engine(url)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _make_durable)
        with self.transaction() as connection:
            metadata.create_all(connection)

    @classmethod
    def in_folder(cls, folder: Path) -> "Database":
        """That of a station's data folder, made when it is not there; readable by its owner."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / FILE).touch(mode=0o600)
        except OSError as error:
            raise UserError(
                f"{folder}: is no folder to write to ({error.strerror}); name another"
            ) from None
        return cls(sql.URL.create("sqlite", database=str(folder / FILE)))

    @classmethod
    def in_memory(cls) -> "Database":
        return cls("sqlite://")

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sql.Connection]:
        """Committed when the block ends, undone when it raises."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise UserError(
                f"{self._engine.url.database}: the database refuses ({error.orig}); "
                "check the disk, and who may write there"
            ) from None


def _make_durable(connection: Any, _: object) -> None:
    # Acknowledged means on disk: in WAL mode only FULL waits for it at each commit.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
