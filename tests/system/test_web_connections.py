"""Programs that open connections to the pages and ask for nothing."""

import json
import socket
import time
from contextlib import ExitStack

import pytest
from noisewarden.station.web import connections
from served import ADMIN, PASSWORD, PATIENCE_S, Served
from system.boxes import until

SOON_S = 1.0
MANY = 3


@pytest.fixture
def station(tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "ASK_WITHIN_S", SOON_S)
    monkeypatch.setattr(connections, "WAITING_MOST_AN_ADDRESS", MANY)
    with Served(tmp_path) as served:
        served.administrator()
        yield served


def connected(station, sent=b""):
    made = socket.create_connection(("127.0.0.1", station._server.port), timeout=PATIENCE_S)
    made.sendall(sent)
    return made


def waiting_at(station):
    return [each for each in station._server.server_state.connections if each.waits]


def closed(connection):
    """Whether the other side ends it, in time or at all; what it says before is not looked at."""
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HT",
        b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90\r\n\r\n{",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /he",
    ],
    ids=["nothing", "half a request", "half a body", "one and a half"],
)
def test_who_does_not_ask_in_time_is_cut_off(station, said):
    with connected(station, said) as connection:
        assert closed(connection)


def test_a_body_that_comes_slowly_but_comes_is_waited_for(station, monkeypatch):
    # Between two parts this machine may stand still for as long as five of them are apart.
    monkeypatch.setattr(connections, "ASK_WITHIN_S", 7 * SOON_S)
    body = json.dumps({"name": ADMIN, "password": PASSWORD}).encode()
    head = (
        "POST /api/v1/session HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    with connected(station, "\r\n".join((*head, "", "")).encode()) as connection:
        part = len(body) // 9
        for at in range(0, len(body), part):
            time.sleep(SOON_S)
            connection.sendall(body[at : at + part])
        assert connection.recv(4096).startswith(b"HTTP/1.1 2")


def test_those_that_wait_are_bounded(station, monkeypatch):
    monkeypatch.setattr(connections, "ASK_WITHIN_S", PATIENCE_S)
    with ExitStack() as stack:
        waiting = [stack.enter_context(connected(station)) for _ in range(MANY)]
        with connected(station) as one_more:
            assert closed(one_more)
        for connection in waiting:
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):
                connection.recv(1)
    until(lambda: not waiting_at(station), lambda: "those that are gone still wait")
    with station.visitor() as visitor:
        assert visitor.get("/healthz").is_success


def test_who_does_not_even_begin_tls_is_bounded_and_cut_off_too(tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "ASK_WITHIN_S", SOON_S)
    monkeypatch.setattr(connections, "WAITING_MOST_AN_ADDRESS", MANY)
    with Served(tmp_path, tls=True) as station, ExitStack() as stack:
        station.administrator()
        for said in (b"", b"GET / HTTP/1.1\r\n\r\n"):
            with connected(station, said) as connection:
                assert closed(connection)
        monkeypatch.setattr(connections, "ASK_WITHIN_S", PATIENCE_S)
        waiting = [stack.enter_context(connected(station)) for _ in range(MANY)]
        until(lambda: len(waiting_at(station)) == MANY, lambda: "they are not counted")
        with connected(station) as one_more:
            assert closed(one_more)
        for connection in waiting:
            connection.close()
        until(lambda: not waiting_at(station), lambda: "those that are gone still wait")
        with station.visitor(ADMIN) as visitor:
            assert visitor.get("/api/v1/session").json()["name"] == ADMIN


def test_who_has_asked_is_not_cut_off(station, monkeypatch):
    monkeypatch.setattr(connections, "ASK_WITHIN_S", 6 * SOON_S)
    with (
        station.visitor(ADMIN) as visitor,
        visitor.stream("GET", "/api/v1/stream", timeout=PATIENCE_S) as answer,
    ):
        began = time.monotonic()
        for _ in answer.iter_lines():
            if time.monotonic() - began > 7 * SOON_S:
                return
        pytest.fail("the stream was cut off")
