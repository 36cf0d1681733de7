"""What the boxes measured, over a period; as CSV for `Accept: text/csv`."""

import csv
import datetime as dt
import io
import time
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel

from noisewarden.firmware import flags
from noisewarden.records_csv import iso
from noisewarden.station import local_time, minutes_csv, spans
from noisewarden.station.periods import MIN_VALID_SHARE, Period
from noisewarden.station.web.problems import Problem, answers
from noisewarden.station.web.routes.shapes import (
    CSV,
    AskedZone,
    BoxId,
    From,
    To,
    check_known,
    csv_file,
    unix_s,
    wants_csv,
)
from noisewarden.station.web.security import TheStation, Viewer

router = APIRouter(prefix="/boxes/{box}", tags=["levels"])

MONTH_MOST_S = 31 * 86_400 + 3600
"""Of minutes and hours at once, with the hour that ends a summer; statistics may be of a year."""


def _within_zones(date: dt.date | None) -> dt.date | None:
    """Of a year whose months and weeks the zones of the firmware know."""
    if date and not 2001 <= date.year <= 2098:
        raise ValueError("lies outside of 2001 to 2098")
    return date


async def _zone(station: TheStation, box: BoxId, zone: AskedZone = None) -> str:
    """For day and night, and the dates of days."""
    return zone if zone is not None else local_time.of_box(station.live.box(box)["state"])


Zone = Annotated[str, Depends(_zone)]

Date = Annotated[dt.date | None, AfterValidator(_within_zones), Query(description="of the box")]

_CSV_TOO: dict[str, Any] = {"content": {CSV: {}}}


class MinutesOut(BaseModel):
    """A list for each column of `station.minutes.Minute`, all of one length: `laeq[n]` belongs to
    `from_s[n]`. Levels in dB, null for none; `flag_names` are those of the bits of `flags`, the
    lowest first."""

    box: str
    columns: dict[str, list[Any]]
    flag_names: list[str]


class StretchOut(BaseModel):
    """LAeq,1s in dB of seconds that follow each other from `from_s` on; null for no level."""

    from_s: int
    levels: list[float | None]


class StatisticsOut(BaseModel):
    """`whole`; `unmarked` without minutes of doubtful level; `day` 06:00–22:00, whose laeq is Ld;
    `night`, whose laeq is Ln; Ldn. l10, l50, l90 are of LAeq,1s. A period of which less than
    `least_valid_share` has a level has none itself."""

    box: str
    zone: str
    least_valid_share: float
    whole: Period
    unmarked: Period
    day: Period
    night: Period
    ldn: float | None


class DayOut(BaseModel):
    """Statistics of a local `date`; its night is its own 00:00–06:00 and 22:00–24:00."""

    date: str
    whole: Period
    day: Period
    night: Period
    ldn: float | None


class GapOut(BaseModel):
    """Times of which no minute is here. `why`: off, the box recorded nothing; waiting, it may
    still have records; gone, it had to give them up."""

    from_s: int
    to_s: int
    why: str


class HourOut(BaseModel):
    """An hour of the local `date`; `day`: not of the night."""

    from_s: int
    date: str
    hour: int
    day: bool


class SpanOut(BaseModel):
    """A day, week or month of a box's place: to before `to_s`, `first` and `last` local dates.

    previous, following  a date in the span before and in the one after
    today                there; now_s is the station's time
    """

    box: str
    zone: str
    span: str
    from_s: int
    to_s: int
    first: dt.date
    last: dt.date
    previous: dt.date
    following: dt.date
    today: dt.date
    now_s: int
    hours: list[HourOut]


@router.get(
    "/minutes",
    responses=answers(401, 403, 404, 422) | {200: _CSV_TOO},
    response_model=MinutesOut,
)
def minutes(
    request: Request,
    station: TheStation,
    found: Viewer,
    box: BoxId,
    from_: From,
    to: To,
    zone: Zone,
) -> Response:
    """Each minute of at most 31 days, in the order of their times."""
    check_known(station, box)
    from_s, to_s = unix_s(from_), unix_s(to)
    _check_month(from_s, to_s)
    if wants_csv(request):
        text = io.StringIO(newline="")
        minutes_csv.write(text, box, station.levels.minutes(box, from_s, to_s), zone)
        return csv_file(text.getvalue(), f"{box}-minutes")
    columns = station.levels.minute_columns(box, from_s, to_s)
    return _json({"box": box, "columns": columns, "flag_names": flags.names(-1)})


@router.get(
    "/seconds",
    responses=answers(401, 403, 404, 422) | {200: _CSV_TOO},
    response_model=list[StretchOut],
)
def seconds(
    request: Request, station: TheStation, found: Viewer, box: BoxId, from_: From, to: To
) -> Response:
    """LAeq,1s of at most 7 days, in stretches; between two of them nothing is known."""
    check_known(station, box)
    stretches = station.levels.seconds(box, unix_s(from_), unix_s(to))
    if not wants_csv(request):
        return _json([stretch._asdict() for stretch in stretches])
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("time_utc", "laeq"))
    for stretch in stretches:
        writer.writerows(
            (iso(second), level) for second, level in enumerate(stretch.levels, stretch.from_s)
        )
    return csv_file(text.getvalue(), f"{box}-seconds")


@router.get("/statistics", responses=answers(401, 403, 404, 422))
def statistics(
    station: TheStation, found: Viewer, box: BoxId, from_: From, to: To, zone: Zone
) -> StatisticsOut:
    """LAeq, LAFmax, L10, L50, L90, Ld, Ln, Ldn of at most a year."""
    check_known(station, box)
    computed = station.levels.statistics(box, unix_s(from_), unix_s(to), zone)
    return StatisticsOut(box=box, zone=zone, least_valid_share=MIN_VALID_SHARE, **vars(computed))


@router.get("/gaps", responses=answers(401, 403, 404, 422))
def gaps(station: TheStation, found: Viewer, box: BoxId, from_: From, to: To) -> list[GapOut]:
    """Where nothing is known, and why; up to now. The newest minutes come up to five late."""
    check_known(station, box)
    found_gaps = station.levels.gaps(box, unix_s(from_), unix_s(to))
    return [GapOut(**gap._asdict()) for gap in found_gaps]


@router.get("/hours", responses=answers(401, 403, 404, 422))
def hours(
    station: TheStation, found: Viewer, box: BoxId, from_: From, to: To, zone: Zone
) -> list[Period]:
    """What each local hour of at most 31 days comes to."""
    check_known(station, box)
    from_s, to_s = unix_s(from_), unix_s(to)
    _check_month(from_s, to_s)
    return station.levels.hours(box, from_s, to_s, zone)


@router.get("/days", responses=answers(401, 403, 404, 422))
def days(
    station: TheStation, found: Viewer, box: BoxId, from_: From, to: To, zone: Zone
) -> list[DayOut]:
    """What each local day of at most a year comes to."""
    check_known(station, box)
    found_days = station.levels.days(box, unix_s(from_), unix_s(to), zone)
    return [
        DayOut(date=date, whole=day.whole, day=day.day, night=day.night, ldn=day.ldn)
        for date, day in found_days
    ]


@router.get("/span", responses=answers(401, 403, 404, 422))
def span(
    station: TheStation,
    found: Viewer,
    box: BoxId,
    zone: Zone,
    span: Literal["day", "week", "month"] = "day",
    date: Date = None,
) -> SpanOut:
    """The day, week or month of the box's place that a date is in, today's when there is none."""
    check_known(station, box)
    place, now_s = local_time.zone(zone), int(time.time())
    today = spans.today(place, now_s)
    made = spans.span(place, date or today, span)
    return SpanOut(
        box=box,
        zone=zone,
        span=span,
        from_s=made.from_s,
        to_s=made.to_s,
        first=made.first,
        last=made.last,
        previous=made.first - dt.timedelta(days=1),
        following=made.last + dt.timedelta(days=1),
        today=today,
        now_s=now_s,
        hours=[HourOut(**hour._asdict()) for hour in made.hours],
    )


def _json(content: Any) -> Response:
    """Of arrays too, with NaN as null. A month of minutes is a million numbers."""
    return Response(
        orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json"
    )


def _check_month(from_s: int, to_s: int) -> None:
    if to_s - from_s > MONTH_MOST_S:
        raise Problem(422, "too-long", "from, to: more than 31 days apart; ask for less at once")
