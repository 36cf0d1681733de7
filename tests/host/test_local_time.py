"""Days, nights and hours where the box hangs."""

from datetime import datetime

import pytest
from noisewarden.errors import UserError
from noisewarden.station import local_time

CHONGQING = "CST-8"
KATHMANDU = "<+0545>-5:45"
BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"


def unix(text):
    return int(datetime.fromisoformat(text).timestamp())


def pieces(zone, from_, to, label):
    place = local_time.zone(zone)
    return [
        (local_time.iso(place, piece.from_s), local_time.iso(place, piece.to_s), piece.label)
        for piece in local_time.split(place, unix(from_), unix(to), label)
    ]


def test_a_period_falls_into_days_and_nights():
    assert pieces(
        CHONGQING, "2026-06-07T20:00+08:00", "2026-06-08T06:30+08:00", local_time.is_day
    ) == [
        ("2026-06-07T20:00:00+08:00", "2026-06-07T22:00:00+08:00", True),
        ("2026-06-07T22:00:00+08:00", "2026-06-08T06:00:00+08:00", False),
        ("2026-06-08T06:00:00+08:00", "2026-06-08T06:30:00+08:00", True),
    ]


def test_the_night_of_a_date_is_that_of_the_date():
    made = pieces(
        CHONGQING,
        "2026-06-07T21:00+08:00",
        "2026-06-08T01:00+08:00",
        local_time.date_and_is_day,
    )
    assert [label for _, _, label in made] == [
        ("2026-06-07", True),
        ("2026-06-07", False),
        ("2026-06-08", False),
    ]
    assert made[2][0] == "2026-06-08T00:00:00+08:00"


def test_hours_start_with_the_clock_of_the_place():
    made = pieces(
        KATHMANDU, "2026-06-07T20:10:30+05:45", "2026-06-07T22:00+05:45", local_time.hour
    )
    assert [piece[0] for piece in made] == [
        "2026-06-07T20:10:30+05:45",
        "2026-06-07T21:00:00+05:45",
    ]


@pytest.mark.parametrize(
    ("from_", "to", "hours"),
    [
        ("2026-03-28T22:00+01:00", "2026-03-29T06:00+02:00", 7),
        ("2026-10-24T22:00+02:00", "2026-10-25T06:00+01:00", 9),
    ],
)
def test_a_night_is_shorter_or_longer_when_the_clock_changes(from_, to, hours):
    ((start, end, is_day),) = pieces(BERLIN, from_, to, local_time.is_day)
    assert not is_day and unix(end) - unix(start) == 3600 * hours


@pytest.mark.parametrize(
    ("zone", "now", "midnight"),
    [
        (CHONGQING, "2026-06-07T00:00:00+08:00", "2026-06-07T00:00:00+08:00"),
        (CHONGQING, "2026-06-07T23:59:59+08:00", "2026-06-07T00:00:00+08:00"),
        (KATHMANDU, "2026-06-07T12:34:56+05:45", "2026-06-07T00:00:00+05:45"),
        (BERLIN, "2026-03-29T03:30:00+02:00", "2026-03-29T00:00:00+01:00"),
        (BERLIN, "2026-10-25T23:00:00+01:00", "2026-10-25T00:00:00+02:00"),
    ],
)
def test_today_began_at_midnight(zone, now, midnight):
    assert local_time.midnight(local_time.zone(zone), unix(now)) == unix(midnight)


def test_what_is_no_zone_is_told_in_one_line():
    with pytest.raises(UserError, match="is not a POSIX time zone such as CST-8"):
        local_time.zone("Asia/Shanghai")
