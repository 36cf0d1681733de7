"""How a box is wired, drawn from its board file, so that the picture has the pins that it has."""

import math
from typing import Any

from svg import INK, PALE, PAPER, Svg

WORDS = {
    "en": {
        "title": "Wiring of {title}",
        "microphone": "microphone {name}",
        "matrix": "matrix, WS2812 {width} × {height}",
        "shifter": "level shifter",
        "relay": "relay, on when {level}",
        "high": "high",
        "low": "low",
        "button": "button",
        "led": "status LED",
        "supply": "5 V supply, {amperes} A or more",
        "spotlight": "spotlight",
        "usb": "USB to the laptop",
        "held": "held at power-up: safe mode",
        "left": "to GND: left slot",
        "notes": (
            "All GND are joined. The matrix has 5 V from the supply, never through the board.",
            "A capacitor of 1000 µF at the matrix between 5 V and GND.",
            "The spotlight hangs on the relay's normally open contact; mains is an electrician's.",
            "At the bench the board is fed by USB or by the supply's 5 V at its 5V pin.",
        ),
    },
    "zh-CN": {
        "title": "接线图：{title}",
        "microphone": "传声器 {name}",
        "matrix": "点阵屏，WS2812 {width} × {height}",
        "shifter": "电平转换",
        "relay": "继电器，{level}电平吸合",
        "high": "高",
        "low": "低",
        "button": "按钮",
        "led": "状态指示灯",
        "supply": "5 V 电源，不小于 {amperes} A",
        "spotlight": "聚光灯",
        "usb": "USB 接笔记本电脑",
        "held": "上电时按住：安全模式",
        "left": "接 GND：左声道",
        "notes": (
            "所有 GND 相连。点阵屏的 5 V 直接取自电源，不经过开发板。",
            "点阵屏处 5 V 与 GND 之间并联 1000 µF 电容。",
            "聚光灯接在继电器的常开触点上；市电部分由电工施工。",
            "在工作台上，开发板由 USB 供电，或由电源的 5 V 接其 5V 引脚供电。",
        ),
    },
}

RAILS = {"3.3 V": "#bc4c00", "5 V": "#cf222e", "GND": "#24292f"}
SIGNALS = {
    "sck": "#0969da",
    "ws": "#8250df",
    "sd": "#1a7f37",
    "button": "#9a6700",
    "led": "#bf3989",
    "matrix": "#0550ae",
    "relay": "#116329",
}
BOARD_MA = 500
"""What a board with its radio takes at most, beside the matrix."""

LEFT, RIGHT, TOP, BOTTOM = 370, 560, 60, 470
PART_LEFT, PART_RIGHT = 230, 700
"""Where the parts on either side end that face the board."""


def wiring(board: dict[str, Any], language: str) -> Svg:
    """The board in the middle; what it hears and is asked by to the right, what it does to the
    left."""
    words = WORDS[language]
    pins = board["pins"]
    picture = Svg(960, 590)
    picture.text(20, 30, words["title"].format(**board), 'font-weight="bold" font-size="16"')
    _box(picture, LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP, board["board"])
    picture.text((LEFT + RIGHT) / 2, BOTTOM - 12, words["usb"], f'{CENTRE} font-size="11"')

    heard = words["microphone"].format(name=board["microphone"])
    _box(picture, PART_RIGHT, 80, 200, 190, heard)
    for y, role, name in (
        (120, "sck", "SCK · BCLK"),
        (150, "ws", "WS · LRCL"),
        (180, "sd", "SD · DOUT"),
    ):
        _wire(picture, role, pins[role], y, PART_RIGHT)
        picture.text(PART_RIGHT + 8, y + 4, name)
    _tag(picture, RIGHT + 30, 180, "GND", 24, "100 kΩ")
    for y, rail, name in (
        (205, "3.3 V", "VDD"),
        (230, "GND", "GND"),
        (255, "GND", f"L/R {words['left']}"),
    ):
        picture.text(PART_RIGHT + 8, y + 4, name, 'font-size="12"')
        _rail(picture, PART_RIGHT - 46, y, rail, PART_RIGHT)

    _box(picture, PART_RIGHT, 300, 200, 60, words["button"])
    picture.text(PART_RIGHT + 8, 350, words["held"], 'font-size="11"')
    _wire(picture, "button", pins["button"], 335, PART_RIGHT)
    _rail(picture, PART_RIGHT + 206, 335, "GND", PART_RIGHT + 200)
    _box(picture, PART_RIGHT, 390, 200, 50, words["led"])
    _wire(picture, "led", pins["led"], 420, PART_RIGHT, "1 kΩ")
    _rail(picture, PART_RIGHT + 206, 420, "GND", PART_RIGHT + 200)

    _box(picture, 30, 80, 200, 120, words["matrix"].format(**board["matrix"]))
    _wire(picture, "matrix", pins["matrix"], 120, PART_LEFT, "74AHCT125", words["shifter"])
    picture.text(PART_LEFT - 8, 124, "330 Ω  DIN", 'text-anchor="end"')
    for y, rail in ((150, "5 V"), (180, "GND")):
        picture.text(PART_LEFT - 8, y + 4, rail, 'text-anchor="end"')
        _rail(picture, PART_LEFT + 6, y, rail, PART_LEFT)

    high = board["relay"]["active_high"]
    level = words["high" if high else "low"]
    _box(picture, 30, 235, 200, 120, words["relay"].format(level=level))
    _wire(picture, "relay", pins["relay"], 275, PART_LEFT)
    _tag(picture, LEFT - 45, 275, "GND" if high else "3.3 V", 24, "10 kΩ")
    picture.text(PART_LEFT - 8, 279, "IN", 'text-anchor="end"')
    for y, rail, name in ((305, "5 V", "VCC"), (335, "GND", "GND")):
        picture.text(PART_LEFT - 8, y + 4, name, 'text-anchor="end"')
        _rail(picture, PART_LEFT + 6, y, rail, PART_LEFT)
    picture.text(40, 309, "COM, NO", 'font-size="12"')
    picture.line([(66, 316), (66, 392)], PALE, 'stroke-width="2" stroke-dasharray="5 3"')
    _box(picture, 30, 392, 110, 34, words["spotlight"])

    budget_ma = board["matrix"]["budget_ma"] + BOARD_MA
    amperes = math.ceil(budget_ma / 1000)
    _box(picture, 160, 392, 190, 78, words["supply"].format(amperes=amperes))
    _rail(picture, 172, 448, "5 V")
    _rail(picture, 232, 448, "GND")
    _rail(picture, LEFT + 24, 400, "5 V")
    _rail(picture, LEFT + 84, 400, "3.3 V")
    _rail(picture, LEFT + 54, 430, "GND")
    for n, note in enumerate(words["notes"]):
        picture.text(30, 505 + 20 * n, f"{n + 1}. {note}", 'font-size="12"')
    return picture


CENTRE = 'text-anchor="middle"'


def _box(picture: Svg, x: float, y: float, width: float, height: float, title: str) -> None:
    picture.rect(x, y, width, height, "#f6f8fa", f'rx="6" stroke="{INK}"')
    picture.text(x + width / 2, y + 20, title, f'{CENTRE} font-weight="bold" font-size="12"')


def _wire(picture: Svg, role: str, pin: int, y: float, part: float, *through: str) -> None:
    """From a pin of the board to a part on either side; what is in the wire stands on it."""
    edge = RIGHT if part > RIGHT else LEFT
    colour = SIGNALS[role]
    picture.line([(edge, y), (part, y)], colour, 'stroke-width="3"')
    inside, anchor = (edge - 8, "end") if part > RIGHT else (edge + 8, "start")
    picture.text(inside, y + 4, f"GPIO {pin}", f'text-anchor="{anchor}" font-weight="bold"')
    if through:
        middle = (edge + part) / 2
        picture.rect(middle - 40, y - 12, 80, 24, PAPER, f'rx="4" stroke="{colour}"')
        picture.text(middle, y + 4, through[0], f'{CENTRE} font-size="11"')
    for words in through[1:]:
        picture.text((edge + part) / 2, y - 18, words, f'{CENTRE} font-size="11"')


def _rail(picture: Svg, x: float, y: float, rail: str, part: float | None = None) -> None:
    """A tag with the name of a supply; tags of one name are one wire."""
    if part is not None:
        picture.line([(x, y), (part, y)], RAILS[rail], 'stroke-width="3"')
    picture.rect(x, y - 9, 40, 18, RAILS[rail], 'rx="4"')
    picture.add(
        f'<text x="{x + 20:g}" y="{y + 4:g}" fill="{PAPER}" {CENTRE} font-size="11">{rail}</text>'
    )


def _tag(picture: Svg, x: float, y: float, rail: str, below: float, resistor: str) -> None:
    """A resistor from a wire down to a rail."""
    picture.line([(x, y), (x, y + below)], RAILS[rail], 'stroke-width="2"')
    picture.text(x + 6, y + below - 6, resistor, 'font-size="11"')
    _rail(picture, x - 20, y + below + 8, rail)
