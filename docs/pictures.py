"""Makes the pictures of the documentation: `python docs/pictures.py [FOLDER]`, or `make pictures`.

What a matrix shows and how an evening goes comes from the firmware itself, run in virtual time;
the plan of the house is drawn here. The same firmware gives the same bytes: a test compares them.
"""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, pairwise, product
from pathlib import Path
from typing import Any

from noisewarden import boards
from noisewarden.firmware import wire
from noisewarden.virtual import flash, sound, sources
from noisewarden.virtual.fast import run_fast
from noisewarden.virtual.replay import virtual_board
from noisewarden.virtual.screen import Screen
from svg import INK, PALE, Svg
from wiring import wiring

FOLDER = Path(__file__).resolve().parent / "pictures"

EVENING = datetime(2026, 6, 1, 20, tzinfo=UTC)
SCENE_S = 300
CLIPPING_GAIN = 400
"""52 dB: the square, as if its dancers stood in the microphone."""

GREEN, RED, LIT = "#1a7f37", "#cf222e", "#f2b705"
STAGE_COLOURS = ("#d8dee4", "#f4d58d", "#f0a35e", "#ff8182")

WORDS = {
    "en": {
        "within": "within the limit",
        "lit": "over the limit, spotlight lit",
        "no level": "no level: the line is silent",
        "overload": "overload: more than the microphone takes",
        "title": "The scene “square”, as the box measured, showed and answered it",
        "limit": "limit",
        "stage": "stage",
        "stages": ("within", "reminder", "spotlight", "referral"),
        "lamp": "lamp",
    },
    "zh-CN": {
        "within": "未超限值",
        "lit": "超过限值，聚光灯已亮",
        "no level": "无声级：传声器线路无信号",
        "overload": "过载：超出传声器量程",
        "title": "“square”场景：测得的声级、显示的颜色与处置阶段",
        "limit": "限值",
        "stage": "阶段",
        "stages": ("未超限", "提醒", "聚光灯", "转警处置"),
        "lamp": "灯",
    },
}


@dataclass(frozen=True)
class Second:
    """A second of a box: the reading that it published and the bytes on its matrix."""

    reading: dict[str, Any]
    grb: str


def play(board: dict[str, Any], frames: sound.Frames) -> list[Second]:
    """What the firmware of a box makes of a sound that begins at eight in the evening."""
    drawn: dict[int, str] = {}

    def take(event: dict[str, Any]) -> None:
        if event["event"] == "matrix":
            drawn[event["t"] // 1000 - 1] = event["grb"]

    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "flash"
        flash.fill(files, board, {"zone": "UTC0"})
        lines = list(run_fast(files, frames, unix_s=int(EVENING.timestamp()), on_event=take))
    messages = filter(None, map(wire.parse_line, lines))
    readings = [payload for topic, payload in messages if topic.endswith("/reading")]
    return [Second(reading, drawn[reading["n"]]) for reading in readings]


def _louder(blocks: Iterable[sound.Samples]) -> Iterator[sound.Samples]:
    for block in blocks:
        yield block * CLIPPING_GAIN


def _panel(picture: Svg, left: float, top: float, screen: Screen, lamp: bool) -> None:
    pitch = 11
    width, height = screen.width * pitch + 10, screen.height * pitch + 10
    picture.rect(left, top, width, height, "#0d1117", 'rx="6"')
    for x, y in product(range(screen.width), range(screen.height)):
        place = f'cx="{left + 5 + (x + 0.5) * pitch:g}" cy="{top + 5 + (y + 0.5) * pitch:g}"'
        if not any(screen.pixel(x, y)):
            picture.add(f'<circle {place} r="3" fill="#1f242b"/>')
            continue
        # A tenth of an LED's current is bright, a tenth of a screen's colour is black.
        seen = ",".join(str(round(255 * (part / 255) ** 0.45)) for part in screen.pixel(x, y))
        picture.add(f'<circle {place} r="7" fill="rgb({seen})" opacity="0.25"/>')
        picture.add(f'<circle {place} r="4" fill="rgb({seen})"/>')
    x, y = left + width + 22, top + 20
    if lamp:
        beam = f"M{x:g},{y:g} l22,70 h-44 z"
        picture.add(f'<path d="{beam}" fill="{LIT}" opacity="0.35"/>')
    picture.rect(x - 8, y - 10, 16, 18, LIT if lamp else "#57606a", f'rx="4" stroke="{INK}"')


def faces(board: dict[str, Any], evening: list[Second]) -> dict[str, Second]:
    """A second for each of the four things that a box can show, by its name in WORDS."""
    silent = play(board, sound.silent(sources.scene("square", 3).frames()))
    clipping = play(board, sound.frames(_louder(sources.scene("square", 3).samples)))
    return {
        "within": _first(evening, shown="64", spotlight=False),
        "lit": _first(evening, shown="78", spotlight=True),
        "no level": _first(silent, shown="--"),
        "overload": _first(clipping, shown="HI"),
    }


def _first(seconds: list[Second], **wanted: Any) -> Second:
    """The first one after the warm-up whose reading holds what is wanted."""
    return next(s for s in seconds[1:] if wanted.items() <= s.reading.items())


def matrix(board: dict[str, Any], shown: dict[str, Second], words: dict[str, Any]) -> Svg:
    """What the public sees of each of `faces`: the matrix, and the lamp beside it."""
    picture = Svg(860, 290)
    for n, (name, second) in enumerate(shown.items()):
        screen = Screen(board)
        screen.take({"event": "matrix", "grb": second.grb})
        left, top = 20 + n % 2 * 425, 15 + n // 2 * 138
        _panel(picture, left, top, screen, second.reading["spotlight"])
        picture.text(left, top + 116, words[name])
    return picture


def course(evening: list[Second], words: dict[str, Any]) -> Svg:
    """LAeq,1s against the limit, with stage and lamp beneath."""
    left, right, top, low_db, high_db, per_db = 50, 880, 40, 55, 85, 8
    bottom = top + (high_db - low_db) * per_db

    def x(second: float) -> float:
        return round(left + second * (right - left) / SCENE_S, 1)

    def y(level_db: float) -> float:
        return round(top + (high_db - level_db) * per_db, 1)

    picture = Svg(900, 375)
    picture.text(left, 24, words["title"], 'font-weight="bold"')
    for level_db in range(low_db, high_db + 1, 5):
        picture.line([(left, y(level_db)), (right, y(level_db))], "#eaeef2")
        picture.text(left - 8, y(level_db) + 4, str(level_db), 'text-anchor="end"')
    picture.text(left + 4, top + 12, "LAeq,1s, dB", f'style="fill:{PALE}"')
    for second in range(0, SCENE_S + 1, 60):
        picture.line([(x(second), top), (x(second), bottom)], "#eaeef2")
        picture.text(x(second), bottom + 18, f"{second} s", 'text-anchor="middle"')
    levels = [s.reading for s in evening if s.reading["laeq"] is not None]
    picture.line([(x(r["n"] + 0.5), y(r["laeq"])) for r in levels], "#afb8c1")
    for r in levels:
        colour = {"green": GREEN, "red": RED}[r["colour"]]
        place = f'cx="{x(r["n"] + 0.5):g}" cy="{y(r["laeq"]):g}"'
        picture.add(f'<circle {place} r="2.2" fill="{colour}"/>')
    limit = [(x(r["n"] + end), y(r["limit"])) for r in levels for end in (0, 1)]
    picture.line(limit, INK, 'stroke-dasharray="6 4"')
    picture.text(right, y(levels[-1]["limit"]) - 6, words["limit"], 'text-anchor="end"')
    band = bottom + 30
    picture.text(left - 8, band + 16, words["stage"], 'text-anchor="end"')
    for stage, start, end in _runs(evening, "stage"):
        picture.rect(x(start), band, x(end) - x(start), 24, STAGE_COLOURS[stage])
        if end - start >= 20:
            picture.text(x(start) + 4, band + 16, words["stages"][stage], 'font-size="12"')
    picture.text(left - 8, band + 42, words["lamp"], 'text-anchor="end"')
    for lit, start, end in _runs(evening, "spotlight"):
        picture.rect(x(start), band + 30, x(end) - x(start), 14, LIT if lit else "#eaeef2")
    return picture


def _runs(evening: list[Second], name: str) -> Iterator[tuple[Any, int, int]]:
    """(value, first second, second after the last) of each stretch with the same value."""
    for value, run in groupby(evening, lambda second: second.reading[name]):
        seconds = [second.reading["n"] for second in run]
        yield value, seconds[0], seconds[-1] + 1


WORLD, EDGE, PURE, HOST = "#ffffff", "#ddf4ff", "#dafbe1", "#fff8c5"

HOUSE: dict[str, tuple[int, int, int, int, str, tuple[str, ...]]] = {
    "sound": (15, 200, 110, 50, WORLD, ("sound", "I2S microphone")),
    "ear": (150, 185, 110, 80, EDGE, ("microphone", "hal", "losses")),
    "meter": (285, 185, 130, 80, PURE, ("meter", "kernels", "coefficients", "statistics")),
    "box": (450, 185, 150, 80, PURE, ("box", "flags")),
    "policy": (450, 310, 150, 80, PURE, ("policy", "schedule, zone", "timetable, posix_tz")),
    "root": (450, 40, 150, 80, EDGE, ("app, service", "start", "setup, uplink", "health")),
    "asked": (
        *(235, 32, 180, 96, PURE),
        (
            "commands, orders",
            "upload, backoff",
            "clock, safemode, retained",
            "config, calibration, checked",
        ),
    ),
    "spotlight": (655, 40, 110, 50, PURE, ("spotlight",)),
    "display": (655, 135, 110, 50, PURE, ("display", "panel, fonts")),
    "links": (655, 213, 110, 84, EDGE, ("links, wire", "station_link", "station, mqtt", "wifi")),
    "journal": (655, 340, 110, 50, PURE, ("journal", "wire")),
    "lamp": (815, 40, 125, 50, WORLD, ("relay, lamp", "through hal")),
    "matrix": (815, 135, 125, 50, WORLD, ("WS2812 matrix", "through hal")),
    "console": (815, 230, 125, 50, WORLD, ("USB console", "WiFi: broker")),
    "flash": (815, 340, 125, 50, WORLD, ("flash", "LittleFS")),
    "boards": (150, 455, 110, 60, HOST, ("boards", "pins, parts")),
    "acoustics": (285, 455, 130, 60, HOST, ("acoustics", "designs the filters")),
    "virtual": (450, 455, 150, 60, HOST, ("virtual", "plays the white boxes")),
    "collect": (815, 455, 125, 60, HOST, ("collect", "evidence, store")),
}
"""Left, top, width, height, colour, and the lines in it: rooms that work together."""

WAYS = (
    "sound ear meter box policy",
    "asked root box",
    "box spotlight lamp",
    "box display matrix",
    "box links console",
    "box journal flash",
    "journal links",
    "boards ear",
    "acoustics meter",
)
"""What flows from where to where."""


def house() -> Svg:
    """The rooms of the firmware, and the way of a second through them."""
    picture = Svg(965, 530)
    tip = f'refX="7" refY="4" orient="auto"><path d="M0,0 8,4 0,8z" fill="{PALE}"/>'
    picture.add(f'<marker id="tip" markerWidth="8" markerHeight="8" {tip}</marker>')
    for way in WAYS:
        for frm, to in pairwise(way.split()):
            picture.line(_between(HOUSE[frm], HOUSE[to]), PALE, 'marker-end="url(#tip)"')
    # From the console the way goes around the flash.
    around = [(940, 255), (953, 255), (953, 485), (941, 485)]
    picture.line(around, PALE, 'marker-end="url(#tip)"')
    for left, top, width, height, colour, lines in HOUSE.values():
        picture.rect(left, top, width, height, colour, f'rx="6" stroke="{PALE}"')
        for n, words in enumerate(lines):
            style = 'font-weight="bold"' if n == 0 else 'font-size="11"'
            y = top + height / 2 + 5 + 17 * (n - (len(lines) - 1) / 2)
            picture.text(left + width / 2, y, words, f'text-anchor="middle" {style}')
    kinds = {PURE: "pure", EDGE: "edge: time, chip", HOST: "host", WORLD: "world"}
    for n, (colour, words) in enumerate(kinds.items()):
        picture.rect(15, 20 + 24 * n, 16, 16, colour, f'stroke="{PALE}"')
        picture.text(38, 33 + 24 * n, words)
    return picture


def _between(frm: tuple[Any, ...], to: tuple[Any, ...]) -> list[tuple[float, float]]:
    """From edge to edge: sideways when there is room between the two, else up or down."""
    (left, top, width, height), (x, y, w, h) = frm[:4], to[:4]
    if left + width <= x:
        return [(left + width, top + height / 2), (x, y + h / 2)]
    middle = (max(left, x) + min(left + width, x + w)) / 2
    return [(middle, top + height), (middle, y)] if top < y else [(middle, top), (middle, y + h)]


def pictures() -> dict[str, str]:
    """All pictures by the names of their files."""
    board = virtual_board()
    evening = play(board, sources.scene("square", SCENE_S).frames())
    shown = faces(board, evening)
    made = {"house.svg": str(house())}
    for language, words in WORDS.items():
        made[f"matrix.{language}.svg"] = str(matrix(board, shown, words))
        made[f"square.{language}.svg"] = str(course(evening, words))
        for soldered in boards.load_all():
            if soldered["chip"] != "virtual":
                made[f"wiring.{soldered['board']}.{language}.svg"] = str(
                    wiring(soldered, language)
                )
    return made


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if sys.argv[1:] else FOLDER
    for name, picture in pictures().items():
        (folder / name).write_text(picture, encoding="utf-8")
