"""A station's data as they are after a year: some of it taken in by the store, the rest copied.

What is asked of it here reads no chain across a copy's edge.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from host.fakebox import KEY, MINUTE, Journal
from host.station_parts import admit
from noisewarden.database import FILE, Database
from noisewarden.register import Register
from noisewarden.store import Arrival, Store

MINUTE_S = 60
DAY_MIN = 1440
MONTH_MIN = 30 * DAY_MIN
YEAR_MIN = 365 * DAY_MIN
BATCH = 4000

YEAR = "year"
"""The box with a year of minutes."""


class Taken(NamedTuple):
    """How the store took in what was not copied: `records` in `took_s`, one commit for `batch`.
    `bytes`: of the file in the end."""

    records: int
    took_s: float
    batch: int
    bytes: int


def minutes(count: int, start_s: int) -> Iterator[Arrival]:
    """Of a street in a normal spread of levels, from `start_s` on."""
    tenths = np.random.default_rng(1).normal(600, 60, (count, 60)).clip(0, 1500).astype(int)
    made = Journal()
    for number, seconds in enumerate(tenths.tolist(), 1):
        levels = {"laeq": sum(seconds) / 600, "seconds": seconds}
        made.add(
            "minute",
            uptime_ms=1000 * MINUTE_S * number,
            unix_s=start_s + MINUTE_S * number,
            **(MINUTE | levels),
        )
        yield made.pop(), number - 1


def a_year(folder: Path, now_s: int) -> Taken:
    """Of the box YEAR, up to now."""
    arrivals = list(minutes(MONTH_MIN, now_s - MINUTE_S * YEAR_MIN))
    with Database.in_folder(folder) as database:
        store = Store(database)
        began = time.perf_counter()
        for at in range(0, MONTH_MIN, BATCH):
            store.intake(YEAR, arrivals[at : at + BATCH], KEY)
        took_s = time.perf_counter() - began
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        for passed in range(MONTH_MIN, YEAR_MIN, MONTH_MIN):
            later = {
                "seq": f"seq + {passed}",
                "after": f"after + {passed}",
                "uptime_ms": f"uptime_ms + {1000 * MINUTE_S * passed}",
                "unix_s": f"unix_s + {MINUTE_S * passed}",
                "received_s": f"received_s + {MINUTE_S * passed}",
            }
            last = min(MONTH_MIN, YEAR_MIN - passed)
            _copy(connection, later, f"box = '{YEAR}' AND seq <= {last}")
        connection.execute(f"UPDATE boxes SET held = {YEAR_MIN} WHERE box = '{YEAR}'")
    return Taken(MONTH_MIN, took_s, BATCH, (folder / FILE).stat().st_size)


def a_day_each(folder: Path, boxes: list[str], now_s: int) -> Any:
    """The last day of these boxes, which all heard the same; the last entry of their journals."""
    arrivals = list(minutes(DAY_MIN, now_s - MINUTE_S * DAY_MIN))
    first, *others = boxes
    with Database.in_folder(folder) as database:
        Store(database).intake(first, arrivals, KEY)
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        connection.executemany(
            "INSERT INTO boxes (box, held) VALUES (?, ?)", [(box, DAY_MIN) for box in others]
        )
        for box in others:
            _copy(connection, {"box": f"'{box}'"}, f"box = '{first}'")
    return arrivals[-1][0]


def _copy(connection: sqlite3.Connection, changes: dict[str, str], chosen: str) -> None:
    columns = [row[1] for row in connection.execute("PRAGMA table_info(records)")]
    named = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(changes.get(column, f'"{column}"') for column in columns)
    connection.execute(
        f"INSERT INTO records ({named}) SELECT {values} FROM records WHERE {chosen}"
    )


def registered(folder: Path, boxes: list[str]) -> None:
    with Database.in_folder(folder) as database:
        for box in boxes:
            admit(Register(database), box)


def newest_s(folder: Path, box: str) -> int:
    """Unix time of its last minute."""
    query = "SELECT max(unix_s) FROM records WHERE kind = 'minute' AND box = ?"
    with closing(sqlite3.connect(folder / FILE)) as connection:
        return connection.execute(query, (box,)).fetchone()[0]


def zone_in_hour(hour: int) -> str:
    """The POSIX text of a zone in which it is this hour now."""
    ahead = (hour - time.gmtime().tm_hour + 12) % 24 - 12
    return f"BEN{-ahead:+d}"
