"""A station without broker and pages, and records as boxes make them for its tests."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from host.fakebox import BOX, MINUTE, Journal
from noisewarden.database import Database
from noisewarden.firmware import wire
from noisewarden.places import entry
from noisewarden.register import Register, Registration
from noisewarden.station.commanding import Commander
from noisewarden.station.incidents import Incidents
from noisewarden.station.intake import Desk, Intake
from noisewarden.station.live import Live
from noisewarden.station.ways import Unreachable, Ways
from noisewarden.store import Store

SECRET = bytes(range(32))
"""Of which `fakebox.KEY` comes."""
OTHER = "bagu-west-02"
PATIENCE_S = 120
"""When what is waited for will not come any more."""

READING = {
    "n": 12,
    "time": 1_780_000_000,
    "laeq": 71.25,
    "lceq": 75.5,
    "lafmax": 74.0,
    "lasmax": 72.0,
    "lcpeak": 90.0,
    "limit": 70,
    "stage": 1,
    "incident": True,
    "shown": "71",
    "colour": "red",
    "spotlight": False,
    "flags": [],
}
STATE = {"firmware": "0.1.0", "boot": 1, "clock": 2, "records": [1, 41]}


def reading(**changes: Any) -> dict[str, Any]:
    return READING | {"time": int(time.time()) - 1} | changes


def add_stage(
    journal: Journal, stage: int, *, at_s: float, unix_s: int | None, boot: int = 1
) -> int:
    """Record of a change to `stage`, `at_s` seconds after the start; its number."""
    journal.add(
        "stage",
        boot=boot,
        uptime_ms=int(1000 * at_s),
        unix_s=unix_s,
        previous=0,
        stage=stage,
        flags=0,
        limit=70,
        laeq10=72.5,
        around=[725] * 5,
    )
    return journal[-1][0]


def add_boot(journal: Journal, *, unix_s: int | None, boot: int) -> int:
    journal.add(
        "boot",
        boot=boot,
        unix_s=unix_s,
        cause="power-on",
        firmware="0",
        micropython="1",
        board="b",
    )
    return journal[-1][0]


def add_minute(journal: Journal, *, at_s: float, unix_s: int | None, boot: int = 1) -> int:
    journal.add("minute", boot=boot, uptime_ms=int(1000 * at_s), unix_s=unix_s, **MINUTE)
    return journal[-1][0]


def arrivals(entries: list) -> list[tuple[Any, int]]:
    """With `after` as a box tells it."""
    return [(entry, entry[0] - 1) for entry in entries]


def payloads(entries: list, *, live: bool = True) -> list[dict[str, Any]]:
    """The `record` messages of entries."""
    newest = entries[-1][0] if entries else 0
    return [wire.record_message(entry, entry[0] - 1, newest, live) for entry in entries]


class Line:
    """A way to boxes that keeps what is sent, and may be cut, or tell of nothing that it came."""

    def __init__(self) -> None:
        self.cut = False
        self.confirms = True
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.acks: list[tuple[str, int | None, int, list]] = []

    async def command(self, box: str, body: dict[str, Any]) -> None:
        if self.cut:
            raise Unreachable("cut")
        self.commands.append((box, body))
        if not self.confirms:
            raise Unreachable("not confirmed")

    async def acknowledge(self, box: str, boot: int | None, seq: int, again: list) -> None:
        if self.cut:
            raise Unreachable("cut")
        self.acks.append((box, boot, seq, again))


class Station:
    """All parts over one database. `clock`: seconds of the monotonic one, when it is not given.

    `records_only`: a further process that takes records in
    """

    def __init__(
        self,
        database: Database,
        monotonic: Callable[[], float] | None = None,
        *,
        records_only: bool = False,
    ) -> None:
        self.clock = 1000.0
        monotonic = monotonic or (lambda: self.clock)
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.database = database
        self.register = Register(database)
        self.store = Store(database)
        self.ways = Ways()
        self.line = Line()
        self.live = Live(database, monotonic=monotonic)
        self.incidents = Incidents(database, self.tell, self.live.calm)
        self.commander = Commander(
            database,
            self.register,
            self.ways,
            lambda box: not self.live.silent(box),
            self.tell,
            monotonic=monotonic,
        )
        self.intake = Intake(
            self.store,
            self.register,
            self.incidents,
            self.ways,
            None if records_only else Desk(self.live, self.commander),
            trouble=self.live.trouble,
            monotonic=monotonic,
        )

    def tell(self, event: str, data: dict[str, Any]) -> None:
        self.told.append((event, json.loads(json.dumps(data))))

    def hear(self, name: str, payload: Any, *, box: str = BOX, retained: bool = False) -> None:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.intake.hear_topic(self.line, wire.topic(box, name), data, retained)

    async def take(self, entries: list, *, live: bool = True, box: str = BOX) -> None:
        """These records come, and are committed."""
        for payload in payloads(entries, live=live):
            self.hear("record", payload, box=box)
        await self.step()

    def entries(self, box: str = BOX) -> list[Any]:
        """That are on disk, in the order of their numbers."""
        return [entry(row) for row in self.store.records(box)]

    async def step(self) -> None:
        """What waits is committed and acknowledged."""
        await self.intake.committer.step()
        await asyncio.sleep(0)


def admit(register: Register, box: str, secret: bytes = SECRET) -> None:
    if register.get(box) is None:
        register.add(Registration.of_secret(secret, box=box, place="x", board="b", serial="00"))


@contextmanager
def station(folder: Path, *arguments: Any, **named: Any) -> Iterator[Station]:
    """One that knows two boxes, over the database of a folder."""
    with Database.in_folder(folder) as database:
        for box in (BOX, OTHER):
            admit(Register(database), box)
        yield Station(database, *arguments, **named)


async def until(true: Callable[[], object], complaint: Callable[[], object]) -> None:
    """Lets the loop and its threads work until `true()`; fails with `complaint()` in the end."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, complaint()
        await asyncio.sleep(0.01)
