"""The broker in the station's own process: two doors, one for boxes and one for the station.

Boxes come by TLS. The station's clients come over loopback, with a password that is made anew at
each start and is never written down.
"""

import asyncio
import errno
import hmac
import logging
import secrets
from asyncio import sslproto
from collections import Counter
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from noisewarden.errors import UserError
from noisewarden.station.authority import server_context
from noisewarden.station.guard import Door, Refused, WaitingRoom, let_in
from noisewarden.station.packets import Login
from noisewarden.station.rights import STATION, Boxes, OfBox, OfStation, Rights
from noisewarden.station.routing import Router

# asyncio fills a read buffer of 256 KB for each TLS connection; a TLS record (RFC 8446, 5.1) is
# 16 KB. 1000 boxes then take 140 MB instead of 375. uvloop, which has no such buffer, breaks off
# a connection whose TLS starts after it was accepted, and there is none for Windows.
sslproto.SSLProtocol.max_size = 16 * 1024

_log = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"
_LOOK_FOR_REVOKED_EVERY_S = 0.5
"""Another process may revoke a box; it is to be out within 1 s."""


class Broker:
    """The guarded amqtt, in the event loop that runs.

    boxes        the register
    certificate  files of the server's certificate and of its key, PEM
    host, port   where boxes connect; port 0 takes a free one, and `port` is it after `start`

    station_url  for the station's own clients, with their password: it is not to be shown
    refused      how often a connection was refused, by reason

    UserError when it cannot listen there.
    """

    def __init__(
        self, boxes: Boxes, certificate: tuple[Path, Path], host: str = "", port: int = 8883
    ) -> None:
        self.host = host
        self.port = port
        self.station_url = ""
        self.refused: Counter[str] = Counter()
        self._boxes = boxes
        self._certificate = certificate
        self._password = secrets.token_hex(32)
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None

    @property
    def connected(self) -> list[str]:
        """The boxes that are connected now."""
        return [name for name in self._router.connections if not name.startswith(STATION)]

    async def start(self) -> None:
        _allow_files()
        self._router = Router()
        await self._router.start()
        try:
            self.port = await self._open(
                Door(server_context(*self._certificate), self._rights_of_box),
                self.host,
                self.port,
            )
            port = await self._open(Door(None, self._rights_of_station), _LOOPBACK, 0)
        except BaseException:
            await self.stop()
            raise
        self.station_url = f"mqtt://{quote(STATION)}:{self._password}@{_LOOPBACK}:{port}"
        self._watch = asyncio.create_task(self._watch_for_revoked())

    async def stop(self) -> None:
        """Closes both doors and cuts every connection."""
        if self._watch:
            self._watch.cancel()
        for server in self._servers:
            server.close()
        for connection in self._router.connections.values():
            connection.cut("the broker stops")
        await asyncio.gather(
            *(each.over.wait() for each in list(self._router.connections.values()))
        )
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._router.shutdown()

    async def __aenter__(self) -> "Broker":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def disconnect(self, box: str) -> None:
        """Cuts a box's connection, if it has one; whether it may come back is the register's."""
        if connection := self._router.connections.get(box):
            connection.cut("disconnected")

    async def _open(self, door: Door, host: str, port: int) -> int:
        room = WaitingRoom()

        async def came(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await self._receive(door, room, reader, writer)

        try:
            server = await asyncio.start_server(came, host or None, port)
        except OSError as error:
            raise cannot_listen(host, port, error) from None
        self._servers.append(server)
        return server.sockets[0].getsockname()[1]

    async def _receive(
        self,
        door: Door,
        room: WaitingRoom,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        peer = writer.get_extra_info("peername")
        try:
            with room.place(peer[0] if peer else ""):
                connection = await let_in(door, reader, writer)
        except Refused as refused:
            self.refused[str(refused)] += 1
            with suppress(OSError):
                writer.write(refused.answer)
                writer.close()
            return
        except BaseException:
            writer.transport.abort()
            raise
        await self._router.serve(connection)

    def _rights_of_box(self, login: Login) -> Rights | None:
        if login.client != login.user or not self._boxes.admits(login.user, login.password):
            return None
        return OfBox(login.user)

    def _rights_of_station(self, login: Login) -> Rights | None:
        right = hmac.compare_digest(login.password.encode(), self._password.encode())
        if not right or login.user != STATION or not login.client.startswith(STATION):
            return None
        return OfStation()

    async def _watch_for_revoked(self) -> None:
        told = ""
        while True:
            await asyncio.sleep(_LOOK_FOR_REVOKED_EVERY_S)
            try:
                admitted = await asyncio.to_thread(self._boxes.admitted)
            except UserError as error:
                if str(error) != told:
                    told = str(error)
                    _log.warning("who is revoked cannot be told: %s", told)
                continue
            told = ""
            for box in set(self.connected) - admitted:
                self.disconnect(box)


def _allow_files() -> None:
    """As many open files as the system grants: each box is one, and many grant 1024 at first."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def cannot_listen(host: str, port: int, error: OSError) -> UserError:
    """One line for who asked to listen there."""
    where = f"{host or '*'}:{port}"
    if error.errno == errno.EADDRINUSE:
        cause = "another program listens there; stop it, or take another port"
    elif error.errno == errno.EACCES:
        cause = "this user may not listen there; choose a port above 1023"
    else:
        cause = f"cannot listen there ({error.strerror}); choose an address of this machine"
    return UserError(f"{where}: {cause}")
