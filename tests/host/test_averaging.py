"""Periods out of seconds: energy, percentiles, day and night."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from noisewarden.firmware import evidence, wire
from noisewarden.station import averaging, unpacking
from noisewarden.virtual.replay import exceeded

seconds = some.lists(some.integers(0, 1200), min_size=1, max_size=200)


def spread_of(tenths):
    spread = averaging.Spread()
    spread.add(np.array(tenths, dtype=np.uint16))
    return spread


def test_levels_are_averaged_by_energy():
    half = spread_of([600] * 30 + [700] * 30)
    assert half.laeq() == pytest.approx(10 * math.log10((1e6 + 1e7) / 2), abs=0.005)
    assert spread_of([643]).laeq() == 64.3


@given(seconds)
def test_percentiles_are_those_of_the_sorted_seconds(tenths):
    spread = spread_of(tenths)
    for percent in (10, 50, 90):
        assert spread.exceeded(percent) == [exceeded([level / 10 for level in tenths], percent)]
    assert min(tenths) / 10 <= spread.laeq() + 0.01 and spread.laeq() - 0.01 <= max(tenths) / 10


@given(seconds, seconds)
def test_periods_are_joined_as_if_they_had_been_one(some, others):
    joined, one = spread_of(some), spread_of([*some, *others])
    joined.join(spread_of(others))
    assert (joined.seconds, joined.laeq()) == (one.seconds, one.laeq())
    assert joined.exceeded(10, 50, 90) == one.exceeded(10, 50, 90)


def test_the_percentile_of_a_period_is_not_the_mean_of_its_minutes():
    loud, quiet = spread_of([800] * 60), spread_of([500] * 540)
    loud.join(quiet)
    assert loud.exceeded(10, 50) == [80.0, 50.0]


def test_nothing_heard_is_no_level():
    nothing = averaging.Spread()
    assert (nothing.seconds, nothing.laeq(), nothing.exceeded(50)) == (0, None, [None])


@pytest.mark.parametrize(
    ("day", "night", "ldn"),
    [
        (60, 60, 66.02),  # a steady level: 10 lg (16 + 80) / 24 more
        (65, 55, 65.0),  # the night's 10 dB make up for 10 dB less
        (70, 0, 68.24),  # 16 of 24 hours
        (None, 50, None),
        (60, None, None),
    ],
)
def test_ldn_weighs_the_night_by_ten_decibels(day, night, ldn):
    assert averaging.day_night(day, night) == ldn


def minute_of(tenths, **fields):
    levels = dict.fromkeys(("laeq", "lafmax", "lafmin", "lcpeak", "l10", "l50", "l90"), 61.25)
    integers = {"valid_s": 0, "flags": 0, "limit": 70, "stage": 0}
    body = wire.pack("minute", seconds=tenths, **(integers | levels | fields))
    return bytes(wire.record("minute", body, 0, None, 0))


def plain(values):
    return [None if math.isnan(value) else value for value in values.tolist()]


def test_many_minutes_are_unpacked_as_one_is():
    lot = random.Random(1)
    drawn = [[lot.choice([0, 4094, 613, wire.NO_TENTHS]) for _ in range(60)] for _ in range(50)]
    drawn.append([lot.randrange(4095) for _ in range(60)])
    minutes = [
        minute_of(
            tenths,
            valid_s=lot.randrange(61),
            flags=lot.randrange(1 << 16),
            limit=lot.randrange(256),
            stage=lot.randrange(4),
            laeq=lot.choice([None, 0, 409.4, 61.3]),
            l90=lot.choice([None, 0, 409.4, 61.3]),
        )
        for tenths in drawn
    ]
    found = unpacking.minutes(minutes)
    for n, (data, row) in enumerate(zip(minutes, found.tenths.tolist(), strict=True)):
        one = evidence.unpack(data)
        levels = [None if tenths == wire.NO_PACKED else tenths / 10 for tenths in row]
        assert levels == one["seconds"]
        for name, column in vars(found).items():
            if name != "tenths":
                assert plain(column)[n] == one[name], name


def test_a_record_of_another_length_tells_nothing():
    good = minute_of([600] * 60)
    for bad in (b"", good[:-1], good + b"\0"):
        found = unpacking.minutes([bad, good])
        first, second = found.tenths
        assert set(first) == {wire.NO_PACKED} and set(second) == {600}
        assert plain(found.laeq) == [None, 61.3] and found.valid_s[0] == 0
    assert unpacking.minutes([]).tenths.shape == (0, 60)
