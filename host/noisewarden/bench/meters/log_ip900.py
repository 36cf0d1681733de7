"""Text of an IP-900DL data logger: `7-10-2015, 16:29:22, 74.10, dBA` a line."""

import re

from noisewarden.bench.meters.protocol import Course, Log, level, local_seconds
from noisewarden.errors import UserError

_TITLE = "IP-900DL"
_LINE = re.compile(r"(\d+-\d+-\d+)\s*,\s*(\d+:\d+:\d+)\s*,([^,]*),\s*(\w+)")
_DAY_FIRST, _MONTH_FIRST = "%d-%m-%Y", "%m-%d-%Y"


def recognises(lines: list[str]) -> bool:
    return any(_TITLE in line for line in lines[:5])


def read(lines: list[str]) -> Log:
    """UserError for levels that are not dBA."""
    matches = [match.groups() for line in lines if (match := _LINE.match(line.strip()))]
    wrong = next((unit for *_, unit in matches if unit != "dBA"), None)
    if wrong:
        raise UserError(f"levels in {wrong}; set the meter to A weighting and measure again")
    rows = _rows(matches, _DAY_FIRST) or _rows(matches, _MONTH_FIRST) or []
    return Log(_TITLE, "", True, Course.of(rows))


def _rows(
    matches: list[tuple[str, ...]], date_format: str
) -> list[tuple[float, float | None]] | None:
    """None when a date is none in this order of day and month."""
    rows = []
    for date, time, text, _ in matches:
        at_s = local_seconds(f"{date} {time}", f"{date_format} %H:%M:%S")
        if at_s is None:
            return None
        rows.append((at_s, level(text)))
    return rows
