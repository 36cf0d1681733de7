"""A limit for a while is an exception of the schedule: it begins now, ends by itself, no more."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from noisewarden.firmware import config as settings
from noisewarden.station import configurations, local_time, spans
from noisewarden.station.configurations import TEMPORARY_MOST_MIN
from noisewarden.station.refusals import Refused

FIRST_S, LAST_S = 1_700_000_000, 1_900_000_000
NEW_YORK = "EST5EDT,M3.2.0,M11.1.0"

moments = st.integers(FIRST_S, LAST_S)
lengths = st.integers(1, TEMPORARY_MOST_MIN)
limits = st.integers(30, 100)


def limit_at(config, unix_s):
    place, schedule = settings.rules(config)
    return schedule.limit(place.local(unix_s))


@given(moments, lengths, limits)
def test_it_holds_from_this_minute_for_so_long_and_then_all_is_as_it_was(now_s, minutes, limit):
    plain = settings.merged({"box": "b"})
    made = configurations.with_temporary(plain, limit, minutes, now_s)
    assert settings.problems(made) == []
    begins_s = now_s - now_s % 60
    ends_s = begins_s + 60 * minutes
    assert limit_at(made, now_s) == limit_at(made, ends_s - 1) == limit
    assert limit_at(made, begins_s - 1) == limit_at(plain, begins_s - 1)
    assert limit_at(made, ends_s) == limit_at(plain, ends_s)
    assert configurations.temporary(made, ends_s) == []
    assert configurations.without_temporary(made, now_s) == plain


@pytest.mark.parametrize("minutes", [30, 60])
def test_a_clock_that_is_set_back_meanwhile_makes_no_day_of_it(minutes):
    """In New York, ten minutes before 2:00 becomes 1:00."""
    now_s = int(datetime(2026, 11, 1, 5, 50, tzinfo=UTC).timestamp())
    plain = settings.merged({"zone": NEW_YORK})
    made = configurations.with_temporary(plain, 90, minutes, now_s)
    assert limit_at(made, now_s) == 90
    over_s = now_s + 60 * minutes + 3600
    assert limit_at(made, over_s) == limit_at(plain, over_s) != 90
    assert configurations.temporary(made, over_s) == []


@given(moments, lengths, limits, limits)
def test_another_takes_its_place(now_s, minutes, first, second):
    once = configurations.with_temporary(settings.merged({}), first, minutes, now_s)
    twice = configurations.with_temporary(once, second, minutes, now_s)
    assert len(twice["schedule"]["exceptions"]) == 1
    assert limit_at(twice, now_s) == second


@given(moments, st.integers(2, 60))
def test_what_is_over_goes_and_a_festival_of_days_stays(now_s, days):
    festival = {
        "from_date": "2020-01-01",
        "to_date": "2039-12-31",
        "from": "00:00",
        "to": "00:00",
        "limit": 80,
    }
    config = settings.merged({"schedule": {"exceptions": [festival]}})
    old = configurations.with_temporary(config, 90, 60, now_s - days * 86_400)
    made = configurations.with_temporary(old, 75, 60, now_s)
    assert [row["limit"] for row in made["schedule"]["exceptions"]] == [80, 75]
    assert configurations.without_temporary(made, now_s) == config


@pytest.mark.parametrize(("limit", "minutes"), [(29, 60), (101, 60), (70, 0), (70, 721)])
def test_what_no_box_takes_is_refused(limit, minutes):
    with pytest.raises(Refused):
        configurations.with_temporary(settings.merged({}), limit, minutes, FIRST_S)


def test_there_must_be_one_to_end():
    with pytest.raises(Refused, match="none for a while"):
        configurations.without_temporary(settings.merged({}), FIRST_S)


def test_the_digest_is_of_what_a_configuration_says_not_of_how_it_is_written():
    config = settings.merged({"box": "b", "place": "八股广场"})
    backwards = dict(reversed(config.items()))
    assert settings.digest(backwards) == settings.digest(config)
    for other in ({"box": "c"}, {"stages": {"window_s": 9}}, {"schedule": {"exceptions": []}}):
        changed = settings.merged({"box": "b"} | other)
        assert settings.digest(changed) != settings.digest(config)


# Spans.


def days_of(kind, about, zone="CST-8"):
    return spans.span(local_time.zone(zone), about, kind)


@settings_of_hypothesis(deadline=None)  # hundreds of hours are cut
@given(st.dates(date(2001, 1, 1), date(2098, 12, 31)), st.sampled_from(spans.SPANS))
def test_spans_follow_each_other_without_a_gap(about, kind):
    for zone in ("CST-8", NEW_YORK, "<+1245>-12:45", "<-12>12"):
        made = days_of(kind, about, zone)
        place = local_time.zone(zone)
        assert made.first <= about <= made.last
        assert spans.today(place, made.from_s) == made.first
        assert spans.today(place, made.to_s - 1) == made.last
        assert days_of(kind, date.fromordinal(made.last.toordinal() + 1), zone).from_s == made.to_s


@pytest.mark.parametrize(
    ("about", "hours"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-06-07", 24)]
)
def test_a_day_has_its_own_hours(about, hours):
    made = days_of("day", date.fromisoformat(about), NEW_YORK)
    assert made.to_s - made.from_s == 3600 * hours
    assert sum(hour.day for hour in made.hours) == 16


def test_a_week_begins_on_monday_and_a_month_on_its_first():
    week = days_of("week", date(2026, 6, 7))
    assert (week.first, week.last) == (date(2026, 6, 1), date(2026, 6, 7))
    assert days_of("month", date(2028, 2, 29)).last == date(2028, 2, 29)
