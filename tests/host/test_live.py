"""What is live: dashes when nothing true is known, and readers that cannot hold each other up."""

import asyncio
import json
import math

import pytest
from host.fakebox import BOX
from host.station_parts import OTHER, STATE, reading
from noisewarden.database import Database
from noisewarden.errors import UserError
from noisewarden.station import live
from noisewarden.station.events import BEHIND_MOST
from noisewarden.station.live import NO_CONNECTION, Live
from noisewarden.station.trend import TREND_STEPS, Trend


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def database(tmp_path):
    with Database.in_folder(tmp_path) as made:
        yield made


@pytest.fixture
def boxes(database, clock):
    return Live(database, monotonic=clock)


async def _collect(reader):
    """All that waits for a reader."""
    found = []
    while True:
        try:
            event, data = await asyncio.wait_for(anext(reader), 0.01)
        except TimeoutError:
            return found
        found.append((event, json.loads(data)))


def test_a_box_that_was_never_heard_has_no_level(boxes):
    assert boxes.box(BOX) == {
        "box": BOX,
        "reading": None,
        "reason": NO_CONNECTION,
        "online": False,
        "seen_s": 0,
        "state": {},
    }
    assert boxes.silent(BOX) and boxes.trend(BOX) == []


def test_five_seconds_after_the_last_reading_there_are_dashes(boxes, clock):
    boxes.take_reading(BOX, reading())
    clock.now += live.SILENT_AFTER_S
    boxes.step()
    assert boxes.box(BOX)["reading"]["laeq"] == 71.25 and boxes.box(BOX)["reason"] == ""
    clock.now += 0.1
    boxes.step()
    assert boxes.box(BOX)["reading"] is None
    assert boxes.box(BOX)["reason"] == NO_CONNECTION and not boxes.box(BOX)["online"]


@pytest.mark.parametrize(
    ("laeq", "flags", "reason"),
    [
        (None, ["warmup"], "warmup"),
        (None, ["dead", "lost"], "dead"),
        (None, ["slot", "uncalibrated"], "slot"),
        (71.25, ["overload"], ""),
    ],
)
def test_the_reason_for_dashes_is_the_boxs_own(boxes, laeq, flags, reason):
    boxes.take_reading(BOX, reading(laeq=laeq, flags=flags))
    assert boxes.box(BOX)["reason"] == reason


def test_a_will_of_the_broker_takes_the_level_away_at_once(boxes):
    boxes.take_availability(BOX, True)
    boxes.take_reading(BOX, reading())
    boxes.take_availability(BOX, False)
    assert boxes.box(BOX)["reading"] is None and boxes.silent(BOX)


def test_what_a_box_said_of_itself_outlives_the_station(boxes, database):
    async def lived():
        task = asyncio.create_task(boxes.run())
        boxes.take_state(BOX, STATE)
        boxes.take_state(OTHER, STATE, retained=True)
        await asyncio.sleep(3 * live.GATHER_S)
        boxes.take_state(BOX, STATE | {"boot": 2})
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(lived())
    again = Live(database)
    assert again.boxes() == [BOX, OTHER]
    assert again.box(BOX)["state"]["boot"] == 2 and again.box(BOX)["seen_s"] > 0
    assert not again.box(BOX)["online"] and again.silent(BOX)
    assert again.box(OTHER)["seen_s"] == 0


def test_what_the_broker_had_kept_is_no_sign_of_life(boxes, clock):
    """A broker that died keeps `online` of boxes that are long gone, and their states."""
    boxes.take_availability(BOX, True, retained=True)
    boxes.take_state(BOX, STATE, retained=True)
    assert not boxes.box(BOX)["online"] and boxes.silent(BOX)
    assert (boxes.box(BOX)["seen_s"], boxes.box(BOX)["state"]) == (0, STATE)
    boxes.take_reading(BOX, reading())
    boxes.take_availability(BOX, False, retained=True)  # by WiFi; it is on USB now
    assert boxes.box(BOX)["online"] and boxes.box(BOX)["reading"]


@pytest.mark.parametrize(
    ("kept", "news"),
    [
        ({"boot": 6, "uptime_s": 900}, False),
        ({"boot": 7, "uptime_s": 50}, False),
        ({"boot": 7, "uptime_s": 70}, True),
        ({"boot": 8, "uptime_s": 1}, True),
    ],
)
def test_a_state_that_the_broker_had_kept_counts_when_it_is_newer(boxes, kept, news):
    """A box may have been on USB since it was kept."""
    known = STATE | {"boot": 7, "uptime_s": 60}
    boxes.take_state(BOX, known)
    boxes.take_state(BOX, STATE | kept, retained=True)
    assert boxes.box(BOX)["state"] == (STATE | kept if news else known)


def test_what_could_not_be_saved_is_saved_later(boxes, database, monkeypatch):
    def full():
        raise UserError("station.sqlite: the disk is full; make room")

    async def lived():
        boxes.take_state(BOX, STATE)
        with monkeypatch.context() as away:
            away.setattr(boxes, "_transaction", full)
            await boxes._save()
        assert list(boxes.troubles) == ["states"]
        await boxes._save()

    asyncio.run(lived())
    assert Live(database).box(BOX)["state"] == STATE and boxes.troubles == {}


def test_readers_get_the_readings_of_a_moment_together(boxes, clock):
    async def read():
        async with boxes.subscribe() as reader:
            boxes.take_reading(BOX, reading())
            boxes.take_reading(OTHER, reading(laeq=None, flags=["dead"]))
            boxes.step()
            boxes.step()
            first = await _collect(reader)
            clock.now += 6
            boxes.step()
            return first, await _collect(reader)

    first, silent = asyncio.run(read())
    [(event, data)] = first
    assert event == "readings"
    assert [(each["box"], each["reason"]) for each in data["readings"]] == [
        (BOX, ""),
        (OTHER, "dead"),
    ]
    assert [event for event, _ in silent] == ["state", "state", "readings"]
    told = silent[-1][1]["readings"]
    assert [(each["reading"], each["reason"]) for each in told] == [(None, NO_CONNECTION)] * 2


def test_a_second_that_comes_by_two_ways_counts_once(boxes, clock):
    for second in range(11):
        for _ in range(2):
            boxes.take_reading(BOX, reading(n=second, time=second, laeq=60.0 + second))
        clock.now += 1
    energy = sum(10 ** ((60 + second) / 10) for second in range(10))
    assert boxes.trend(BOX) == [pytest.approx(10 * math.log10(energy / 10), abs=0.051)]


@pytest.mark.parametrize(
    ("n", "earlier_s", "counts"),
    [
        (8, 2, False),
        (0, -5, True),  # it has started again
        (8, 4 * 365 * 86_400, True),  # its clock was years ahead, and it has started again
        (11, 30, True),  # its clock was set back
    ],
)
def test_a_second_that_comes_late_by_another_way_does_not_count(boxes, n, earlier_s, counts):
    newest = reading(n=10)
    late = newest | {"n": n, "time": newest["time"] - earlier_s}
    boxes.take_reading(BOX, newest)
    boxes.take_reading(BOX, late)
    assert boxes.box(BOX)["reading"] == (late if counts else newest)


def test_a_slow_reader_loses_the_oldest_and_is_told(boxes):
    async def read():
        async with boxes.subscribe() as slow, boxes.subscribe() as fast:
            for number in range(BEHIND_MOST + 7):
                boxes.tell("health", {"number": number})
                if number == BEHIND_MOST:
                    taken = await _collect(fast)
            return await _collect(slow), taken + await _collect(fast)

    slow, fast = asyncio.run(read())
    assert slow[0] == ("lost", {"events": 7})
    assert [data["number"] for _, data in slow[1:]] == list(range(7, BEHIND_MOST + 7))
    # One more than it may be behind was told before this one looked.
    assert fast[0] == ("lost", {"events": 1}) and len(fast) == BEHIND_MOST + 7


def test_nobody_is_told_after_leaving(boxes):
    async def read():
        async with boxes.subscribe() as reader:
            pass
        boxes.tell("health", {})
        return await _collect(reader)

    assert asyncio.run(read()) == []


def test_troubles_are_told_when_they_change(boxes):
    async def read():
        async with boxes.subscribe() as reader:
            boxes.trouble("store", "the disk is full")
            boxes.trouble("store", "the disk is full")
            boxes.trouble("broker", "")
            boxes.trouble("store", "")
            return await _collect(reader)

    told = asyncio.run(read())
    assert told == [
        ("health", {"troubles": {"store": "the disk is full"}}),
        ("health", {"troubles": {}}),
    ]


def test_a_trend_shows_its_gaps_and_ends_after_ten_minutes():
    trend = Trend()
    for second in range(20):
        trend.add(second, 60.0)
    for second in range(40, 50):
        trend.add(second, None if second < 45 else 70.0)
    assert trend.levels(50) == [60.0, 60.0, None, None, 70.0]
    assert trend.levels(580) == [60.0, 60.0, None, None, 70.0] + [None] * 53
    assert trend.levels(10_000) == [None] * TREND_STEPS
