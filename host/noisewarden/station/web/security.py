"""Who asks, and whether they may (DESIGN 6).

A browser shows its session by a cookie and, for each change, by a token that only a page of this
station can read; a machine shows a bearer token.
"""

import hmac
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.responses import Response

from noisewarden.station.audit import By
from noisewarden.station.people import ADMINISTRATOR, OFFICER, ROLES, TECHNICIAN, VIEWER
from noisewarden.station.sessions import MACHINE, SESSION, SESSION_S, Session
from noisewarden.station.station import Station
from noisewarden.station.web.gate import HARMLESS
from noisewarden.station.web.problems import Problem

CSRF_HEADER = "X-CSRF-Token"

_cookie_scheme = APIKeyCookie(name="session", auto_error=False, description="of a browser")
_bearer_scheme = HTTPBearer(auto_error=False, description="of a machine")


def cookie_name(tls: bool) -> str:
    """With the prefix, a browser takes the cookie from this very host over TLS alone."""
    return "__Host-session" if tls else "session"


def session_token(request: Request) -> str | None:
    return request.cookies.get(cookie_name(request.app.state.tls))


def give_session(request: Request, response: Response, token: str) -> None:
    tls = request.app.state.tls
    response.set_cookie(
        cookie_name(tls), token, SESSION_S, httponly=True, samesite="strict", secure=tls
    )


def take_session(request: Request, response: Response) -> None:
    tls = request.app.state.tls
    response.delete_cookie(cookie_name(tls), httponly=True, samesite="strict", secure=tls)


def the_station(request: Request) -> Station:
    return request.app.state.station


def visitor(request: Request) -> Session | None:
    """Whoever asks; None for nobody. A machine's token goes before a cookie."""
    sessions = the_station(request).people.sessions
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme:
        return sessions.find(token, MACHINE) if scheme.lower() == "bearer" else None
    token = session_token(request)
    return sessions.find(token, SESSION) if token else None


def caller(
    request: Request,
    _bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer_scheme)],
    _cookie: Annotated[str | None, Depends(_cookie_scheme)],
) -> Session:
    """Whoever asks the API. Problem 401 for nobody, 403 for a change without the page's token.

    The two schemes only tell OpenAPI; `visitor` decides.
    """
    found = visitor(request)
    if found is None:
        raise Problem(
            401,
            "log-in",
            "session: there is none, or it has ended; log in",
            {"WWW-Authenticate": "Bearer"},
        )
    if found.kind == SESSION and request.method not in HARMLESS:
        shown = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(shown.encode(), found.csrf.encode()):
            raise Problem(403, "csrf", f"{CSRF_HEADER}: is not the session's; reload the page")
    return found


def permit(found: Session, role: str) -> None:
    """Problem 403 unless the session's person has `role` or a higher one."""
    if ROLES.index(found.role) < ROLES.index(role):
        raise Problem(403, "forbidden", f"{found.name}: this takes the role {role}; ask for it")


def _require(role: str, machines: bool = True) -> Any:
    def permitted(found: Annotated[Session, Depends(caller)]) -> Session:
        permit(found, role)
        if found.kind == MACHINE and not machines:
            raise Problem(403, "forbidden", "token: a machine may not do this; log in to do it")
        return found

    # The document names the role, where OpenAPI 3.1 has a place for it: in `security`.
    return Security(permitted, scopes=[role])


def by(request: Request, found: Session) -> By:
    """Who acts, for the audit log."""
    return By(found.person, address(request))


def address(request: Request) -> str:
    return request.client.host if request.client else ""


TheStation = Annotated[Station, Depends(the_station)]
Viewer = Annotated[Session, _require(VIEWER)]
Officer = Annotated[Session, _require(OFFICER)]
Technician = Annotated[Session, _require(TECHNICIAN)]
Somebody = Annotated[Session, _require(VIEWER, machines=False)]
"""A person of any role, not a machine."""
Administrator = Annotated[Session, _require(ADMINISTRATOR, machines=False)]
