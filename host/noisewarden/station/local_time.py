"""Days, nights and hours of a box's place, as stretches of unix time."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from noisewarden.errors import UserError
from noisewarden.firmware import config as settings
from noisewarden.firmware import posix_tz

DAY_FROM_H, DAY_TO_H = 6, 22
"""GB 3096-2008, 3.5 and 3.6: day 06:00–22:00, night 22:00–06:00."""

_OWN: str = settings.merged({})["zone"]

_STEP_S = 900
"""All zones of the world lie whole quarters of an hour from UTC, and so do summer times."""

Local = tuple[int, int, int, int, int, int]
"""year, month, day, weekday 1 Monday … 7, minute of the day, second."""


class Piece(NamedTuple):
    """Seconds from `from_s` to before `to_s`; `label` says of what."""

    from_s: int
    to_s: int
    label: Any


def zone(text: str) -> Any:
    """The `Zone` of a POSIX text such as CST-8; UserError when it is none."""
    try:
        return posix_tz.read(text)
    except ValueError as error:
        raise UserError(str(error)) from None


def of_box(state: dict[str, Any]) -> str:
    """The POSIX text of a box's zone, by what it tells of itself; the firmware's own when that is
    no zone, since nothing that a box says may keep its levels from being read."""
    told = state.get("zone")
    try:
        return told if isinstance(told, str) and posix_tz.read(told) else _OWN
    except ValueError:
        return _OWN


def hour(local: Local) -> tuple[int, ...]:
    """The label of an hour."""
    return *local[:3], local[4] // 60


def is_day(local: Local) -> bool:
    """The label of a day (True) or a night, which goes on over midnight."""
    return DAY_FROM_H <= local[4] // 60 < DAY_TO_H


def date_and_is_day(local: Local) -> tuple[str, bool]:
    """The label of a calendar day's day or night; its night is 00:00–06:00 and 22:00–24:00."""
    return date(local), is_day(local)


def date(local: Local) -> str:
    """As ISO 8601 writes it: 2026-06-07."""
    return "{:04}-{:02}-{:02}".format(*local[:3])


def split(zone: Any, from_s: int, to_s: int, label: Callable[[Local], Any]) -> list[Piece]:
    """Cuts a period wherever the local time's label changes."""
    pieces: list[Piece] = []
    at = from_s
    while at < to_s:
        local = zone.local(at)
        into_step = (60 * local[4] + local[5]) % _STEP_S
        following = min(at - into_step + _STEP_S, to_s)
        own = label(local)
        if pieces and pieces[-1].label == own:
            pieces[-1] = pieces[-1]._replace(to_s=following)
        else:
            pieces.append(Piece(at, following, own))
        at = following
    return pieces


def midnight(zone: Any, unix_s: int) -> int:
    """When the local day of a moment began."""
    today = zone.local(unix_s)[:3]
    at = unix_s
    while zone.local(at - 1)[:3] == today:
        # To the start of this hour, or the one before: an hour may be there twice or not at all.
        at -= (60 * (zone.local(at - 1)[4] % 60) + zone.local(at - 1)[5]) + 1
    return at


def iso(zone: Any, unix_s: int) -> str:
    """Local time with its distance from UTC: 2026-06-07T20:00:00+08:00."""
    year, month, day, _, minute, second = zone.local(unix_s)
    there = datetime(year, month, day, minute // 60, minute % 60, second, tzinfo=UTC)
    ahead_min = (int(there.timestamp()) - unix_s) // 60
    sign = "-" if ahead_min < 0 else "+"
    return f"{there:%Y-%m-%dT%H:%M:%S}{sign}{abs(ahead_min) // 60:02}:{abs(ahead_min) % 60:02}"
