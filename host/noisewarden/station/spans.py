"""A day, a week or a month of a box's place by a date in it, cut into local hours."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from noisewarden.station import local_time

DAY, WEEK, MONTH = SPANS = ("day", "week", "month")


class Hour(NamedTuple):
    """`hour` of the local `date`; `day`: it is none of the night (`local_time.is_day`)."""

    from_s: int
    date: str
    hour: int
    day: bool


class Span(NamedTuple):
    """From `from_s` to before `to_s`, `first` and `last` its local dates; a week begins on
    Monday."""

    from_s: int
    to_s: int
    first: date
    last: date
    hours: list[Hour]


def span(zone: Any, about: date, kind: str) -> Span:
    """The one of SPANS that a date is in."""
    first, following = _dates(about, kind)
    from_s, to_s = _midnight(zone, first), _midnight(zone, following)
    pieces = local_time.split(zone, from_s, to_s, _label)
    hours = [Hour(piece.from_s, *piece.label) for piece in pieces]
    return Span(from_s, to_s, first, following - timedelta(days=1), hours)


def today(zone: Any, now_s: int) -> date:
    return date(*zone.local(now_s)[:3])


def _dates(about: date, kind: str) -> tuple[date, date]:
    """The first date, and the one after the last."""
    if kind == DAY:
        return about, about + timedelta(days=1)
    if kind == WEEK:
        monday = about - timedelta(days=about.weekday())
        return monday, monday + timedelta(days=7)
    first = about.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def _midnight(zone: Any, day: date) -> int:
    """When a local date begins."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    at = int(noon.timestamp())
    year, month, on, _, minute, _ = zone.local(at)
    there = datetime(year, month, on, minute // 60, minute % 60, tzinfo=UTC)
    return local_time.midnight(zone, at - int((there - noon).total_seconds()))


def _label(local: local_time.Local) -> tuple[str, int, bool]:
    return local_time.date(local), local[4] // 60, local_time.is_day(local)
