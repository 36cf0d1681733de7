"""Takes the screenshots of the station's pages: `make screenshots` (wants Chromium).

The pages, the station and the rooms of the boxes are the real ones; places and levels are made up
(`made_up`). It is eight in the evening there, whatever time it is here.
"""

import io
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from made_up import HISTORY_S, MadeUpBox, louder, street
from noisewarden.database import Database
from noisewarden.demo.square import EVENING_H
from noisewarden.firmware import config as settings
from noisewarden.firmware import flags, wire
from noisewarden.schema import interventions, records, states
from noisewarden.station.plans import Spot
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"

# What serves the pages to a browser here is what does so in the tests.
sys.path.append(str(ROOT / "tests"))
from browser import chromium, log_in  # noqa: E402
from host.station_parts import Line, arrivals  # noqa: E402
from served import Served  # noqa: E402

SQUARE = {"width": 1440, "height": 858}
BOX = {"width": 1366, "height": 1180}
INCIDENT = {"width": 1366, "height": 1160}
PHONE = {"width": 390, "height": 844}
_SCALE = 1.5
_QUALITY = 82

EAST, WEST = "bagu-east-01", "bagu-west-02"
PARK, SCHOOL, MARKET, LANE = "river-park-01", "school-gate-01", "night-market-01", "mill-lane-01"

WORDS: dict[str, dict[str, str]] = {
    "en": {
        EAST: "Bagu Square, east side",
        WEST: "Bagu Square, west side",
        PARK: "River park, pavilion",
        SCHOOL: "Third school, gate",
        MARKET: "Night market, entrance",
        LANE: "Mill Lane 12",
        "officer": "Duty officer",
        "plan": "Old town",
        "dissuade": "Asked the group with the larger loudspeaker to turn it to the river.",
        "dissuaded": "They turned it down at once.",
        "note": "A neighbour says it is louder on Fridays.",
    },
    "zh": {
        EAST: "八鼓广场东侧",
        WEST: "八鼓广场西侧",
        PARK: "滨江公园凉亭",
        SCHOOL: "三中校门口",
        MARKET: "夜市入口",
        LANE: "磨坊巷12号",
        "officer": "值班民警",
        "plan": "老城区",
        "dissuade": "与使用大音箱的一队人沟通，请他们把音箱转向江面。",
        "dissuaded": "对方当即调低了音量。",
        "note": "附近居民反映周五更吵。",
    },
}
LOCALES = {"en": ("en-GB", "en"), "zh": ("zh-CN", "zh-CN")}
"""Of the browser, and in the name of a picture."""

SPOTS = {
    EAST: (0.56, 0.45),
    WEST: (0.34, 0.55),
    PARK: (0.80, 0.78),
    SCHOOL: (0.17, 0.20),
    MARKET: (0.72, 0.16),
    LANE: (0.10, 0.75),
}

SQUARE_DAY = (
    *((0, 47), (5, 45.5), (6.3, 56), (7.5, 63), (9, 60), (12, 61), (13.5, 57), (17.5, 63)),
    *((19, 63), (19.4, 64.5), (21.2, 64.5), (21.6, 54), (22, 50), (24, 47)),
)
QUIET_DAY = ((0, 42), (6, 46), (8, 55), (12, 54), (18, 56), (21, 51), (24, 43))
BUSY_DAY = ((0, 45), (6, 50), (8, 58), (18, 60), (21, 60), (22, 50), (24, 46))

DAY_S = 86_400
CALIBRATED_DAYS = 200
"""So long is the calibration valid yet."""
_AHEAD_S = 600
"""So long may the taking of pictures last."""


def _s(hours: int, minutes: int) -> int:
    return 60 * (60 * hours + minutes)


class Town:
    """The boxes, as they have lived until now, and go on."""

    def __init__(self) -> None:
        self.now_s = int(time.time())
        east_h = (EVENING_H - datetime.fromtimestamp(self.now_s, UTC).hour + 12) % 24 - 12
        self.zone = f"CST{-east_h}"
        self.browser_zone = f"Etc/GMT{-east_h:+}"
        self.yesterday_s = (self.now_s + 3600 * east_h) // DAY_S * DAY_S - 3600 * east_h - DAY_S
        self._calibration = [
            str(datetime.fromtimestamp(self.now_s + days * DAY_S, UTC).date())
            for days in (-165, CALIBRATED_DAYS)
        ]
        self.boxes = {EAST: self._east()}
        self._next = {EAST: self._levels_ahead}
        an_hour_s = self.now_s - 3600
        for number, (box, course) in enumerate(
            ((WEST, SQUARE_DAY), (PARK, BUSY_DAY), (SCHOOL, QUIET_DAY), (MARKET, BUSY_DAY)), 2
        ):
            made = self._made(box, number)
            levels = street(course, EVENING_H - 0.6, 3600 + _AHEAD_S, number)
            if box == WEST:
                levels -= 5
            if box == PARK:
                louder(levels, 3600 - 520, 105, 74.5)
            if box == SCHOOL:
                levels[3600 - 900 :] = float("nan")
            made.start(an_hour_s)
            made.calibrate(*self._calibration)
            made.live(levels[:3600])
            self.boxes[box], self._next[box] = made, iter(levels[3600:])

    def _made(self, box: str, seed: int) -> MadeUpBox:
        return MadeUpBox(_secret(box), {"box": box, "zone": self.zone}, seed)

    def _east(self) -> MadeUpBox:
        """Yesterday with all that a day can have, and today up to a square that is too loud."""
        until_s = self.now_s - self.yesterday_s
        levels = street(SQUARE_DAY, 0, until_s + _AHEAD_S, 1)
        louder(levels, _s(19, 41), 75, 73.5)
        louder(levels, _s(20, 12), 230, 76)
        louder(levels, _s(20, 52), 40, 72.5)
        levels[_s(13, 20) : _s(13, 46)] = float("nan")
        louder(levels, until_s - 130, 130 + _AHEAD_S, 75.5)
        made = self._made(EAST, 1)
        made.start(self.yesterday_s)
        made.calibrate(*self._calibration)
        made.live(levels[: _s(11, 5)])
        made.start(self.yesterday_s + _s(11, 52))
        made.live(levels[_s(11, 52) : _s(16, 10)])
        made.live(levels[_s(16, 10) : _s(17, 0)], flags.WIND)
        made.live(levels[_s(17, 0) : until_s])
        self._levels_ahead = iter(levels[until_s:])
        return made

    def a_second_more(self) -> dict[str, dict[str, Any]]:
        for box, made in self.boxes.items():
            made.live([next(self._next[box])])
        return {box: made.readings[-1] for box, made in self.boxes.items()}


def _secret(box: str) -> bytes:
    return box.encode().ljust(32, b".")


class Clock:
    """The monotonic one, which can be set back."""

    behind_s = 0

    def __call__(self) -> float:
        return time.monotonic() - self.behind_s


@contextmanager
def station(folder: Path, town: Town, language: str) -> Iterator[Served]:
    """It has heard these boxes, and hears them."""
    words = WORDS[language]
    with Database.in_folder(folder) as database, database.transaction() as connection:
        seen = {"box": LANE, "online": False, "seen_s": town.now_s - 1500}
        connection.execute(sql.insert(states).values(seen | {"state": json.dumps({})}))
    clock = Clock()
    with Served(folder, monotonic=clock) as served:
        served.administrator()
        officer = served.account(words["officer"], "officer")
        for box in SPOTS:
            served.add_box(box, words[box])
        plan = served.station.plans.add(words["plan"], _plan())
        for box, (x, y) in SPOTS.items():
            served.station.plans.place(plan.id, Spot(box, x, y))
        for box in town.boxes:
            if box == PARK:
                _intervene(served, town, officer, words)
            _record(served, town, box)
        _configure(served, town)
        over = threading.Event()
        line = Line()

        def remember() -> None:
            for ago in range(HISTORY_S, 0, -1):
                clock.behind_s = ago
                for box, made in town.boxes.items():
                    served.live.take_reading(box, made.readings[-ago])
            clock.behind_s = 0
            for box, made in town.boxes.items():
                served.ways.heard(box, line)
                served.live.take_state(box, _state(made, town))

        def speak() -> None:
            while not over.wait(1):
                for box, reading in town.a_second_more().items():
                    served.soon(served.live.take_reading, box, reading)

        served.soon(remember)
        speaking = threading.Thread(target=speak)
        speaking.start()
        yield served
        over.set()
        speaking.join()


def _state(made: MadeUpBox, town: Town) -> dict[str, Any]:
    return {
        "boot": made.boot,
        "clock": 2,
        "zone": town.zone,
        "firmware": "0.1.0",
        "micropython": "1.28.0",
        "board": "esp32-s3-devkitc-1",
        "reset": "power",
        "uptime_s": 3600,
        "calibrated_until": town.now_s + CALIBRATED_DAYS * DAY_S,
        "signal": -61,
        "outages": 0,
        "heap_free": 41_216,
        "config": settings.digest(made.config),
    }


def _record(served: Served, town: Town, box: str, ago_s: int = 0) -> None:
    """All that a box had recorded so long ago comes to the station, in time but for yesterday."""
    until_s = town.now_s - ago_s
    made = [entry for entry in town.boxes[box].journal if wire.header(entry[1])[4] <= until_s]
    served.store.intake(box, arrivals(made), wire.Key(wire.derive(_secret(box), "journal")))
    c = records.c
    late_s = sql.case((c.unix_s > town.now_s - 3600, 0), else_=DAY_S)
    with served.database.transaction() as connection:
        connection.execute(sql.update(records).values(received_s=c.unix_s + late_s))
    served.incidents.advance(box)


def _intervene(served: Served, town: Town, officer: int, words: dict[str, str]) -> None:
    """The officer has been in the park; the times are made up too."""

    def happens(ago_s: int, kind: str, note: str = "", outcome: str = "") -> None:
        _record(served, town, PARK, ago_s)
        (incident,) = served.incidents.list(box=PARK, wanting=True)
        number = incident["id"]
        if kind == "take":
            served.incidents.take(number, officer)
        else:
            served.incidents.intervene(number, officer, kind, note, outcome)
        i = interventions.c
        with served.database.transaction() as connection:
            connection.execute(
                sql.update(interventions)
                .where(i.incident == number, i.kind == kind)
                .values(at_s=town.now_s - ago_s)
            )

    happens(470, "take")
    happens(420, "dissuade", words["dissuade"], words["dissuaded"])
    happens(290, "note", words["note"])


def _configure(served: Served, town: Town) -> None:
    """The station has set the configuration that the box goes by."""
    given = {"config": town.boxes[EAST].config}
    commander = served.commander
    command = served.run(commander.ask(EAST, "set_config", given, None))
    served.run(commander.answered(EAST, command, True, ""))


def _plan() -> bytes:
    """A map of no town."""
    scale = 2
    picture = Image.new("RGB", (900 * scale, 620 * scale), "#e9e5da")
    draw = ImageDraw.Draw(picture)

    def box(left: float, top: float, right: float, bottom: float, colour: str) -> None:
        corners = [scale * value for value in (left, top, right, bottom)]
        draw.rounded_rectangle(corners, 8 * scale, fill=colour)

    for across in (60, 330, 640, 880):
        box(across - 26, -20, across + 4, 640, "#ffffff")
    for down in (30, 220, 400, 600):
        box(-20, down - 18, 920, down + 10, "#ffffff")
    box(90, 250, 300, 375, "#d9d2c3")
    box(350, 250, 600, 375, "#f2dfc1")
    box(90, 55, 300, 195, "#d9d2c3")
    box(350, 55, 600, 195, "#d3dcd0")
    box(660, 55, 850, 195, "#d9d2c3")
    box(660, 250, 850, 375, "#d9d2c3")
    box(90, 430, 600, 570, "#d9d2c3")
    box(660, 430, 920, 640, "#cfe0c3")
    draw.line(
        [(scale * x, scale * y) for x, y in ((600, 640), (700, 560), (920, 520))],
        "#a9c8dd",
        46 * scale,
        "curve",
    )
    for x, y in ((380, 275), (565, 275), (380, 350), (565, 350), (700, 470), (760, 455)):
        draw.ellipse(
            [scale * (x - 11), scale * (y - 11), scale * (x + 11), scale * (y + 11)], "#9dbf8e"
        )
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def shots(browser: Any, served: Served, town: Town, language: str) -> None:
    words = WORDS[language]
    locale, suffix = LOCALES[language]
    yesterday = datetime.fromtimestamp(town.yesterday_s + DAY_S // 2, UTC).date()
    (incident,) = served.incidents.list(box=PARK, wanting=True)
    square_theme = {"zh": "light", "en": "dark"}[language]

    @contextmanager
    def page(size: dict[str, int], theme: str, **more: Any) -> Iterator[Any]:
        opened = browser.new_context(
            base_url=served.url,
            locale=locale,
            timezone_id=town.browser_zone,
            viewport=size,
            device_scale_factor=_SCALE,
            color_scheme=theme,
            reduced_motion="reduce",
            **more,
        )
        made = opened.new_page()
        made.goto("/account")
        log_in(made, words["officer"])
        yield made
        opened.close()

    def take(made: Any, name: str, path: str, ready: str) -> None:
        made.goto(path)
        made.wait_for_selector(ready)
        made.wait_for_timeout(2500)
        target = FOLDER / f"station-{name}.{suffix}.webp"
        with Image.open(io.BytesIO(made.screenshot())) as picture:
            picture.save(target, quality=_QUALITY, method=6)
        print(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1024} KB", flush=True)

    with page(SQUARE, square_theme) as made:
        take(made, "square", "/", ".tile .led")
    with page(PHONE, "light", is_mobile=True, has_touch=True) as made:
        take(made, "phone", "/", ".tile .led")
    with page(BOX, "light") as made:
        take(made, "box", f"/boxes/{EAST}?span=day&date={yesterday}", "[data-day=picture] .laeq")
    with page(INCIDENT, "light") as made:
        take(made, "incident", f"/incidents/{incident['id']}", "[data-picture] .laeq")


def main() -> None:
    with chromium() as browser:
        for language in WORDS:
            town = Town()
            with (
                tempfile.TemporaryDirectory() as folder,
                station(Path(folder) / "station", town, language) as served,
            ):
                shots(browser, served, town, language)


if __name__ == "__main__":
    main()
