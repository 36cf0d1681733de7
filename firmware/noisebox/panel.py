"""What a board file says of its matrix: how its LEDs are chained, and what they may draw.

    current = LEDs · idle_ma + (sum of all channel bytes) / 255 · channel_ma

The idle current flows through the controllers even when all is dark. Both figures differ from part
to part, so they stand in the board file. Apart from `display`, which needs this only when a box
starts.
"""

from array import array

from micropython import const

from noisebox.display import GREEN

_DIGIT_LEDS = const(17)
"""LEDs of the figure 8."""


def seen_size(matrix):
    """(width, height) as the public sees the panel after its rotation."""
    if matrix["rotation"] in (90, 270):
        return matrix["height"], matrix["width"]
    return matrix["width"], matrix["height"]


def budget_bytes(matrix):
    """What all channel bytes may sum to; dimming rounds each up by less than one."""
    leds = matrix["width"] * matrix["height"]
    lit_ma = matrix["budget_ma"] - leds * matrix["idle_ma"]
    return max(0, int(lit_ma * 255 / matrix["channel_ma"]) - 3 * leds)


def least_budget_ma(matrix):
    """The budget in mA below which not even one digit can be lit at full brightness."""
    leds = matrix["width"] * matrix["height"]
    lit_bytes = _DIGIT_LEDS * sum(GREEN) + 3 * leds
    return int(leds * matrix["idle_ma"] + lit_bytes * matrix["channel_ma"] / 255) + 1


def chain(matrix):
    """Where each seen pixel's three bytes begin in the chain, row by row."""
    panel_width, panel_height = matrix["width"], matrix["height"]
    rotation = matrix["rotation"]
    width, height = seen_size(matrix)
    starts = array("H", bytes(2 * width * height))
    for y in range(height):
        for x in range(width):
            column, row = x, y
            if rotation == 90:
                column, row = y, panel_height - 1 - x
            elif rotation == 180:
                column, row = panel_width - 1 - x, panel_height - 1 - y
            elif rotation == 270:
                column, row = panel_width - 1 - y, x
            if matrix["first"].endswith("right"):
                column = panel_width - 1 - column
            if matrix["first"].startswith("bottom"):
                row = panel_height - 1 - row
            line, place, length = row, column, panel_width
            if matrix["lines"] == "columns":
                line, place, length = column, row, panel_height
            if matrix["serpentine"] and line & 1:
                place = length - 1 - place
            starts[y * width + x] = 3 * (line * length + place)
    return starts


def current_ma(matrix, buffer):
    """The estimated current of what `buffer` shows, the bytes of the chain."""
    return len(buffer) // 3 * matrix["idle_ma"] + sum(buffer) * matrix["channel_ma"] / 255
