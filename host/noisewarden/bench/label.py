"""The label of a box, 62 × 29 mm: what a person reads, and a QR code with its id and its station.

As SVG for any printer, and as PNG in the dots of a label printer of 300 dpi. Nothing on it is
secret: it hangs in a public square.
"""

import contextlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

import segno
from PIL import Image, ImageDraw, ImageFont

from noisewarden.errors import UserError

WIDTH_MM, HEIGHT_MM = 62.0, 29.0
DOTS_PER_MM = 300 / 25.4
TITLE = "Noise Warden 噪声守望"

_EDGE_MM = 3.0
"""What label printers leave blank."""
_QR_MM = HEIGHT_MM - 2 * _EDGE_MM
_TEXT_LEFT_MM = _EDGE_MM + _QR_MM + 1.5
_TEXT_WIDTH_MM = WIDTH_MM - _EDGE_MM - _TEXT_LEFT_MM
_LEADING = 1.25
_SMALLEST_MM = 1.2

_CHINESE_FONTS = (
    ("NotoSansCJK-Regular.ttc", 2),  # fonts-noto-cjk of Debian; its third face is Chinese
    ("wqy-microhei.ttc", 0),
    ("msyh.ttc", 0),  # Windows
    ("PingFang.ttc", 0),  # macOS
    ("Hiragino Sans GB.ttc", 0),
)


@dataclass(frozen=True)
class Label:
    """station: `host:port`, "" for a box on USB alone. `serial` is that of the chip."""

    box: str
    place: str
    board: str
    serial: str
    station: str

    @property
    def code(self) -> str:
        """What the QR code says."""
        return f"noisewarden://{self.station}/{self.box}"

    def svg(self) -> str:
        """In mm; its text takes the fonts of whoever shows it."""
        modules, size_mm, left_mm, top_mm = _code(self, round_to_dots=False)
        squares = "".join(
            f"M{left_mm + x * size_mm:.3f} {top_mm + y * size_mm:.3f}"
            f"h{size_mm:.3f}v{size_mm:.3f}h-{size_mm:.3f}z"
            for x, y in modules
        )
        lines = "\n".join(
            f'<text x="{_TEXT_LEFT_MM:g}" y="{y:.2f}" font-size="{size:.2f}">{escape(text)}</text>'
            for y, size, text in _lines(self)
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_MM:g}mm" '
            f'height="{HEIGHT_MM:g}mm" viewBox="0 0 {WIDTH_MM:g} {HEIGHT_MM:g}" '
            'font-family="Noto Sans CJK SC, Microsoft YaHei, PingFang SC, sans-serif">\n'
            f'<rect width="{WIDTH_MM:g}" height="{HEIGHT_MM:g}" fill="#fff"/>\n'
            f'<path d="{squares}" fill="#000"/>\n{lines}\n</svg>\n'
        )

    def png(self, path: Path) -> None:
        """732 × 343 dots, black or white. UserError when this computer has no font for it."""
        image = Image.new("1", (_dots(WIDTH_MM), _dots(HEIGHT_MM)), 1)
        draw = ImageDraw.Draw(image)
        modules, size_mm, left_mm, top_mm = _code(self, round_to_dots=True)
        size, left, top = _dots(size_mm), _dots(left_mm), _dots(top_mm)
        for x, y in modules:
            corner = left + x * size, top + y * size
            draw.rectangle((corner, (corner[0] + size - 1, corner[1] + size - 1)), fill=0)
        for y, height, text in _lines(self):
            at = _dots(_TEXT_LEFT_MM), _dots(y)
            draw.text(at, text, font=_font(_dots(height)), anchor="ls", fill=0)
        image.save(path, dpi=(300, 300))

    def write(self, folder: Path) -> list[Path]:
        """`<box>.svg` and `<box>.png`; UserError when they cannot be written."""
        files = [folder / f"{self.box}.svg", folder / f"{self.box}.png"]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            files[0].write_text(self.svg(), encoding="utf-8")
            self.png(files[1])
        except OSError as error:
            raise UserError(
                f"{error.filename or folder}: the label cannot be written ({error.strerror}); "
                "name another folder with --label"
            ) from None
        return files


def _code(label: Label, round_to_dots: bool) -> tuple[list[tuple[int, int]], float, float, float]:
    """The dark modules of the QR code, their size, and where the first one stands, in mm.

    The border of four modules that scanners want may lie in the edge of the label.
    """
    code = segno.make_qr(label.code, error="m")
    rows = list(code.matrix_iter(border=0))
    size_mm = _QR_MM / len(rows)
    if round_to_dots:
        size_mm = int(size_mm * DOTS_PER_MM) / DOTS_PER_MM
    side_mm = size_mm * len(rows)
    dark = [(x, y) for y, row in enumerate(rows) for x, module in enumerate(row) if module]
    return dark, size_mm, _EDGE_MM, (HEIGHT_MM - side_mm) / 2


def _lines(label: Label) -> Iterator[tuple[float, float, str]]:
    """(baseline, size, text) of each line, from the top, in mm: as large as they fit."""
    y = _EDGE_MM
    for text, largest_mm, room_mm in (
        (TITLE, 2.8, 3.5),
        (label.box, 4.2, 5.5),
        (label.place, 3.2, 8.5),
        (label.board, 2.2, 2.8),
        (f"SN {label.serial}", 2.2, 2.8),
    ):
        size = largest_mm
        while len(rows := _wrapped(text, size)) * size * _LEADING > room_mm:
            if size <= _SMALLEST_MM:
                break
            size -= 0.1
        for n, row in enumerate(rows):
            yield y + size + n * size * _LEADING, size, row
        y += room_mm


def _wrapped(text: str, size_mm: float) -> list[str]:
    """Broken where a line is full, at a space if there is one."""
    rows = []
    while text:
        count = len(text)
        while count > 1 and _width_em(text[:count]) * size_mm > _TEXT_WIDTH_MM:
            count -= 1
        if count < len(text) and (space := text.rfind(" ", 1, count + 1)) > 0:
            count = space
        rows.append(text[:count].strip())
        text = text[count:].strip()
    return rows


def _width_em(text: str) -> float:
    """Generously, since the font of an SVG is not known here."""
    return sum(
        1.0
        if unicodedata.east_asian_width(char) in "WFA" or char in "mwMW@%"
        else 0.75
        if char.isupper()
        else 0.62
        for char in text
    )


def _font(dots: int) -> ImageFont.FreeTypeFont:
    for name, face in _CHINESE_FONTS:
        with contextlib.suppress(OSError):
            return ImageFont.truetype(name, dots, index=face)
    raise UserError(
        "label: this computer has no Chinese font; install one (Debian: fonts-noto-cjk)"
    )


def _dots(mm: float) -> int:
    return round(mm * DOTS_PER_MM)
