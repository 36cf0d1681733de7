"""Logs of an NTi XL2: `…_123_Log.txt` and `…_123_Rpt_Report.txt`, tables between tabs.

Sections begin with `#`. In the results stand a row of names, one of units in brackets, and rows;
"-.-" is no level. `LAeq_dt` is the level of the row's own interval; a report calls it `LAeq`,
which in a log is the average since it began.
"""

import re

from noisewarden.bench.meters.protocol import Course, Log, level, local_seconds
from noisewarden.errors import UserError

_RESULTS = re.compile(r"#\s*Broadband (?:LOG )?Results", re.IGNORECASE)
_SERIAL = re.compile(r"S(?:No\.|erial Number:)\s*([\w-]+)")


def recognises(lines: list[str]) -> bool:
    return any(_RESULTS.match(line.strip()) for line in lines)


def read(lines: list[str]) -> Log:
    """UserError when there is no A-weighted Leq among the columns."""
    begin = next(n for n, line in enumerate(lines) if _RESULTS.match(line.strip()))
    serial = _SERIAL.search("\n".join(lines[:begin]))
    rows = [[cell.strip() for cell in line.split("\t")] for line in _section(lines[begin + 1 :])]
    header = next((row for row in rows if "Date" in row and "Time" in row), [])
    name = "LAeq_dt" if "LOG" in lines[begin].upper() else "LAeq"
    if name not in header:
        raise UserError(f"no column {name}; set the XL2 to log {name} each second")
    date, time, column = header.index("Date"), header.index("Time"), header.index(name)
    found = []
    for row in rows:
        if len(row) > max(date, time, column):
            at_s = local_seconds(f"{row[date]} {row[time]}", "%Y-%m-%d %H:%M:%S")
            if at_s is not None:
                found.append((at_s, level(row[column])))
    return Log("NTi XL2", serial.group(1) if serial else "", True, Course.of(found))


def _section(lines: list[str]) -> list[str]:
    """Up to the next section, so that a summary or check sum is not taken for a row."""
    end = next((n for n, line in enumerate(lines) if line.lstrip().startswith("#")), len(lines))
    return lines[:end]
