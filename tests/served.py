"""A station of real parts whose pages are served on a free port of loopback."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from noisewarden.database import Database
from noisewarden.register import Register, Registration
from noisewarden.station.audit import Audit, By
from noisewarden.station.authority import Authority
from noisewarden.station.cases import Cases
from noisewarden.station.commanding import Commander
from noisewarden.station.health import Health
from noisewarden.station.incidents import Incidents
from noisewarden.station.levels import Levels
from noisewarden.station.live import Live
from noisewarden.station.people import People
from noisewarden.station.plans import Plans
from noisewarden.station.station import Station
from noisewarden.station.ways import Ways
from noisewarden.station.web.app import create_app, server
from noisewarden.store import Store

PASSWORD = "dance until ten o'clock"
ADMIN = "Chief"
PATIENCE_S = 120


@dataclass
class HandClock:
    """A monotonic clock that a test moves on: what is heard stays so, however busy the machine."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


class Served:
    """A context manager; `url` is that of its pages, `now` its clock for people and sessions.

    tls        serves HTTPS, with the certificate of its own authority
    monotonic  the clock by which it hears boxes
    """

    def __init__(
        self,
        folder: Path,
        *,
        tls: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        self.folder = folder
        self.tls = tls
        self.options = options
        self.monotonic = monotonic
        self.ahead_s = 0.0
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def now(self) -> float:
        return time.time() + self.ahead_s

    def __enter__(self) -> Self:
        self.database = Database.in_folder(self.folder)
        self.register = Register(self.database)
        self.audit = Audit(self.database, self.now)
        self.people = People(self.database, self.audit, self.now)
        self.authority = Authority.in_folder(self.folder)
        self.store = Store(self.database)
        self._thread.start()
        assert self._started.wait(PATIENCE_S), "the station does not start"
        scheme = "https" if self.tls else "http"
        self.url = f"{scheme}://localhost:{self._server.port}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE_S)
        self.database.close()
        assert not self._thread.is_alive(), "the station does not end"

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.live = Live(self.database, monotonic=self.monotonic)
        self.incidents = Incidents(self.database, self.live.tell_soon, self.live.silent)
        self.ways = Ways()
        self.commander = Commander(
            self.database,
            self.register,
            self.ways,
            lambda box: not self.live.silent(box),
            self.live.tell,
        )
        self.station = Station(
            database=self.database,
            store=self.store,
            register=self.register,
            people=self.people,
            audit=self.audit,
            live=self.live,
            levels=Levels(self.database),
            incidents=self.incidents,
            cases=Cases(self.database, self.incidents, self.register, self.people),
            commander=self.commander,
            plans=Plans(self.database),
            health=Health(self.database, self.live, self.folder),
            authority=self.authority,
            version="test",
        )
        self.app = create_app(self.station, tls=self.tls, **self.options)
        certificate = self.authority.server_files() if self.tls else None
        self._server = server(self.app, "127.0.0.1", 0, certificate)
        living = [asyncio.create_task(part.run()) for part in (self.live, self.commander)]
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started and not serving.done():
            await asyncio.sleep(0.01)
        self._started.set()
        await serving
        for task in living:
            task.cancel()
        await asyncio.gather(*living, return_exceptions=True)

    # What happens there.

    def soon(self, happens: Callable[..., None], *arguments: Any) -> None:
        """Calls it in the loop of the station, as the intake does."""
        self._loop.call_soon_threadsafe(happens, *arguments)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What comes of it in the loop of the station."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def add_box(self, box: str, place: str) -> None:
        secret = box.encode().ljust(32, b".")
        entry = Registration.of_secret(
            secret, box=box, place=place, board="virtual", serial="0000"
        )
        self.register.add(entry)

    def hear(self, box: str, **reading: Any) -> None:
        """A second of this box, as `reading` makes it."""
        self.soon(self.live.take_reading, box, make_reading(**reading))

    # Who looks.

    def account(self, name: str, role: str, by: By | None = None) -> int:
        """An account that is open, with PASSWORD; its number."""
        person, link = self.people.invite(by or By(), name, role)
        self.people.accept(link.partition("#")[2], "", PASSWORD, "here")
        return person.id

    def administrator(self) -> int:
        """The first account, by the set-up link."""
        link = self.people.setup_link()
        assert link
        return self.people.accept(link.partition("#")[2], ADMIN, PASSWORD, "here").id

    def visitor(self, name: str | None = None) -> "Visitor":
        """A browser, logged in when it has a name."""
        made = Visitor(self)
        if name:
            made.log_in(name)
        return made


class Visitor(httpx.Client):
    """Speaks to the API as a page does; `csrf` goes with each request once it is logged in."""

    def __init__(self, served: Served) -> None:
        trusted = served.authority.ca_pem.decode()
        verify = ssl.create_default_context(cadata=trusted) if served.tls else True
        super().__init__(
            base_url=served.url,
            verify=verify,
            trust_env=False,
            # httpx itself gives up after five seconds, for which a busy machine may stand still.
            timeout=PATIENCE_S,
            # uvicorn closes what was idle for five seconds, perhaps as it is used again.
            limits=httpx.Limits(keepalive_expiry=2),
        )

    def __enter__(self) -> Self:
        return self  # httpx would refuse one that has logged in already

    def __exit__(self, *_: object) -> None:
        self.close()

    def log_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        answer = self.post("/api/v1/session", json={"name": name, "password": password})
        if answer.is_success:
            self.headers["X-CSRF-Token"] = self.get("/api/v1/session").json()["csrf"]
        return answer


_seconds = 0


def make_reading(
    laeq: float | None = 62.3, limit: int = 70, stage: int = 0, **more: Any
) -> dict[str, Any]:
    """A reading as `messages.reading` gives it, its number and colour those of the level."""
    global _seconds
    _seconds += 1
    shown = "--" if laeq is None else str(int(laeq + 0.5))
    over = laeq is not None and int(laeq + 0.5) > limit
    return {
        "n": _seconds,
        "time": int(time.time()),
        "laeq": laeq,
        "lceq": None if laeq is None else laeq + 4,
        "lafmax": None if laeq is None else laeq + 2.5,
        "lasmax": None if laeq is None else laeq + 1,
        "lcpeak": None if laeq is None else laeq + 15,
        "limit": limit,
        "stage": stage,
        "incident": stage > 0,
        "shown": shown,
        "colour": "off" if laeq is None else "red" if over else "green",
        "spotlight": stage >= 2,
        "flags": [],
    } | more
