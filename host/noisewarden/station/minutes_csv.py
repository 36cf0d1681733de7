"""Minutes as CSV: for a spreadsheet or a statistics tool.

A minute's time is its start, as local time with its distance from UTC and as UTC. Levels are dB,
empty for none.
"""

import csv
from collections.abc import Iterable
from typing import IO

from noisewarden.firmware import flags
from noisewarden.records_csv import iso
from noisewarden.schema import CLOCK
from noisewarden.station import local_time
from noisewarden.station.minutes import Minute

_AS_IT_IS = ("laeq", "lafmax", "lafmin", "l10", "l50", "l90", "valid_s", "limit", "stage")
COLUMNS: tuple[str, ...] = (
    "from_local",
    "from_utc",
    "box",
    *_AS_IT_IS,
    "flags",
    "clock",
    "chain",
    "live",
    "seq",
)


def write(file: IO[str], box: str, minutes: Iterable[Minute], zone: str) -> None:
    """`zone` is the POSIX text of the box's place; UserError when it is none."""
    place = local_time.zone(zone)
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for minute in minutes:
        levels = [getattr(minute, name) for name in _AS_IT_IS]
        writer.writerow(
            [
                local_time.iso(place, minute.from_s),
                iso(minute.from_s),
                box,
                *levels,
                " ".join(flags.names(minute.flags)),
                CLOCK[minute.clock],
                minute.chain,
                int(minute.live),
                minute.seq,
            ]
        )
