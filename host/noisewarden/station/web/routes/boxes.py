"""The boxes as they are now."""

from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from noisewarden.register import Registered
from noisewarden.station.station import Station
from noisewarden.station.web.problems import Problem, answers
from noisewarden.station.web.routes.shapes import BoxId
from noisewarden.station.web.security import TheStation, Viewer

router = APIRouter(tags=["boxes"])


class BoxOut(BaseModel):
    """A box now.

    reading  its last second (docs/protocol.md), null when there is none that is true now
    serial   of its chip, "" for a box that is not in the register
    reason   why there is no level: "no connection", warmup, dead, slot; "" when there is one
    state    what it last said of itself; seen_s when it last said anything, 0 for never
    trend    LAeq in dB of each 10 s of the last ten minutes, the newest last; null for no level
    revoked  it may speak to this station no more
    """

    box: str
    place: str
    board: str
    serial: str
    revoked: bool
    online: bool
    reading: dict[str, Any] | None
    reason: str
    state: dict[str, Any]
    seen_s: int
    trend: list[float | None]


def _out(station: Station, box: str, registered: Registered | None) -> BoxOut:
    now = station.live.box(box)
    # A box on USB need not be in the register: it says itself where it stands.
    said = now["state"]
    return BoxOut(
        **now,
        place=registered.place if registered else str(said.get("place", "")),
        board=registered.board if registered else str(said.get("board", "")),
        serial=registered.serial if registered else "",
        revoked=registered is not None and registered.revoked_s is not None,
        trend=station.live.trend(box),
    )


# `Live` belongs to the event loop, the register to the threads that wait for the database.


@router.get("/boxes", responses=answers(401, 403))
async def boxes(station: TheStation, found: Viewer) -> list[BoxOut]:
    """All boxes that are registered or ever spoke, in the order of their ids."""
    registered = {entry.box: entry for entry in await run_in_threadpool(station.register.all)}
    names = sorted({*registered, *station.live.boxes()})
    return [_out(station, name, registered.get(name)) for name in names]


@router.get("/boxes/{box}", responses=answers(401, 403, 404, 422))
async def box(station: TheStation, found: Viewer, box: BoxId) -> BoxOut:
    registered = await run_in_threadpool(station.register.get, box)
    if registered is None and box not in station.live.boxes():
        raise Problem(404, "unknown-box", f"{box}: no such box; /api/v1/boxes has those there are")
    return _out(station, box, registered)
