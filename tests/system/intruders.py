"""A station as a person starts it, on either broker, and tools of those who should not get in."""

import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Self

import brokers
from brokers import HOST
from mqtt_raw import Client, Message
from noisewarden import register as keys
from noisewarden.firmware import wire
from served import Visitor
from system.boxes import PATIENCE_S, until
from system.serving import Serving, register

API = "/api/v1"
PRETENDS_FOR_S = 2
"""After each word; the first may take its time."""


def secret(box: str) -> bytes:
    return box.encode().ljust(32, b"*")


def password(box: str) -> str:
    """Of a box at the broker."""
    return keys.password(secret(box))


def message(box: str, name: str, payload: Any, qos: int = 1, retained: bool = False) -> Message:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Message(wire.topic(box, name), data, qos, retained)


class Place:
    """serving  the station; `chief` its administrator in a browser
    broker   the one outside, None for that in the station's own process
    port, ca_der  where boxes come in, and by what they know it
    """

    def __init__(self, serving: Serving, chief: Visitor, broker: brokers.Running | None) -> None:
        self.serving, self.chief, self.broker = serving, chief, broker
        self.port = broker.port if broker else serving.port
        self.ca_der = broker.ca_der if broker else serving.authority.ca_der

    def connect(self) -> Client:
        """As any box does, before it says who it is."""
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.load_verify_locations(cadata=self.ca_der)
        plain = socket.create_connection((HOST, self.port), 5)
        return Client(trusting.wrap_socket(plain, server_hostname=wire.STATION_NAME))

    def box(self, name: str, *filters: str, **options: Any) -> Client:
        """A box, or whoever stole its password."""
        client = self.connect()
        assert client.login(name, name, password(name), **options) == 0
        if filters:
            client.subscribe(*filters)
        return client

    def get(self, path: str) -> Any:
        return self.chief.get(API + path).raise_for_status().json()

    def heard(self, box: str) -> int | None:
        """The number of the last reading that the station has of a box."""
        reading = self.get(f"/boxes/{box}")["reading"]
        return reading and reading["n"]

    def has_heard(self, box: str, number: int) -> None:
        until(lambda: self.heard(box) == number, lambda: str(self.get(f"/boxes/{box}")))

    def ask(self, box: str, action: str, **arguments: Any) -> str:
        """Asks a box for something; the id of the command."""
        given = {"action": action, "arguments": arguments}
        answer = self.chief.post(f"{API}/boxes/{box}/commands", json=given)
        assert answer.is_success, answer.text
        return answer.json()["id"]

    def done(self, command: str) -> None:
        def answer() -> dict[str, Any]:
            return self.get(f"/commands/{command}")

        until(lambda: answer()["status"] == "done", lambda: str(answer()))


@contextmanager
def running(kind: str, folder: Path, boxes: Sequence[str], **process: Any) -> Iterator[Place]:
    """A station that knows these boxes, its broker of this kind."""
    home = folder / "station"
    for box in boxes:
        register(home, box, secret(box))
    with ExitStack() as stack:
        broker = None
        if kind == "mosquitto":
            (folder / "broker").mkdir()
            passwords = {box: password(box) for box in boxes}
            broker = stack.enter_context(brokers.running(kind, passwords, folder / "broker"))
            process["env"] = os.environ | {"NOISEWARDEN_BROKER": broker.station_url}
        serving = stack.enter_context(Serving(home, **process))
        chief = stack.enter_context(serving.administrator())
        yield Place(serving, chief, broker)


class Pretender:
    """A context manager: who poses as a station, each time otherwise.

    guises  by name: how it encrypts; None for not at all
    heard   by name: what it was told, once it is trusted; None for a guise that was refused
    port    where boxes may fall for it
    """

    def __init__(self, guises: dict[str, ssl.SSLContext | None]) -> None:
        self.heard: dict[str, bytes | None] = {}
        self._guises = guises
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _run(self) -> None:
        for name, context in self._guises.items():
            try:
                came, _ = self._listener.accept()
            except OSError:
                return
            came.settimeout(PATIENCE_S)
            try:
                trusted = context.wrap_socket(came, server_side=True) if context else came
                with closing(trusted):
                    self.heard[name] = _all(trusted)
            except (ssl.SSLError, ConnectionError):
                self.heard[name] = None
            came.close()


def _all(told: socket.socket) -> bytes:
    data = b""
    try:
        while part := told.recv(4096):
            data += part
            told.settimeout(PRETENDS_FOR_S)
    except OSError:
        pass
    return data
