"""Both brokers, running, with the same boxes: what holds for one is to hold for the other.

with brokers.running(kind, {"bagu-east-01": password}, folder) as broker:
    broker.host, broker.port, broker.ca_der, broker.station_url
"""

import asyncio
import secrets
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGHUP
from typing import Any
from urllib.parse import quote

from noisewarden.firmware import wire
from noisewarden.station import mosquitto
from noisewarden.station.authority import Authority
from noisewarden.station.broker import Broker
from noisewarden.station.rights import STATION

KINDS = ("guarded", "mosquitto")
HOST = "127.0.0.1"
_WITHIN_S = 60.0


class Boxes:
    """A register in memory: passwords by box."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self.passwords = dict(passwords)

    def admits(self, box: str, password: str) -> bool:
        return self.passwords.get(box) == password

    def admitted(self) -> set[str]:
        return set(self.passwords)


def free_port() -> int:
    """One at which nobody listens. It is below those that systems give to connections, any of
    which could have it before it is used."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with suppress(OSError), socket.create_server((HOST, port)):
            return port


def until(holds: Callable[[], Any], what: str, seconds: float = _WITHIN_S) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


class Running:
    """A broker. `start` and `stop` may be called again: it comes back on the same ports.

    host, port    of the boxes' listener, TLS
    ca_der, ca_pem  its authority
    station_url   for the station's clients, password and all; another after a restart of the
                  guarded one
    boxes         the register; `revoke` takes one out
    """

    def __init__(self, passwords: Mapping[str, str], folder: Path) -> None:
        authority = Authority.in_folder(folder)
        self.host = HOST
        self.port = free_port()
        self.ca_der, self.ca_pem = authority.ca_der, authority.ca_pem
        self.station_url = ""
        self.boxes = Boxes(passwords)
        self._folder = folder
        self._certificate = authority.server_files()

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def revoke(self, box: str) -> None:
        del self.boxes.passwords[box]

    def tls(self) -> ssl.SSLContext:
        """What a box trusts."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.ca_der)
        return context

    def connect(self, source: str = HOST) -> ssl.SSLSocket:
        """A TLS connection as a box makes it, from an address of loopback."""
        plain = socket.create_connection(
            (self.host, self.port), _WITHIN_S, source_address=(source, 0)
        )
        return self.tls().wrap_socket(plain, server_hostname=wire.STATION_NAME)


class Guarded(Running):
    """amqtt behind its guard, in a thread with a loop of its own."""

    broker: Broker

    def start(self) -> None:
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(ready)))
        self._thread.start()
        ready.result()

    async def _run(self, ready: "Future[None]") -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        try:
            self.broker = Broker(self.boxes, self._certificate, self.host, self.port)
            async with self.broker:
                self.station_url = self.broker.station_url
                ready.set_result(None)
                await self._stopped.wait()
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    def in_loop(self, function: Callable[[], Any]) -> None:
        """Calls it in the broker's loop, soon."""
        self._loop.call_soon_threadsafe(function)

    def stop(self) -> None:
        self.in_loop(self._stopped.set)
        self._thread.join()


class Mosquitto(Running):
    def __init__(self, passwords: Mapping[str, str], folder: Path) -> None:
        super().__init__(passwords, folder)
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        assert program, "mosquitto is missing: install the package that .ci/run names"
        password = secrets.token_hex(32)
        station_port = free_port()
        conf = mosquitto.write(
            folder,
            self._certificate,
            password,
            host=self.host,
            port=self.port,
            station_port=station_port,
        )
        self._ports = (self.port, station_port)
        self._command = [program, "-c", str(conf)]
        self.station_url = f"mqtt://{quote(STATION)}:{password}@{HOST}:{station_port}"
        self._write_boxes()

    def start(self) -> None:
        log = (self._folder / "mosquitto.log").open("ab")
        self.process = subprocess.Popen(self._command, stdout=log, stderr=log)
        log.close()
        until(lambda: all(map(_listens, self._ports)), "mosquitto does not start")

    def stop(self) -> None:
        until(self._ends, "mosquitto does not end")

    def _ends(self) -> bool:
        # Again and again: what comes between its listening and its loop is lost, for it sets its
        # `run` after its handlers (mosquitto.c).
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(0.5)
        return self.process.poll() is not None

    def revoke(self, box: str) -> None:
        super().revoke(box)
        self._write_boxes()
        self.process.send_signal(SIGHUP)

    def _write_boxes(self) -> None:
        lines = {box: mosquitto.hashed(word) for box, word in self.boxes.passwords.items()}
        mosquitto.write_boxes(self._folder, lines)


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def running(kind: str, passwords: Mapping[str, str], folder: Path) -> Iterator[Running]:
    """A broker of this kind with these boxes; its files are in `folder`."""
    broker = {"guarded": Guarded, "mosquitto": Mosquitto}[kind](passwords, folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
