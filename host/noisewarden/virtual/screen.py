"""The matrix and the lamp of a virtual box, drawn in colour for a terminal."""

from typing import Any

from rich.text import Text

from noisewarden.firmware import panel
from noisewarden.virtual.supervisor import Event

_UPPER_HALF = "▀"
_DARK = "rgb(24,24,24)"
"""An LED that is off still shows its place."""


class Screen:
    """What a box shows, from its events. `text()` draws it, two rows of LEDs in a line of text."""

    def __init__(self, board: dict[str, Any]) -> None:
        matrix = board["matrix"]
        self.width, self.height = panel.seen_size(matrix)
        self._starts = panel.chain(matrix)
        self._order = [matrix["colours"].index(colour) for colour in "RGB"]
        self._chain = bytes(3 * len(self._starts))
        self.lamp = False

    def take(self, event: Event) -> bool:
        """Notes an event; True when it changed what is seen."""
        if event["event"] == "matrix":
            chain = bytes.fromhex(event["grb"])
            changed, self._chain = chain != self._chain, chain
            return changed
        if event["event"] == "relay":
            self.lamp = event["on"]
            return True
        return False

    def pixel(self, x: int, y: int) -> tuple[int, int, int]:
        """Red, green and blue (0–255) of a pixel as the public sees it, from the top left."""
        start = self._starts[y * self.width + x]
        red, green, blue = (self._chain[start + place] for place in self._order)
        return red, green, blue

    def text(self) -> Text:
        drawing = Text()
        for y in range(0, self.height, 2):
            for x in range(self.width):
                upper = _shown(self.pixel(x, y))
                lower = _shown(self.pixel(x, y + 1)) if y + 1 < self.height else "default"
                drawing.append(_UPPER_HALF, style=f"{upper} on {lower}")
            drawing.append("\n")
        if self.lamp:
            drawing.append("☀ SPOTLIGHT LIT", style="bold black on bright_yellow")
        else:
            drawing.append("○ spotlight dark", style="dim")
        return drawing


def _shown(colour: tuple[int, int, int]) -> str:
    if not any(colour):
        return _DARK
    # LEDs at a tenth of their current are bright; a terminal's colour at a tenth is black.
    red, green, blue = (round(255 * (channel / 255) ** 0.45) for channel in colour)
    return f"rgb({red},{green},{blue})"
