"""MQTT 3.1.1 by hand on a socket, for what a well-behaved client library would never send."""

import socket
import struct
import time
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from noisewarden.virtual.mqtt_packets import (
    DISCONNECT,
    PINGREQ,
    Message,
    connect,
    packet,
    publish,
    subscribe,
    text,
)

__all__ = ["DISCONNECT", "PINGREQ", "Client", "Message", "connect", "packet", "publish"]
__all__ += ["station", "subscribe", "text"]

WITHIN_S = 30.0


class Client:
    """A connection; it acknowledges what it is sent as it reads."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._seen = bytearray()
        self._messages: list[Message] = []

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *packets: bytes) -> None:
        """Sends; that the broker has ended the connection is seen by reading."""
        with suppress(OSError):
            for each in packets:
                self.socket.sendall(each)

    def next(self, seconds: float = WITHIN_S) -> tuple[int, bytes] | None:
        """(first byte, body) of the next packet; None when none came, b"" and 0 at the end."""
        deadline = time.monotonic() + seconds
        while not (found := self._cut()):
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                return None
            except OSError:
                data = b""
            if not data:
                return 0, b""
            self._seen += data
        return found

    def _cut(self) -> tuple[int, bytes] | None:
        length = 0
        for place, byte in enumerate(self._seen[1:5]):
            length |= (byte & 0x7F) << 7 * place
            if not byte & 0x80:
                start = place + 2
                if len(self._seen) < start + length:
                    return None
                found = self._seen[0], bytes(self._seen[start : start + length])
                del self._seen[: start + length]
                return found
        return None

    def answer(self, first: int, seconds: float = WITHIN_S) -> bytes | None:
        """The body of the next packet that begins so; None when the connection ended before."""
        deadline = time.monotonic() + seconds
        while (came := self.next(deadline - time.monotonic())) is not None:
            if came[0] == first:
                return came[1]
            if not came[0]:
                return None
            self._take(*came)
        raise AssertionError(f"no packet {first:#x} within {seconds} s")

    def login(self, *args: object, **options: object) -> int | None:
        """CONNACK's return code, None when the connection was closed without one."""
        self.send(connect(*args, **options))  # type: ignore[arg-type]
        body = self.answer(0x20)
        return None if body is None else body[1]

    def subscribe(self, *filters: str, qos: int = 1) -> list[int]:
        """The return codes."""
        self.send(subscribe(*filters, qos=qos))
        return list((self.answer(0x90) or b"")[2:])

    def publish(self, *messages: Message) -> None:
        """One after the other, each acknowledged if it is to be."""
        for number, message in enumerate(messages, 1):
            self.send(publish(message, number))
            if message.qos:
                self.answer(0x40)

    def ping(self) -> bool:
        """Whether the broker still answers here."""
        self.send(PINGREQ)
        return self.answer(0xD0) is not None

    def is_cut(self, seconds: float = WITHIN_S) -> bool:
        """Whether the broker ends the connection within this time."""
        deadline = time.monotonic() + seconds
        while (came := self.next(deadline - time.monotonic())) is not None:
            if not came[0]:
                return True
            self._take(*came)
        return False

    def message(self, seconds: float = WITHIN_S) -> Message | None:
        """The next message; None when none comes."""
        deadline = time.monotonic() + seconds
        while not self._messages:
            came = self.next(deadline - time.monotonic())
            if came is None or not came[0]:
                return None
            self._take(*came)
        return self._messages.pop(0)

    def _take(self, first: int, body: bytes) -> None:
        if first >> 4 != 3:
            return
        (length,) = struct.unpack_from(">H", body)
        at, qos = 2 + length, first >> 1 & 3
        topic = body[2:at].decode()
        if qos:
            self.send(packet(0x40, body[at : at + 2]))
            at += 2
        self._messages.append(Message(topic, body[at:], qos, bool(first & 1)))


def station(url: str, client: str = "$station") -> Client:
    """A client of the station, logged in."""
    parts = urlsplit(url)
    made = Client(socket.create_connection((parts.hostname, parts.port), WITHIN_S))
    code = made.login(client, unquote(parts.username or ""), parts.password)
    assert code == 0, code
    return made
