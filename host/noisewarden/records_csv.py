"""Records and readings as CSV: for a spreadsheet, a statistics tool, a file of evidence.

Times are UTC, `2026-06-07T12:00:00Z`, and empty where nobody knew them; a minute's is its end.
Levels are dB, empty for none.
"""

import csv
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from noisewarden.errors import UserError
from noisewarden.firmware import evidence, flags
from noisewarden.schema import CLOCK

_STORED = ("seq", "kind", "boot", "uptime_ms", "chain")
_LEVELS = ("laeq", "lafmax", "lafmin", "lcpeak", "l10", "l50", "l90")
_MINUTE = (*_LEVELS, "valid_s", "limit", "stage", "flags", "seconds")
RECORD_COLUMNS: tuple[str, ...] = ("time", "clock", "box", *_STORED, *_MINUTE, "details")
"""`clock`: how far the time can be trusted; `seconds`: 60 LAeq,1s, `--` for none; `details`: JSON
of all that is in a record of another kind."""

READING_COLUMNS: tuple[str, ...] = (
    "time",
    "box",
    "laeq",
    "lceq",
    "lafmax",
    "lasmax",
    "lcpeak",
    "limit",
    "stage",
    "shown",
    "colour",
    "spotlight",
    "flags",
)

_FORMULA = ("=", "+", "@")
"""A cell that begins so is reckoned by a spreadsheet. What a box shows is its own affair."""


def create(path: Path) -> IO[str]:
    """A new file for a CSV; UserError when it cannot be. Evidence is not overwritten."""
    try:
        # Spreadsheets take a file for UTF-8 only when it says so.
        return path.open("x", encoding="utf-8-sig", newline="")
    except FileExistsError:
        raise UserError(f"{path}: is there already; name a new file, or move it away") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); name another") from None


def write_records(file: IO[str], rows: Iterable[Any]) -> None:
    """Writes rows of the store's `records`, and what is in their bytes."""
    writer = csv.DictWriter(file, RECORD_COLUMNS)
    writer.writeheader()
    writer.writerows(map(_record, rows))


class Readings:
    """Writes each reading as it comes, one that was checked (`messages.reading`)."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._writer = csv.DictWriter(file, READING_COLUMNS, extrasaction="ignore")
        self._writer.writeheader()

    def write(self, box: str, reading: dict[str, Any]) -> None:
        shown = reading["shown"]
        own = {
            "time": iso(reading["time"]),
            "box": box,
            "shown": f"'{shown}" if shown.startswith(_FORMULA) else shown,
            "flags": " ".join(reading["flags"]),
            "spotlight": int(reading["spotlight"]),
        }
        self._writer.writerow(reading | own)
        self._file.flush()


def iso(unix_s: int | None) -> str:
    """A time in UTC, "" for an unknown one."""
    return "" if unix_s is None else f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _record(row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in _STORED}
    shown |= {"time": iso(row.unix_s), "clock": CLOCK[row.clock], "box": row.box}
    try:
        fields = evidence.unpack(row.data)
    except ValueError as error:
        return shown | {"details": json.dumps({"unreadable": str(error), "data": row.data.hex()})}
    if "flags" in fields:
        fields["flags"] = " ".join(flags.names(fields["flags"]))
    if "seconds" in fields:
        fields["seconds"] = " ".join("--" if s is None else f"{s:.1f}" for s in fields["seconds"])
    del fields["quality"]  # it is part of `clock`
    rest = {name: fields[name] for name in fields if name not in RECORD_COLUMNS}
    shown = {name: fields[name] for name in _MINUTE if name in fields} | shown
    return shown | {"details": json.dumps(rest, ensure_ascii=False) if rest else ""}
