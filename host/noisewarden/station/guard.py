"""The guard at the broker's door: who is let in, and one client's connection as amqtt sees it.

amqtt 0.12.1 reads a CONNECT and touches the session of that client id before it knows who is
there, takes the user name of the moment for the ACL, waits for a CONNECT for ever, and keeps the
sessions of failed logins. So it gets no socket at all: a connection is handed to it when its
CONNECT was read and its password was right, and then brings whole and well-formed packets only.
Readings, which are nearly all that boxes say, it does not get to see: a task for each, and a dozen
steps of the loop, were half of what a station costs.
"""

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from amqtt.adapters import ReaderAdapter, WriterAdapter

from noisewarden.errors import UserError
from noisewarden.station import packets
from noisewarden.station.packets import Login, Malformed, Packet, WrongLevel
from noisewarden.station.rights import Rights

CONNECT_WITHIN_S = 10.0
"""From the connection to its CONNECT, the TLS handshake included."""
WAITING_MOST = 256
"""Connections that have not said who they are."""
WAITING_MOST_AN_ADDRESS = 64
"""Of them from one address: many boxes may stand behind one router."""

SILENCE_MOST_S = 300.0
"""A client that asks for no keep-alive is held to this."""
UNSENT_MOST_BYTES = 1024 * 1024
"""What may wait for a client that does not read."""
AHEAD_MOST = 32
"""Messages of one client that amqtt has not yet passed on."""
_LOOK_AGAIN_S = 0.01

_log = logging.getLogger(__name__)


class Refused(Exception):
    """Why a connection was closed before it was one; nobody outside is told more than `answer`."""

    def __init__(self, reason: str, answer: bytes = b"") -> None:
        super().__init__(reason)
        self.answer = answer


@dataclass(frozen=True)
class Door:
    """A listener: how its connections are encrypted, and what they may do once they are in.

    rights  those of a login, None when it may not come in; called in a thread. UserError when
            nobody can tell now
    """

    tls: ssl.SSLContext | None
    rights: Callable[[Login], Rights | None]


class WaitingRoom:
    """Bounds the connections that are not logged in, of each address and in all."""

    def __init__(self) -> None:
        self._addresses: Counter[str] = Counter()

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        if (
            self._addresses.total() >= WAITING_MOST
            or self._addresses[address] >= WAITING_MOST_AN_ADDRESS
        ):
            raise Refused("too many connections that do not log in")
        self._addresses[address] += 1
        try:
            yield
        finally:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]


async def let_in(
    door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> "Connection":
    """The connection of a client that is who it says; Refused otherwise."""
    try:
        async with asyncio.timeout(CONNECT_WITHIN_S):
            if door.tls:
                await writer.start_tls(door.tls, ssl_handshake_timeout=CONNECT_WITHIN_S)
            login = await packets.login(await packets.read(reader))
            # In a thread: a database that is slow must not hold up those who are in.
            rights = await asyncio.to_thread(door.rights, login)
    except WrongLevel as error:
        raise Refused(str(error), packets.WRONG_LEVEL) from None
    except Malformed as error:
        raise Refused(str(error)) from None
    except TimeoutError:
        raise Refused("no CONNECT in time") from None
    except UserError as error:
        raise Refused(str(error), packets.UNAVAILABLE) from None
    except (OSError, asyncio.IncompleteReadError):  # ssl.SSLError is an OSError
        raise Refused("gone, or no TLS, before its CONNECT") from None
    if not rights or (login.will is not None and not rights.may_publish(login.will)):
        raise Refused("not authorised", packets.NOT_AUTHORISED)
    return Connection(login, rights, reader, writer)


class Connection(ReaderAdapter, WriterAdapter):
    """A client that is in, read and written by amqtt.

    client   its id, which is its name in the rights too and never changes
    ended    is set when nothing more comes from it or goes to it
    over     is set when amqtt has done with it
    dropped  messages of QoS 0 that it was too slow for

    Whoever serves it sets
    pass_on            takes the topic and bytes of a packet that need not go through amqtt
    waiting            how many of its messages amqtt has taken and not yet passed on
    others_are_behind  whether it is not to be read, for the sake of those who get its messages
    """

    def __init__(
        self,
        login: Login,
        rights: Rights,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.client = login.client
        self.rights = rights
        self.ended = asyncio.Event()
        self.over = asyncio.Event()
        self.dropped = 0
        self.pass_on: Callable[[str, bytes], None] = lambda topic, data: None
        self.waiting: Callable[[], int] = lambda: 0
        self.others_are_behind: Callable[[], bool] = lambda: False
        self._reader = reader
        self._writer = writer
        self._silence_s = login.silence_s or SILENCE_MOST_S
        self._packet = login.connect
        self._at = 0

    def cut(self, reason: str) -> None:
        """Ends it now, as a broken line would: amqtt publishes the last will."""
        if not self.ended.is_set():
            _log.info("%s: %s", self.client, reason)
        self.ended.set()
        self._writer.transport.abort()

    async def read(self, n: int = -1) -> bytes:
        """The next n bytes of the packet that amqtt reads; b"" at the end of all."""
        if n and self._at == len(self._packet):
            self._packet, self._at = await self._next(), 0
        part = self._packet[self._at : self._at + n]
        self._at += n
        return part

    async def _next(self) -> bytes:
        """The next packet for amqtt."""
        # amqtt makes a task of each packet, and cancels it when the end follows at once.
        await asyncio.sleep(0)
        while True:
            # Not read, so that TCP slows the client.
            while not self.ended.is_set() and (
                self.waiting() > AHEAD_MOST or self.others_are_behind()
            ):
                await asyncio.sleep(_LOOK_AGAIN_S)
            packet = await self._read_checked()
            if packet is None or (topic := packets.plain_topic(packet)) is None:
                break
            self.pass_on(topic, packet.data)
        if packet is None or packets.is_disconnect(packet.data):
            # amqtt forgets what it has acknowledged and not yet passed on.
            while self.waiting():
                await asyncio.sleep(_LOOK_AGAIN_S)
            await asyncio.sleep(_LOOK_AGAIN_S)
        return packet.data if packet else b""

    async def _read_checked(self) -> Packet | None:
        try:
            async with asyncio.timeout(self._silence_s):
                packet = await packets.read(self._reader)
            packets.check(packet)
            return packet
        except Malformed as error:
            self.cut(f"malformed packet: {error}")
        except TimeoutError:
            self.cut(f"silent for {self._silence_s:g} s")
        except (OSError, asyncio.IncompleteReadError):
            self.cut("closed")
        return None

    def feed_eof(self) -> None:
        """amqtt never calls it."""

    @property
    def unsent(self) -> int:
        """Bytes that wait for the client to read."""
        return self._writer.transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        if self._writer.transport.is_closing():
            return
        if self.unsent > UNSENT_MOST_BYTES:
            if data[0] >> 4 == 3 and not data[0] & 6:  # PUBLISH of QoS 0
                self.dropped += 1
            else:
                self.cut("does not read")
            return
        self._writer.write(data)

    async def drain(self) -> None:
        """Waits for nobody: one slow client must not hold up what the others get."""

    def get_peer_info(self) -> tuple[str, int]:
        # A TLS connection that is gone does not know any more.
        return (self._writer.get_extra_info("peername") or ("", 0))[:2]

    def get_ssl_info(self) -> ssl.SSLObject | None:
        return self._writer.get_extra_info("ssl_object")

    async def close(self) -> None:
        self.ended.set()
        self._writer.close()
