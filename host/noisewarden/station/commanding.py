"""What people ask of a box from afar: asked, sent, done or refused or timed out (DESIGN 4.6).

The answer is the box's own; the station never says "done" for it. An answer may come after the
time is up, or by the record in the box's journal when the message itself was lost: it counts.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql

from noisewarden.database import Database, alone, unnoted
from noisewarden.errors import UserError
from noisewarden.register import Register
from noisewarden.schema import commands, people
from noisewarden.station.messages import Payload
from noisewarden.station.refusals import Refused
from noisewarden.station.requests import check
from noisewarden.station.ways import Unreachable, Ways

ASKED, SENT, DONE, REFUSED, TIMED_OUT = "asked", "sent", "done", "refused", "timed_out"

WITHIN_S = 30
WITHIN_MOST_S = 600
_STEP_S = 0.5
_PAGE = 50

Command = dict[str, Any]
"""The columns of its row, `arguments` as an object."""


@dataclass
class _Open:
    """A command without an answer. `until`: monotonic; `sent`: whether it was. `counter` is given
    when it is sent first, and stays: sent again, it is had once."""

    id: str
    box: str
    action: str
    arguments: dict[str, Any]
    by: str
    expires_s: int
    until: float
    sent: bool = False
    counter: int | None = None


class Commander:
    """ways        to the boxes
    reachable   whether a box listens now
    tell        takes the name of an event and its data, in the loop (`Live.tell`)

    It belongs to one event loop; `run` sends what waits and gives up what is too late. UserError
    when the database refuses, Refused when the request does.
    """

    def __init__(
        self,
        database: Database,
        register: Register,
        ways: Ways,
        reachable: Callable[[str], bool],
        tell: Callable[[str, Command], None] = lambda event, data: None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transaction = database.transaction
        self._reading = database.reading
        self._register = register
        self._ways = ways
        self._reachable = reachable
        self._tell = tell
        self._monotonic = monotonic
        self._open: dict[str, _Open] = {}
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        with self._reading() as connection:
            for row in _unanswered(connection):
                self._open[row["id"]] = self._opened(connection, row)

    async def ask(
        self,
        box: str,
        action: str,
        arguments: dict[str, Any],
        person: int | None,
        *,
        within_s: int = WITHIN_S,
        sole: bool = False,
        noted: Callable[[str, sql.Connection], None] = unnoted,
    ) -> str:
        """Asks for one of `requests.ACTIONS`; returns the command's id.

        arguments  as in docs/protocol.md
        person     who asks; None is the station itself
        within_s   after so long it must not act any more
        sole       refuses when the box has not answered another one of this action yet
        noted      takes the id too, in the transaction by which it is asked
        """
        check(box, action, arguments)
        if not 1 <= within_s <= WITHIN_MOST_S:
            raise Refused("within", f"within_s: must be 1 to {WITHIN_MOST_S}")
        now_s = int(time.time())
        row = {
            "id": secrets.token_hex(8),
            "box": box,
            "action": action,
            "arguments": json.dumps(arguments),
            "asked_by": person,
            "asked_s": now_s,
            "expires_s": now_s + within_s,
            "status": ASKED,
            "detail": "",
        }
        made, opened = await asyncio.to_thread(self._add, row, sole, noted)
        self._open[opened.id] = opened
        self._tell("command", made)
        self._wake.set()
        return opened.id

    def get(self, command: str) -> Command:
        """Refused when there is none."""
        with self._reading() as connection:
            query = sql.select(commands).where(commands.c.id == command)
            row = connection.execute(query).first()
        if row is None:
            raise Refused("unknown", f"command {command}: there is none; ask for one")
        return _command(row)

    def recent(self, box: str) -> list[Command]:
        """The latest of a box, newest first."""
        c = commands.c
        query = sql.select(commands).where(c.box == box).order_by(c.asked_s.desc()).limit(_PAGE)
        with self._reading() as connection:
            return [_command(row) for row in connection.execute(query)]

    async def answered(self, box: str, command: str, done: bool, detail: str) -> bool:
        """Notes the box's answer, late or not; False when it was never asked, or has one."""
        c = commands.c
        now_s = int(time.time())
        changed = await asyncio.to_thread(
            self._update,
            command,
            (c.box == box, c.status.not_in((DONE, REFUSED))),
            {
                "status": DONE if done else REFUSED,
                "detail": detail,
                "sent_s": sql.func.coalesce(c.sent_s, now_s),
                "answered_s": now_s,
            },
        )
        if changed is None:
            return False
        self._open.pop(command, None)
        self._tell("command", changed)
        return True

    # From time to time.

    async def run(self) -> None:
        """Until cancelled. What was not sent then is there at the next start."""
        try:
            while True:
                await self.step()
                # `wait_for` of Python 3.11 may forget that it was cancelled (cpython #86296).
                with suppress(TimeoutError):
                    async with asyncio.timeout(_STEP_S):
                        await self._wake.wait()
                        self._wake.clear()
        finally:
            for task in self._sending.values():
                task.cancel()

    async def step(self) -> None:
        """Gives up what is too late, and starts to send what waits for boxes that listen."""
        now = self._monotonic()
        with suppress(UserError):  # then at the next step
            for command in [each for each in self._open.values() if now > each.until]:
                timed_out = {"status": TIMED_OUT, "detail": _why(command)}
                await self._change(command.id, (ASKED, SENT), timed_out)
                self._open.pop(command.id, None)
        waiting = {each.box for each in self._open.values() if not each.sent}
        for box in waiting - self._sending.keys():
            if self._reachable(box):
                self._sending[box] = asyncio.create_task(self._send_all(box))

    async def _send_all(self, box: str) -> None:
        """One after the other, since their counters must come in order."""
        try:
            while command := next(
                (each for each in self._open.values() if each.box == box and not each.sent), None
            ):
                body = await asyncio.to_thread(self._body, command)
                await self._ways.to(box).command(box, body)
                command.sent = True
                sent = {"status": SENT, "sent_s": int(time.time())}
                await self._change(command.id, (ASKED,), sent)
        except (Unreachable, UserError):
            return  # it is tried again until its time is up
        finally:
            del self._sending[box]

    def _body(self, command: _Open) -> Payload:
        if command.counter is None:
            command.counter = self._register.next_counter(command.box)
        own = {
            "id": command.id,
            "counter": command.counter,
            "by": command.by,
            "action": command.action,
        }
        if command.action == "set_time":
            # Of the moment when it leaves; and a box without time cannot know what is too late.
            return own | {"time": round(time.time())}
        return command.arguments | own | {"expires": command.expires_s}

    async def _change(self, command: str, before: tuple[str, ...], values: dict[str, Any]) -> None:
        """Of no effect when it is in no state of `before`."""
        conditions = (commands.c.status.in_(before),)
        changed = await asyncio.to_thread(self._update, command, conditions, values)
        if changed is not None:
            self._tell("command", changed)

    # On disk.

    def _add(
        self, row: dict[str, Any], sole: bool, noted: Callable[[str, sql.Connection], None]
    ) -> tuple[Command, _Open]:
        registered = self._register.get(row["box"])
        if registered is None or registered.revoked_s is not None:
            raise Refused("unknown", f"{row['box']}: no such box is admitted; see the register")
        with self._transaction() as connection:
            if sole:
                _none_open(connection, row["box"], row["action"])
            new = sql.insert(commands).values(row).returning(commands)
            made = _command(connection.execute(new).one())
            noted(made["id"], connection)
            return made, self._opened(connection, made)

    def _opened(self, connection: sql.Connection, row: Command) -> _Open:
        left_s = min(row["expires_s"] - time.time(), WITHIN_MOST_S)
        return _Open(
            id=row["id"],
            box=row["box"],
            action=row["action"],
            arguments=row["arguments"],
            by=_name(connection, row["asked_by"]),
            expires_s=row["expires_s"],
            until=self._monotonic() + left_s,
            sent=row["status"] == SENT,
        )

    def _update(
        self, command: str, conditions: tuple[Any, ...], values: dict[str, Any]
    ) -> Command | None:
        with self._transaction() as connection:
            row = connection.execute(
                sql.update(commands)
                .where(commands.c.id == command, *conditions)
                .values(values)
                .returning(commands)
            ).first()
        return _command(row) if row else None


def _none_open(connection: sql.Connection, box: str, action: str) -> None:
    """Nor is one asked before the transaction ends; Refused when there is one."""
    alone(connection, commands)
    c = commands.c
    same = (c.box == box, c.action == action, c.status.in_((ASKED, SENT)))
    if connection.scalar(sql.select(sql.exists().where(*same))):
        raise Refused("under-way", f"{box}: a {action} is under way to it; wait until it is done")


def _unanswered(connection: sql.Connection) -> list[Command]:
    query = sql.select(commands).where(commands.c.status.in_((ASKED, SENT)))
    return [_command(row) for row in connection.execute(query).all()]


def _name(connection: sql.Connection, person: int | None) -> str:
    """As the box's journal is to have it."""
    return connection.scalar(sql.select(people.c.name).where(people.c.id == person)) or "station"


def _command(row: Any) -> Command:
    return dict(row._mapping) | {"arguments": json.loads(row.arguments)}


def _why(command: _Open) -> str:
    return "the box did not answer" if command.sent else "the box has no connection"
