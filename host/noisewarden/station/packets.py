"""MQTT 3.1.1 packets of a client as bytes: cut from a stream whole, and looked at before use.

amqtt 0.12.1 reads a packet field by field from the socket: an inner length that runs over the
packet's end makes it take the next packet for the rest of this one. What passes here has no such
length, so it is read as it was meant. Numbers in brackets are sections of the OASIS standard.
"""

import asyncio
import struct
from typing import NamedTuple

from amqtt.adapters import BufferReader
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from amqtt.mqtt.connect import ConnectPacket

PACKET_MOST_BYTES = 64 * 1024
"""A record is 1 KB and a configuration 4 KB at most."""

PROTOCOL_LEVEL = 4
"""MQTT 3.1.1 (3.1.2.2)."""

_CONNECT, _PUBLISH, _PUBACK, _SUBSCRIBE, _UNSUBSCRIBE, _PINGREQ, _DISCONNECT = (
    1,
    3,
    4,
    8,
    10,
    12,
    14,
)
_RESERVED_FLAGS = {
    _PUBACK: 0,
    _SUBSCRIBE: 2,
    _UNSUBSCRIBE: 2,
    _PINGREQ: 0,
    _DISCONNECT: 0,
}
"""The only flags that these may have (2.2.2)."""

WRONG_LEVEL = bytes((0x20, 2, 0, 1))
UNAVAILABLE = bytes((0x20, 2, 0, 3))
NOT_AUTHORISED = bytes((0x20, 2, 0, 5))
"""CONNACK (3.2.2.3)."""


class Malformed(Exception):
    """What is wrong with a packet, in a few words."""


class Packet(NamedTuple):
    """data   all of it
    body   where in `data` the fixed header ends
    """

    data: bytes
    body: int


async def read(stream: asyncio.StreamReader) -> Packet:
    """The next packet of a stream; Malformed, or IncompleteReadError at its end."""
    head = await stream.readexactly(2)
    while head[-1] & 0x80:
        if len(head) == 5:
            raise Malformed("a length of more than four bytes")
        head += await stream.readexactly(1)
    length = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(head[1:]))
    if len(head) + length > PACKET_MOST_BYTES:
        raise Malformed(f"more than {PACKET_MOST_BYTES} bytes")
    return Packet(head + await stream.readexactly(length), len(head))


def check(packet: Packet) -> None:
    """Malformed, unless a client that is connected may send this.

    QoS 2 is refused too: nothing here uses it, and amqtt keeps what was never released for ever.
    """
    data, at = packet
    kind, flags = data[0] >> 4, data[0] & 0x0F
    if kind == _PUBLISH:
        _check_publish(flags, data, at)
        return
    if _RESERVED_FLAGS.get(kind) != flags:
        raise Malformed(f"packet type {kind} with flags {flags}")
    if kind in (_SUBSCRIBE, _UNSUBSCRIBE):
        _check_filters(data, at, options=int(kind == _SUBSCRIBE))
    elif len(data) - at != (2 if kind == _PUBACK else 0):
        raise Malformed(f"packet type {kind} of {len(data)} bytes")


def is_disconnect(data: bytes) -> bool:
    return data[0] >> 4 == _DISCONNECT


def plain_topic(packet: Packet) -> str | None:
    """The topic of a PUBLISH of QoS 0 that nobody is to keep: it can go on as it came, since these
    same bytes are what a subscriber gets. None for any other packet."""
    data, at = packet
    return _text(data, at)[0] if data[0] == _PUBLISH << 4 else None


def _check_publish(flags: int, data: bytes, at: int) -> None:
    qos = flags >> 1 & 3
    if qos > 1:
        raise Malformed(f"QoS {qos}")
    topic, at = _text(data, at)
    if not topic or topic[0] == "$" or "+" in topic or "#" in topic:
        raise Malformed("a topic that none can publish to")
    if qos:
        _check_number(data, at)


def _check_filters(data: bytes, at: int, options: int) -> None:
    _check_number(data, at)
    at += 2
    if at == len(data):
        raise Malformed("no topic filter")
    while at < len(data):
        text, at = _text(data, at)
        if not text:
            raise Malformed("an empty topic filter")
        at += options
        if at > len(data) or (options and data[at - 1] > 2):
            raise Malformed("a topic filter without its QoS")


def _check_number(data: bytes, at: int) -> None:
    if not any(data[at : at + 2]) or len(data) < at + 2:
        raise Malformed("no packet identifier")


def _text(data: bytes, at: int) -> tuple[str, int]:
    """The text at `at` and where it ends (1.5.3)."""
    if len(data) < at + 2:
        raise Malformed("it ends within a length")
    (length,) = struct.unpack_from(">H", data, at)
    end = at + 2 + length
    if len(data) < end:
        raise Malformed("a text that runs over its end")
    try:
        text = data[at + 2 : end].decode()
    except UnicodeDecodeError:
        raise Malformed("a text that is not UTF-8") from None
    if "\0" in text:
        raise Malformed("a text with a zero in it")
    return text, end


class Login(NamedTuple):
    """What a CONNECT says (3.1).

    silence_s  after which the client is taken for dead (3.1.2.10), 0 for never
    will       topic of its last will, or None
    connect    the packet for amqtt: without the password, which was checked; with a clean
               session, so that none outlives its connection; without keep-alive, which amqtt
               0.12.1 does not enforce
    """

    client: str
    user: str
    password: str
    silence_s: float
    will: str | None
    connect: bytes


class WrongLevel(Malformed):
    """Not MQTT 3.1.1, which a server answers (3.1.2.2)."""


async def login(packet: Packet) -> Login:
    """Reads a CONNECT; Malformed, for any other packet too."""
    if packet.data[0] != _CONNECT << 4:
        raise Malformed("it does not begin with CONNECT")
    name, at = _text(packet.data, packet.body)
    if name != "MQTT" or packet.data[at : at + 1] != bytes((PROTOCOL_LEVEL,)):
        raise WrongLevel("not MQTT 3.1.1")
    try:
        connect = await ConnectPacket.from_stream(BufferReader(packet.data))
        whole = connect.to_bytes() == packet.data
    except (AMQTTError, MQTTError, NoDataError, ValueError):
        whole = False
    # The same bytes again: no field was short, none left over, every text is UTF-8.
    if not whole or connect.reserved_flag or connect.will_qos > 1:
        raise Malformed("a CONNECT that is not well-formed")
    if connect.username is None or connect.password is None:
        raise Malformed("a CONNECT without user name and password")
    found = Login(
        client=connect.client_id or "",
        user=connect.username,
        password=connect.password,
        silence_s=1.5 * connect.keep_alive,
        will=connect.will_topic if connect.will_flag else None,
        connect=b"",
    )
    connect.clean_session_flag = True
    connect.keep_alive = 0
    connect.password_flag = False
    connect.password = ""
    return found._replace(connect=bytes(connect.to_bytes()))
