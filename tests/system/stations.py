"""A station as small as can be, and a wire that can be cut, for boxes that speak over WiFi."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from noisewarden.firmware import evidence, uplink, wire
from noisewarden.station.rights import STATION
from noisewarden.virtual import flash
from system.boxes import until

BOX = "box"
SECRET = bytes(range(32))
PASSWORD = wire.derive(SECRET, "mqtt").hex()
COMMANDS = wire.Key(wire.derive(SECRET, "command"))
JOURNAL = wire.Key(wire.derive(SECRET, "journal"))
SSID, WIFI_PASSWORD = "street", "a long password"


def provision(files: Path, host: str, port: int, ca: bytes, secret: bytes = SECRET) -> None:
    """What `noisewarden provision` would bring, over a WiFi that has a name and a password."""
    flash.provision(files, secret, ca, port)
    network = files / uplink.NETWORK
    street = {"ssid": SSID, "password": WIFI_PASSWORD, "station": host}
    network.write_text(json.dumps(json.loads(network.read_text()) | street))


class Station:
    """Keeps what comes, answers each state, acknowledges each record while `answers`.

    messages   (name, payload, retained) of all that came, in order
    entries    of the journal by number; `again` the numbers that came again
    held       what it has without a gap; `acked` what it has said of it
    """

    def __init__(self, url: str, held: int = 0) -> None:
        self.messages: list[tuple[str, Any, bool]] = []
        self.entries: dict[int, tuple] = {}
        self.again: list[int] = []
        self.answers = True
        self.boot = 0
        self.held = self.acked = held
        self.counter = 0
        self._read_to = 0
        self._url = urlsplit(url)
        self._up = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, f"{STATION}-test")
        self._client.username_pw_set(unquote(self._url.username or ""), self._url.password)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)

    def __enter__(self) -> Self:
        self._client.connect(self._url.hostname, self._url.port)
        self._client.loop_start()
        until(self._up.is_set, lambda: "the station does not come in")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, *_: Any) -> None:
        self._client.subscribe(f"noisewarden/{BOX}/#", qos=1)
        self._up.set()

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        split = wire.split_topic(message.topic)
        assert split
        name = split[1]
        if name in ("ack", "command"):
            return
        text = message.payload.decode()
        payload = text if name == "availability" else json.loads(text)
        if name == "state":
            # Also one that waited: the box may have come to the broker first.
            self.boot = payload["boot"]
            if self.answers:
                self.ack()
        if name == "record":
            self._take(payload)
        self.messages.append((name, payload, message.retain))

    def _take(self, payload: dict[str, Any]) -> None:
        entry = evidence.entry(payload)
        seq = entry[0]
        if seq in self.entries:
            self.again.append(seq)
            assert self.entries[seq] == entry
        self.entries[seq] = entry
        if payload["after"] <= self.held:
            self.held = max(self.held, seq)
        if self.answers:
            self.ack()

    # Down.

    def send(self, name: str, payload: Any) -> None:
        self._client.publish(wire.topic(BOX, name), json.dumps(payload), qos=1)

    def seal(self, name: str, body: dict[str, Any], key: Any = COMMANDS) -> dict[str, str]:
        return wire.seal(key, wire.topic(BOX, name), json.dumps(body))

    def ack(self, **changes: Any) -> None:
        self.acked = self.held
        body = {"boot": self.boot, "seq": self.held} | changes
        self.send("ack", self.seal("ack", body))

    def command(self, action: str, **fields: Any) -> dict[str, Any]:
        """The body of a new command, good for a minute of the PC's clock."""
        self.counter += 1
        body = {"id": f"c{self.counter}", "counter": self.counter, "action": action}
        if action != "set_time":
            body["expires"] = int(time.time()) + 60
        return body | fields

    def ask(self, action: str, **fields: Any) -> tuple[str, str]:
        """Gives a command; its outcome and detail."""
        body = self.command(action, **fields)
        self.send("command", self.seal("command", body))
        return self.answer(body["id"])

    def answer(self, identity: str) -> tuple[str, str]:
        while (result := self.next("result"))["id"] != identity:
            pass
        return result["outcome"], result["detail"]

    # Up.

    def next(self, name: str) -> Any:
        """The next message of this name, passing over others and over what is retained."""
        found: list[Any] = []

        def came() -> bool:
            while not found and self._read_to < len(self.messages):
                kind, payload, retained = self.messages[self._read_to]
                self._read_to += 1
                if kind == name and not retained:
                    found.append(payload)
            return bool(found)

        until(came, lambda: f"no {name} after {self.messages[-3:]}")
        return found[0]

    def payloads(self, name: str) -> list[Any]:
        return [payload for kind, payload, _ in self.messages if kind == name]

    def records(self, kind: str) -> list[dict[str, Any]]:
        """The records of a kind; fails when one is missing or their chain is broken."""
        entries = [self.entries[seq] for seq in sorted(self.entries)]
        assert list(evidence.breaks(JOURNAL, entries)) == []
        assert [entry[0] for entry in entries] == list(range(entries[0][0], entries[-1][0] + 1))
        found = [evidence.unpack(entry[1]) for entry in entries]
        return [record for record in found if record["kind"] == kind]

    def has(self, true: Callable[[], object]) -> None:
        until(true, lambda: f"{self.messages[-5:]}, {sorted(self.entries)}")


class Relay:
    """A wire between box and broker: `cut` breaks it, `mend` mends it."""

    def __init__(self, host: str, port: int) -> None:
        self._behind = host, port
        self._whole = True
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        self._whole = False
        for end in list(self._sockets):
            _close(end)

    def mend(self) -> None:
        self._whole = True

    def _accept(self) -> None:
        while True:
            try:
                near = self._listener.accept()[0]
            except OSError:
                return
            try:
                if not self._whole:
                    raise OSError
                far = socket.create_connection(self._behind)
            except OSError:
                near.close()
                continue
            self._sockets |= {near, far}
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _passed(self, data: bytes) -> bytes:
        """What of it goes on."""
        return data

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                target.sendall(self._passed(data))
        except OSError:
            pass
        finally:
            for end in (source, target):
                self._sockets.discard(end)
                _close(end)


def _close(end: socket.socket) -> None:
    # Another thread may be reading from it: only a shutdown wakes that one.
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
