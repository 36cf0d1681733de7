"""For those that watch over the station by machine: is it there, and how is it doing?"""

import sqlalchemy as sql
from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from noisewarden.station.web.problems import answers
from noisewarden.station.web.security import TheStation, Viewer

router = APIRouter(tags=["watch"])


@router.get("/healthz", response_class=PlainTextResponse)
def healthz(station: TheStation) -> str:
    """200 when pages and database answer; anybody may ask."""
    with station.database.reading() as connection:
        connection.execute(sql.select(1))
    return "ok\n"


@router.get("/metrics", responses=answers(401, 403), response_class=PlainTextResponse)
def metrics(station: TheStation, found: Viewer) -> Response:
    """What Prometheus scrapes, with a machine's token of a viewer."""
    registry = CollectorRegistry()
    boxes = Gauge("noisewarden_boxes", "Boxes by state", ["state"], registry=registry)
    registered = station.register.all()
    revoked = sum(box.revoked_s is not None for box in registered)
    boxes.labels("admitted").set(len(registered) - revoked)
    boxes.labels("revoked").set(revoked)
    online = sum(not station.live.silent(box.box) for box in registered)
    boxes.labels("online").set(online)
    troubles = Gauge("noisewarden_troubles", "What the station suffers from", registry=registry)
    troubles.set(len(station.live.troubles))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
