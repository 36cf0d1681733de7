"""A PostgreSQL of the tests' own, and the fixtures that run a test on it and on SQLite.

A test module that wants them says `pytest_plugins = ["postgres"]`.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sql
from noisewarden.database import Database

_STARTS_WITHIN_S = 60
_INITIAL = (
    "--no-sync",
    "--auth=trust",
    "--username=noisewarden",
    "--encoding=UTF8",
    "--locale=C",
)
_FAST = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")
"""A test's database need not outlive the machine."""


def program(name: str) -> str | None:
    """Of PostgreSQL: on the PATH, or where Debian keeps it."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name) or next(
        (str(place / name) for place in places if (place / name).exists()), None
    )


class Cluster:
    """A running server, on a socket in a folder of its own and on no port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, name: str) -> sql.URL:
        return sql.URL.create(
            "postgresql+psycopg",
            username="noisewarden",
            database=name,
            query={"host": str(self.folder)},
        )

    @contextmanager
    def database(self) -> Iterator[sql.URL]:
        """The URL of a new and empty database, which is gone afterwards."""
        name = f"test_{secrets.token_hex(4)}"
        self.run(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def away(self, url: sql.URL) -> Iterator[None]:
        """Nobody gets to this database meanwhile, and whoever was connected is no more."""
        name = url.database
        self.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        self.run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        try:
            yield
        finally:
            self.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    def run(self, statement: str) -> None:
        engine = sql.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sql.text(statement))
        engine.dispose()


@contextmanager
def cluster() -> Iterator[Cluster]:
    """It refuses to run as root, so root runs it as another user."""
    user = None
    if os.geteuid() == 0:
        user = next(name for name in ("postgres", "nobody") if _exists(name))
    with tempfile.TemporaryDirectory(prefix="noisewarden-postgresql-") as home:
        folder = Path(home)
        if user:
            shutil.chown(folder, user)
        data = folder / "data"
        own = {"user": user, "cwd": folder, "stdin": subprocess.DEVNULL}
        subprocess.run(
            [_needed("initdb"), *_INITIAL, "--pgdata", data],
            check=True,
            stdout=subprocess.DEVNULL,
            **own,
        )
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [_needed("postgres"), "-D", data, "-k", folder, "-c", "listen_addresses=", *_FAST],
                stdout=log,
                stderr=log,
                **own,
            )
        try:
            made = Cluster(folder)
            _wait_for(made, server)
            yield made
        finally:
            server.send_signal(signal.SIGINT)  # ends sessions, then itself
            server.wait(timeout=30)


def _wait_for(cluster: Cluster, server: subprocess.Popen) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while True:
        try:
            return cluster.run("SELECT 1")
        except sql.exc.OperationalError:
            log = (cluster.folder / "log").read_text(errors="replace")
            assert server.poll() is None and time.monotonic() < deadline, log
            time.sleep(0.05)


def _needed(name: str) -> str:
    found = program(name)
    assert found, f"{name} is missing: apt install postgresql"
    return found


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    if not program("postgres") and not os.environ.get("CI"):
        pytest.skip("no PostgreSQL here: apt install postgresql")
    with cluster() as made:
        yield made


@pytest.fixture
def postgresql_url(postgresql: Cluster) -> Iterator[sql.URL]:
    """Of an empty database on the server of this session."""
    with postgresql.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> sql.URL:
    """Of an empty database: a file, then one on a server."""
    if request.param == "sqlite":
        return sql.URL.create("sqlite", database=str(tmp_path / "test.sqlite"))
    return request.getfixturevalue("postgresql_url")


@pytest.fixture
def database(database_url: sql.URL) -> Iterator[Database]:
    with Database(database_url) as opened:
        yield opened
