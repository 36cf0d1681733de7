"""A picture in SVG, written element by element."""

from collections.abc import Iterable
from html import escape

INK, PALE, PAPER = "#24292f", "#6e7781", "#ffffff"


class Svg:
    """A picture of `width` × `height` px."""

    def __init__(self, width: int, height: int) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="sans-serif" font-size="13">'
        ]
        self.rect(0, 0, width, height, PAPER)

    def add(self, element: str) -> None:
        self._parts.append(element)

    def rect(self, x: float, y: float, w: float, h: float, fill: str, more: str = "") -> None:
        self.add(f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" fill="{fill}" {more}/>')

    def line(self, points: Iterable[tuple[float, float]], colour: str, more: str = "") -> None:
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self.add(f'<polyline points="{path}" fill="none" stroke="{colour}" {more}/>')

    def text(self, x: float, y: float, words: str, more: str = "") -> None:
        self.add(f'<text x="{x:g}" y="{y:g}" fill="{INK}" {more}>{escape(words)}</text>')

    def __str__(self) -> str:
        return "\n".join([*self._parts, "</svg>", ""])
