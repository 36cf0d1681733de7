"""How the station itself is."""

import platform

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from noisewarden.station.web.problems import answers
from noisewarden.station.web.security import TheStation, Viewer

router = APIRouter(tags=["watch"])


class BrokerOut(BaseModel):
    """`own`: it runs in the station's process. Only of that one the station knows how many `boxes`
    are connected, and how many were `refused` for what reason."""

    name: str
    own: bool
    connected: bool
    boxes: int | None
    refused: dict[str, int]


class DatabaseOut(BaseModel):
    kind: str
    version: str
    bytes: int


class DiskOut(BaseModel):
    free_bytes: int
    all_bytes: int


class BoxesOut(BaseModel):
    online: int
    admitted: int
    revoked: int


class HealthOut(BaseModel):
    """`troubles`: what fails and why, one line each. `messages` and `records` count what came in
    since `started_s`; `broker` is null in a station without one."""

    troubles: dict[str, str]
    started_s: int
    versions: dict[str, str]
    boxes: BoxesOut
    broker: BrokerOut | None
    database: DatabaseOut
    disk: DiskOut
    messages: dict[str, int]
    records: dict[str, int]


@router.get("/health", responses=answers(401, 403))
async def health(station: TheStation, found: Viewer) -> HealthOut:
    own, live = station.health, station.live
    registered = await run_in_threadpool(station.register.all)
    admitted = {entry.box for entry in registered if entry.revoked_s is None}
    database = await run_in_threadpool(own.database)
    free, whole = await run_in_threadpool(own.disk)
    broker = own.broker()
    return HealthOut(
        troubles=dict(live.troubles),
        started_s=own.started_s,
        versions={"noisewarden": station.version, "python": platform.python_version()},
        boxes=BoxesOut(
            online=sum(live.box(box)["online"] for box in admitted),
            admitted=len(admitted),
            revoked=len(registered) - len(admitted),
        ),
        broker=BrokerOut(**vars(broker)) if broker else None,
        database=DatabaseOut(**vars(database)),
        disk=DiskOut(free_bytes=free, all_bytes=whole),
        messages=own.messages(),
        records=own.records(),
    )
