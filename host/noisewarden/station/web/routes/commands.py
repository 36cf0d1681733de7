"""Stepping in from afar: what is asked of a box, and what came of it."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from noisewarden.station.commanding import WITHIN_MOST_S, WITHIN_S
from noisewarden.station.people import OFFICER, TECHNICIAN
from noisewarden.station.sessions import Session
from noisewarden.station.station import Station
from noisewarden.station.web.problems import answers
from noisewarden.station.web.routes.shapes import BoxId, Strict, check_known
from noisewarden.station.web.security import Officer, TheStation, Viewer, by, permit

router = APIRouter(tags=["commands"])

OF_OFFICERS = ("spotlight_on", "spotlight_off", "show", "identify", "self_test")
"""Other actions change how a box works, and take a technician."""


class NewCommand(Strict):
    """`arguments` as in docs/protocol.md; after `within_s` the box must not act any more."""

    action: Annotated[str, Field(max_length=16)]
    arguments: Annotated[dict[str, Any], Field(default_factory=dict)]
    within_s: Annotated[int, Field(ge=1, le=WITHIN_MOST_S)] = WITHIN_S


class CommandOut(BaseModel):
    """`status`: asked, sent, done, refused or timed_out; `detail` is the box's answer.

    `asked_by` is a person, null for the station itself; times are Unix seconds.
    """

    id: str
    box: str
    action: str
    arguments: dict[str, Any]
    asked_by: int | None
    asked_s: int
    expires_s: int | None
    sent_s: int | None
    answered_s: int | None
    status: str
    detail: str


@router.post("/boxes/{box}/commands", status_code=202, responses=answers(401, 403, 404, 422))
async def ask(
    request: Request, station: TheStation, found: Officer, box: BoxId, given: NewCommand
) -> CommandOut:
    """Asks a box for an action: it is `asked` until the box listens, `sent` until it answers."""
    permit(found, OFFICER if given.action in OF_OFFICERS else TECHNICIAN)
    return await ask_box(
        request, station, found, box, given.action, given.arguments, given.within_s
    )


async def ask_box(
    request: Request,
    station: Station,
    found: Session,
    box: str,
    action: str,
    arguments: dict[str, Any],
    within_s: int = WITHIN_S,
    *,
    sole: bool = False,
) -> CommandOut:
    """Asks a box in the name of whoever is there, and notes it; who may is the caller's matter."""
    note, who = station.audit.note, by(request, found)
    told = f"{action} {json.dumps(arguments, ensure_ascii=False)}"
    command = await station.commander.ask(
        box,
        action,
        arguments,
        found.person,
        within_s=within_s,
        sole=sole,
        noted=lambda id_, within: note(who, "command", box, f"{id_} {told}", within),
    )
    return CommandOut(**await run_in_threadpool(station.commander.get, command))


@router.get("/boxes/{box}/commands", responses=answers(401, 403, 404, 422))
def recent(station: TheStation, found: Viewer, box: BoxId) -> list[CommandOut]:
    """The latest of a box, newest first."""
    check_known(station, box)
    return [CommandOut(**command) for command in station.commander.recent(box)]


@router.get("/commands/{command}", responses=answers(401, 403, 404, 422))
def command(
    station: TheStation, found: Viewer, command: Annotated[str, Path(pattern="^[0-9a-f]{1,32}$")]
) -> CommandOut:
    return CommandOut(**station.commander.get(command))
