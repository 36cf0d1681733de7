"""The door by which everything that boxes say comes in, over a broker or a cable (DESIGN 6).

What does not count is counted. Nothing here depends on the laptop's clock, but for the time that
it tells the boxes.
"""

import asyncio
import logging
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from noisewarden.boxclock import TOLERANCE_S
from noisewarden.errors import UserError
from noisewarden.firmware import evidence, wire
from noisewarden.register import Register, Registered
from noisewarden.station import messages
from noisewarden.station.commanding import Commander
from noisewarden.station.committing import Committer
from noisewarden.station.incidents import Incidents
from noisewarden.station.live import Live
from noisewarden.station.messages import Arrival, Payload
from noisewarden.station.ways import Way, Ways
from noisewarden.store import Store

KNOW_AGAIN_AFTER_S = 1.0
"""So old may be what is known of the register."""
ANSWERS_MOST = 500
"""Under way to the database: whoever holds a box may answer what nobody asked, without end. One
that is dropped is in the box's journal too."""
STRANGERS_MOST = 200
"""Messages of boxes that are not known yet, kept until the register is read again."""

UNSET_AGAIN_AFTER_S = 30.0
OFF_FOR_S = 10.0
"""So long a clock must be off before it is set: after a sleep of this computer, or under a load,
readings come late for a moment, from all boxes at once."""
OFF_AGAIN_AFTER_S = 600.0
_EARLIEST_S = 1_704_067_200
"""2024-01-01: a computer that says less does not know the time."""
_READING_OLD_S = 1.5
"""A reading tells the whole second that was over when it was sent: 1 to 2 s ago."""

_log = logging.getLogger(__name__)


def filters(*, shared: bool = False, records_only: bool = False) -> list[str]:
    """What to subscribe to.

    shared         several processes take records in, each its part of them
    records_only   this one does nothing else; `state` tells it where a box stands
    """
    names = ("record", "state") if records_only else messages.NAMES
    groups = {"record": "$share/intake/"} if shared else {}
    return [groups.get(name, "") + wire.topic("+", name) for name in names]


@dataclass(frozen=True)
class Desk:
    """Where goes what is not a record. A process that takes in records alone has none."""

    live: Live
    commander: Commander


@dataclass
class _Clock:
    """boot: the box's last start. By the monotonic clock: asked_at, when its own was to be set;
    off_at, since when its readings tell another time, None when they do not."""

    boot: int = 0
    asked_at: float = -math.inf
    off_at: float | None = None


class Intake:
    """counts      messages by the name of their topic; `damaged`, `unknown`, `dropped`, `failed`
    committer   of the records, with counts of its own
    trouble     takes the name of what fails and why, "" when that is over

    It belongs to one event loop. The `hear`s never raise.
    """

    def __init__(
        self,
        store: Store,
        register: Register,
        incidents: Incidents,
        ways: Ways,
        desk: Desk | None = None,
        *,
        trouble: Callable[[str, str], None] = lambda what, why: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.committer = Committer(
            store, incidents, trouble=trouble, committed=self._answers, monotonic=monotonic
        )
        self._register = register
        self._ways = ways
        self._desk = desk
        self._trouble = trouble
        self._monotonic = monotonic
        self._clocks: dict[str, _Clock] = defaultdict(_Clock)
        self._strangers: list[tuple[Any, ...]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._known: dict[str, tuple[bytes, ...]] = {}
        self._admit(register.all())

    def hear_topic(self, way: Way, topic: str, data: bytes, retained: bool) -> None:
        """A message from a broker."""
        try:
            split = wire.split_topic(topic)
            if split is None:
                raise ValueError(f"{topic}: is no topic of a box")
            box, name = split
            payload = data if name == "availability" else messages.parse(data)
        except ValueError as error:
            self._damaged(error)
            return
        self.hear(way, box, name, payload, retained=retained)

    def hear(self, way: Way, box: str, name: str, payload: Any, *, retained: bool = False) -> None:
        """A message of a box; `payload` is an object, of `availability` the bytes.

        retained   the broker had kept it: it says how things were
        """
        if box not in self._known:
            if len(self._strangers) < STRANGERS_MOST:
                self._strangers.append((way, box, name, payload, retained))
            else:
                self.counts["unknown"] += 1
            return
        try:
            self._take(way, box, name, payload, retained)
        except ValueError as error:
            self._damaged(error)
        except Exception:
            # The outermost boundary: one message must not stop all others.
            self.counts["failed"] += 1
            _log.exception("%s of %s", name, box)

    def knows(self, box: str) -> bool:
        """Whether it is in the register, and not revoked."""
        return box in self._known

    def attend(self, way: Way, box: str) -> None:
        """A box was plugged in, and is to hear where to go on."""
        if box in self._known:
            self.committer.owe(box, way)

    async def run(self) -> None:
        """Commits records and keeps up with the register, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.committer.run())
            tasks.create_task(self._keep_up())

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(KNOW_AGAIN_AFTER_S)
            try:
                self._admit(await asyncio.to_thread(self._register.all))
            except UserError as error:
                self._trouble("register", str(error))
            else:
                self._trouble("register", "")

    def _take(self, way: Way, box: str, name: str, payload: Any, retained: bool) -> None:
        if retained and name not in ("state", "availability"):
            raise ValueError(f"{name}: the broker must not keep it")
        match name:
            case "reading":
                self._take_reading(box, messages.reading(payload))
            case "record":
                self.committer.add(box, messages.record(payload), way)
            case "state":
                self._take_state(way, box, messages.state(payload), retained)
            case "availability":
                online = messages.availability(payload)
                if self._desk:
                    self._desk.live.take_availability(box, online, retained=retained)
            case "result":
                answer = messages.result(payload)
                if len(self._tasks) >= ANSWERS_MOST:
                    self.counts["dropped"] += 1
                elif self._desk:
                    self._spawn(self._desk.commander.answered(box, *answer))
            case _:
                raise ValueError(f"{name}: no such topic")
        self.counts[name] += 1
        if not retained:
            self._ways.heard(box, way)

    def _take_reading(self, box: str, reading: Payload) -> None:
        if self._desk is None:
            return
        self._desk.live.take_reading(box, reading)
        clock, told_s = self._clocks[box], reading["time"]
        if told_s is None:
            self._set_clock(box, UNSET_AGAIN_AFTER_S)
        elif abs(told_s + _READING_OLD_S - time.time()) <= TOLERANCE_S:
            clock.off_at = None
        elif clock.off_at is None:
            clock.off_at = self._monotonic()
        elif self._monotonic() - clock.off_at >= OFF_FOR_S:
            self._set_clock(box, OFF_AGAIN_AFTER_S)

    def _take_state(self, way: Way, box: str, state: Payload, retained: bool) -> None:
        if self._desk:
            self._desk.live.take_state(box, state, retained=retained)
        clock = self._clocks[box]
        if state["boot"] != clock.boot:
            clock.boot = state["boot"]
            clock.asked_at = -math.inf  # it may have lost its time
        if retained:
            # How far the box was then says nothing; its start may still be the same.
            state = {"boot": state["boot"]}
        elif not state["clock"]:
            self._set_clock(box, UNSET_AGAIN_AFTER_S)
        self.committer.told(box, state, way)

    def _set_clock(self, box: str, again_after_s: float) -> None:
        now, clock = self._monotonic(), self._clocks[box]
        if self._desk and now - clock.asked_at >= again_after_s and time.time() >= _EARLIEST_S:
            clock.asked_at = now
            time_now = {"time": int(time.time())}
            self._spawn(self._desk.commander.ask(box, "set_time", time_now, None))

    def _answers(self, box: str, arrivals: Sequence[Arrival]) -> None:
        """Records are on disk; the box's answers to commands are among them."""
        for arrival in arrivals:
            if self._desk and wire.header(arrival.entry[1])[0] == "command":
                with suppress(ValueError):  # a body that cannot be read is kept all the same
                    record = evidence.unpack(arrival.entry[1])
                    outcome, _, detail = record["outcome"].partition(": ")
                    answer = messages.result(record | {"outcome": outcome, "detail": detail})
                    self._spawn(self._desk.commander.answered(box, *answer))

    def _admit(self, registered: Iterable[Registered]) -> None:
        admitted = {
            each.box: (each.journal_key, *each.former_journal_keys)
            for each in registered
            if each.revoked_s is None
        }
        changed = {
            box: [wire.Key(key) for key in keys]
            for box, keys in admitted.items()
            if self._known.get(box) != keys
        }
        self.committer.admit(admitted.keys(), changed)
        if self._desk:
            # A broker may cut a revoked box without its will, and nothing it says counts now.
            for box in self._known.keys() - admitted.keys():
                self._desk.live.take_availability(box, False)
        self._known = admitted
        strangers, self._strangers = self._strangers, []
        for way, box, name, payload, retained in strangers:
            if box in self._known:
                self.hear(way, box, name, payload, retained=retained)
            else:
                self.counts["unknown"] += 1

    def _damaged(self, error: ValueError) -> None:
        self.counts["damaged"] += 1
        _log.debug("%s", error)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.counts["failed"] += 1
            _log.warning("%s", error)
