"""The configuration of a box as far as the station knows it, and limits for a while (DESIGN 4.3).

A box tells the digest of its configuration, not the configuration: so that is known when it is
one that this station has set, or the firmware's own. A configuration is always set as a whole.
"""

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql

from noisewarden.database import Database
from noisewarden.firmware import config as settings
from noisewarden.firmware import schedule, timetable, zone
from noisewarden.schema import commands, register
from noisewarden.station import local_time
from noisewarden.station.refusals import Refused

TEMPORARY_MOST_MIN = 720

_LOOKED_AT = 50
"""So many of the latest configurations may be the one that the box has."""

Config = dict[str, Any]


@dataclass(frozen=True)
class Configuration:
    """config   whole, as a box reads it
    certain  the box has told that it goes by this one; else it is the last one set, or the default
    command  that set it, "" for the default with the box's own id and place
    """

    config: Config
    certain: bool
    command: str


def known(database: Database, box: str, told: str | None) -> Configuration:
    """`told`: the digest in the box's state, None when there is none."""
    c = commands.c
    query = (
        sql.select(c.id, c.arguments, c.status)
        .where(c.box == box, c.action == "set_config")
        .order_by(c.asked_s.desc())
        .limit(_LOOKED_AT)
    )
    place = sql.select(register.c.place).where(register.c.box == box)
    with database.reading() as connection:
        asked = connection.execute(query).all()
        default = settings.merged({"box": box, "place": connection.scalar(place) or ""})
    last = None
    for row in asked:
        config = settings.merged(json.loads(row.arguments)["config"])
        if settings.digest(config) == told:
            return Configuration(config, True, row.id)
        if last is None and row.status == "done":
            last = Configuration(config, False, row.id)
    if settings.digest(default) == told:
        return Configuration(default, True, "")
    return last or Configuration(default, False, "")


# A limit for a while is an exception of the schedule, of this day alone.


def temporary(config: Config, now_s: int) -> list[dict[str, Any]]:
    """The exceptions of one day that hold now, the winner last."""
    local = _zone(config).local(now_s)
    return [row for row in config["schedule"]["exceptions"] if _holds(row, local)]


def with_temporary(config: Config, limit_db: int, minutes: int, now_s: int) -> Config:
    """With a limit from this minute on, in place of such limits that hold or are over.

    It begins and ends at whole minutes of the box's place, by the clock there: one that is set
    back or on meanwhile makes it an hour longer or shorter. Refused for what no box takes.
    """
    if not 1 <= minutes <= TEMPORARY_MOST_MIN:
        raise Refused("arguments", f"minutes: must be 1 to {TEMPORARY_MOST_MIN}")
    local = _zone(config).local(now_s)
    today, start = local_time.date(local), local[4]
    row = {
        "from_date": today,
        "to_date": today,
        "from": _text(start),
        "to": _text(start + minutes),
        "limit": limit_db,
    }
    made = _without(config, now_s, [row])
    if problems := settings.problems(made):
        raise Refused("arguments", f"{'; '.join(problems)}; correct it")
    return made


def without_temporary(config: Config, now_s: int) -> Config:
    """Without the limits for a while that hold now. Refused when there is none."""
    if not temporary(config, now_s):
        raise Refused("no-temporary-limit", "limit: none for a while holds now; reload")
    return _without(config, now_s, [])


def _without(config: Config, now_s: int, more: list[dict[str, Any]]) -> Config:
    local = _zone(config).local(now_s)
    today = zone.day_number(*local[:3])
    kept = [
        row
        for row in config["schedule"]["exceptions"]
        # One that began yesterday may go on over midnight.
        if timetable.day_of(row["to_date"]) >= today - 1 and not _holds(row, local)
    ]
    return config | {"schedule": config["schedule"] | {"exceptions": kept + more}}


def _holds(row: dict[str, Any], local: local_time.Local) -> bool:
    """Whether it is of one day alone, and in force."""
    start, end = schedule.minute_of(row["from"]), schedule.minute_of(row["to"])
    minute = local[4]
    if row["from_date"] != row["to_date"] or not schedule.within(start, end, minute):
        return False
    began = zone.day_number(*local[:3]) - (minute < start)
    return timetable.day_of(row["from_date"]) == began


def _zone(config: Config) -> Any:
    return local_time.zone(config["zone"])


def _text(minute: int) -> str:
    """A minute of the day, or of the next one, as a schedule has it."""
    return "{:02}:{:02}".format(*divmod(minute % schedule.DAY_MIN, 60))
