"""A Mosquitto that was started with the files of `serve`: what the register says goes there."""

import json
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import brokers
import pytest
from host.station_parts import reading
from noisewarden.register import Registration, write_handover
from system import intruders
from system.boxes import until
from system.intruders import API, Place, message
from system.serving import Serving, register

A, B, NEW = "bagu-east-01", "renmin-north-01", "new-03"


@contextmanager
def started(serving: Serving) -> Iterator[subprocess.Popen]:
    """Mosquitto, by the command that the station prints."""
    said = next(line for line in serving.said if line.startswith("broker "))
    program, *arguments = shlex.split(said.partition(": ")[2])
    found = shutil.which(program, path=f"{Path('/usr/sbin')}:/usr/local/sbin:/usr/bin")
    assert found, "mosquitto is missing: install the package that .ci/run names"
    with subprocess.Popen([found, *arguments], stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def served(home: Path, boxes: Iterable[str], scheme: str = "mqtt") -> Iterator[Serving]:
    """A station that knows these boxes, its Mosquitto not started yet."""
    for box in boxes:
        register(home, box, intruders.secret(box))
    broker = f"{scheme}://{brokers.HOST}:{brokers.free_port()}"
    door = f"{brokers.HOST}:{brokers.free_port()}"
    trusted = ("--broker-ca", f"{home}/authority/ca.pem") if scheme == "mqtts" else ()
    with Serving(home, "--broker", broker, "--mqtt", door, *trusted) as made:
        yield made


@contextmanager
def connected(serving: Serving) -> Iterator[Place]:
    """With its Mosquitto, to which it has come."""
    with started(serving), serving.administrator() as chief:
        made = Place(serving, chief, None)
        connects(made)
        yield made


@pytest.fixture
def serving(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serving]:
    with served(tmp_path / "station", (A, B), getattr(request, "param", "mqtt")) as made:
        yield made


@pytest.fixture
def place(serving: Serving) -> Iterator[Place]:
    with connected(serving) as made:
        yield made


def connects(place: Place) -> None:
    """Waits for the station itself to come to its broker."""
    until(lambda: place.get("/health")["broker"]["connected"], lambda: "the station stays out")


def handover(place: Place, folder: Path, box: str, secret: bytes) -> None:
    path = folder / "handover"
    entry = Registration.of_secret(secret, box=box, place="gate", board="virtual", serial="00")
    write_handover(path, entry)
    given = json.loads(path.read_text())
    path.unlink()
    answer = place.chief.post(f"{API}/register", json=given, params={"replace": True})
    assert answer.status_code == 201, answer.text


def comes_in(place: Place, box: str) -> bool:
    with suppress(ConnectionError), place.connect() as client:
        return client.login(box, box, intruders.password(box)) == 0
    return False


def test_a_box_speaks_and_a_revoked_one_is_out_and_offline(place):
    with place.box(A) as stolen, place.box(B) as other:
        for client, box in ((stolen, A), (other, B)):
            client.publish(message(box, "reading", reading(n=7), qos=0))
            place.has_heard(box, 7)
        assert place.chief.delete(f"{API}/register/{A}").status_code == 204
        assert stolen.is_cut()
        until(lambda: not place.get(f"/boxes/{A}")["online"], lambda: "still online")
        other.publish(message(B, "reading", reading(n=8), qos=0))
        place.has_heard(B, 8)
    assert not comes_in(place, A)


def test_a_new_box_comes_in_and_an_old_secret_goes(place, tmp_path):
    assert not comes_in(place, NEW)
    handover(place, tmp_path, NEW, intruders.secret(NEW))
    until(lambda: comes_in(place, NEW), lambda: "the new box stays out")
    with place.box(A) as old:
        handover(place, tmp_path, A, bytes(32))
        assert old.is_cut()
    assert not comes_in(place, A)


@pytest.mark.parametrize("serving", ["mqtts"], indirect=True)
def test_a_mosquitto_that_comes_later_and_again_has_the_register_as_it_is(serving, tmp_path):
    with serving.administrator() as chief:
        place = Place(serving, chief, None)
        with started(serving) as process:
            connects(place)
            process.send_signal(signal.SIGKILL)
        handover(place, tmp_path, NEW, intruders.secret(NEW))
        with started(serving):
            until(lambda: comes_in(place, NEW), lambda: "the new box stays out")
            connects(place)
            assert place.chief.delete(f"{API}/register/{NEW}").status_code == 204
            until(lambda: not comes_in(place, NEW), lambda: "the revoked box comes in")
        assert serving.end(signal.SIGTERM) == 0
    assert not any("Traceback" in line for line in serving.complaints)
