"""Connections of browsers: bounded in number and time until they have asked for something.

uvicorn waits for a request as long as the other side likes. A program that opens connections and
says nothing, or half a request, would keep all others from the pages, and the broker in the same
process from its boxes. With TLS that begins before the handshake, of which uvicorn tells nothing:
so it is begun here.
"""

import asyncio
import ssl
from contextlib import suppress
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

ASK_WITHIN_S = 30.0
"""From the connection, or the first byte of a request, to the end of its head; then from each part
of its body to the next, since a picture of a plan may come over a slow line."""
WAITING_MOST = 256
"""Connections that have not asked yet."""
WAITING_MOST_AN_ADDRESS = 64
"""Of them from one address: a browser opens six, and a proxy may stand before many."""


class Connection(H11Protocol):
    """One that is cut off when it has `waits` for too long, or when too many others do."""

    def __init__(self, *arguments: Any, tls: ssl.SSLContext | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._too_late: asyncio.TimerHandle | None = None
        self._tls = tls
        self._handshake: asyncio.Task[None] | None = None
        self._early = b""

    @property
    def waits(self) -> bool:
        """Whether a request is still to come, or to come to its end."""
        return self._too_late is not None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()
        waiting = [other for other in self._others() if other.waits]
        near = [other for other in waiting if other.address == self.address]
        if len(waiting) > WAITING_MOST or len(near) > WAITING_MOST_AN_ADDRESS:
            transport.abort()
        elif self._tls:
            transport.pause_reading()
            self._handshake = self.loop.create_task(self._encrypt(transport, self._tls))

    async def _encrypt(self, transport: asyncio.Transport, tls: ssl.SSLContext) -> None:
        encrypted = None
        with suppress(OSError):  # ssl.SSLError is one
            encrypted = await self.loop.start_tls(transport, self, tls, server_side=True)
        self._handshake = None
        if self not in self.connections:
            return  # it was lost in the same moment
        if not encrypted:
            self.connection_lost(None)
            return
        super().connection_made(encrypted)
        early, self._early = self._early, b""
        if early:
            self.data_received(early)

    def data_received(self, data: bytes) -> None:
        if self._handshake:  # is over, but `_encrypt` does not know yet
            self._early += data
            return
        super().data_received(data)
        state = self.conn.their_state
        if state is h11.SEND_BODY or (state is h11.IDLE and not self.waits):
            self._wait()
        elif state is not h11.IDLE:
            self._wait_no_more()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    @property
    def address(self) -> str | None:
        """Whence it comes."""
        return self.client[0] if self.client else None

    def _others(self) -> list["Connection"]:
        """All of this server, this one too."""
        return [other for other in self.connections if isinstance(other, Connection)]

    def _wait(self) -> None:
        self._wait_no_more()
        self._too_late = self.loop.call_later(ASK_WITHIN_S, self.transport.abort)

    def _wait_no_more(self) -> None:
        if self._too_late:
            self._too_late.cancel()
            self._too_late = None
