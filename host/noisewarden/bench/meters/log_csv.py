"""A plain table of a time and a level a row, with a row of names above.

Commas, semicolons or tabs part the cells; with the latter two a decimal comma is read too. The
names decide: those that speak of an equivalent level, else of a level; of these the first that
says A, else the first. A is believed, C or Z is refused, and else the weighting is not known.
"""

import csv
import re
from typing import NamedTuple

from noisewarden.bench.meters.protocol import Course, Log, level, local_seconds
from noisewarden.errors import UserError

_SEPARATORS = (";", "\t", ",")
_LEVELS = (
    re.compile(r"l([acz]?)eq.*", re.I),
    re.compile(r"(?:l([acz]?)[fs]?|db[acz]?|level|spl|声级)\b.*", re.I),
)
_WEIGHTING = re.compile(r"db\s*[-(\[]?\s*([acz])\b", re.I)
_TIME = re.compile(r"date|time|时间|日期", re.I)
_FRACTION = re.compile(r"(?<=:\d\d)\.\d+$")
_HEADER_WITHIN = 50
_TIMES = (
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%H:%M:%S",
)


class _Header(NamedTuple):
    """Where the names are; `weighting` is "" when they do not tell it."""

    row: int
    separator: str
    width: int
    column: int
    weighting: str


def recognises(lines: list[str]) -> bool:
    return _header(lines) is not None


def read(lines: list[str]) -> Log:
    """UserError for levels of another weighting, and for times that cannot be read."""
    header = _header(lines)
    assert header
    if header.weighting in ("C", "Z"):
        raise UserError(
            f"levels of {header.weighting} weighting; set the meter to A and measure again"
        )
    cells = [_cells(line, header.separator) for line in lines[header.row + 1 :]]
    # A row with more cells than names has decimal commas amid commas: 71,3 must not become 71.
    cells = [row for row in cells if header.column < len(row) <= header.width]
    times = _times([row[0] for row in cells])
    rows = [
        (at_s, level(row[header.column]))
        for at_s, row in zip(times, cells, strict=True)
        if at_s is not None
    ]
    return Log("CSV", "", header.weighting == "A", Course.of(rows))


def _cells(line: str, separator: str) -> list[str]:
    try:
        (cells,) = csv.reader([line], delimiter=separator, skipinitialspace=True)
    except (ValueError, csv.Error):  # an empty line, or a cell of more than 100 KB
        return []
    return [cell.strip() for cell in cells]


def _header(lines: list[str]) -> _Header | None:
    for row, line in enumerate(lines[:_HEADER_WITHIN]):
        for separator in _SEPARATORS:
            names = _cells(line, separator)
            if len(names) > 1 and _TIME.match(names[0]) and (found := _level_column(names)):
                return _Header(row, separator, len(names), *found)
    return None


def _level_column(names: list[str]) -> tuple[int, str] | None:
    for kind in _LEVELS:
        found = []
        for column, name in enumerate(names):
            if match := kind.fullmatch(name):
                unit = _WEIGHTING.search(name)
                found.append((column, (match[1] or (unit[1] if unit else "")).upper()))
        if found:
            return next((one for one in found if one[1] == "A"), found[0])
    return None


def _times(texts: list[str]) -> list[float | None]:
    """Seconds of each row in the one format that reads most of them; None where it does not."""
    texts = [_FRACTION.sub("", text.replace("T", " ")) for text in texts]
    read = max(
        ([local_seconds(text, form) for text in texts] for form in _TIMES),
        key=lambda seconds: sum(at_s is not None for at_s in seconds),
    )
    if texts and all(at_s is None for at_s in read):
        raise UserError(f"time {texts[0]!r} cannot be read; write it as 2026-06-01 20:00:00")
    return read
