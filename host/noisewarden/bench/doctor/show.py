"""What the box shows: the colours and the order of its matrix, and its spotlight's relay.

Only a person can see it. Each wrong answer leads to the key of the board file that is wrong.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from noisewarden.bench.doctor import pictures
from noisewarden.bench.doctor.check import Check, failed, passed, skipped, warned
from noisewarden.bench.doctor.prompt import Prompt
from noisewarden.bench.doctor.technician import Technician, nobody_asked

LIT_S = 5

_DARK = "d"
_YES_NO = {"y": "yes", "n": "no"}
_COLOURS = {"r": "red", "g": "green", "b": "blue", "o": "another", _DARK: "nothing is lit"}
_WHITE = {
    "y": "white all over",
    "e": "white at one end and reddish at the other",
    "p": "a part of it stays dark or flickers",
}
_CORNERS = {
    "tl": "top-left",
    "tr": "top-right",
    "bl": "bottom-left",
    "br": "bottom-right",
}
_ELSEWHERE = {"o": "elsewhere"}

Draw = Callable[[bytes], None]


def checks(prompt: Prompt, board: dict[str, Any], technician: Technician) -> Iterator[Check]:
    """Of a box at its prompt, with this board file's firmware on it."""
    if not technician.there:
        yield from map(nobody_asked, ("colours", "order", "relay"))
        return
    yield from matrix(lambda picture: prompt.draw(board, picture), board, technician)
    yield _relay(prompt, board, technician)


def matrix(draw: Draw, board: dict[str, Any], technician: Technician) -> Iterator[Check]:
    colours = _colours(draw, board, technician)
    yield colours
    if colours.state == "fail" and "dark" in colours.found:
        yield skipped("order", "not tried on a dark matrix", "mend that first")
    else:
        yield _order(draw, board, technician)
    draw(bytes(3 * board["matrix"]["width"] * board["matrix"]["height"]))


def _colours(draw: Draw, board: dict[str, Any], technician: Technician) -> Check:
    name, keys = "colours", board["matrix"]
    seen = {}
    for channel in pictures.COLOURS:
        draw(pictures.whole(keys, channel))
        answer = technician.ask("What colour is the whole matrix?", _COLOURS)
        if answer == _DARK:
            return failed(
                name,
                "the matrix stays dark",
                f"check its 5 V and GND, and DIN at GPIO {board['pins']['matrix']} through the "
                "level shifter; the arrows on the panel point away from DIN",
            )
        seen[channel] = answer.upper()
    if all(channel == colour for channel, colour in seen.items()):
        return _white(draw, board, technician)
    shown = ", ".join(
        f"{pictures.COLOURS[channel]} looks {_COLOURS[colour.lower()]}"
        for channel, colour in seen.items()
        if channel != colour
    ).replace("another", "otherwise")
    if colours := pictures.order(keys, seen):
        return failed(name, shown, _write(board, {"colours": colours}))
    return failed(
        name,
        shown,
        "check the level shifter and GND between board and panel; LEDs with a fourth, white "
        "channel do not fit, take WS2812",
    )


def _white(draw: Draw, board: dict[str, Any], technician: Technician) -> Check:
    name, keys = "colours", board["matrix"]
    draw(pictures.whole(keys, "".join(pictures.COLOURS)))
    match technician.ask("And now?", _WHITE):
        case "e":
            return warned(
                name,
                "white turns reddish along the chain, so its supply drops",
                "feed 5 V at both ends with thicker wire, or a lower budget_ma in the board file",
            )
        case "p":
            return failed(
                name,
                "a part of the matrix does not light",
                f"check that it has {keys['width']} × {keys['height']} LEDs as the board file "
                "says, and the solder joint before the first dark LED",
            )
    return passed(name, f"red, green, blue and white, {keys['colours']}")


def _order(draw: Draw, board: dict[str, Any], technician: Technician) -> Check:
    name, keys = "order", board["matrix"]
    draw(pictures.number(keys))
    question = f"Is it {pictures.NUMBER}, upright and easy to read?"
    if technician.ask(question, _YES_NO) == "y":
        return passed(name, f"{pictures.NUMBER} is upright")
    found = f"{pictures.NUMBER} is turned, mirrored or scrambled"
    draw(pictures.lit(keys, R=range(1)))
    corner = technician.ask("In which corner is the one LED that is lit?", _CORNERS | _ELSEWHERE)
    if corner in _ELSEWHERE:
        return failed(
            name,
            f"{found}, and its chain does not begin in a corner",
            "wire DIN to the panel's own DIN, not to its middle or its DOUT",
        )
    wide = technician.ask("Is the matrix wider than high, as it hangs?", _YES_NO) == "y"
    draw(pictures.lit(keys, R=range(min(keys["width"], keys["height"]))))
    along = technician.ask("How do the LEDs stand?", {"r": "in a row", "c": "in a column"})
    width, height = sorted((keys["width"], keys["height"]), reverse=wide)
    second = width if along == "r" else height
    draw(pictures.lit(keys, B=range(1), R=range(second, second + 1)))
    beside = technician.ask("Is the red LED right beside the blue one?", _YES_NO) == "y"
    true = pictures.mounting(_CORNERS[corner], wide, along == "r", not beside, keys)
    if changes := {key: value for key, value in true.items() if keys[key] != value}:
        return failed(name, found, _write(board, changes))
    return warned(
        name,
        f"{found}, yet all answers are as the board file says",
        "look again: run doctor --only show",
    )


def _relay(prompt: Prompt, board: dict[str, Any], technician: Technician) -> Check:
    name, pin = "relay", board["pins"]["relay"]
    technician.ready(f"look at the spotlight: it lights for {LIT_S} s, up to a minute from now")
    if why := prompt.light(board, LIT_S):
        return skipped(name, f"not tried, the lamp may not light: {why}", "come back in an hour")
    answers = {
        "y": "it clicked and lit, and is out again",
        "c": "it clicked, no light",
        "i": "it was lit before and after, and dark in between",
        "n": "nothing at all",
    }
    match technician.ask("What did the spotlight do?", answers):
        case "y":
            return passed(name, f"lit for {LIT_S} s, GPIO {pin}")
        case "c":
            return failed(
                name,
                "clicks, and the lamp stays dark",
                "check the lamp, its supply, and that it is wired to COM and NO of the relay",
            )
        case "i":
            return failed(
                name,
                "works the wrong way round",
                "wire the lamp to COM and NO; if it is, "
                + _write(board, {"active_high": not board["relay"]["active_high"]}, "relay"),
            )
    return failed(
        name, "does nothing", f"check its IN at GPIO {pin}, its supply, and GND between both"
    )


def _write(board: dict[str, Any], changes: dict[str, Any], section: str = "matrix") -> str:
    """What to write into the board file. JSON writes these values as TOML does."""
    lines = ", ".join(f"{key} = {json.dumps(value)}" for key, value in changes.items())
    return f"write {lines} under [{section}] of {board['board']}.toml, and deploy again"
