"""A box and its station over WiFi and a real broker: nothing lost, forged or had twice.

The broker is Mosquitto, but where it says otherwise; tests/system/test_broker.py holds both to the
same rules.
"""

import json
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import brokers
import pytest
from noisewarden.firmware import wire
from noisewarden.station.authority import Authority
from noisewarden.virtual.air import Air
from noisewarden.virtual.supervisor import VirtualBox
from system.boxes import (
    DARK_AT_FIRST_S,
    HEAP_MAIN,
    RESTED_MAIN,
    Bench,
    Log,
    heaps,
    install,
    tones,
    until,
)
from system.stations import (
    BOX,
    JOURNAL,
    PASSWORD,
    SSID,
    WIFI_PASSWORD,
    Relay,
    Station,
    provision,
)
from system.test_heap import FLAT_BYTES

WINDOW = 16


class Street:
    """A box on its pole, a technician at its port, and all that is between box and station."""

    def __init__(
        self,
        state: Path,
        broker: brokers.Running,
        relay: Relay,
        station: Station,
        box: VirtualBox,
        bench: Bench,
        air: Air,
        log: Log,
    ) -> None:
        self.state, self.broker, self.relay, self.station = state, broker, relay, station
        self.box, self.bench, self.air, self.log = box, bench, air, log

    def make_records(self, count: int) -> None:
        """By commands over USB: each is a record, on flash with the next second."""
        for _ in range(count):
            assert self.bench.ask("show", text="HI", seconds=1) == ("done", "")

    def all_arrived(self) -> None:
        """Waits until the station has all that is on the box's flash; each once, unbroken."""
        self._collect()
        newest = self.bench.entries[-1][0]
        self.station.has(lambda: self.station.held >= newest)
        assert sorted(self.station.entries) == list(range(1, self.station.held + 1))
        self.station.records("boot")

    def faults(self) -> list[str]:
        """Of network and station, as the technician reads them."""
        self._collect()
        texts = [record["text"] for record in self.bench.records("fault")]
        return [text for text in texts if text.startswith(("wifi:", "station:"))]

    def _collect(self) -> None:
        """Over USB all that is on flash by the next second."""
        for _ in range(3):
            self.bench.next("reading")
            self.bench.collect()


@contextmanager
def street(
    state: Path,
    *,
    kind: str = "mosquitto",
    ca: bytes | None = None,
    wifi: str = WIFI_PASSWORD,
    main: str = RESTED_MAIN,
    compiled: bool = False,
    **options: Any,
) -> Iterator[Street]:
    (state / "broker").mkdir()
    log, air = Log(), Air()
    air.network(SSID, wifi)
    with (
        brokers.running(kind, {BOX: PASSWORD}, state / "broker") as broker,
        Relay(broker.host, broker.port) as relay,
        Station(broker.station_url) as station,
    ):
        board = install(state, main, compiled=compiled)
        provision(state / "flash", broker.host, relay.port, ca or broker.ca_der)
        options = {"unix_s": int(time.time())} | options
        with (
            VirtualBox(
                state, tones((1, 60)), board=board, air=air, on_event=log, **options
            ) as box,
            Bench(box.port, JOURNAL) as bench,
        ):
            bench.next("reading")
            yield Street(state, broker, relay, station, box, bench, air, log)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Street]:
    """A box that has said hello to its station."""
    with street(tmp_path) as made:
        made.station.next("state")
        yield made


# Up.


@pytest.mark.parametrize("kind", brokers.KINDS)
def test_the_station_hears_readings_records_and_where_the_box_is(
    tmp_path: Path, kind: str
) -> None:
    with street(tmp_path, kind=kind) as made:
        station = made.station
        first = station.next("reading")
        assert station.next("reading")["n"] == first["n"] + 1
        state = station.payloads("state")[0]
        assert state["address"] == "127.0.0.1" and state["signal"] < 0 and state["outages"] == 0
        assert station.payloads("availability") == ["online"]
        made.make_records(3)
        assert station.ask("identify", seconds=1) == ("done", "")
        made.all_arrived()
        assert station.again == []
        assert station.records("boot")[0]["cause"] == "power"


@pytest.mark.parametrize("broken", ["link", "broker"])
def test_records_go_on_where_they_stopped(alone: Street, broken: str) -> None:
    alone.make_records(3)
    alone.all_arrived()
    held = alone.station.held
    if broken == "link":
        alone.relay.cut()
        alone.make_records(20)
        alone.relay.mend()
    else:
        alone.broker.stop()
        alone.make_records(20)
        alone.broker.start()
    alone.all_arrived()
    assert alone.station.held >= held + 20
    assert alone.station.again == []


def test_a_box_that_lost_its_power_in_the_middle_goes_on(alone: Street) -> None:
    station = alone.station
    station.answers = False
    alone.make_records(6)
    station.has(lambda: len(station.entries) >= 6)
    alone.box.cut_power()
    station.answers = True
    while station.next("state")["boot"] != 2:
        pass
    alone.bench.next("state")
    alone.all_arrived()
    assert [record["cause"] for record in station.records("boot")] == ["power", "power"]


def test_without_acknowledgements_a_window_goes_out_and_no_more(alone: Street) -> None:
    station = alone.station
    station.answers = False
    alone.make_records(30)
    station.has(lambda: max(station.entries, default=0) == station.acked + WINDOW)
    alone.bench.next("reading")
    time.sleep(2)
    assert max(station.entries) == station.acked + WINDOW
    station.answers = True
    station.ack()
    station.ack()
    alone.all_arrived()
    assert station.again == []


def test_what_the_station_asks_for_comes_again(alone: Street) -> None:
    alone.make_records(6)
    alone.all_arrived()
    station = alone.station
    station.ack(again=[[2, 3], [5, 5]])
    station.has(lambda: station.again == [2, 3, 5])


def test_acks_that_are_forged_or_of_another_start_lose_nothing(alone: Street) -> None:
    station = alone.station
    station.answers = False
    other = wire.Key(bytes(32))
    for body, key in (
        ({"boot": station.boot, "seq": 1000}, None),
        ({"boot": station.boot + 1, "seq": 3}, None),
        ({"boot": station.boot, "seq": 3}, other),
    ):
        station.send("ack", station.seal("ack", body, *([key] if key else [])))
    station.answers = True
    station.ack()
    alone.make_records(20)
    alone.all_arrived()
    assert station.ask("set_time", time=int(time.time()))[0] == "done"
    state = station.payloads("state")[-1]
    assert (state["stale"], state["forged"]) == (2, 1)


# Down.


@pytest.mark.timed
def test_the_lamp_is_lit_from_the_station(alone: Street) -> None:
    station = alone.station
    at_eight = 1_780_315_200
    assert station.ask("set_time", time=at_eight)[0] == "done"
    reading = alone.bench.next("reading")
    while reading["time"] > at_eight + 60 or reading["n"] < DARK_AT_FIRST_S:
        reading = alone.bench.next("reading")
    body = station.command("spotlight_on", seconds=5, expires=at_eight + 60, by="Li")
    station.send("command", station.seal("command", body))
    assert alone.log.wait_for("relay")["on"]
    assert station.answer(body["id"]) == ("done", "")
    alone.all_arrived()
    record = station.records("command")[-1]
    assert (record["action"], record["by"], record["outcome"]) == ("spotlight_on", "Li", "done")


def test_each_command_is_had_and_answered_once_whatever_the_broker_does(alone: Street) -> None:
    station = alone.station
    body = station.command("show", text="HI", seconds=1)
    sealed = station.seal("command", body)
    for _ in range(3):
        station.send("command", sealed)
    assert station.answer(body["id"]) == ("done", "")
    late = station.command("reboot", expires=int(time.time()) - 1)
    assert station.ask("dance") == ("refused", "unknown action dance")
    station.send("command", station.seal("command", late))  # its counter is behind by now
    gone = station.command("reboot", expires=int(time.time()) - 15)
    station.send("command", station.seal("command", gone))
    outcome, detail = station.answer(gone["id"])
    assert outcome == "refused" and detail.startswith("expired ")

    alone.box.cut_power()
    while station.next("state")["boot"] != 2:
        pass
    for again in (sealed, sealed):
        station.send("command", again)
    forged = station.seal("command", station.command("reboot"), wire.Key(bytes(32)))
    station.send("command", forged)
    assert station.ask("set_time", time=int(time.time()))[0] == "done"
    state = station.payloads("state")[-1]
    assert (state["replayed"], state["forged"]) == (2, 1)
    answered = [result["id"] for result in station.payloads("result")]
    assert len(answered) == len(set(answered))
    assert alone.box.lives == 2
    alone.bench.next("state")
    alone.all_arrived()
    faults = [record["text"] for record in station.records("fault")]
    assert faults.count("station: a message whose seal is wrong") == 1


def test_a_box_without_time_takes_the_time_alone(tmp_path: Path) -> None:
    with street(tmp_path, unix_s=None) as made:
        station = made.station
        assert station.next("state")["clock"] == 0
        assert station.ask("identify", seconds=1) == ("refused", "the clock is not set")
        assert station.ask("set_time", time=int(time.time())) == ("done", "clock set")
        assert station.payloads("state")[-1]["clock"] == 2
        assert station.ask("identify", seconds=1) == ("done", "")


def test_a_config_from_afar_cannot_take_the_box_away(alone: Street) -> None:
    station = alone.station
    outcome, detail = station.ask("set_config", config={"place": "north gate"})
    assert outcome == "refused" and "over USB alone" in detail
    config = {"box": BOX, "place": "north gate"}
    assert station.ask("set_config", config=config) == ("done", "")
    assert json.loads((alone.state / "flash/config.json").read_text()) == config


# Who must not get in the way.


def test_a_station_of_another_authority_gets_nothing(tmp_path: Path) -> None:
    own = Authority.in_folder(tmp_path / "own")
    with street(tmp_path, ca=own.ca_der) as made:
        until(made.faults, lambda: "no fault of the link")
        assert "CERT" in made.faults()[0] or "certificate" in made.faults()[0]
        assert made.station.messages == []
        assert made.bench.next("reading")["laeq"] is not None


def test_a_box_that_is_revoked_is_out_and_measures_on(alone: Street) -> None:
    alone.broker.revoke(BOX)
    until(alone.faults, lambda: "no fault of the link")
    until(lambda: "not authorised" in alone.faults()[-1], lambda: str(alone.faults()))
    assert alone.bench.next("reading")["laeq"] is not None
    assert alone.box.lives == 1


def test_a_wrong_wifi_password_is_told_and_a_right_one_is_enough(tmp_path: Path) -> None:
    with street(tmp_path, wifi="another password") as made:
        until(made.faults, lambda: "no fault of the radio")
        assert made.faults() == ["wifi: password refused"]
        assert made.bench.payloads("state")[-1]["address"] is None
        made.air.network(SSID, WIFI_PASSWORD)
        made.station.next("state")
        made.all_arrived()


def test_a_network_that_goes_and_comes_back(alone: Street) -> None:
    station = alone.station
    alone.make_records(2)
    alone.air.silence()
    while station.next("availability") != "offline":
        pass
    alone.make_records(5)
    alone.air.network(SSID, WIFI_PASSWORD)
    while station.next("availability") != "online":
        pass
    assert station.next("state")["outages"] == 1
    alone.all_arrived()
    assert alone.faults() == ["wifi: connection lost"]


def test_a_box_with_a_bad_authority_file_is_on_usb_and_says_so(tmp_path: Path) -> None:
    with street(tmp_path, ca=b"no certificate") as made:
        until(made.faults, lambda: "no fault")
        assert made.faults()[0].startswith("station: not started")
        assert made.bench.next("reading")["laeq"] is not None
        assert made.box.lives == 1


def live_heap_with_a_station(state: Path, heap: str) -> list[int]:
    """Bytes in use each second, once a compiled box has obeyed, told and sent all that it does."""
    with street(state, main=HEAP_MAIN, compiled=True, heap=heap) as made:
        made.station.next("state")
        # The ids of the last 16 commands are remembered.
        for _ in range(17):
            assert made.station.ask("self_test")[0] == "done"
        made.make_records(5)
        made.all_arrived()
        settled = len(heaps(made.bench)) + 2
        until(
            lambda: made.bench.next("reading") and len(heaps(made.bench)) > settled + 6,
            lambda: str(made.bench.text[-20:]),
            30,
        )
        live = heaps(made.bench)[settled:]
        assert made.box.lives == 1 and made.faults() == []
    assert not any("Error" in line or "Traceback" in line for line in made.bench.text)
    return live


@pytest.mark.timed
@pytest.mark.skipif(
    platform.machine() != "x86_64", reason="mpy-cross makes native code for no other PC"
)
def test_the_compiled_firmware_and_its_links_in_a_small_heap(tmp_path: Path) -> None:
    # 160 KB (DESIGN 4.1), and 20 KB that the fakes of the chip hold before the firmware is loaded.
    live = live_heap_with_a_station(tmp_path, "180K")
    assert max(live) - min(live) <= FLAT_BYTES, live
