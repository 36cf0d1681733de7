"""Shapes that several routes take."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path, Query, Request
from fastapi.responses import Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from noisewarden.firmware import wire
from noisewarden.station.people import NAME_MOST_CHARS
from noisewarden.station.station import Station
from noisewarden.station.web.problems import Problem

BOX_PATTERN = rf"^[a-z0-9-]{{1,{wire.BOX_MOST_CHARS}}}$"
LINE = r"^[^\x00-\x1f]*$"
"""Of a text without control characters: PostgreSQL takes no NUL."""
CSV = "text/csv"

_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
_LAST = datetime(2100, 1, 1, tzinfo=UTC)


def _in_this_century(time: datetime) -> datetime:
    if not _FIRST <= time < _LAST:
        raise ValueError("lies outside of 2000 to 2099")
    return time


Name = Annotated[str, Field(max_length=NAME_MOST_CHARS, pattern=LINE)]
BoxId = Annotated[str, Path(pattern=BOX_PATTERN, description="id of a box")]
Number = Annotated[int, Path(ge=1, lt=2**31)]
"""Of a person, an incident, a plan: what an INTEGER of PostgreSQL holds."""

_Time = Annotated[AwareDatetime, AfterValidator(_in_this_century)]
_ABOUT = "Unix seconds, or RFC 3339 with its distance from UTC"
From = Annotated[_Time, Query(alias="from", description=_ABOUT)]
To = Annotated[_Time, Query(alias="to", description=f"{_ABOUT}; the period ends before it")]

AskedZone = Annotated[
    str | None,
    Query(max_length=60, description="POSIX text of a time zone, instead of the box's own"),
]


class Strict(BaseModel):
    """A body in which an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid")


def unix_s(time: datetime) -> int:
    return int(time.timestamp())


def wants_csv(request: Request) -> bool:
    return CSV in request.headers.get("accept", "")


def csv_file(text: str, name: str) -> Response:
    """A download. The mark at its beginning tells spreadsheets that it is UTF-8."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response("\ufeff" + text, media_type=CSV, headers=headers)


def check_known(station: Station, box: str) -> None:
    """Problem 404 for a box that is not registered and left no record."""
    if station.register.get(box) is None and not station.store.held(box):
        raise Problem(404, "unknown-box", f"{box}: no such box; /api/v1/boxes has those there are")
