"""What the pages ask of the store: minutes, seconds, statistics and gaps of any period."""

import csv
import io
import math

import pytest
from host.fakebox import BOX, KEY, MINUTE, Journal, journal
from noisewarden.errors import UserError
from noisewarden.firmware import flags, wire
from noisewarden.station import minutes_csv
from noisewarden.station.gaps import GONE, OFF, WAITING, TimeGap
from noisewarden.station.levels import DAY_S, Levels
from noisewarden.store import Store

pytest_plugins = ["postgres"]

ZONE = "CST-8"
MIDNIGHT_S = 1_780_761_600
"""2026-06-07 00:00 in Chongqing."""
HOUR_S = 3600


@pytest.fixture
def store(database):
    return Store(database)


@pytest.fixture
def levels(database):
    """After the day."""
    return Levels(database, now=lambda: MIDNIGHT_S + DAY_S)


def take(store, made, box=BOX):
    store.intake(box, [(entry, entry[0] - 1) for entry in made], KEY)


def a_day(level_at, *, made=None, step_min=1, until_min=1440):
    """A journal of minutes from midnight on, with the level in dB that `level_at` gives to the
    minute of the day, or with fields."""
    made = Journal() if made is None else made
    for minute in range(0, until_min, step_min):
        told = level_at(minute)
        fields = told if isinstance(told, dict) else {"laeq": told, "seconds": all_at(told)}
        made.add("minute", unix_s=MIDNIGHT_S + 60 * (minute + 1), **(MINUTE | fields))
    return made


def all_at(level_db):
    return [wire.tenths(level_db)] * 60


def test_a_minute_has_both_its_times_and_is_in_the_period_in_which_it_ends(store, levels):
    take(store, a_day(lambda minute: 60 + minute, until_min=10))
    made = levels.minutes(BOX, MIDNIGHT_S + 120, MIDNIGHT_S + 300)
    assert [minute.laeq for minute in made] == [62, 63, 64]
    assert (made[0].from_s, made[0].to_s) == (MIDNIGHT_S + 120, MIDNIGHT_S + 180)
    first = made[0]
    assert (first.lafmax, first.l10, first.valid_s, first.limit) == (70.1, 64.0, 59, 70)
    assert (first.chain, first.clock, first.live) == ("verified", 2, False)
    assert levels.minutes("nobody", MIDNIGHT_S, MIDNIGHT_S + 60) == []


def test_a_minute_that_came_at_once_is_live(store, levels, monkeypatch):
    monkeypatch.setattr("noisewarden.taking.time.time", lambda: MIDNIGHT_S + 420)
    take(store, a_day(lambda minute: 60, until_min=2))
    period = MIDNIGHT_S, MIDNIGHT_S + 300
    assert [minute.live for minute in levels.minutes(BOX, *period)] == [True, True]
    monkeypatch.setattr("noisewarden.taking.time.time", lambda: MIDNIGHT_S + DAY_S)
    store.intake("late", [(entry, entry[0] - 1) for entry in a_day(lambda m: 60, until_min=1)])
    assert [minute.live for minute in levels.minutes("late", *period)] == [False]


def test_what_has_no_time_or_cannot_be_read_is_in_no_period(store, levels):
    take(store, journal(3, timeless=3))
    made = Journal(first=5)
    made.add("minute", boot=2, unix_s=MIDNIGHT_S + 60, **MINUTE)
    seq, data, *macs = made[0]
    shorter = bytes((data[0] - 1,)) + data[1:-1]
    store.intake(BOX, [((seq, shorter, *macs), 4)])
    assert store.held(BOX) == 5
    assert levels.minutes(BOX, MIDNIGHT_S, MIDNIGHT_S + DAY_S) == []


def test_seconds_follow_each_other_and_a_stretch_ends_where_nothing_is_known(store, levels):
    made = Journal()
    for minute, jitter_s in ((1, 0), (2, 1), (3, 0), (6, 0)):
        seconds = [wire.tenths(60 + minute)] * 59 + [wire.NO_TENTHS]
        made.add(
            "minute", unix_s=MIDNIGHT_S + 60 * minute + jitter_s, **(MINUTE | {"seconds": seconds})
        )
    take(store, made)
    first, second = levels.seconds(BOX, MIDNIGHT_S + 30, MIDNIGHT_S + 330)
    assert first.from_s == MIDNIGHT_S + 30 and second.from_s == MIDNIGHT_S + 300
    assert first.levels == [*[61.0] * 29, None, *[62.0] * 59, None, *[63.0] * 59, None]
    assert second.levels == [66.0] * 30


def test_a_day_of_statistics(store, levels):
    """Loud by day, quiet by night."""
    take(store, a_day(lambda minute: 70 if 360 <= minute < 1320 else 50))
    found = levels.statistics(BOX, MIDNIGHT_S, MIDNIGHT_S + DAY_S, ZONE)
    assert (found.day.laeq, found.night.laeq) == (70.0, 50.0)
    mean = (16 * 10**7 + 8 * 10**5) / 24
    assert found.whole.laeq == pytest.approx(10 * math.log10(mean), abs=0.01)
    assert (found.whole.l10, found.whole.l50, found.whole.l90) == (70.0, 70.0, 50.0)
    weighed = (16 * 10**7 + 8 * 10**6) / 24
    assert found.ldn == pytest.approx(10 * math.log10(weighed), abs=0.01)
    assert (found.whole.valid_s, found.whole.valid_share) == (DAY_S, 1.0)
    assert (found.day.valid_s, found.night.valid_s) == (16 * HOUR_S, 8 * HOUR_S)
    assert found.whole.lafmax == 70.1 and found.whole.lafmin == 50.0
    assert found.unmarked == found.whole


@pytest.mark.parametrize(("heard_min", "enough"), [(45, True), (44, False)])
def test_too_little_is_no_value(store, levels, heard_min, enough):
    take(store, a_day(lambda minute: 60, until_min=heard_min))
    found = levels.statistics(BOX, MIDNIGHT_S, MIDNIGHT_S + HOUR_S, ZONE).whole
    wanted = 60.0 if enough else None
    assert (found.laeq, found.l10, found.l50, found.l90) == (wanted,) * 4
    assert (found.lafmax is None) == (found.lafmin is None) == (not enough)
    assert found.valid_s == 60 * heard_min


def test_seconds_without_a_level_are_not_valid_and_never_quiet(store, levels):
    dead = {"laeq": None, "valid_s": 0, "flags": flags.DEAD, "seconds": [wire.NO_TENTHS] * 60}
    take(store, a_day(lambda minute: dead if minute % 6 == 0 else 65, until_min=60))
    found = levels.statistics(BOX, MIDNIGHT_S, MIDNIGHT_S + HOUR_S, ZONE).whole
    assert (found.laeq, found.l90, found.valid_share) == (65.0, 65.0, 0.833)
    assert found.marked_min == {"dead": 10}


def test_doubtful_minutes_are_counted_apart(store, levels):
    wind = {"laeq": 90.0, "flags": flags.WIND, "seconds": all_at(90)}
    take(store, a_day(lambda minute: wind if minute < 6 else 60, until_min=60))
    found = levels.statistics(BOX, MIDNIGHT_S, MIDNIGHT_S + HOUR_S, ZONE)
    assert found.whole.laeq > 79 and found.whole.l10 == 90.0
    assert found.whole.marked_min == {"wind": 6}
    assert (found.unmarked.laeq, found.unmarked.valid_share) == (60.0, 0.9)


def test_what_is_still_to_come_is_not_missing(store, database):
    take(store, a_day(lambda minute: 60, until_min=120))
    levels = Levels(database, now=lambda: MIDNIGHT_S + 2 * HOUR_S)
    found = levels.statistics(BOX, MIDNIGHT_S, MIDNIGHT_S + DAY_S, ZONE)
    assert (found.whole.laeq, found.whole.valid_share) == (60.0, 1.0)
    assert (found.night.laeq, found.day.laeq, found.ldn) == (60.0, None, None)
    hours = levels.hours(BOX, MIDNIGHT_S, MIDNIGHT_S + DAY_S, ZONE)
    assert len(hours) == 24
    assert [hour.laeq for hour in hours[:3]] == [60.0, 60.0, None]
    assert levels.gaps(BOX, MIDNIGHT_S, MIDNIGHT_S + DAY_S) == []


def test_a_course_by_hours_and_days(store, levels, database):
    take(store, a_day(lambda minute: 40 + minute // 60))
    hours = levels.hours(BOX, MIDNIGHT_S, MIDNIGHT_S + DAY_S, ZONE)
    assert [hour.laeq for hour in hours] == [40.0 + hour for hour in range(24)]
    assert [hour.from_s for hour in hours[:2]] == [MIDNIGHT_S, MIDNIGHT_S + HOUR_S]
    (date, day), (after, nothing) = Levels(database, now=lambda: MIDNIGHT_S + 2 * DAY_S).days(
        BOX, MIDNIGHT_S, MIDNIGHT_S + 2 * DAY_S, ZONE
    )
    assert (date, after) == ("2026-06-07", "2026-06-08")
    assert day == levels.statistics(BOX, MIDNIGHT_S, MIDNIGHT_S + DAY_S, ZONE)
    assert nothing.whole.laeq is None and nothing.whole.valid_share == 0


def test_today_of_many_boxes(store, database):
    take(store, a_day(lambda minute: 60 if minute % 2 else 70, until_min=600), "a")
    over = {"stage": 2, "lafmax": 88.5}
    take(store, a_day(lambda minute: over if minute < 3 else {"stage": 0}, until_min=100), "b")
    levels = Levels(database, now=lambda: MIDNIGHT_S + 10 * HOUR_S)
    today = levels.today(["a", "b", "c"], ZONE)
    assert set(today) == {"a", "b"}
    assert today["a"].laeq == pytest.approx(10 * math.log10((1e6 + 1e7) / 2), abs=0.01)
    assert today["a"].lafmax == 70.1 and today["a"].over_min == 0
    assert today["b"].laeq is None and today["b"].valid_share < 0.2
    assert (today["b"].stage, today["b"].over_min) == (2, 3)


def test_a_time_without_minutes_is_a_gap_with_its_reason(store, levels):
    made = a_day(lambda minute: 60, until_min=10)
    told = [(entry, entry[0] - 1) for entry in made]
    # The fourth and fifth did not come; the eighth and ninth the box has no more.
    store.intake(BOX, [*told[:3], *told[5:7], (made[9], 7)], KEY)
    minute = [MIDNIGHT_S + 60 * n for n in range(31)]
    late = Journal(first=11, mac=made[-1][2])
    for n in (21, 22):
        late.add("minute", unix_s=minute[n], **MINUTE)
    late.add("overwritten", first=8, last=9)
    store.intake(BOX, [(entry, entry[0] - 1) for entry in late], KEY)
    assert levels.gaps(BOX, minute[0], minute[30]) == [
        TimeGap(minute[3], minute[5], WAITING),
        TimeGap(minute[7], minute[9], GONE),
        TimeGap(minute[10], minute[20], OFF),
        TimeGap(minute[22], minute[30], WAITING),
    ]
    assert levels.gaps(BOX, minute[12], minute[14]) == [TimeGap(minute[12], minute[14], OFF)]
    assert levels.gaps(BOX, minute[0], minute[3]) == []
    assert levels.gaps(BOX, minute[0] - 600, minute[3]) == [
        TimeGap(minute[0] - 600, minute[0], OFF)
    ]
    assert levels.gaps("nobody", minute[0], minute[3]) == [TimeGap(minute[0], minute[3], WAITING)]


def test_periods_that_are_none_are_told_in_one_line(levels):
    for ask in (levels.minutes, levels.seconds, levels.gaps):
        with pytest.raises(UserError, match="ends before it begins; swap the two"):
            ask(BOX, 100, 100)
        with pytest.raises(UserError, match=r"longer than \d+ days; ask for less at once"):
            ask(BOX, 0, 400 * DAY_S)
    with pytest.raises(UserError, match="is not a POSIX time zone"):
        levels.statistics(BOX, 0, 100, "nowhere")


def test_minutes_as_csv_have_local_time_and_utc(store, levels):
    marked = {"flags": flags.WIND | flags.LOST, "laeq": None}
    take(store, a_day(lambda minute: marked if minute else 60, until_min=2))
    file = io.StringIO(newline="")
    minutes_csv.write(file, BOX, levels.minutes(BOX, MIDNIGHT_S, MIDNIGHT_S + 300), ZONE)
    first, second = csv.DictReader(io.StringIO(file.getvalue()))
    assert first["from_local"] == "2026-06-07T00:00:00+08:00"
    assert first["from_utc"] == "2026-06-06T16:00:00Z"
    assert (first["box"], first["laeq"], first["limit"], first["chain"]) == (
        BOX,
        "60.0",
        "70",
        "verified",
    )
    assert (second["laeq"], second["flags"], second["clock"]) == ("", "lost wind", "set")
