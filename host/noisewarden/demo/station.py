"""The demo's station: the real one, in this process, on free ports of loopback."""

import asyncio
import secrets
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noisewarden.errors import UserError
from noisewarden.register import Registration
from noisewarden.station.serving import Options, Running, serve

ACCOUNT = "demo"
_LOOPBACK = "127.0.0.1"
_WITHIN_S = 30
"""It starts, answers and ends, on a machine that plays many boxes too."""


@dataclass(frozen=True)
class Seen:
    """A box as the station has it: `reading` and `reason` as in `Live.box`, and how many of its
    records are on disk, by the state of their chain."""

    reading: dict[str, Any] | None
    reason: str
    records: dict[str, int]


class DemoStation:
    """A context manager: serves from its entry to its exit, with one account, an administrator.

    url   of its pages
    port  where boxes connect, and `ca` (DER) whom they trust

    UserError when it cannot start.
    """

    def __init__(self, folder: Path) -> None:
        self._options = Options(folder, (_LOOPBACK, 0), (_LOOPBACK, 0))
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready: Future[Running] = Future()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ended = threading.Event()
        self._password = secrets.token_urlsafe()

    def __enter__(self) -> "DemoStation":
        try:
            self._thread.start()
            running = self._ready.result(_WITHIN_S)
            self._station = running.station
            self.url = running.url
            self.port = int(running.boxes.rpartition(":")[2])
            self.ca = self._station.authority.ca_der
            assert running.setup, "a new folder has nobody yet"
            token = running.setup.partition("#")[2]
            self._station.people.accept(token, ACCOUNT, self._password, _LOOPBACK)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        # A thread that Ctrl-C met at its very start cannot be joined, and it would make the folder
        # anew that is removed after this.
        if self._ended.wait(_WITHIN_S):
            self._loop.close()

    def register(self, box: str, secret: bytes, place: str, serial: str) -> None:
        self._station.register.add(
            Registration.of_secret(secret, box=box, place=place, board="virtual", serial=serial)
        )

    def log_in(self) -> str:
        """The token of a new session."""
        return self._station.people.log_in(ACCOUNT, self._password, _LOOPBACK)[0]

    def look(self, boxes: list[str]) -> dict[str, Seen]:
        """UserError when the station has ended."""
        if not self._thread.is_alive():
            raise UserError("the station has ended; start the demo again")
        now = asyncio.run_coroutine_threadsafe(self._now(boxes), self._loop)
        chain = self._station.store.chain
        return {
            box: Seen(live["reading"], live["reason"], chain(box))
            for box, live in now.result(_WITHIN_S).items()
        }

    async def _now(self, boxes: list[str]) -> dict[str, dict[str, Any]]:
        return {box: self._station.live.box(box) for box in boxes}

    def _run(self) -> None:
        serving = serve(self._options, self._ready.set_result, self._stop)
        try:
            self._loop.run_until_complete(serving)
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)
        finally:
            self._ended.set()
