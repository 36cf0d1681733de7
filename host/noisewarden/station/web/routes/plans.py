"""Plans of the place: pictures, and where on them the boxes stand."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from noisewarden.station.plans import (
    FORMATS,
    MEDIA_TYPE,
    NAME_MOST_CHARS,
    PICTURE_MOST_BYTES,
    Spot,
)
from noisewarden.station.web.problems import answers
from noisewarden.station.web.routes.shapes import LINE, BoxId, Number, Strict, check_known
from noisewarden.station.web.security import Technician, TheStation, Viewer, by

router = APIRouter(prefix="/plans", tags=["plans"])

TAKEN = tuple(f"image/{name.lower()}" for name in FORMATS)
"""Media types of pictures that may come."""

_Share = Annotated[float, Field(ge=0, le=1)]
_Name = Annotated[str, Query(min_length=1, max_length=NAME_MOST_CHARS, pattern=LINE)]
_PICTURE = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in TAKEN},
    }
}


class Place(Strict):
    """Fractions of the picture's width and height, from its top left."""

    x: _Share
    y: _Share


class SpotOut(Place):
    box: str


class PlanOut(BaseModel):
    """`/plans/{id}/picture` has the picture."""

    id: int
    name: str
    boxes: list[SpotOut]


async def _picture(request: Request, found: Technician) -> bytes:
    """The body, which is read for who may send it, and for nobody else."""
    try:
        return await request.body()
    except ClientDisconnect:
        return b""  # what becomes of it nobody hears


@router.get("", responses=answers(401, 403))
def plans(station: TheStation, found: Viewer) -> list[PlanOut]:
    return [
        PlanOut(id=plan.id, name=plan.name, boxes=[SpotOut(**vars(spot)) for spot in plan.boxes])
        for plan in station.plans.all()
    ]


@router.post(
    "",
    status_code=201,
    max_body_size=PICTURE_MOST_BYTES,
    openapi_extra=_PICTURE,
    responses=answers(401, 403, 413, 422),
)
def add(
    request: Request,
    station: TheStation,
    found: Technician,
    name: _Name,
    picture: Annotated[bytes, Depends(_picture)],
) -> PlanOut:
    """A picture, PNG, JPEG or WebP of at most 10 MB; only its pixels are kept."""
    note, who = station.audit.note, by(request, found)
    plan = station.plans.add(
        name, picture, lambda number, within: note(who, "add plan", str(number), name, within)
    )
    return PlanOut(id=plan.id, name=plan.name, boxes=[])


@router.get(
    "/{plan}/picture",
    responses=answers(401, 403, 404, 422) | {200: {"content": {MEDIA_TYPE: {}}}},
    response_class=Response,
)
def picture(station: TheStation, found: Viewer, plan: Number) -> Response:
    media_type, content = station.plans.picture(plan)
    return Response(content, media_type=media_type)


@router.delete("/{plan}", status_code=204, responses=answers(401, 403, 404, 422))
def remove(request: Request, station: TheStation, found: Technician, plan: Number) -> None:
    """The boxes on it stay; where they stood on it is forgotten."""
    note, who = station.audit.note, by(request, found)
    station.plans.remove(plan, partial(note, who, "remove plan", str(plan)))


@router.put("/{plan}/boxes/{box}", status_code=204, responses=answers(401, 403, 404, 422))
def place(
    request: Request,
    station: TheStation,
    found: Technician,
    plan: Number,
    box: BoxId,
    given: Place,
) -> None:
    """Puts a box onto a plan, or to another place of it; a box stands on one plan."""
    check_known(station, box)
    note, who = station.audit.note, by(request, found)
    noted = partial(note, who, "place box", box, f"{plan}: {given.x:.2f}, {given.y:.2f}")
    station.plans.place(plan, Spot(box, given.x, given.y), noted)


@router.delete("/{plan}/boxes/{box}", status_code=204, responses=answers(401, 403, 422))
def take_off(
    request: Request, station: TheStation, found: Technician, plan: Number, box: BoxId
) -> None:
    """Of no effect when it does not stand there."""
    note, who = station.audit.note, by(request, found)
    station.plans.take_off(plan, box, partial(note, who, "take off box", box, str(plan)))
