"""What went wrong, told once: a problem document for programs (RFC 9457), a page for people."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from noisewarden.database import DatabaseRefuses
from noisewarden.errors import UserError
from noisewarden.station.refusals import Refused, Throttled
from noisewarden.station.web import languages
from noisewarden.station.web.headers import headers

MEDIA_TYPE = "application/problem+json"

_STATUS_OF_REFUSAL = {
    "wrong-password": 401,
    "unknown": 404,
    "name-taken": 409,
    "last-administrator": 409,
    "disabled": 409,
    "taken": 409,
    "not-yours": 409,
    "loud": 409,
    "closed": 409,
    "history": 409,
    "under-way": 409,
    "link-used": 410,
    "throttled": 429,
}
"""Others are 422: the request is understood, its content is not acceptable."""

_PAGES = ("not-found", "forbidden")
"""Codes that have words of their own on the plain page; the others share some."""


class ProblemDocument(BaseModel):
    """`code` stays the same from version to version; `detail` is one line for a person."""

    model_config = ConfigDict(json_schema_extra={"description": "RFC 9457"})

    type: str
    title: str
    status: int
    detail: str
    code: str


class Problem(Exception):
    """Raised by a route; `detail` is one line: the thing, the cause, the cure."""

    def __init__(
        self, status: int, code: str, detail: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of problems that a route may answer with."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": ProblemDocument.model_json_schema()}},
        }
        for status in statuses
    }


def response(request: Request, problem: Problem) -> Response:
    if _for_people(request):
        return _page(request, problem)
    document = ProblemDocument(
        type=f"urn:noisewarden:problem:{problem.code}",
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        code=problem.code,
    )
    return JSONResponse(
        document.model_dump(), problem.status, headers=problem.headers, media_type=MEDIA_TYPE
    )


def install(app: FastAPI) -> None:
    """Makes every error of `app` one of these."""

    @app.exception_handler(Problem)
    def told(request: Request, problem: Problem) -> Response:
        return response(request, problem)

    @app.exception_handler(UserError)
    def refused(request: Request, error: UserError) -> Response:
        return response(request, _of_refusal(error))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        detail = f"{place}: {first['msg']}; see /api/v1/openapi.json"
        return response(request, Problem(422, "invalid", detail))

    @app.exception_handler(HTTPException)
    def plain(request: Request, error: HTTPException) -> Response:
        if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI's, for a body that is no UTF-8
            detail = "body: cannot be read; see /api/v1/openapi.json"
            return response(request, Problem(422, "invalid", detail))
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "-")
        detail = f"{request.url.path}: {phrase.lower()}; check the address and the method"
        headers = dict(error.headers or {})
        return response(request, Problem(error.status_code, code, detail, headers))

    @app.exception_handler(Exception)
    def failed(request: Request, _: Exception) -> Response:
        detail = "the station failed; its log says how. Try again, and tell who looks after it"
        answer = response(request, Problem(500, "failed", detail))
        # This one is made outside of all middleware.
        answer.headers.update(headers(request.url.path, request.app.state.tls))
        return answer


def _of_refusal(error: UserError) -> Problem:
    detail = str(error)
    if isinstance(error, Throttled):
        return Problem(429, error.code, detail, {"Retry-After": str(error.wait_s)})
    if isinstance(error, DatabaseRefuses):
        return Problem(503, "database", detail)
    if isinstance(error, Refused):
        status = _STATUS_OF_REFUSAL.get(error.code, 422)
        # A 401 says how to be let in (RFC 9110, 15.5.2).
        challenge = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        return Problem(status, error.code, detail, challenge)
    return Problem(422, "refused", detail)


def _for_people(request: Request) -> bool:
    asks_for_a_page = "text/html" in request.headers.get("accept", "")
    return asks_for_a_page and not request.url.path.startswith("/api/")


def _page(request: Request, problem: Problem) -> Response:
    words = problem.code if problem.code in _PAGES else "other"
    return request.app.state.templates.TemplateResponse(
        request,
        "problem.html",
        languages.context(request) | {"problem": problem, "words": words},
        status_code=problem.status,
        headers=problem.headers,
    )
