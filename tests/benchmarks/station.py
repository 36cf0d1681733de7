"""The station under load: `serve` as a process, boxes that speak TLS from another, pages that look
on, and beside each figure what nobody can do better.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import filled
import floor
import lamp
import looking
from filled import DAY_MIN, MINUTE_S, MONTH_MIN, YEAR, YEAR_MIN
from load import Load, names
from process import Use
from rich.console import Console
from rich.table import Table
from served import ADMIN, Visitor
from system.serving import Serving

FEW, MANY = 200, 1000
"""Boxes."""
PAGES = 10
"""That look on."""
WATCH_S = 15
TRIES = 5
STARTS = 3
LIGHTS = 4
NIGHT_H = 23
"""Where it is this hour, today is nearly a whole day."""

ROLLED_UP = 'unix_s, seq, laeq, lafmax, lafmin, l10, l50, l90, valid_s, flags, "limit", stage'
PACKED = "unix_s, data"
OF_YEAR = f"box = '{YEAR}' AND unix_s > ? AND unix_s <= ?"

ASKED = (
    # path of a period, whether of a day or a month, most ms, columns of the floor
    ("minutes", "day", 150, ROLLED_UP),
    ("seconds", "day", 150, PACKED),
    ("statistics", "day", 150, PACKED),
    ("gaps", "day", 150, "unix_s, seq"),
    ("minutes", "month", 300, ROLLED_UP),
    ("hours", "month", 300, PACKED),
    ("statistics", "month", 300, PACKED),
    ("gaps", "month", 300, "unix_s, seq"),
)
MINUTES = {"day": DAY_MIN, "month": MONTH_MIN}


class Figure(NamedTuple):
    """`most`: what it may be; `floor`: what it is without a station."""

    what: str
    value: float
    unit: str
    most: float | None = None
    floor: float | None = None


class Report(list[Figure]):
    """A context manager that shows, at its end, what was measured by then."""

    def __enter__(self) -> "Report":
        return self

    def __exit__(self, *_: object) -> None:
        self.show()

    def add(self, *figure: Any, **more: float) -> None:
        self.append(Figure(*figure, **more))
        print(".", end="", file=sys.stderr, flush=True)

    def show(self) -> None:
        table = Table(title=f"station (median of {TRIES} where it is a period)")
        table.add_column("what")
        for title in ("measured", "at most", "floor"):
            table.add_column(title, justify="right")
        table.add_column("")
        for what, value, unit, most, lowest in self:
            missed = most is not None and value > most
            table.add_row(
                what, *map(_cell, (value, most, lowest)), unit, style="red" if missed else None
            )
        print(file=sys.stderr)
        Console(width=100).print(table)


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.{0 if value >= 100 else 1 if value >= 1 else 2}f}"


def _late_ms(seconds: list[float]) -> float:
    """At the 95th percentile."""
    return 1000 * statistics.quantiles(seconds, n=20)[-1]


def _starts(report: Report, folder: Path, raw: floor.Raw) -> None:
    took = []
    for _ in range(STARTS):
        began = time.perf_counter()
        with Serving(folder):
            took.append(time.perf_counter() - began)
    newest_s = filled.newest_s(folder, YEAR)
    lowest = raw.fetch(ROLLED_UP, OF_YEAR, newest_s - 600, newest_s)
    report.add("start with a year of one box", statistics.median(took), "s", 3, lowest)


def _watch(
    report: Report, station: Serving, chief: Visitor, boxes: int, most: Any, lowest: Any
) -> None:
    """What so many boxes cost, with pages that look on."""
    use = Use(station.process.pid)
    if most:
        time.sleep(WATCH_S)
        report.add(
            f"{boxes} boxes, no page", 100 * use.cores(), "% of a core", most, 100 * lowest.cores
        )
    with looking.Stream(chief) as stream, looking.idle(chief, PAGES - 1):
        time.sleep(1)
        stream.late_s.clear()
        use = Use(station.process.pid)
        time.sleep(WATCH_S)
        cores, late_s = use.cores(), list(stream.late_s)
    what = f"{boxes} boxes, {PAGES} pages"
    report.add(what, 100 * cores, "% of a core", floor=100 * lowest.cores)
    report.add(f"{boxes} boxes", use.memory_mb(), "MB", floor=lowest.memory_mb)
    report.add(
        f"{boxes} boxes, reading → event stream, 95 of 100",
        _late_ms(late_s),
        "ms",
        500,
        1000 * lowest.late_s,
    )
    report.add(f"{boxes} boxes, readings that arrive", len(late_s) / WATCH_S, "a second")


def _page(report: Report, station: Serving, chief: Visitor, lowest: floor.BrokerFloor) -> None:
    with looking.Stream(chief) as stream:
        late_s = looking.on_a_page(station, ADMIN, stream, WATCH_S)
    assert len(late_s) > WATCH_S * looking.SEEN / 2, f"the page showed {len(late_s)} readings"
    what = f"{FEW} boxes, reading → drawn by Chromium, 95 of 100"
    report.add(what, _late_ms(late_s), "ms", 500, 1000 * lowest.late_s)


def _periods(report: Report, chief: Visitor, raw: floor.Raw, now_s: int) -> None:
    middle_s = now_s - MINUTE_S * YEAR_MIN // 2
    for path, of, most, columns in ASKED:
        period = middle_s, middle_s + MINUTE_S * MINUTES[of]
        asked = {"from": period[0], "to": period[1]}
        took = _ms(chief, f"boxes/{YEAR}/{path}", asked)
        lowest = raw.fetch(columns, OF_YEAR, *period)
        report.add(f"a {of} of one box: {path}", took, "ms", most, 1000 * lowest)
    zone = filled.zone_in_hour(NIGHT_H)
    here_s = now_s - MINUTE_S * DAY_MIN
    columns = "box, sum(valid_s * power(10, laeq / 10)), max(lafmax), sum(valid_s), max(stage)"
    lowest = raw.fetch(
        columns, "box IN (SELECT box FROM boxes) AND unix_s > ? GROUP BY box", here_s
    )
    took = _ms(chief, "today", {"zone": zone})
    report.add(f"today of {FEW} boxes", took, "ms", 500, 1000 * lowest)


def _ms(chief: Visitor, path: str, asked: dict[str, Any]) -> float:
    """The median of some."""
    took = []
    for _ in range(TRIES):
        began = time.perf_counter()
        answer = chief.get(f"/api/v1/{path}", params=asked)
        took.append(time.perf_counter() - began)
        assert answer.is_success, answer.text
    return 1000 * statistics.median(took)


def _lamp(report: Report, scratch: Path, station: Serving, chief: Visitor) -> None:
    with lamp.on_a_pole(scratch, chief, station.authority.ca_der, station.port) as made:
        slowest_s = max(made.lit_s(chief, LIGHTS))
    report.add(f"{FEW} boxes, command → lamp, the slowest of {LIGHTS}", slowest_s, "s", 1)


def _store(report: Report, scratch: Path, taken: filled.Taken, raw: Any) -> None:
    raw_s = raw.insert(scratch / "raw.sqlite", YEAR, taken.records, taken.batch)
    report.add(
        f"records taken in, {taken.batch} a commit",
        taken.records / taken.took_s,
        "a second",
        floor=taken.records / raw_s,
    )
    report.add("a year of one box", taken.bytes / 1e6, "MB")


def main() -> None:
    with (
        Report() as report,
        tempfile.TemporaryDirectory(prefix="noisewarden-bench-") as made,
    ):
        scratch = Path(made)
        folder, now_s = scratch / "station", int(time.time())
        few, many = (
            floor.mosquitto(scratch / f"mosquitto-{boxes}", boxes, WATCH_S)
            for boxes in (FEW, MANY)
        )
        taken = filled.a_year(folder, now_s)
        last = filled.a_day_each(folder, names(FEW), now_s)
        filled.registered(folder, [*names(FEW), lamp.BOX])
        raw = floor.Raw(folder)
        _starts(report, folder, raw)
        with Serving(folder) as station, station.administrator() as chief:
            ca_pem = station.authority.ca_pem.decode()
            chief.timeout = 60
            with Load(0, FEW, station.port, ca_pem, last) as load:
                load.wait()
                use = Use(load.process.pid)
                _watch(report, station, chief, FEW, 15, few)
                _page(report, station, chief, few)
                _periods(report, chief, raw, now_s)
                _lamp(report, scratch, station, chief)
                filled.registered(folder, names(MANY))
                with Load(FEW, MANY - FEW, station.port, ca_pem) as more:
                    more.wait()
                    _watch(report, station, chief, MANY, None, many)
                    held = chief.get("/api/v1/health").json()["broker"]["boxes"]
                    report.add("boxes that are connected", held, f"of {MANY}")
                report.add(
                    "the load's own process, of the first", 100 * use.cores(), "% of a core"
                )
        _store(report, scratch, taken, raw)


if __name__ == "__main__":
    main()
