"""The letters of the box's matrix for a page: the very glyphs that the firmware draws."""

from dataclasses import dataclass
from functools import cache

from noisewarden.firmware import fonts

CHARACTERS = "0123456789-HI"
"""Of numbers, dashes and overload; a text is shown as plain text."""


@dataclass(frozen=True)
class Glyph:
    """`name` is that of its <symbol>; `leds` are (column, row) of what is lit."""

    name: str
    width: int
    height: int
    leds: tuple[tuple[int, int], ...]


@cache
def glyphs() -> tuple[Glyph, ...]:
    """Those of the large font and, named with an s, the small digits of the limit."""
    large = [
        _glyph(
            f"led-{character}",
            [fonts.column(character, n) for n in range(fonts.width(character))],
            fonts.HEIGHT,
        )
        for character in CHARACTERS
    ]
    small = [
        _glyph(
            f"led-s{digit}",
            [fonts.small_column(digit, n) for n in range(fonts.SMALL_WIDTH)],
            fonts.SMALL_HEIGHT,
        )
        for digit in range(10)
    ]
    return (*large, *small)


def _glyph(name: str, columns: list[int], height: int) -> Glyph:
    lit = ((x, y) for x, bits in enumerate(columns) for y in range(height) if bits >> y & 1)
    return Glyph(name, len(columns), height, tuple(lit))
