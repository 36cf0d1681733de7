"""Logging in and out, following an invitation, changing one's password."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from noisewarden.station import passwords
from noisewarden.station.web.problems import answers
from noisewarden.station.web.routes.shapes import Name, Strict
from noisewarden.station.web.security import (
    Somebody,
    TheStation,
    Viewer,
    address,
    by,
    give_session,
    session_token,
    take_session,
)

router = APIRouter(tags=["session"])

Password = Annotated[str, Field(max_length=passwords.MOST_CHARS)]
Token = Annotated[str, Field(max_length=64)]


class Credentials(Strict):
    name: Name
    password: Password


class SessionOut(BaseModel):
    """`csrf` goes into the header X-CSRF-Token of each change; a machine needs none."""

    person: int
    name: str
    role: str
    csrf: str
    expires_s: int


class Invitation(Strict):
    token: Token


class Acceptance(Invitation):
    """`name` counts for the first administrator, who has none yet."""

    name: Name = ""
    password: Password


class Invited(BaseModel):
    name: str
    role: str


class NewPassword(Strict):
    old: Password
    new: Password


@router.get("/session", responses=answers(401))
def session(found: Viewer) -> SessionOut:
    """Who is logged in."""
    return SessionOut(**vars(found))


@router.post("/session", status_code=204, responses=answers(401, 403, 422, 429))
def log_in(request: Request, response: Response, station: TheStation, given: Credentials) -> None:
    """Begins a session, which comes as a cookie; one that the browser had ends."""
    token, _ = station.people.log_in(given.name, given.password, address(request))
    _end(request, station)
    give_session(request, response, token)


@router.delete("/session", status_code=204, responses=answers(401, 403))
def log_out(request: Request, response: Response, station: TheStation, found: Somebody) -> None:
    """Ends the session."""
    _end(request, station)
    take_session(request, response)


@router.put("/session/password", status_code=204, responses=answers(401, 403, 422, 429))
def change_password(
    request: Request, response: Response, station: TheStation, found: Somebody, given: NewPassword
) -> None:
    """All sessions of the person end: one logs in anew, on every device."""
    station.people.change_password(by(request, found), found.person, given.old, given.new)
    take_session(request, response)


@router.post("/invitation", responses=answers(403, 410, 422))
def look_at_invitation(station: TheStation, given: Invitation) -> Invited:
    """Whom a link invites; `name` is "" when she is to choose it."""
    person = station.people.invited(given.token)
    return Invited(name=person.name, role=person.role)


@router.post("/invitation/acceptance", status_code=204, responses=answers(403, 409, 410, 422))
def accept(request: Request, station: TheStation, given: Acceptance) -> None:
    """Follows a link, once: the account has its password."""
    station.people.accept(given.token, given.name, given.password, address(request))


def _end(request: Request, station: TheStation) -> None:
    token = session_token(request)
    if token:
        station.people.sessions.log_out(token)
