"""The guard around amqtt: each defect of amqtt 0.12.1 that was measured, and the bounds."""

import asyncio
import itertools
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import brokers
import malformed
import pytest
from brokers import Guarded, until
from hypothesis import given, settings
from mqtt_raw import Client, Message, connect, publish, station
from noisewarden.errors import UserError
from noisewarden.station import broker as broker_module
from noisewarden.station import guard
from noisewarden.station.broker import Broker
from noisewarden.station.rights import STATION

A, B = "bagu-east-01", "bagu-west-02"
PASSWORDS = {A: "a1" * 32, B: "b2" * 32}
COMMAND = "noisewarden/{}/command"
FUZZED = 2_000
"""Of each kind; tests/system/test_no_one_in.py has the ten thousand, at the door of boxes."""


@pytest.fixture
def broker(tmp_path) -> Iterator[Guarded]:
    with brokers.running("guarded", PASSWORDS, tmp_path) as found:
        assert isinstance(found, Guarded)
        yield found


def box(broker: Guarded, name: str = A, **options) -> Client:
    client = Client(broker.connect(**options))
    assert client.login(name, name, PASSWORDS[name]) == 0
    return client


def is_empty(broker: Guarded) -> bool:
    """Nothing of any client is left."""
    router = broker.broker._router
    return not (
        router.sessions or router.connections or router.subscriptions or broker.broker._tasks
    )


# Before the login


def test_failed_logins_leave_nothing_behind(broker):
    for number in range(50):
        with Client(broker.connect()) as client:
            assert client.login(A, A, f"wrong {number}") == 5
            assert client.is_cut()
    until(lambda: is_empty(broker), "something is left")
    assert broker.broker.refused["not authorised"] == 50


@pytest.mark.parametrize("begun", [b"", b"\x10", connect(A, A, PASSWORDS[A])[:-1]], ids=len)
@pytest.mark.parametrize("encrypted", [True, False])
def test_who_does_not_connect_in_time_is_dropped(broker, monkeypatch, encrypted, begun):
    # The handshake is among it, and this machine may stand still meanwhile.
    monkeypatch.setattr(guard, "CONNECT_WITHIN_S", 6 if encrypted else 0.5)
    plain = socket.create_connection((broker.host, broker.port))
    with Client(broker.connect() if encrypted else plain) as client, closing(plain):
        client.send(begun)
        assert client.is_cut()
    until(lambda: is_empty(broker), "something is left")
    # What comes unencrypted may be no TLS at all.
    assert broker.broker.refused["no CONNECT in time"] == 2 or not encrypted


def test_an_address_has_so_many_connections_without_a_login_and_others_have_theirs(broker):
    with ExitStack() as stack:
        inside = stack.enter_context(box(broker))
        idle = [
            stack.enter_context(Client(socket.create_connection((broker.host, broker.port))))
            for _ in range(guard.WAITING_MOST_AN_ADDRESS)
        ]
        with pytest.raises((ssl.SSLError, OSError)):
            broker.connect()
        stack.enter_context(box(broker, B, source="127.0.0.2"))
        assert inside.ping()
        for each in idle:
            each.socket.close()
        reason = "too many connections that do not log in"
        assert broker.broker.refused[reason] == 1
    until(lambda: is_empty(broker), "something is left")
    box(broker).socket.close()


def test_while_the_register_cannot_answer_nobody_comes_in_and_nobody_goes_out(broker, monkeypatch):
    def refuse(*_: object) -> bool:
        raise UserError("station.sqlite: the database refuses; check the disk")

    with box(broker) as inside:
        monkeypatch.setattr(broker.boxes, "admits", refuse)
        monkeypatch.setattr(broker.boxes, "admitted", refuse)
        with Client(broker.connect()) as client:
            assert client.login(B, B, PASSWORDS[B]) == 3
        time.sleep(1.2)
        assert inside.ping()


def test_who_is_gone_right_after_its_login_leaves_nothing_behind(broker):
    for _ in range(20):
        with Client(broker.connect()) as client:
            client.send(connect(A, A, PASSWORDS[A]))
    until(lambda: is_empty(broker), "something is left")
    box(broker).socket.close()


def test_a_register_that_cannot_answer_for_hours_is_one_line_of_the_log(
    broker, monkeypatch, caplog
):
    looks = []

    def away() -> set[str]:
        looks.append(True)
        raise UserError("station.sqlite: is gone; bring it back")

    monkeypatch.setattr(broker_module, "_LOOK_FOR_REVOKED_EVERY_S", 0.01)
    monkeypatch.setattr(broker.boxes, "admitted", away)
    until(lambda: len(looks) > 5, "it does not look")
    assert [record.message for record in caplog.records].count(
        "who is revoked cannot be told: station.sqlite: is gone; bring it back"
    ) == 1


def test_what_goes_to_a_box_waits_for_no_acknowledgement_of_tcp(broker):
    with box(broker):
        until(lambda: A in broker.broker.connected, "it does not come in")
        found = broker.broker._router.connections[A]._writer.get_extra_info("socket")
        assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_tls_connection_has_a_small_buffer(broker):
    """The name in asyncio that the broker sets is no documented one."""
    with box(broker):
        connection = broker.broker._router.connections[A]
        assert len(connection._writer.transport._ssl_protocol._ssl_buffer) == 16 * 1024


# After it


def test_a_client_that_does_not_read_is_cut_and_holds_up_nobody(broker):
    big = Message(COMMAND.format(A), bytes(60_000), 1)
    most = 4 * guard.UNSENT_MOST_BYTES // len(big.payload) + 100
    with box(broker) as slow, box(broker, B) as quick, station(broker.station_url) as sender:
        slow.subscribe(big.topic)
        quick.subscribe(COMMAND.format(B))
        sent = 0
        while A in broker.broker.connected:
            sender.publish(big)
            sent += 1
            assert sent < most
        assert sent > guard.UNSENT_MOST_BYTES // len(big.payload)
        sender.publish(Message(COMMAND.format(B), b"lamp", 1))
        assert quick.message() == Message(COMMAND.format(B), b"lamp", 1)


def test_readings_are_dropped_for_a_station_that_does_not_read(broker):
    reading = Message(f"noisewarden/{A}/reading", bytes(60_000))
    with station(broker.station_url) as slow, box(broker) as sender:
        slow.subscribe("noisewarden/#", qos=0)
        connection = broker.broker._router.connections[STATION]
        # The boxes are slowed before that: their pace is taken from the test.
        broker.broker._router.connections[A].others_are_behind = lambda: False
        deadline = time.monotonic() + 120
        while not connection.dropped and time.monotonic() < deadline:
            sender.send(publish(reading))
        assert connection.dropped
        assert sender.ping()
        assert STATION in broker.broker._router.connections


def test_a_flood_is_slowed_to_the_pace_of_the_station(broker):
    """Nothing is lost of it, and what waits inside is bounded."""
    record = f"noisewarden/{A}/record"
    count, waiting = 3000, []
    with station(broker.station_url) as listener, box(broker) as flooding:
        listener.subscribe("noisewarden/+/record")
        session, _ = broker.broker._router.sessions[A]
        flooding.socket.setblocking(True)
        flooding.send(
            b"".join(publish(Message(record, b"%d" % n, 1), n) for n in range(1, count + 1))
        )
        for number in range(1, count + 1):
            message = listener.message()
            assert message and message.payload == b"%d" % number
            waiting.append(session.delivered_message_queue.qsize())
    assert 0 < max(waiting) <= 3 * guard.AHEAD_MOST


def test_a_password_is_in_no_log_and_in_no_session(broker, caplog):
    caplog.set_level(logging.DEBUG)
    with box(broker) as inside, station(broker.station_url):
        inside.subscribe(COMMAND.format(A))
        with Client(broker.connect()) as client:
            client.login(B, B, PASSWORDS[A])
        for session, _ in broker.broker._router.sessions.values():
            assert not session.password
    secrets = {*PASSWORDS.values(), broker.broker._password}
    assert not any(
        secret in record.getMessage() for record in caplog.records for secret in secrets
    )


def test_it_leaves_no_task_behind(tmp_path):
    async def run() -> set[asyncio.Task]:
        before = asyncio.all_tasks()
        async with Broker(
            brokers.Boxes(PASSWORDS),
            brokers.Authority.in_folder(tmp_path).server_files(),
            brokers.HOST,
            0,
        ) as broker:
            client = await asyncio.to_thread(station, broker.station_url)
            await asyncio.to_thread(client.subscribe, "noisewarden/#")
        client.socket.close()
        await asyncio.sleep(0.1)
        return asyncio.all_tasks() - before

    assert asyncio.run(run()) == set()


def test_a_port_that_is_taken_is_told_in_one_line(broker, tmp_path):
    second = Guarded(PASSWORDS, tmp_path)
    second.port = broker.port
    with pytest.raises(UserError, match=rf"^127\.0\.0\.1:{broker.port}: .*; .*$"):
        second.start()


# What is no MQTT


@pytest.mark.parametrize("logged_in", [False, True])
def test_thousands_of_malformed_packets_leave_it_serving(broker, logged_in):
    """At the station's door, whose rights are the widest: what passes the guard reaches amqtt."""
    failures = []
    broker.in_loop(
        lambda: asyncio.get_running_loop().set_exception_handler(
            lambda _, context: failures.append(context)
        )
    )
    parts = urlsplit(broker.station_url)
    clients = itertools.cycle(f"{STATION}-{number}" for number in range(8))

    @settings(max_examples=FUZZED, deadline=None, derandomize=True)
    @given(malformed.packets())
    def send(data: bytes) -> None:
        hello = connect(next(clients), STATION, parts.password) if logged_in else b""
        with socket.create_connection((parts.hostname, parts.port)) as client:
            client.sendall(hello + data)
        until(lambda: len(broker.broker._tasks) < 20, "it is stuck")

    send()
    until(lambda: is_empty(broker), "something is left")
    with station(broker.station_url) as listener, box(broker) as sender:
        listener.subscribe("noisewarden/#")
        message = Message(f"noisewarden/{A}/state", b"still here", 1)
        sender.publish(message)
        while (came := listener.message()) and came.retained:
            pass  # some of what was sent was good
        assert came == message
    assert not failures
