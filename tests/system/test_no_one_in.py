"""No one in: a station as a person starts it, and who should not get in by the door of boxes."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import brokers
import malformed
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from host.fakebox import journal
from host.station_parts import STATE, payloads, reading
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mqtt_raw import Client, Message, connect, station
from noisewarden.firmware import evidence, wire
from noisewarden.station.authority import Authority, server_context
from noisewarden.station.rights import STATION, UP
from noisewarden.virtual import flash
from noisewarden.virtual.supervisor import VirtualBox
from system.boxes import Log, install, on_flash, tones, until
from system.intruders import API, Place, Pretender, message, password, running, secret

A, B, C, STOLEN = "bagu-east-01", "bagu-west-02", "jiefang-north-03", "stolen-04"
BOXES = (A, B, C, STOLEN)
NOTHING_WITHIN_S = 0.5
PACKETS, PAYLOADS = 2_000, 8_000


@pytest.fixture(scope="module", params=brokers.KINDS)
def place(request, tmp_path_factory) -> Iterator[Place]:
    with running(request.param, tmp_path_factory.mktemp(request.param), BOXES) as made:
        yield made


# A box as another box.


def said(box: str, qos: int = 1, retained: bool = False) -> list[Message]:
    """All that a box says, and rightly, but for who says it."""
    key = wire.Key(wire.derive(secret(box), "journal"))
    record = payloads(journal(1, key=key))[0]
    contents = {
        "reading": reading(n=66),
        "record": record,
        "state": STATE,
        "availability": b"online",
        "result": {"id": "1", "outcome": "done", "detail": ""},
    }
    assert set(contents) == set(UP)
    return [message(box, name, content, qos, retained) for name, content in contents.items()]


def will_of(box: str) -> Message:
    return message(box, "availability", b"offline", 1, True)


_number = 1000


def speaks(box: str, client: Client) -> int:
    """It says something of its own, and the broker has it; the number of that."""
    global _number
    _number += 1
    client.publish(message(box, "reading", reading(n=_number), qos=0))
    assert client.ping()
    return _number


def speaks_last(place: Place, box: str, client: Client) -> None:
    """It says something of its own, and the station has heard that, and so all before it."""
    place.has_heard(box, speaks(box, client))


@pytest.mark.parametrize(
    ("client", "user"), [(A, A), (B, A), (A, B), (B, B), (STATION, A), (STATION, STATION), ("", A)]
)
def test_with_its_own_password_a_box_is_itself_alone(place, client, user):
    before = place.get(f"/boxes/{B}")
    with place.box(B) as other:
        for retained, will in ((False, None), (True, will_of(B))):
            with place.connect() as thief:
                code = thief.login(client, user, password(A), will=will)
                assert user == A or code in (5, None)
                for qos in (0, 1):
                    thief.publish(*said(B, qos, retained))
        with place.box(A) as thief:
            speaks_last(place, A, thief)
        assert place.get(f"/boxes/{B}") == before
        assert place.get(f"/boxes/{B}/records") == []
        assert other.ping()


def test_a_box_hears_nothing_that_is_for_another(place):
    own = [wire.topic(B, name) for name in ("ack", "command")]
    with place.box(A) as thief, place.box(B, *own) as box:
        thief.subscribe("#", "+/+/+", "noisewarden/#", f"noisewarden/{B}/#", *own)
        thief.subscribe(*(f"$share/{group}/{topic}" for group in "xy" for topic in own))
        speaks_last(place, B, box)
        place.ask(B, "identify", seconds=5)
        heard = iter(box.message, None)
        sealed = next(each for each in heard if each.topic == wire.topic(B, "command"))
        assert json.loads(sealed.payload).keys() == {"body", "mac"}
        while came := thief.message(NOTHING_WITHIN_S):
            assert came.topic.startswith(f"noisewarden/{A}/")


def test_a_record_of_another_box_proves_nothing(place):
    """It has been overheard, mac and all, and comes under the thief's own name."""
    overheard = said(B)[UP.index("record")]
    with place.box(C) as thief:
        thief.publish(overheard._replace(topic=wire.topic(C, "record")))
        until(lambda: place.get(f"/boxes/{C}/records"), lambda: "not kept")
    chain = place.get(f"/boxes/{C}/chain")
    assert (chain["verified"], chain["broken"]) == (0, 1)
    assert place.get(f"/boxes/{B}/records") == []


def test_a_revoked_box_is_out(place):
    with place.box(STOLEN) as thief, place.box(A) as other:
        speaks_last(place, STOLEN, thief)
        assert place.chief.delete(f"{API}/register/{STOLEN}").status_code == 204
        if place.broker:  # one outside has a list of its own
            place.broker.revoke(STOLEN)
        assert thief.is_cut()
        assert other.ping()
    with place.connect() as thief:
        assert thief.login(STOLEN, STOLEN, password(STOLEN)) in (5, None)


def test_a_broker_that_lets_a_revoked_box_in_is_not_listened_to(tmp_path):
    with (
        running("mosquitto", tmp_path, (A, B)) as place,
        place.box(A) as thief,
        place.box(B) as other,
    ):
        speaks_last(place, A, thief)
        assert place.chief.delete(f"{API}/register/{A}").status_code == 204

        def overheard() -> bool:
            number = speaks(A, thief)
            speaks_last(place, B, other)
            return place.heard(A) == number

        # The station looks at its register each second.
        until(lambda: not overheard(), lambda: "it still listens")
        number = speaks(A, thief)
        thief.publish(*said(A))
        speaks_last(place, B, other)
        assert place.heard(A) != number
        assert place.get(f"/boxes/{A}/records") == []


# A broker, or whoever has it, against a box.


HASTY_MAIN = """
from noisebox import backoff, start
backoff.BackOff.next_ms = lambda self: 300
start.main()
"""
"""Of a box that tries again at once."""


@contextmanager
def on_its_pole(folder: Path, box: str, ca: bytes, port: int) -> Iterator[VirtualBox]:
    folder.mkdir()
    board = install(folder, HASTY_MAIN, config={"box": box})
    flash.provision(folder / "flash", secret(box), ca, port)
    with VirtualBox(
        folder, tones((60, 60)), board=board, unix_s=int(time.time()), on_event=Log()
    ) as made:
        yield made


def changed(stolen: Message, **fields: object) -> Message:
    """Another body under the mac that was stolen."""
    sealed = json.loads(stolen.payload)
    body = json.loads(sealed["body"]) | fields
    return stolen._replace(payload=json.dumps(sealed | {"body": json.dumps(body)}).encode())


def test_what_was_overheard_at_the_broker_is_worth_nothing_there(tmp_path):
    """Commands and acknowledgements again, changed, and on other topics; after a power cut too."""
    with (
        running("mosquitto", tmp_path, (A, B)) as place,
        on_its_pole(tmp_path / A, A, place.ca_der, place.port) as box,
        station(place.broker.station_url, f"{STATION}-thief") as thief,
    ):
        topics = {name: wire.topic(A, name) for name in ("command", "ack")}
        thief.subscribe(*topics.values())

        def state() -> dict:
            return place.get(f"/boxes/{A}")["state"]

        def settled(**wanted: int) -> None:
            """A box that obeys its station has heard all that was said before."""
            place.done(place.ask(A, "set_time", time=int(time.time())))
            until(lambda: state() | wanted == state(), lambda: f"{state()}, not {wanted}")

        until(lambda: state().get("boot") == 1, lambda: str(place.get(f"/boxes/{A}")))
        place.done(place.ask(A, "show", text="HI", seconds=1))
        place.done(place.ask(A, "identify", seconds=1))
        stolen = list(iter(lambda: thief.message(2), None))
        commands = [each for each in stolen if each.topic == topics["command"]]
        acks = [each for each in stolen if each.topic == topics["ack"]]
        assert len(commands) >= 2 and acks

        def attack() -> tuple[int, int]:
            """How many of its messages are (forged, replayed)."""
            forged = [changed(each, counter=1 << 50, seconds=60) for each in commands]
            forged += [each._replace(topic=topics["ack"]) for each in commands]
            forged += [changed(each, seq=0, again=[[1, 1]]) for each in acks]
            forged += [each._replace(topic=topics["command"]) for each in acks]
            thief.publish(*forged, *commands, *commands, *acks)
            return len(forged), 2 * len(commands)

        forged, replayed = attack()
        settled(forged=forged, replayed=replayed)
        box.cut_power()
        until(lambda: state().get("boot") == 2, lambda: str(state()))
        forged, replayed = attack()
        settled(forged=forged, replayed=replayed)

        asked = {command["id"] for command in place.get(f"/boxes/{A}/commands")}
    journal_key = wire.Key(wire.derive(secret(A), "journal"))
    records = [evidence.unpack(entry[1]) for entry in on_flash(tmp_path / A, journal_key)]
    acted = [record["id"] for record in records if record["kind"] == "command"]
    assert len(acted) == len(set(acted)) and set(acted) <= asked


def test_who_poses_as_the_station_is_told_nothing(tmp_path):
    own, other = (Authority.in_folder(tmp_path / name) for name in ("own", "other"))
    right = own.server_files()
    elsewhere = tmp_path / "elsewhere.pem"
    key = own._server_key(right[1])
    made = own._issue(key.public_key(), [x509.DNSName("elsewhere.example")])
    elsewhere.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    guises = {
        "of another authority": server_context(*other.server_files()),
        "of the right authority, for another name": server_context(elsewhere, right[1]),
        "without TLS": None,
        "the station": server_context(*right),
    }
    with (
        Pretender(guises) as pretender,
        on_its_pole(tmp_path / A, A, own.ca_der, pretender.port),
    ):
        until(lambda: len(pretender.heard) == len(guises), lambda: str(pretender.heard))
    *refused, plain, trusted = pretender.heard.values()
    assert refused == [None, None]
    for part in (A.encode(), password(A).encode(), b"MQTT"):
        assert part not in plain and part in trusted


# What is no message.


SAID = said(A, qos=0)
QOS = st.sampled_from((0, 0, 0, 1))  # one that is acknowledged slows the thief down

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@st.composite
def nearly_said(draw: st.DrawFn) -> Message:
    """Something that a box says, with other bytes in it or other values; or any bytes at all."""
    right = draw(st.sampled_from(SAID))
    if draw(st.booleans()) and right.payload.startswith(b"{"):
        content = json.loads(right.payload)
        for name in draw(st.lists(st.sampled_from([*content, "more"]), min_size=1, max_size=3)):
            content[name] = draw(_values)
        return right._replace(payload=json.dumps(content).encode(), qos=draw(QOS))
    data = bytearray(right.payload)
    at = draw(st.integers(0, len(data)))
    data[at : at + draw(st.integers(0, len(data)))] = draw(st.binary(max_size=20))
    return right._replace(payload=bytes(data), retained=draw(st.booleans()))


def test_ten_thousand_malformed_packets_and_payloads_leave_it_serving(tmp_path):
    many = settings(
        deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    with running("guarded", tmp_path, (A, B)) as own:

        @settings(many, max_examples=PACKETS)
        @given(malformed.packets(), st.booleans())
        def send_packet(data: bytes, logged_in: bool) -> None:
            with own.connect() as thief:
                thief.send((connect(A, A, password(A)) if logged_in else b"") + data)

        send_packet()
        with own.box(A) as thief:

            @settings(many, max_examples=PAYLOADS)
            @given(nearly_said())
            def send_payload(said: Message) -> None:
                thief.publish(said)

            send_payload()
            assert thief.ping()
        with own.box(B) as box:
            speaks_last(own, B, box)
        messages = own.get("/health")["messages"]
        assert messages["damaged"] > PAYLOADS / 4 and not messages.get("failed")
        assert own.serving.complaints == []
