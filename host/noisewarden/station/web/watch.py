"""For those that watch over the station by machine: is it there, and how is it doing?"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated

import sqlalchemy as sql
from fastapi import APIRouter, Depends
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from noisewarden.station.web.problems import answers
from noisewarden.station.web.routes import health
from noisewarden.station.web.routes.health import BrokerOut, HealthOut
from noisewarden.station.web.security import TheStation

router = APIRouter(tags=["watch"])

_OUTCOMES = ("new", "known", "conflicts", "dropped")


@router.get("/healthz", response_class=PlainTextResponse)
def healthz(station: TheStation) -> str:
    """200 when pages and database answer; anybody may ask."""
    with station.database.reading() as connection:
        connection.execute(sql.select(1))
    return "ok\n"


@router.get("/metrics", responses=answers(401, 403), response_class=PlainTextResponse)
async def metrics(found: Annotated[HealthOut, Depends(health.health)]) -> Response:
    """What Prometheus scrapes, with a machine's token of a viewer: the health of the station."""
    registry = CollectorRegistry()
    registry.register(_Told(found))
    text = await run_in_threadpool(generate_latest, registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


class _Told(Collector):
    """Names and units as https://prometheus.io/docs/practices/naming wants them."""

    def __init__(self, found: HealthOut) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        found = self._found
        yield InfoMetricFamily("noisewarden_build", "Versions", found.versions)
        yield _gauge("start_time_seconds", "Unix time of the station's start", found.started_s)
        yield _gauge("boxes", "Boxes by state", dict(found.boxes), "state")
        yield _gauge("troubles", "How many things the station suffers from", len(found.troubles))
        kinds = dict.fromkeys(found.troubles, 1)
        yield _gauge("trouble", "1 for each thing that it suffers from", kinds, "what")
        yield _gauge("disk_free_bytes", "Room on the disk of the data", found.disk.free_bytes)
        yield _gauge("disk_size_bytes", "Size of that disk", found.disk.all_bytes)
        yield _gauge("database_size_bytes", "Size of all tables", found.database.bytes)
        if found.broker:
            yield from _of_broker(found.broker)
        messages = "Messages of boxes by topic; damaged, unknown and failed ones"
        yield _counter("messages", messages, found.messages, "kind")
        yield from _of_records(Counter(found.records))


def _of_broker(broker: BrokerOut) -> Iterable[Metric]:
    yield _gauge("broker_up", "1 while the station is connected to its broker", broker.connected)
    if broker.boxes is not None:
        yield _gauge("broker_boxes", "Boxes connected to it", broker.boxes)
        refused = "Connections that its guard did not let in"
        yield _counter("broker_refused", refused, broker.refused, "reason")


def _of_records(counts: Counter[str]) -> Iterable[Metric]:
    outcomes = {outcome: counts[outcome] for outcome in _OUTCOMES}
    yield _counter("records", "Records of boxes by what became of them", outcomes, "outcome")
    yield _gauge("records_pending", "Records that wait for the disk", counts["pending"])
    yield _counter("commits", "Commits of records", counts["commits"])
    yield _counter("commits_failed", "Commits that the station gave up", counts["failed"])
    yield _counter("commit_seconds", "Time that commits took", counts["commit_ms"] / 1000)
    acks = {"sent": counts["acks"], "failed": counts["acks_failed"]}
    yield _counter("acks", "Acknowledgements to boxes", acks, "result")


_Values = float | Mapping[str, float]
"""One value, or one for each value of a label."""


def _gauge(name: str, help_: str, values: _Values, label: str = "") -> Metric:
    return _filled(GaugeMetricFamily, name, help_, values, label)


def _counter(name: str, help_: str, values: _Values, label: str = "") -> Metric:
    return _filled(CounterMetricFamily, name, help_, values, label)


def _filled(
    kind: type[GaugeMetricFamily] | type[CounterMetricFamily],
    name: str,
    help_: str,
    values: _Values,
    label: str,
) -> Metric:
    family = kind(f"noisewarden_{name}", help_, labels=[label] if label else [])
    for of, value in values.items() if isinstance(values, Mapping) else (("", values),):
        family.add_metric([of] if label else [], value)
    return family
