"""The station's database: where it is, that a commit is on disk, and one line when it refuses."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from noisewarden import migrations
from noisewarden.errors import UserError

FILE = "station.sqlite"
MOVED = "station.sqlite.moved"
"""What it is called once a server has its rows (`moving`)."""
_PRIVATE = 0o600
"""The keys of boxes are in it."""
WAIT_S = 30
"""For another process that writes, or a server that does not answer."""

_FORMS = "postgresql+psycopg://USER@HOST/NAME or sqlite:////PATH/FILE"

_CURES = (
    # part of what the driver says, the cure
    ("disk is full", "make room on the disk"),
    ("disk I/O", "make room on the disk, and check who may write there"),
    ("No space left", "make room on the disk of the database"),
    ("not a database", "bring it back from a backup, or name another"),
    ("locked", "close the other program that uses it"),
    ("does not exist", "create it, or correct its URL"),
    ("authentication", "correct the user, or ~/.pgpass, which keeps the password"),
    ("resolve host", "correct the host in its URL"),
    ("connection", "start the database, or correct its URL"),
)


_ASIDES = ("DETAIL:", "HINT:", "CONTEXT:", "LINE ")

Noted = Callable[[sql.Connection], None]
"""Writes who made a change, in the transaction of that change: `Audit.note`, all but the last of
its arguments given."""


def unnoted(*_: object) -> None:
    """Nobody is named."""


class DatabaseRefuses(UserError):
    """Nobody's request is to blame; it may succeed later."""


class Database:
    """A context manager that closes it. UserError when the database refuses.

    url  of SQLite, or of PostgreSQL, to which several processes may speak. A password has its
         place in ~/.pgpass, where no list of processes shows it.

    Its tables are made when they are not there, and brought up to this version when they are older
    (`migrations`).
    """

    def __init__(self, url: str | sql.URL) -> None:
        try:
            self._url = sql.make_url(url)
            # Parameters are keys and hashes too: no error tells them.
            self._engine = sql.create_engine(
                self._url, hide_parameters=True, **_options(self._url)
            )
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError):
            raise UserError(f"no database has such a URL; write it as {_FORMS}") from None
        if self._engine.dialect.name == "sqlite":
            if not _in_memory(self._url):
                with suppress(OSError):  # SQLite says why it cannot
                    Path(self._url.database or "").touch(mode=_PRIVATE)
            event.listen(self._engine, "connect", _make_durable)
            event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(writes=True)
        with self.transaction() as connection:
            migrations.bring_up_to_date(connection, self._name())

    @classmethod
    def in_folder(cls, folder: Path) -> "Database":
        """That of a station's data folder, made when it is not there; readable by its owner.

        UserError when it has moved: a second one beside it would take in what the first should.
        """
        try:
            if (folder / MOVED).exists():
                raise UserError(
                    f"{folder}: its database is on a server now; name that by --database, or "
                    f"give {MOVED} its old name again to go back"
                )
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / FILE).touch()
            (folder / FILE).chmod(_PRIVATE)
        except OSError as error:
            raise UserError(
                f"{folder}: is no folder to write to ({error.strerror}); name another"
            ) from None
        return cls(sql.URL.create("sqlite", database=str(folder / FILE)))

    @classmethod
    def in_memory(cls) -> "Database":
        """One that is gone when it is closed. Threads take turns: no transaction in another."""
        return cls("sqlite://")

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def transaction(self) -> AbstractContextManager[sql.Connection]:
        """To write: committed when the block ends, undone when it raises.

        With SQLite one at a time, so that what it reads holds until it has written.
        """
        return self._begin(self._writer)

    def reading(self) -> AbstractContextManager[sql.Connection]:
        """To read, which waits for nobody and lets nobody wait."""
        return self._begin(self._engine)

    @contextmanager
    def _begin(self, engine: sql.Engine) -> Iterator[sql.Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise  # a row that must not be: its writer knows what that means
        except (DBAPIError, PoolTimeout) as error:
            cause = _cause(getattr(error, "orig", None) or error)
            cure = next(
                (cure for part, cure in _CURES if part in cause),
                "check the disk, and who may write there",
            )
            raise DatabaseRefuses(
                f"{self._name()}: the database refuses ({cause}); {cure}"
            ) from None

    def _name(self) -> str:
        url = self._url
        if url.get_backend_name() == "sqlite":
            return url.database or "database in memory"
        return url.set(password=None, query={}).render_as_string()


def _cause(error: BaseException) -> str:
    """The line that tells it, the last one of several tries: PostgreSQL adds hints, and where."""
    lines = [
        line
        for line in str(error).splitlines()
        if line.strip() and not line[0].isspace() and not line.startswith(_ASIDES)
    ]
    return lines[-1].strip() if lines else type(error).__name__


def alone(connection: sql.Connection, table: sql.Table) -> None:
    """Until the transaction ends nobody else writes to a table: what is not there stays so. Of one
    that writes to SQLite that is true anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sql.text(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE"))


def _options(url: sql.URL) -> dict[str, Any]:
    if url.get_backend_name() != "sqlite":
        # A connection that a restarted database has cut is made anew; one to a computer that has
        # vanished is given up, which TCP by itself does after hours.
        alive = {
            "connect_timeout": WAIT_S,
            "keepalives_idle": WAIT_S // 2,
            "keepalives_interval": WAIT_S // 6,
            "keepalives_count": 3,
            "tcp_user_timeout": 1000 * WAIT_S,
        }
        return {"pool_pre_ping": True, "connect_args": alive}
    own = {"connect_args": {"timeout": WAIT_S, "check_same_thread": False}}
    if _in_memory(url):
        # Each connection would be a database of its own.
        own |= {"poolclass": sql.QueuePool, "pool_size": 1, "max_overflow": 0}
    return own


def _in_memory(url: sql.URL) -> bool:
    return url.database in (None, "", ":memory:")


def _make_durable(connection: Any, _: object) -> None:
    connection.isolation_level = None  # `_begin` begins, and DDL is in the transaction too
    # Acknowledged means on disk: in WAL mode only FULL waits for it at each commit.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    try:
        connection.execute("SELECT power(10, 0)")
    except sqlite3.OperationalError:  # built without SQLITE_ENABLE_MATH_FUNCTIONS
        connection.create_function("power", 2, _power, deterministic=True)


def _power(base: float, exponent: float | None) -> float | None:
    return None if exponent is None else base**exponent


def _begin(connection: sql.Connection) -> None:
    # A transaction that reads first and writes then would fail when another wrote between.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
