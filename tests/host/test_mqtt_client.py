"""The station's connection to a broker that stumbles: what is wrong is told, and only that."""

import asyncio
import gc
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from host.station_parts import PATIENCE_S, until
from noisewarden.errors import UserError
from noisewarden.station import mqtt_client
from noisewarden.station.mqtt_client import BrokerClient
from noisewarden.station.ways import Unreachable
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

CONNACK = bytes((0x20, 2, 0, 0))
SUBSCRIBE = 8
GRANTED, REFUSED = 1, 0x80
TOPIC = "noisewarden/+/record"


class StubbornBroker:
    """granted  what it answers to a subscription; None: it hangs up instead
    subscribed  is set once it was asked
    """

    def __init__(self, server: socket.socket, granted: int | None) -> None:
        self.url = f"mqtt://127.0.0.1:{server.getsockname()[1]}"
        self.subscribed = threading.Event()
        self.connections: list[socket.socket] = []
        self._server = server
        self._granted = granted

    def run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self.connections.append(connection)
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.recv(1024)
        connection.sendall(CONNACK)
        packet = connection.recv(1024)
        assert packet[0] >> 4 == SUBSCRIBE
        if self._granted is None:
            connection.close()
        else:
            connection.sendall(bytes((0x90, 3, *packet[2:4], self._granted)))
        self.subscribed.set()


@contextmanager
def broker(granted: int | None) -> Iterator[StubbornBroker]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = StubbornBroker(server, granted)
        thread = threading.Thread(target=made.run, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in made.connections:
                connection.close()


@pytest.fixture(autouse=True)
def in_haste(monkeypatch):
    monkeypatch.setattr(mqtt_client, "_PAUSES_S", (0.1,))


def run(granted: int | None, work: Callable) -> list[str]:
    """What goes wrong beside what is told: `work` takes client, broker, and what is told."""
    astray: list[str] = []

    async def beside() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: astray.append(str(context)))
        told: list[str] = []
        with broker(granted) as found:
            client = BrokerClient(found.url, [TOPIC], lambda *_: None, told.append)
            running = asyncio.create_task(client.run())
            await work(client, found, told)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        del client
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(beside())
    return astray


def test_a_broker_that_hangs_up_as_something_leaves_is_told_and_no_more():
    async def work(client, found, told):
        await until(lambda: client.connected, lambda: "it does not come in")
        found.connections[0].close()
        time.sleep(0.05)  # the end is there, and the loop has not seen it
        await asyncio.sleep(0)
        with pytest.raises(Unreachable):
            await client.publish("noisewarden/box/ack", "{}")
        await until(lambda: len(told) > 1, lambda: told)
        assert "it is tried again" in told[1]

    assert run(GRANTED, work) == []


def test_a_broker_that_hangs_up_on_a_subscription_is_told_and_no_more():
    async def work(client, found, told):
        await until(lambda: told, lambda: "nobody is told")
        assert "it is tried again" in told[0] and not client.connected

    assert run(None, work) == []


def test_a_broker_that_lets_the_station_hear_nothing_is_told():
    async def work(client, found, told):
        await until(lambda: told, lambda: "nobody is told")
        assert not client.connected
        assert told[0].endswith(
            f"lets the station hear nothing on {TOPIC}; allow it there; it is tried again"
        )

    assert run(REFUSED, work) == []


class Library:
    """What aiomqtt does when it subscribes: `granted` is set once the broker answers."""

    def __init__(self) -> None:
        self.granted = asyncio.Event()

    async def __aenter__(self) -> "Library":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def subscribe(self, topics: list) -> list:
        await asyncio.wait_for(self.granted.wait(), 5)
        return [ReasonCode(PacketTypes.SUBACK, identifier=GRANTED) for _ in topics]

    @property
    async def messages(self) -> AsyncIterator[object]:
        await asyncio.Event().wait()
        yield


@pytest.mark.parametrize("host", ["192.0.2.1", "station.example:1883"])
def test_no_password_leaves_this_computer_unencrypted(host):
    with pytest.raises(UserError, match="unencrypted; write mqtts://") as refusal:
        BrokerClient(f"mqtt://me:hunter2@{host}", [TOPIC], lambda *_: None)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("turns", range(5))
def test_it_ends_though_the_broker_answers_at_that_moment(monkeypatch, turns):
    async def work() -> None:
        library = Library()
        client = BrokerClient("mqtt://127.0.0.1", [TOPIC], lambda *_: None)
        monkeypatch.setattr(client, "_connect", lambda: library)
        task = asyncio.create_task(client.run())
        await asyncio.sleep(0.01)
        library.granted.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
        assert done

    asyncio.run(work())
