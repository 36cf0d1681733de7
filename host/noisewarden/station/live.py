"""The boxes as they are now: for looking, nothing here is evidence (DESIGN 6).

A level is shown only while it is true: five seconds after the last reading there are dashes, and
the reason beside them. What happens goes to any number of readers, made into JSON once for all.
"""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sql

from noisewarden.database import Database
from noisewarden.errors import UserError
from noisewarden.firmware import flags
from noisewarden.schema import states
from noisewarden.station.events import Event, Reader
from noisewarden.station.messages import Payload
from noisewarden.station.trend import Trend

SILENT_AFTER_S = 5.0
NO_CONNECTION = "no connection"
"""Why there is no level, beside the flags `warmup`, `dead` and `slot`."""

LATE_MOST_S = 60
"""By one way a second may come so much later than by another."""

GATHER_S = 0.1
"""Readings of so long travel together: one event for the boxes of a city, not one for each."""
SAVE_ALL_EVERY_S = 60.0
_SAVE_AGAIN_AFTER_S = 1.0

_DASHES = flags.names(flags.NO_LEVEL)


@dataclass
class _Box:
    online: bool = False
    state: Payload = field(default_factory=dict)
    seen_s: int = 0
    reading: Payload | None = None
    heard_at: float = -math.inf
    trend: Trend = field(default_factory=Trend)

    def now(self, box: str) -> dict[str, Any]:
        return {"box": box, "reading": self.reading, "reason": self._reason()}

    def _reason(self) -> str:
        if self.reading is None:
            return NO_CONNECTION
        if self.reading["laeq"] is not None:
            return ""
        return next((flag for flag in _DASHES if flag in self.reading["flags"]), "dead")


class Live:
    """What each box last said, and who listens.

    It belongs to one event loop. `run` does what must be done from time to time. UserError when
    the database refuses at the start.
    """

    def __init__(
        self, database: Database, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._transaction = database.transaction
        self._monotonic = monotonic
        self._boxes: dict[str, _Box] = {}
        self._readers: set[Reader] = set()
        self._fresh: dict[str, None] = {}
        self._unsaved: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.troubles: dict[str, str] = {}
        with database.reading() as connection:
            for row in connection.execute(sql.select(states)):
                self._boxes[row.box] = _Box(state=json.loads(row.state), seen_s=row.seen_s)

    # What is known.

    def boxes(self) -> list[str]:
        """All that ever spoke, in the order of their ids."""
        return sorted(self._boxes)

    def box(self, box: str) -> dict[str, Any]:
        """box, reading (None: none that is true now), reason (why there is no level, "" when there
        is one), online, seen_s (unix time, 0 for never), state (what it said of itself)."""
        known = self._boxes.get(box) or _Box()
        return known.now(box) | {
            "online": known.online,
            "seen_s": known.seen_s,
            "state": known.state,
        }

    def trend(self, box: str) -> list[float | None]:
        known = self._boxes.get(box)
        return known.trend.levels(self._monotonic()) if known else []

    def silent(self, box: str) -> bool:
        known = self._boxes.get(box)
        return known is None or self._monotonic() - known.heard_at > SILENT_AFTER_S

    def calm(self, box: str) -> bool:
        """Whether it says nothing, or that it is at stage 0."""
        known = self._boxes.get(box)
        reading = known.reading if known else None
        return self.silent(box) or (reading is not None and reading["stage"] == 0)

    # What comes in.

    def take_reading(self, box: str, reading: Payload) -> None:
        known = self._hear(box)
        if known.reading and _is_known(reading, known.reading):
            return
        known.trend.add(self._monotonic(), reading["laeq"])
        known.reading = reading
        self._fresh[box] = None

    def take_state(self, box: str, state: Payload, *, retained: bool = False) -> None:
        """`retained`: the broker had kept it, which is no sign of life; nor is it news when the
        box has told more since, by USB say."""
        known = self._boxes.setdefault(box, _Box()) if retained else self._hear(box)
        if retained and _moment(state) < _moment(known.state):
            return
        known.state = state
        self._tell_state(box)

    def take_availability(self, box: str, online: bool, *, retained: bool = False) -> None:
        """Of no effect when the broker had kept it: what a box says itself shows that it is there,
        and a broker that died keeps `online` of a box that is gone."""
        if retained:
            return
        if online:
            self._hear(box)
        else:
            self._lose(box)
        self._tell_state(box)

    def tell_soon(self, event: str, data: dict[str, Any]) -> None:
        """As `tell`, from any thread; of no effect while nothing runs."""
        if loop := self._loop:
            with suppress(RuntimeError):  # it has ended by now
                loop.call_soon_threadsafe(self.tell, event, data)

    def tell(self, event: str, data: dict[str, Any]) -> None:
        """Hands an event to every reader."""
        if self._readers:
            made = Event(event, json.dumps(data))
            for reader in self._readers:
                reader.put(made)

    def trouble(self, what: str, why: str) -> None:
        """Notes what the station itself suffers from, "" when that is over."""
        if self.troubles.get(what, "") != why:
            self.troubles[what] = why
            if not why:
                del self.troubles[what]
            self.tell("health", {"troubles": self.troubles})

    # Who listens.

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[Reader]:
        """What happens from now on."""
        reader = Reader()
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)

    # From time to time.

    async def run(self) -> None:
        """Until cancelled; what was said last is then saved."""
        save_at = save_all_at = self._monotonic()
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(GATHER_S)
                self.step()
                now = self._monotonic()
                if now >= save_all_at:
                    self._unsaved.update(name for name, box in self._boxes.items() if box.online)
                    save_all_at = now + SAVE_ALL_EVERY_S
                if self._unsaved and now >= save_at:
                    save_at = now + _SAVE_AGAIN_AFTER_S
                    await self._save()
        finally:
            self._loop = None
            with suppress(UserError):
                self._write(self._rows(self._unsaved))

    def step(self) -> None:
        """Tells the readings that came, and the boxes that fell silent."""
        for box, known in self._boxes.items():
            if known.online and self.silent(box):
                self._lose(box)
                self._tell_state(box)
        if self._fresh:
            told = [self._boxes[box].now(box) for box in self._fresh]
            self._fresh.clear()
            self.tell("readings", {"readings": told})

    def _hear(self, box: str) -> _Box:
        known = self._boxes.setdefault(box, _Box())
        known.heard_at = self._monotonic()
        known.seen_s = int(time.time())
        if not known.online:
            known.online = True
            self._unsaved.add(box)
        return known

    def _lose(self, box: str) -> None:
        known = self._boxes.setdefault(box, _Box())
        known.online = False
        known.heard_at = -math.inf
        known.reading = None
        self._fresh[box] = None
        self._unsaved.add(box)

    def _tell_state(self, box: str) -> None:
        self._unsaved.add(box)
        self.tell("state", self.box(box))

    # On disk, so that a page has it before the box speaks again.

    async def _save(self) -> None:
        saving, self._unsaved = self._unsaved, set()
        try:
            await asyncio.to_thread(self._write, self._rows(saving))
        except UserError as error:
            self._unsaved |= saving
            self.trouble("states", str(error))
        else:
            self.trouble("states", "")

    def _rows(self, boxes: Iterable[str]) -> list[dict[str, Any]]:
        return [
            {
                "box": name,
                "online": self._boxes[name].online,
                "state": json.dumps(self._boxes[name].state),
                "seen_s": self._boxes[name].seen_s,
            }
            for name in sorted(boxes)
        ]

    def _write(self, rows: list[dict[str, Any]]) -> None:
        with self._transaction() as connection:
            for row in rows:
                same = sql.update(states).where(states.c.box == row["box"]).values(row)
                if not connection.execute(same).rowcount:
                    connection.execute(sql.insert(states).values(row))


def _is_known(reading: Payload, before: Payload) -> bool:
    """Whether it is the same second, or an earlier one that comes by a slower way: a box may be on
    USB and WiFi. By number and time, since a start resets the one, a set clock the other."""
    if None in (reading["time"], before["time"]):
        return reading["n"] == before["n"] and reading["time"] == before["time"]
    earlier_s = before["time"] - reading["time"]
    return reading["n"] <= before["n"] and 0 <= earlier_s <= LATE_MOST_S


def _moment(state: Payload) -> tuple[int, float]:
    """When it was told, for the order of a box's states: its start, and the seconds since."""
    uptime_s = state.get("uptime_s")
    return state.get("boot", 0), uptime_s if isinstance(uptime_s, int | float) else 0
