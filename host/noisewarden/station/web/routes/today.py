"""All boxes at a glance: what each came to since its midnight."""

from collections import defaultdict

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from noisewarden.station import local_time
from noisewarden.station.web.problems import answers
from noisewarden.station.web.routes.shapes import AskedZone
from noisewarden.station.web.security import TheStation, Viewer

router = APIRouter(tags=["levels"])


class TodayOut(BaseModel):
    """A box from the midnight of its `zone` until now; levels in dB, null when too little of that
    has one. `stage`: the highest; `over_min`: minutes that were not all at stage 0."""

    box: str
    zone: str
    laeq: float | None
    lafmax: float | None
    valid_share: float
    stage: int
    over_min: int


@router.get("/today", responses=answers(401, 403, 422))
async def today(station: TheStation, found: Viewer, zone: AskedZone = None) -> list[TodayOut]:
    """All boxes that have a minute of today, in the order of their ids."""
    registered = {entry.box for entry in await run_in_threadpool(station.register.all)}
    there: dict[str, list[str]] = defaultdict(list)
    for box in registered.union(station.live.boxes()):
        own = local_time.of_box(station.live.box(box)["state"])
        there[own if zone is None else zone].append(box)
    heard = [
        TodayOut(box=box, zone=of, **heard._asdict())
        for of, boxes in there.items()
        for box, heard in (await run_in_threadpool(station.levels.today, boxes, of)).items()
    ]
    return sorted(heard, key=lambda each: each.box)
