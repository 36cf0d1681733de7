"""Packets of MQTT 3.1.1 that a client sends, as bytes (OASIS standard, chapters 2 and 3)."""

import struct
from typing import NamedTuple

DISCONNECT = b"\xe0\0"
PINGREQ = b"\xc0\0"


class Message(NamedTuple):
    topic: str
    payload: bytes
    qos: int = 0
    retained: bool = False


def packet(first: int, body: bytes) -> bytes:
    length, head = len(body), bytearray((first,))
    while True:
        length, low = divmod(length, 128)
        head.append(low | (0x80 if length else 0))
        if not length:
            return bytes(head) + body


def text(value: str | bytes) -> bytes:
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">H", len(data)) + data


def connect(
    client: str,
    user: str | None = None,
    password: str | None = None,
    *,
    will: Message | None = None,
    keep_alive_s: int = 30,
    clean: bool = True,
    level: int = 4,
) -> bytes:
    flags = (clean << 1) | (user is not None) << 7 | (password is not None) << 6
    if will:
        flags |= 4 | will.qos << 3 | will.retained << 5
    fields = [client, *((will.topic, will.payload) if will else ())]
    fields += [value for value in (user, password) if value is not None]
    head = text("MQTT") + struct.pack(">BBH", level, flags, keep_alive_s)
    return packet(0x10, head + b"".join(map(text, fields)))


def publish(message: Message, number: int = 1, *, duplicate: bool = False) -> bytes:
    first = 0x30 | duplicate << 3 | message.qos << 1 | message.retained
    identifier = struct.pack(">H", number) if message.qos else b""
    return packet(first, text(message.topic) + identifier + message.payload)


def subscribe(*filters: str, qos: int = 1, number: int = 1) -> bytes:
    body = b"".join(text(each) + bytes((qos,)) for each in filters)
    return packet(0x82, struct.pack(">H", number) + body)
