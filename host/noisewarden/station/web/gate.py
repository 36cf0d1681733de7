"""Requests that a browser makes at the wish of another site are turned away at the gate.

The station answers to its own names alone: a foreign name that is made to point here (DNS
rebinding) gets nothing, on loopback too. And a cookie travels with requests that other sites
cause, so those change nothing.
"""

from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from noisewarden.station.web import problems
from noisewarden.station.web.headers import headers
from noisewarden.station.web.problems import Problem

HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""


class Gate:
    """Middleware; `names` are the host names and addresses of the station, in lower case."""

    def __init__(self, app: ASGIApp, names: frozenset[str], tls: bool) -> None:
        self._app = app
        self._names = names
        self._tls = tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in headers(scope["path"], self._tls).items():
                    answer.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        answer = problems.response(Request(scope), refusal) if refusal else self._app
        await answer(scope, receive, send_on)

    def _refusal(self, method: str, asked: Headers) -> Problem | None:
        host = asked.get("host", "")
        if _split(f"//{host}").hostname not in self._names:
            return Problem(
                421, "wrong-host", "host: is no name of this station; use one of its own"
            )
        if method not in HARMLESS and _from_elsewhere(asked, host):
            return Problem(
                403, "other-site", "origin: another site asks; use the station's own page"
            )
        return None


def _split(address: str) -> SplitResult:
    """Its parts; empty ones of what is no address."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _from_elsewhere(asked: Headers, host: str) -> bool:
    """Whether a browser says that another site caused the request; a machine says nothing."""
    if asked.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = asked.get("origin")
    return origin is not None and _split(origin).netloc.lower() != host.lower()
