"""A box's configuration: what it is, what is wrong with another, what that would have done."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import AfterValidator, BaseModel, Field

from noisewarden.firmware import config as settings
from noisewarden.station import configurations, requests
from noisewarden.station.configurations import TEMPORARY_MOST_MIN, Configuration
from noisewarden.station.sessions import Session
from noisewarden.station.station import Station
from noisewarden.station.web.problems import Problem, answers
from noisewarden.station.web.routes.commands import CommandOut, ask_box
from noisewarden.station.web.routes.shapes import BoxId, From, Strict, To, check_known, unix_s
from noisewarden.station.web.security import Officer, TheStation, Viewer
from noisewarden.station.what_if import what_if

router = APIRouter(prefix="/boxes/{box}", tags=["configuration"])

WHAT_IF_MOST_S = 2 * 86_400
"""A day takes 0.3 s of a core."""


class ConfigurationOut(BaseModel):
    """config     whole, as a box reads it
    certain    the box has told that it goes by this one; else it is the last one that was set, or
               the firmware's own
    command    that set it, "" for the firmware's own
    temporary  exceptions of one day that hold now, the last one wins
    """

    config: dict[str, Any]
    certain: bool
    command: str
    temporary: list[dict[str, Any]]


def _sound(config: dict[str, Any]) -> dict[str, Any]:
    if wrong := requests.fault(config):
        raise ValueError(wrong)
    return config


class Proposed(Strict):
    """A configuration; keys that are missing take the firmware's own values."""

    config: Annotated[dict[str, Any], AfterValidator(_sound)]


class FieldProblem(BaseModel):
    """`field` such as schedule.rows[0].limit, "" for the whole; `text` as the box would say it."""

    field: str
    text: str


class OutcomeOut(BaseModel):
    """seconds  with a level
    over_s   seconds over the limit as stages count them, lamp_s with the lamp lit
    stage_s  seconds at each stage
    changes  [when the second began, stage] of each change
    """

    seconds: int
    over_s: int
    lamp_s: int
    reminders: int
    referrals: int
    incidents: int
    stage_s: list[int]
    changes: list[tuple[int, int]]


class TemporaryLimit(Strict):
    """`limit` in dB."""

    limit: int
    minutes: Annotated[int, Field(ge=1, le=TEMPORARY_MOST_MIN)]


@router.get("/configuration", responses=answers(401, 403, 404, 422))
async def configuration(station: TheStation, found: Viewer, box: BoxId) -> ConfigurationOut:
    """That of a box, as far as the station knows it: a box tells no more than its digest."""
    await run_in_threadpool(check_known, station, box)
    known = await _known(station, box)
    now_s = int(time.time())
    return ConfigurationOut(**vars(known), temporary=configurations.temporary(known.config, now_s))


@router.post("/configuration/problems", responses=answers(401, 403, 404, 422))
def problems(
    station: TheStation, found: Officer, box: BoxId, given: Proposed
) -> list[FieldProblem]:
    """What the box would not take in a configuration, [] when it is good."""
    check_known(station, box)
    return [_of_field(line) for line in settings.problems(given.config)]


@router.post("/what-if", responses=answers(401, 403, 404, 422))
def what_would_have_been(
    station: TheStation, found: Officer, box: BoxId, from_: From, to: To, given: Proposed
) -> OutcomeOut:
    """What a box with this configuration would have done in at most two days that are over.

    By its own rules over LAeq,1s; marks of single seconds, wind say, are not known any more.
    """
    check_known(station, box)
    from_s, to_s = unix_s(from_), unix_s(to)
    if to_s - from_s > WHAT_IF_MOST_S:
        raise Problem(422, "too-long", "from, to: more than two days apart; ask for less at once")
    return OutcomeOut(**vars(what_if(station.levels.seconds(box, from_s, to_s), given.config)))


_TEMPORARY = {"status_code": 202, "responses": answers(401, 403, 404, 409, 422)}


@router.post("/temporary-limit", **_TEMPORARY)
async def set_temporary_limit(
    request: Request, station: TheStation, found: Officer, box: BoxId, given: TemporaryLimit
) -> CommandOut:
    """Asks a box for a limit from now on: its schedule with an exception of today, which ends by
    itself. It takes the place of another one."""
    config = await _certain(station, box)
    config = configurations.with_temporary(config, given.limit, given.minutes, int(time.time()))
    return await _ask(request, station, found, box, config)


@router.delete("/temporary-limit", **_TEMPORARY)
async def end_temporary_limit(
    request: Request, station: TheStation, found: Officer, box: BoxId
) -> CommandOut:
    """Asks a box to go by its schedule again."""
    config = await _certain(station, box)
    config = configurations.without_temporary(config, int(time.time()))
    return await _ask(request, station, found, box, config)


async def _ask(
    request: Request, station: Station, found: Session, box: str, config: dict[str, Any]
) -> CommandOut:
    """Of one that was made from what the box has: another that is under way would be lost."""
    arguments = {"config": config}
    return await ask_box(request, station, found, box, "set_config", arguments, sole=True)


async def _known(station: Station, box: str) -> Configuration:
    told = station.live.box(box)["state"].get("config")
    return await run_in_threadpool(configurations.known, station.database, box, told)


async def _certain(station: Station, box: str) -> dict[str, Any]:
    """The configuration to begin with. Problem 409 when it is not known."""
    await run_in_threadpool(check_known, station, box)
    known = await _known(station, box)
    if not known.certain:
        raise Problem(
            409,
            "config-unknown",
            f"{box}: its configuration was not set from here, so it is not known; "
            "let a technician set it once",
        )
    return known.config


def _of_field(line: str) -> FieldProblem:
    field, colon, text = line.partition(": ")
    return FieldProblem(field=field, text=text) if colon else FieldProblem(field="", text=line)
