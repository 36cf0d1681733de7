"""The pages: a shell each, filled by its script from the API and the event stream."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from noisewarden.firmware import timetable
from noisewarden.station import journals, passwords
from noisewarden.station.configurations import TEMPORARY_MOST_MIN
from noisewarden.station.incidents import BY_PEOPLE
from noisewarden.station.people import (
    ADMINISTRATOR,
    OFFICER,
    ROLES,
    TECHNICIAN,
    VIEWER,
)
from noisewarden.station.sessions import Session
from noisewarden.station.spans import SPANS
from noisewarden.station.web import languages, matrix
from noisewarden.station.web.routes.shapes import BoxId, Number
from noisewarden.station.web.security import permit, visitor

router = APIRouter(include_in_schema=False)

Visitor = Annotated[Session | None, Depends(visitor)]

NAVIGATION = (
    ("square", "/", VIEWER),
    ("incidents", "/incidents", VIEWER),
    ("plan", "/plan", TECHNICIAN),
    ("register", "/register", TECHNICIAN),
    ("health", "/health", VIEWER),
    ("people", "/people", ADMINISTRATOR),
    ("audit", "/audit", ADMINISTRATOR),
)
"""(page, path, least role), as the bar at the top has them."""


def _may(session: Session | None, role: str) -> bool:
    return session is not None and ROLES.index(session.role) >= ROLES.index(role)


def _render(request: Request, page: str, session: Session | None, **more: Any) -> Response:
    navigation = [(name, path) for name, path, role in NAVIGATION if _may(session, role)]
    context = languages.context(request) | {
        "page": page,
        "session": session,
        "navigation": navigation,
        **more,
    }
    return request.app.state.templates.TemplateResponse(request, f"{page}.html", context)


def _page(
    request: Request, page: str, session: Session | None, role: str, **more: Any
) -> Response:
    """For those who are logged in and have the role; the others log in first."""
    if session is None:
        return RedirectResponse(f"/login?to={quote(request.url.path)}", 303)
    permit(session, role)
    return _render(request, page, session, **more)


@router.get("/")
def square(request: Request, session: Visitor) -> Response:
    acts = _may(session, OFFICER)
    return _page(request, "square", session, VIEWER, glyphs=matrix.glyphs(), acts=acts)


@router.get("/boxes/{box}")
def box(request: Request, session: Visitor, box: BoxId) -> Response:
    more = {
        "glyphs": matrix.glyphs(),
        "acts": _may(session, OFFICER),
        "restarts": _may(session, TECHNICIAN),
        "spans": SPANS,
        "lowest_limit": timetable.LOWEST_LIMIT_DB,
        "highest_limit": timetable.HIGHEST_LIMIT_DB,
        "temporary_most_min": TEMPORARY_MOST_MIN,
    }
    return _page(request, "box", session, VIEWER, box=box, **more)


@router.get("/boxes/{box}/configuration")
def box_configuration(request: Request, session: Visitor, box: BoxId) -> Response:
    more = {"box": box, "restarts": _may(session, TECHNICIAN)}
    return _page(request, "box_configuration", session, VIEWER, **more)


@router.get("/boxes/{box}/journal")
def box_journal(request: Request, session: Visitor, box: BoxId) -> Response:
    return _page(request, "box_journal", session, VIEWER, box=box, kinds=journals.CHOICES)


@router.get("/incidents")
def incidents(request: Request, session: Visitor) -> Response:
    return _page(request, "incidents", session, VIEWER, acts=_may(session, OFFICER))


@router.get("/incidents/{incident}")
def incident(request: Request, session: Visitor, incident: Number) -> Response:
    more = {"incident": incident, "acts": _may(session, OFFICER), "kinds": BY_PEOPLE}
    return _page(request, "incident", session, VIEWER, **more)


@router.get("/register")
def register(request: Request, session: Visitor) -> Response:
    return _page(request, "register", session, TECHNICIAN)


@router.get("/plan")
def plan(request: Request, session: Visitor) -> Response:
    return _page(request, "plan", session, TECHNICIAN)


@router.get("/health")
def health(request: Request, session: Visitor) -> Response:
    return _page(request, "health", session, VIEWER)


@router.get("/people")
def people(request: Request, session: Visitor) -> Response:
    return _page(request, "people", session, ADMINISTRATOR, roles=ROLES)


@router.get("/audit")
def audit(request: Request, session: Visitor) -> Response:
    return _page(request, "audit", session, ADMINISTRATOR)


@router.get("/account")
def account(request: Request, session: Visitor) -> Response:
    return _page(request, "account", session, VIEWER, least_chars=passwords.LEAST_CHARS)


@router.get("/login")
def login(request: Request, session: Visitor) -> Response:
    if session:
        return RedirectResponse("/", 303)
    return _render(request, "login", None)


@router.get("/welcome")
def welcome(request: Request) -> Response:
    return _render(request, "welcome", None, least_chars=passwords.LEAST_CHARS)
