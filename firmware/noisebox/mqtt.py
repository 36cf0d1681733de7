"""MQTT 3.1.1 (OASIS standard, 2014), as much as a box needs: one connection, QoS 0 and 1.

Sessions are clean. What a box sends again it takes from its journal, and what a station wants to
say again it says again: a stored session would only bring old orders, from a broker's memory that
the project does not rely on.

Nothing here is kept for a new connection, so that a `Client` is thrown away with it.
"""

import asyncio
import socket
from errno import EINPROGRESS

import tls
from micropython import const

KEEP_ALIVE_S = const(30)
SILENCE_MS = const(40_000)
"""Without a packet for so long the other side is gone. It answers a ping each half of KEEP_ALIVE_S
at the latest."""
PACKET_MOST_BYTES = const(8192)
"""A longer packet ends the connection: there may be no room for it."""

_LOGIN_MS = const(20_000)
"""For TCP, TLS and CONNECT."""
_LOOK_UP_MS = const(20_000)

_IPPROTO_TCP = const(6)
_TCP_NODELAY = const(1)
"""As lwIP and Linux have them. A PUBACK and the result after it are two small packets: the second
must not wait until the first is acknowledged (Nagle, RFC 896)."""

_CONNACK = const(0x20)
_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBSCRIBE = const(0x82)
_SUBACK = const(0x90)
_PINGRESP = const(0xD0)

_REFUSALS = ("", "protocol", "client id", "unavailable", "user or password", "not authorised")


class MqttError(Exception):
    """The other side does not speak as it must, or refuses."""


def pinned(ca):
    """The TLS context that trusts one authority, given in DER, and nobody else.

    Of `tls`, which `ssl` only wraps: that would cost 1 KB of heap.
    """
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    # Which its stub does not know.
    context.verify_mode = tls.CERT_REQUIRED  # pyright: ignore[reportAttributeAccessIssue]
    context.load_verify_locations(ca)
    return context


async def open_stream(host, port, context, name):
    """A stream to `host`, whose certificate must be for `name`; OSError or TimeoutError.

    It is not connected yet: the first write waits for TCP and TLS. asyncio's `open_connection`
    does as much, but keeps the socket to itself.
    """
    found = socket.getaddrinfo(await _look_up(host), port, 0, socket.SOCK_STREAM)[0]
    wire = socket.socket(*found[:3])
    wire.setblocking(False)
    wire.setsockopt(_IPPROTO_TCP, _TCP_NODELAY, 1)
    try:
        wire.connect(found[-1])
    except OSError as error:
        if error.errno != EINPROGRESS:
            wire.close()
            raise
    return asyncio.StreamReader(
        context.wrap_socket(wire, server_hostname=name, do_handshake_on_connect=False)
    )


async def _look_up(host):
    """The address of a host as text.

    A look-up may take many seconds and blocks whoever asks; the microphone cannot wait. So a name
    is asked for in a thread, where the chip lets others run meanwhile (esp32/modsocket.c).
    """
    if not host.strip("0123456789."):
        return host
    import _thread

    found = []

    def ask():
        try:
            found.append(socket.getaddrinfo(host, 0, 0, socket.SOCK_STREAM)[0][-1])
        except Exception as error:
            found.append(error)

    _thread.start_new_thread(ask, ())
    waited_ms = 0
    while not found:
        if waited_ms > _LOOK_UP_MS:
            raise asyncio.TimeoutError
        await asyncio.sleep_ms(100)
        waited_ms += 100
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0][0]


def _text(text):
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _packet(header, *parts):
    """The bytes of a packet, in one piece: one write, and one record of TLS."""
    rest = sum([len(part) for part in parts])
    start = bytearray((header,))
    while True:
        start.append(rest & 0x7F | (0x80 if rest > 0x7F else 0))
        rest >>= 7
        if not rest:
            break
    # One allocation of the right size: a packet that grew would leave holes in the heap.
    return b"".join((bytes(start),) + parts)


class Client:
    """One connection over `stream`.

    on_message(topic, payload)   gets what was subscribed to; the payload in bytes
    on_puback(packet_id)         hears that the broker has a message of QoS 1
    """

    def __init__(self, stream, on_message, on_puback):
        self._stream = stream
        self._on_message = on_message
        self._on_puback = on_puback
        self._writing = asyncio.Lock()
        self._packet_id = 0

    async def connect(self, client_id, password, will_topic, will):
        """Logs in, the client id being the user name too; MqttError when that is refused,
        TimeoutError when there is no answer.

        The broker publishes `will`, retained, however this connection ends: no DISCONNECT is ever
        sent.
        """
        # user, password, retained will at QoS 1, clean session
        flags = 0x80 | 0x40 | 0x20 | 0x08 | 0x04 | 0x02
        asking = self._ask(
            0x10,
            _text("MQTT"),
            bytes((4, flags)),
            KEEP_ALIVE_S.to_bytes(2, "big"),
            _text(client_id),
            _text(will_topic),
            _text(will),
            _text(client_id),
            _text(password),
        )
        # The first write too waits for the peer, which may never say a word.
        header, body = await asyncio.wait_for_ms(asking, _LOGIN_MS)
        if header != _CONNACK or len(body) != 2:
            raise MqttError("no answer to CONNECT")
        if body[1]:
            cause = _REFUSALS[body[1]] if body[1] < len(_REFUSALS) else body[1]
            raise MqttError("refused: {}".format(cause))

    async def _ask(self, header, *parts):
        await self._send(header, *parts)
        return await self._receive()

    async def subscribe(self, *topics):
        """At QoS 1. `listen` fails when the broker will not have it."""
        parts = [self.new_id().to_bytes(2, "big")]
        for topic in topics:
            parts.append(_text(topic))
            parts.append(b"\x01")
        await self._send(_SUBSCRIBE, *parts)

    async def publish(self, topic, payload, packet_id=0, retain=False):
        """At QoS 1 with a packet id, which `on_puback` hears, else at QoS 0. Comes back when it is
        in the socket."""
        identity = packet_id.to_bytes(2, "big") if packet_id else b""
        qos = 2 if packet_id else 0
        await self._send(_PUBLISH | qos | retain, _text(topic), identity, payload)

    def new_id(self):
        self._packet_id = self._packet_id % 0xFFFF + 1
        return self._packet_id

    async def ping(self):
        await self._send(0xC0)

    async def listen(self):
        """Takes packets until the connection ends: raises OSError, EOFError, TimeoutError, or
        MqttError."""
        while True:
            # With its confirmation: the socket of a peer that reads no more has no room for it.
            await asyncio.wait_for_ms(self._hear(), SILENCE_MS)

    async def _hear(self):
        header, body = await self._receive()
        kind = header & 0xF0
        if kind == _PUBLISH:
            await self._take(header, body)
        elif kind == _PUBACK and len(body) == 2:
            self._on_puback(int.from_bytes(body, "big"))
        elif kind == _SUBACK and len(body) > 2:
            if 0x80 in body[2:]:
                raise MqttError("subscription refused")
        elif kind != _PINGRESP:
            raise MqttError("unexpected packet {:02x}".format(header))

    async def _take(self, header, body):
        qos = header >> 1 & 3
        at = 2 + int.from_bytes(body[:2], "big")
        end = at + (2 if qos else 0)
        if qos > 1 or len(body) < max(end, 2):
            raise MqttError("malformed message")
        try:
            topic = str(body[2:at], "utf-8")
        except UnicodeError:
            raise MqttError("malformed topic") from None
        self._on_message(topic, body[end:])
        if qos:
            await self._send(_PUBACK, body[at:end])

    async def _receive(self):
        """(first byte, rest) of the next packet."""
        stream = self._stream
        header = (await stream.readexactly(1))[0]
        size = shift = 0
        while True:
            byte = (await stream.readexactly(1))[0]
            size |= (byte & 0x7F) << shift
            if not byte & 0x80:
                break
            shift += 7
            if shift > 21:
                raise MqttError("malformed length")
        if size > PACKET_MOST_BYTES:
            raise MqttError("packet of {} bytes".format(size))
        return header, await stream.readexactly(size)

    async def _send(self, header, *parts):
        # Listener and sender both write: a stream takes one writer at a time.
        async with self._writing:
            self._stream.write(_packet(header, *parts))
            await self._stream.drain()

    async def close(self):
        """Ends the connection without a farewell, so that the broker publishes the will."""
        try:
            await self._stream.wait_closed()
        except OSError:
            pass  # it was gone already
