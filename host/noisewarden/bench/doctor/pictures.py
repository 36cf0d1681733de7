"""Test pictures of a matrix, and what its board file must say when one looks wrong.

All of it is worked out here, with the box's own display; the box only passes the bytes on.
"""

from typing import Any

from noisewarden.firmware import display

COLOURS = {"R": "red", "G": "green", "B": "blue"}
NUMBER = "147"
"""Looks like nothing else when it is turned or mirrored, and fits on every matrix."""

_MOST = 16
"""Of 255: bright enough indoors, and a panel that hangs on the laptop's USB stays alive."""

Matrix = dict[str, Any]
"""The section of a board file."""


def whole(matrix: Matrix, channels: str) -> bytes:
    """Every LED in these channels, within the current budget."""
    leds = matrix["width"] * matrix["height"]
    lit_ma = matrix["budget_ma"] - leds * matrix["idle_ma"]
    level = int(lit_ma * 255 / (matrix["channel_ma"] * leds * len(channels)))
    return _led(matrix, channels, max(1, min(level, _MOST))) * leds


def number(matrix: Matrix) -> bytes:
    """NUMBER, white and upright, as the box shows a text."""
    shown = display.Display(matrix)
    shown.show_text(NUMBER, 0)
    return bytes(shown.buffer)


def lit(matrix: Matrix, **leds: range) -> bytes:
    """A few LEDs by their place in the chain: R=range(3) lights the first three in red."""
    picture = bytearray(3 * matrix["width"] * matrix["height"])
    for channel, places in leds.items():
        for place in places:
            picture[3 * place : 3 * place + 3] = _led(matrix, channel, 4 * _MOST)
    return bytes(picture)


def order(matrix: Matrix, seen: dict[str, str]) -> str:
    """The `colours` that the board file must say, by which colour was seen for each; "" when they
    are not three different ones."""
    if set(seen.values()) != set(COLOURS):
        return ""
    return "".join(seen[channel] for channel in matrix["colours"])


def mounting(first: str, wide: bool, rows: bool, serpentine: bool, matrix: Matrix) -> Matrix:
    """The keys of the board file as a person sees the panel hang, which needs no rotation.

    first       corner of the first LED
    wide        it is wider than high
    rows        the chain begins along a row
    serpentine  its second line begins at the other end
    """
    short, long = sorted((matrix["width"], matrix["height"]))
    return {
        "width": long if wide else short,
        "height": short if wide else long,
        "first": first,
        "lines": "rows" if rows else "columns",
        "serpentine": serpentine,
        "rotation": 0,
    }


def _led(matrix: Matrix, channels: str, level: int) -> bytes:
    return bytes(level if channel in channels else 0 for channel in matrix["colours"])
