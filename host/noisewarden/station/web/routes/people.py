"""Accounts, the tokens of machines, and the audit log: for administrators, names apart."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from noisewarden.station.people import ROLES, Person
from noisewarden.station.web.problems import answers
from noisewarden.station.web.routes.shapes import Name, Number, Strict
from noisewarden.station.web.security import Administrator, TheStation, Viewer, by

router = APIRouter(tags=["people"])

Role = Annotated[str, Field(max_length=max(map(len, ROLES)))]


class PersonOut(BaseModel):
    """`ready`: she has chosen a password. `disabled_s`: since when the account is shut."""

    id: int
    name: str
    role: str
    ready: bool
    created_s: int
    disabled_s: int | None


class NewPerson(Strict):
    name: Name
    role: Role


class Change(Strict):
    """What is left out stays as it is."""

    role: Role | None = None
    disabled: bool | None = None


class Link(BaseModel):
    """The path and fragment of a link that works once; only the one invited should see it."""

    link: str


class InvitedOut(Link):
    person: PersonOut


class NewToken(Strict):
    label: Annotated[Name, Field(min_length=1)]
    days: Annotated[int, Field(ge=1, le=3660)] = 365


class TokenOut(BaseModel):
    id: str
    label: str
    created_s: int
    seen_s: int
    expires_s: int


class Bearer(BaseModel):
    """Shown once: the station keeps no copy."""

    token: str


class EntryOut(BaseModel):
    """`person` is "" when nobody was logged in."""

    id: int
    at_s: int
    person: str
    action: str
    about: str
    detail: str
    address: str


def _out(person: Person) -> PersonOut:
    return PersonOut(**vars(person))


@router.get("/people", responses=answers(401, 403))
def everybody(station: TheStation, found: Administrator) -> list[PersonOut]:
    """All accounts, the shut ones too."""
    return [_out(person) for person in station.people.everybody()]


@router.get("/people/names", responses=answers(401, 403))
def names(station: TheStation, found: Viewer) -> dict[int, str]:
    """Whom the numbers of people in incidents and commands stand for."""
    return station.people.names()


@router.post("/people", status_code=201, responses=answers(401, 403, 409, 422))
def invite(
    request: Request, station: TheStation, found: Administrator, given: NewPerson
) -> InvitedOut:
    """Opens an account. For a machine, open one of its own and issue it a token."""
    person, link = station.people.invite(by(request, found), given.name, given.role)
    return InvitedOut(person=_out(person), link=link)


@router.patch("/people/{person}", responses=answers(401, 403, 404, 409, 422))
def change(
    request: Request, station: TheStation, found: Administrator, person: Number, given: Change
) -> PersonOut:
    """Gives a role, shuts an account (its sessions and tokens end at once) or opens it again."""
    who = by(request, found)
    return _out(station.people.change(who, person, role=given.role, disabled=given.disabled))


@router.post("/people/{person}/invitation", responses=answers(401, 403, 404, 409, 422))
def invite_again(
    request: Request, station: TheStation, found: Administrator, person: Number
) -> Link:
    """A new link for a forgotten password; the old password and all sessions end now."""
    return Link(link=station.people.invite_again(by(request, found), person))


@router.get("/people/{person}/tokens", responses=answers(401, 403, 422))
def tokens(station: TheStation, found: Administrator, person: Number) -> list[TokenOut]:
    """The machine tokens that act for this person."""
    return [TokenOut(**vars(token)) for token in station.people.sessions.machines(person)]


@router.post(
    "/people/{person}/tokens", status_code=201, responses=answers(401, 403, 404, 409, 422)
)
def issue_token(
    request: Request, station: TheStation, found: Administrator, person: Number, given: NewToken
) -> Bearer:
    """A token for a machine, which then may do what the person may, people and tokens apart."""
    who = by(request, found)
    return Bearer(token=station.people.issue_token(who, person, given.label, given.days))


@router.delete(
    "/people/{person}/tokens/{token}", status_code=204, responses=answers(401, 403, 404, 422)
)
def revoke_token(
    request: Request,
    station: TheStation,
    found: Administrator,
    person: Number,
    token: Annotated[str, Path(max_length=64)],
) -> None:
    station.people.revoke_token(by(request, found), person, token)


@router.get("/audit", responses=answers(401, 403, 422))
def audit(
    station: TheStation,
    found: Administrator,
    before: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
) -> list[EntryOut]:
    """Who changed what, the newest first, a hundred at a time: those before entry `before`."""
    return [EntryOut(**vars(entry)) for entry in station.audit.entries(before)]
