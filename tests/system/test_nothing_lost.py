"""Nothing lost: every record that a box completed is in the store once, whatever happened between.

A station as a person starts it, once all in one process and on SQLite, once with Mosquitto and
PostgreSQL, goes through it all one after the other. Time is real, so the two hours without a link
are those of a journal; `make soak` has them in the firmware's own, virtual time.
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from noisewarden.virtual.fast import run_fast
from noisewarden.virtual.sound import RATE_HZ, Frame
from system import town as towns
from system.boxes import RESTED_MAIN, flash, tones, until
from system.town import REAL, Echo, Town

pytest_plugins = ["postgres"]

KILLS = 3
TEARS_BYTES = (7, 64)
"""In the header of a record; in its mac, or in the record that follows."""
HOUR_S, DAY_S = 3600, 86_400
SOAK_S = int(os.environ.get("NOISEWARDEN_SOAK_S", "600"))
LOAD = 300
"""Records that come in before something happens, of some thousands."""


@pytest.fixture(scope="module", params=["in-one-process", "mosquitto-postgresql"])
def town(request, tmp_path_factory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "in-one-process":
        running = towns.running(folder, "guarded")
    else:
        running = towns.running(folder, "mosquitto", request.getfixturevalue("postgresql"))
    with running as made:
        yield made


def test_the_station_is_killed_in_the_middle_of_intake(town: Town) -> None:
    town.measure_on()
    for _ in range(KILLS):
        town.takes_in(LOAD)
        town.kill()
        town.start()
    town.all_arrived()


def test_the_link_is_cut_for_a_journal_of_two_hours(town: Town) -> None:
    town.wire.cut()
    # What was on its way may still come.
    completed = sum(map(len, town.journals().values()))
    town.measure_on()
    town.record_on()
    town.record_on()
    assert town.count() <= completed
    town.wire.mend()
    town.all_arrived()


def test_the_broker_is_restarted(town: Town) -> None:
    town.measure_on()
    town.takes_in(LOAD)
    if town.broker:
        town.broker.stop()
        town.broker.start()
    else:
        town.end()
        town.start()
    town.all_arrived()


def test_packets_are_lost_on_the_way(town: Town) -> None:
    town.measure_on()
    for spoil in (town.wire.stall, town.wire.lose):
        spoil()
        town.record_on()
        town.wire.cut()
        town.wire.mend()
    town.all_arrived()


def test_messages_are_dropped_doubled_and_late(town: Town) -> None:
    # In its own process, the station's broker lets nobody else in.
    echo = Echo(town.broker.station_url) if town.broker else nullcontext()
    with echo, town.crowd.clumsy():
        town.measure_on(minutes=40)
        town.all_arrived()
    assert not isinstance(echo, Echo) or echo.count > LOAD


def test_boxes_lose_their_power_in_the_middle_of_a_record(town: Town) -> None:
    for after_bytes in TEARS_BYTES:
        boots = {name: town.boots(name) for name in REAL}
        for name in REAL:
            town.tear(name, after_bytes)
        town.record_on()
        assert all(town.boots(name) > boots[name] for name in REAL)
    town.all_arrived()


def test_the_database_takes_nothing_for_a_while(town: Town) -> None:
    def refusals() -> list[str]:
        return [line for line in town.station.complaints if "the database refuses" in line]

    with town.without_database():
        town.measure_on()
        until(refusals, lambda: "nothing is refused")
        time.sleep(4)
        # No more comes than is in the station, however late the count below is.
        town.wire.stall()
    assert town.waiting() > LOAD
    town.wire.mend()
    town.all_arrived()
    town.end()
    assert all("; " in line for line in refusals())
    town.start()


def test_the_clock_of_the_laptop_is_moved(town: Town) -> None:
    for shift_s in (-DAY_S, 400 * DAY_S, 0):
        town.move_clock(shift_s)
        town.measure_on()
        town.all_arrived()


def lasting(seconds: int) -> Iterator[Frame]:
    """A piece of music each two minutes."""
    heard = 0
    for frame in tones((30, 80), (90, 50)):
        yield frame
        heard += len(frame)
        if heard >= seconds * RATE_HZ:
            return


@pytest.mark.soak
def test_the_link_is_cut_for_two_hours_of_the_firmwares_time(town: Town) -> None:
    town.all_arrived()
    before = town.journals()
    town.power.close()
    town.wire.cut()
    for state in town.states.values():
        flash(state, main=RESTED_MAIN)  # its pauses are not cut short
        sound = lasting(2 * HOUR_S)
        for _ in run_fast(state / "flash", sound, unix_s=int(time.time()) - 2 * HOUR_S):
            pass
        flash(state, main=towns.MAIN)
    after = town.journals()
    assert all(len(after[name]) - len(before[name]) > 2 * 60 for name in REAL)
    town.wire.mend()
    town.switch_on()
    town.all_arrived()


EVENTS = (
    test_the_station_is_killed_in_the_middle_of_intake,
    test_the_link_is_cut_for_a_journal_of_two_hours,
    test_the_broker_is_restarted,
    test_packets_are_lost_on_the_way,
    test_messages_are_dropped_doubled_and_late,
    test_boxes_lose_their_power_in_the_middle_of_a_record,
    test_the_database_takes_nothing_for_a_while,
    test_the_clock_of_the_laptop_is_moved,
)


@pytest.mark.soak
def test_everything_in_any_order(town: Town) -> None:
    seed = time.time_ns()
    print(f"\nseed {seed}")
    order = random.Random(seed)
    began = time.monotonic()
    while time.monotonic() - began < SOAK_S:
        happens = order.choice(EVENTS)
        print(f"{time.monotonic() - began:5.0f} s  {happens.__name__}")
        happens(town)


def test_in_the_end_store_and_journals_are_the_same(town: Town) -> None:
    town.come_to_rest()
    town.all_arrived()
    assert town.count() == sum(map(len, town.journals().values()))
    assert town.incidents() == town.incidents_of_journals()
    assert any(incident.box in REAL for incident in town.incidents())
    town.end()
    assert not any("noisewarden/" in line for line in town.complaints), town.complaints
