"""What another limit would have done, by the rules of the firmware itself."""

from datetime import UTC, datetime

import numpy as np
import pytest
from noisewarden.errors import UserError
from noisewarden.station.minutes import Stretch
from noisewarden.station.what_if import what_if
from noisewarden.virtual import sound
from noisewarden.virtual.replay import Replay, virtual_board

EVENING_S = int(datetime(2026, 6, 7, 12, tzinfo=UTC).timestamp())
"""20:00 in Chongqing, where a config without a zone is."""


def limit(limit_db, **more):
    """A config with one limit at all hours."""
    row = {"days": "1234567", "from": "00:00", "to": "00:00", "limit": limit_db}
    return {"schedule": {"rows": [row], "exceptions": []}} | more


def course(*parts):
    return [level for level, seconds in parts for _ in range(seconds)]


LOUD = Stretch(EVENING_S, course((60, 60), (75, 200), (60, 900)))


def test_a_loud_time_goes_through_the_stages():
    found = what_if([LOUD], limit(70))
    stages = [stage for _, stage in found.changes]
    assert stages == [1, 2, 3, 2, 1, 0]
    times = [at - EVENING_S for at, _ in found.changes]
    # Five seconds over by themselves and the mean of ten over: then 20 s, then 120 s of it.
    assert times[1] - times[0] == 20 and times[2] - times[0] == 120
    assert (found.reminders, found.referrals, found.incidents) == (1, 1, 1)
    assert found.seconds == sum(found.stage_s) == 1160
    assert 195 <= found.over_s <= 205
    # Burns 120 s, rests 60 s.
    assert 120 <= found.lamp_s <= 150


def test_a_higher_limit_does_less():
    assert what_if([LOUD], limit(75)).changes == []
    assert what_if([LOUD], limit(75)).lamp_s == 0
    assert what_if([LOUD], limit(55)).over_s > what_if([LOUD], limit(70)).over_s


def test_the_schedule_of_the_local_time_holds():
    rows = [
        {"days": "1234567", "from": "06:00", "to": "20:02", "limit": 80},
        {"days": "1234567", "from": "20:02", "to": "06:00", "limit": 55},
    ]
    found = what_if([LOUD], {"schedule": {"rows": rows, "exceptions": []}})
    assert found.changes[0][0] - EVENING_S == 120


def test_no_lamp_outside_its_hours():
    night = {"spotlight": {"from": "06:00", "to": "20:00"}}
    found = what_if([LOUD], limit(70, **night))
    assert found.lamp_s == 0 and found.referrals == 1


def test_where_nothing_is_known_no_lamp_burns_and_no_second_counts():
    parts = Stretch(EVENING_S, course((75, 40))), Stretch(EVENING_S + 100, course((None, 5)))
    found = what_if(parts, limit(70))
    assert found.seconds == 40 and sum(found.stage_s) == 45
    assert found.lamp_s == 40 - (found.changes[1][0] - EVENING_S)
    assert found.changes[-1][1] == 0


def test_a_second_that_was_lived_twice_counts_once():
    again = Stretch(EVENING_S + 1150, course((60, 20)))
    assert what_if([LOUD, again], limit(70)).seconds == 1170


def test_nothing_measured_is_nothing_done():
    found = what_if([], limit(70))
    assert (found.seconds, found.changes, found.incidents) == (0, [], 0)


def test_a_bad_config_is_told_in_one_line():
    with pytest.raises(UserError, match=r"schedule.rows\[0\].limit: 20 is not a whole number"):
        what_if([LOUD], limit(20))


def test_it_says_what_the_running_firmware_did():
    """A virtual box hears four minutes; asked afterwards, the same rules do the same."""
    amplitude = {level: sound.amplitude(level) for level in (60, 76, 86)}
    noise = np.random.default_rng(1).normal(0, 1, sound.RATE_HZ)
    heard = course((60, 20), (86, 60), (60, 40), (76, 8), (60, 30), (86, 70), (60, 12))
    config = limit(71)
    replay = Replay(
        sound.frames(noise * amplitude[level] for level in heard),
        virtual_board(),
        config,
        datetime(2026, 6, 7, 20),
    )
    rows = list(replay)
    tenths = [None if row["laeq"] is None else round(row["laeq"], 1) for row in rows]
    found = what_if([Stretch(EVENING_S, tenths)], config)
    changes = [
        (EVENING_S + row["t"], row["stage"])
        for before, row in zip([{"stage": 0}, *rows], rows, strict=False)
        if row["stage"] != before["stage"]
    ]
    told = replay.summary()
    assert changes and found.changes == changes
    assert found.lamp_s == told["spotlight_seconds"] > 0
    assert found.stage_s == told["seconds_per_stage"]
    assert (found.reminders, found.referrals) == (told["reminders"], told["referrals"])
    assert found.incidents == told["incidents"] == 1
