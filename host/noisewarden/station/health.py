"""How the station itself is: what it suffers from, what has come in, and the room that is left."""

import asyncio
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sql

from noisewarden.database import Database
from noisewarden.errors import UserError
from noisewarden.station.broker import Broker
from noisewarden.station.intake import Intake
from noisewarden.station.live import Live
from noisewarden.station.mqtt_client import BrokerClient

LOW_BYTES = 1_000_000_000
"""Less room is told as a trouble: a box writes 264 MB a year, and a database wants as much again
to be tidied or copied."""
LOOK_EVERY_S = 60.0


@dataclass(frozen=True)
class BrokerHealth:
    """`own`: it runs in this process; then `boxes` are connected and `refused` counts who was not
    let in, by reason."""

    name: str
    own: bool
    connected: bool
    boxes: int | None
    refused: Mapping[str, int]


@dataclass(frozen=True)
class DatabaseHealth:
    """`bytes`: of all its tables."""

    kind: str
    version: str
    bytes: int


class Health:
    """folder  of the station's data, on the disk whose room counts
    intake  None in a process without one; `client` its connection to the broker
    broker  the one in this process, if any
    """

    def __init__(
        self,
        database: Database,
        live: Live,
        folder: Path,
        *,
        intake: Intake | None = None,
        client: BrokerClient | None = None,
        broker: Broker | None = None,
    ) -> None:
        self.started_s = int(time.time())
        self._reading = database.reading
        self._live = live
        self._folder = folder
        self._intake = intake
        self._client = client
        self._broker = broker

    # Of the event loop.

    def messages(self) -> dict[str, int]:
        """By topic; `damaged`, `unknown`, `dropped` and `failed` ones."""
        return dict(self._intake.counts) if self._intake else {}

    def records(self) -> dict[str, int]:
        """What became of them (`Committer.counts`), and how many are `pending`."""
        if self._intake is None:
            return {}
        committer = self._intake.committer
        return dict(committer.counts) | {"pending": committer.pending}

    def broker(self) -> BrokerHealth | None:
        if self._client is None:
            return None
        own = self._broker
        return BrokerHealth(
            name=self._client.name,
            own=own is not None,
            connected=self._client.connected,
            boxes=len(own.connected) if own else None,
            refused=dict(own.refused) if own else {},
        )

    async def run(self) -> None:
        """Tells when the disk gets full, until cancelled."""
        while True:
            self._live.trouble("disk", self._low())
            await asyncio.sleep(LOOK_EVERY_S)

    # Of any thread.

    def disk(self) -> tuple[int, int]:
        """(free, all) bytes of the disk. UserError when the folder is gone."""
        try:
            usage = shutil.disk_usage(self._folder)
        except OSError as error:
            raise UserError(
                f"{self._folder}: cannot be looked at ({error.strerror}); bring it back"
            ) from None
        return usage.free, usage.total

    def database(self) -> DatabaseHealth:
        """UserError when it refuses."""
        with self._reading() as connection:
            dialect = connection.dialect
            size = (
                sql.text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
                if dialect.name == "sqlite"
                else sql.text("SELECT pg_database_size(current_database())")
            )
            version = ".".join(map(str, dialect.server_version_info or ()))
            return DatabaseHealth(dialect.name, version, connection.scalar(size) or 0)

    def _low(self) -> str:
        try:
            free, _ = self.disk()
        except UserError as error:
            return str(error)
        if free >= LOW_BYTES:
            return ""
        return f"disk of {self._folder}: has {free // 1_000_000} MB left; make room"
