"""The web application of a station, and the server that runs it."""

import socket
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from noisewarden.station.authority import server_context
from noisewarden.station.station import Station
from noisewarden.station.web import events, languages, pages, problems, watch
from noisewarden.station.web.connections import Connection
from noisewarden.station.web.gate import Gate
from noisewarden.station.web.headers import STATIC
from noisewarden.station.web.routes import (
    boxes,
    commands,
    configuration,
    health,
    incidents,
    journal,
    levels,
    people,
    plans,
    register,
    session,
    today,
)

API = "/api/v1"
BODY_MOST_BYTES = 64 * 1024
LOOPBACK = ("localhost", "127.0.0.1", "::1")
ENDING_S = 2
"""How long open event streams are waited for when the station ends."""

_TEMPLATES = Path(__file__).resolve().parents[1] / "templates"


def create_app(station: Station, *, names: Iterable[str] = (), tls: bool = False) -> FastAPI:
    """names  under which the station answers, those of loopback apart: host names and addresses
    tls       whether browsers come by HTTPS, here or at a proxy before it
    """
    app = FastAPI(
        title="Noise Warden",
        version=station.version,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        max_body_size=BODY_MOST_BYTES,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.station = station
    app.state.tls = tls
    app.state.ending = False
    app.state.streams = Counter()  # open event streams, by person
    app.state.templates = Jinja2Templates(_TEMPLATES)
    app.add_middleware(Gate, names=frozenset(map(str.lower, (*names, *LOOPBACK))), tls=tls)
    problems.install(app)
    api = APIRouter(prefix=API)
    for part in (
        boxes,
        levels,
        today,
        configuration,
        journal,
        commands,
        incidents,
        events,
        session,
        people,
        register,
        plans,
        health,
    ):
        api.include_router(part.router)
    app.include_router(api)
    app.include_router(watch.router)
    app.include_router(pages.router)
    app.mount(STATIC, StaticFiles(directory=languages.STATIC_FOLDER), name="static")
    return app


class Server(uvicorn.Server):
    """Ends the open event streams before it waits for all connections to end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._state = app.state

    @property
    def port(self) -> int:
        """Where it listens, once it has `started`; for one that was asked for port 0."""
        return self.servers[0].sockets[0].getsockname()[1]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._state.ending = True
        await super().shutdown(sockets)


def server(
    app: FastAPI, host: str, port: int, certificate: tuple[Path, Path] | None = None
) -> Server:
    """A server of `app`, to be run by its `serve()`; `certificate` is (chain, key) for HTTPS.

    It believes no X-Forwarded-For, which anybody on loopback could write, and keeps no log of who
    looked at what: changes are in the audit log.
    """
    tls = server_context(*certificate) if certificate else None
    connection: Any = partial(Connection, tls=tls)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=connection,
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=ENDING_S,
    )
    return Server(config, app)
