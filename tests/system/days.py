"""A day of a box in Chongqing, of which every hour tells something else."""

import time

from host.fakebox import MINUTE, Journal
from host.station_parts import add_boot
from noisewarden.firmware import flags, wire

DAY_S = 86_400
CHINA_AHEAD_S = 8 * 3600

OFF_FROM_H, OFF_TO_H = 10, 11
"""The box does not run, and there is no record."""
DEAD_H = 14
"""It runs with a dead microphone."""
WIND_H = 16
LOUD_H, LOUD_MIN = 20, 10
"""75 dB at the beginning of this hour; else it is 60 dB."""


def midnight_s(days_ago: int = 0) -> int:
    """Of a day that has begun so many days ago there."""
    now_s = int(time.time())
    return now_s - (now_s + CHINA_AHEAD_S) % DAY_S - days_ago * DAY_S


def a_day(midnight_s: int) -> Journal:
    """A boot, the minutes, a calibration."""
    made = Journal()
    add_boot(made, unix_s=midnight_s, boot=1)
    for minute in range(1440):
        hour = minute // 60
        if OFF_FROM_H <= hour < OFF_TO_H:
            continue
        loud = hour == LOUD_H and minute % 60 < LOUD_MIN
        fields = _level(75.0 if loud else 60.0)
        if hour == DEAD_H:
            fields = _NO_LEVEL
        if hour == WIND_H:
            fields |= {"flags": flags.WIND}
        made.add(
            "minute",
            uptime_ms=60_000 * minute,
            unix_s=midnight_s + 60 * (minute + 1),
            **MINUTE | fields | {"stage": 2 if loud else 0},
        )
    made.add(
        "calibration",
        unix_s=midnight_s + DAY_S,
        offset_mdb=-420,
        uncertainty_mdb=900,
        date="2026-06-01",
        expires="2027-06-01",
        meter="NTi XL2",
        certificate="118",
        by="Tess",
    )
    return made


_NO_LEVEL = {
    **dict.fromkeys(("laeq", "lafmax", "lafmin", "lcpeak", "l10", "l50", "l90")),
    "valid_s": 0,
    "flags": flags.DEAD,
    "seconds": [wire.NO_TENTHS] * 60,
}


def _level(level_db: float) -> dict:
    return {"laeq": level_db, "seconds": [wire.tenths(level_db)] * 60, "valid_s": 60}
