"""The store under load: what comes in, and what the pages ask of a year, with raw SQLite beside.

The floor is the same rows through the sqlite3 module alone, with no more than a commit's fsync.
"""

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from host.fakebox import KEY, MINUTE, Journal
from noisewarden.database import FILE, Database
from noisewarden.schema import records
from noisewarden.station.levels import DAY_S, Levels
from noisewarden.station.what_if import what_if, whole_week
from noisewarden.store import Arrival, Batch, Store

ZONE = "CST-8"
START_S = 1_780_761_600
"""A midnight there."""
YEAR_MIN = 525_600
DAY_MIN = 1440
MONTH_S = 30 * DAY_S
BATCH = 4000
TRIES = 5


def minutes(count: int) -> Iterator[Arrival]:
    """Of a street in a normal spread of levels."""
    tenths = np.random.default_rng(1).normal(600, 60, (count, 60)).clip(0, 1500).astype(int)
    made = Journal()
    for number, seconds in enumerate(tenths.tolist(), 1):
        levels = {"laeq": sum(seconds) / 600, "seconds": seconds}
        made.add(
            "minute",
            uptime_ms=60_000 * number,
            unix_s=START_S + 60 * number,
            **(MINUTE | levels),
        )
        yield made.pop(), number - 1


def in_batches(arrivals: Iterator[Arrival], size: int) -> Iterator[list[Arrival]]:
    batch = []
    for arrival in arrivals:
        batch.append(arrival)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def seconds_of(work: Callable[..., Any], *arguments: Any) -> float:
    """The median of several tries."""
    took = []
    for _ in range(TRIES):
        began = time.perf_counter()
        work(*arguments)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def tell(what: str, took_s: float, floor_s: float | None = None) -> None:
    floor = "" if floor_s is None else f", raw SQLite {floor_s * 1000:,.1f} ms"
    print(f"store: {what}: {took_s * 1000:,.1f} ms{floor}")


class Raw:
    """A copy of the store's table, by the sqlite3 module."""

    def __init__(self, folder: Path, source: Path) -> None:
        self.connection = sqlite3.connect(folder / "raw.sqlite", isolation_level=None)
        with closing(sqlite3.connect(source)) as made:
            (self._table,) = made.execute(
                "SELECT sql FROM sqlite_master WHERE name = 'records'"
            ).fetchone()
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", self._table):
            self.connection.execute(statement)

    def insert(self, rows: list[Any]) -> None:
        marks = ", ".join("?" * len(records.columns))
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(f"INSERT INTO records VALUES ({marks})", rows)
        self.connection.execute("COMMIT")


def fetch(file: Path, columns: str, from_s: int, to_s: int) -> float:
    query = (
        f"SELECT {columns} FROM records WHERE box = 'box-0' AND kind = 'minute' "
        "AND unix_s > ? AND unix_s <= ? ORDER BY unix_s"
    )
    with closing(sqlite3.connect(file)) as connection:
        return seconds_of(lambda: connection.execute(query, (from_s, to_s)).fetchall())


def a_year(folder: Path) -> None:
    """One box, a year of minutes: taken in, then asked for."""
    with Database.in_folder(folder) as database:
        store = Store(database)
        took_s = 0.0
        for batch in in_batches(minutes(YEAR_MIN), BATCH):
            began = time.perf_counter()
            store.intake("box-0", batch, KEY)
            took_s += time.perf_counter() - began
        print(f"store: a year of one box taken in: {YEAR_MIN / took_s:,.0f} records/s")
    file = folder / FILE
    print(f"store: a year of one box: {file.stat().st_size / 1e6:,.0f} MB")
    began = time.perf_counter()
    with Database.in_folder(folder) as database:
        levels = Levels(database, now=lambda: START_S + 60 * YEAR_MIN)
        levels.last_minutes("box-0", 10)
        tell("start with a year of one box", time.perf_counter() - began)
        middle_s = START_S + 200 * DAY_S
        day, month = (middle_s, middle_s + DAY_S), (middle_s, middle_s + MONTH_S)
        rolled_up = "unix_s, laeq, lafmax, lafmin, l10, l50, l90, valid_s, flags, stage"
        for name, period in (("a day", day), ("a month", month)):
            tell(
                f"{name}, minutes",
                seconds_of(levels.minutes, "box-0", *period),
                fetch(file, rolled_up, *period),
            )
            tell(
                f"{name}, statistics out of its seconds",
                seconds_of(levels.statistics, "box-0", *period, ZONE),
                fetch(file, "unix_s, data", *period),
            )
            tell(f"{name}, gaps", seconds_of(levels.gaps, "box-0", *period))
        tell("a day, its seconds", seconds_of(levels.seconds, "box-0", *day))
        tell("a month by days", seconds_of(levels.days, "box-0", *month, ZONE))
        heard = levels.seconds("box-0", *day)
        config = {"schedule": whole_week(62)}
        tell("a day, what another limit would have done", seconds_of(what_if, heard, config))


def many_boxes(folder: Path, boxes: int) -> None:
    """A day of many boxes, of which all see the same sound."""
    names = [f"box-{number}" for number in range(boxes)]
    day = list(minutes(DAY_MIN))
    with Database.in_folder(folder) as database:
        store = Store(database)
        first = day[:1]
        store.intake_many({box: Batch(first, (KEY,)) for box in names})
        each = iter(day[1:])
        live_s = seconds_of(
            lambda: store.intake_many(dict.fromkeys(names, Batch([next(each)], (KEY,))))
        )
        rest = list(each)
        began = time.perf_counter()
        for batch in in_batches(iter(rest), 16):
            store.intake_many(dict.fromkeys(names, Batch(batch, (KEY,))))
        took_s = time.perf_counter() - began
        rows = [tuple(row) for row in store.records("box-0")]
        raw = Raw(folder, folder / FILE)
        box_at = records.columns.keys().index("box")
        offered = iter(rows)

        def insert() -> None:
            row = list(next(offered))
            raw.insert([[*row[:box_at], box, *row[box_at + 1 :]] for box in names])

        tell(f"one record of each of {boxes} boxes taken in", live_s, seconds_of(insert))
        raw.connection.close()
        print(f"store: {boxes} boxes taken in: {boxes * len(rest) / took_s:,.0f} records/s")
        levels = Levels(database, now=lambda: START_S + DAY_S - 1)
        tell(f"today of {boxes} boxes", seconds_of(levels.today, names, ZONE))


def main() -> None:
    for work in (a_year, lambda folder: many_boxes(folder, 200)):
        with tempfile.TemporaryDirectory(prefix="noisewarden-bench-") as folder:
            work(Path(folder))


if __name__ == "__main__":
    main()
