"""A certificate as PDF, on A4.

Latin letters, digits and signs are set in Bitstream Vera, which reportlab brings and which is
embedded. Chinese characters are set in STSong-Light of Adobe-GB1, one of the fonts that PDF
readers have or replace by their own (PDF 32000-1, 9.7.5.2): a font of all of them would be 16 MB
more.
"""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import reportlab
from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import (
    Flowable,
    KeepTogether,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    TableStyle,
)
from reportlab.platypus import Table as PdfTable

from noisewarden.bench.certificate import plot
from noisewarden.bench.certificate.content import Facts, Lines, Part, Plot, Sheet, Table

_MARGIN_MM = 20
_FRAME_PT = 6
"""What reportlab leaves inside its margins."""
_WIDTH = A4[0] - 2 * _MARGIN_MM * mm
_BLUE, _RED, _AMBER = (colors.HexColor(code) for code in ("#1d4e89", "#a4161a", "#d98e04"))
_GREY, _PALE, _LIGHT = (colors.HexColor(code) for code in ("#5c6b7f", "#d5dbe3", "#fdf6e7"))
_STROKES = {
    "axis": (colors.HexColor("#333333"), 0.25, ()),
    "grid": (colors.HexColor("#e3e7ec"), 0.2, ()),
    "zero": (colors.HexColor("#9aa5b1"), 0.25, ()),
    "limit": (_RED, 0.4, (1.6, 1)),
    "bar": (_BLUE, 0.35, ()),
}
"""Colour, width and dashes in mm, by the kind of a line."""


_PLAIN, _BOLD, _CHINESE = "Vera", "Vera-Bold", "STSong-Light"
_TEXT_PT = 8.5
_LABEL_PT = 7
_CHINESE_RUN = re.compile(r"[\u2e80-\uffef]+")


def _register_fonts() -> None:
    folder = Path(reportlab.__file__).parent / "fonts"
    pdfmetrics.registerFont(TTFont(_PLAIN, folder / "Vera.ttf"))
    pdfmetrics.registerFont(TTFont(_BOLD, folder / "VeraBd.ttf"))
    pdfmetrics.registerFont(UnicodeCIDFont(_CHINESE))


def _paragraph(
    text: str, size: float = 1, *, bold: bool = False, bullet: str | None = None, **style: Any
) -> Paragraph:
    """`size` as a multiple of that of the text."""
    chinese = _CHINESE_RUN.search(text)
    marked = _CHINESE_RUN.sub(
        lambda run: f'<font name="{_CHINESE}" size="{1.12 * size * _TEXT_PT}">{run[0]}</font>',
        escape(text),
    )
    return Paragraph(
        marked,
        ParagraphStyle(
            "",
            # Song has no bold, and one word of a line should not stand out.
            fontName=_BOLD if bold and not chinese else _PLAIN,
            fontSize=size * _TEXT_PT,
            leading=1.45 * size * _TEXT_PT,
            wordWrap="CJK" if chinese else None,
            **style,
        ),
        bullet,
    )


def document(sheet: Sheet) -> bytes:
    _register_fonts()
    _, pages = _typeset(sheet, 0)
    return _typeset(sheet, pages)[0]


def _typeset(sheet: Sheet, pages: int) -> tuple[bytes, int]:
    """The document, each page numbered as one of `pages`, and how many there are."""
    file = io.BytesIO()
    template = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=_MARGIN_MM * mm - _FRAME_PT,
        rightMargin=_MARGIN_MM * mm - _FRAME_PT,
        topMargin=16 * mm,
        bottomMargin=18 * mm,
        title=f"{sheet.title} {sheet.number}",
        lang="zh-CN" if sheet.language == "zh" else "en",
    )

    def number_page(canvas: Any, template: Any) -> None:
        place = f"{template.page} / {pages}"
        for text, alignment in ((sheet.number, TA_LEFT), (place, TA_RIGHT)):
            line = _paragraph(text, 0.9, textColor=_GREY, alignment=alignment)
            line.wrapOn(canvas, _WIDTH, 10 * mm)
            line.drawOn(canvas, _MARGIN_MM * mm, 10 * mm)

    story = [*_head(sheet)]
    for part in sheet.parts:
        story.append(
            _paragraph(
                part.heading,
                1.15,
                bold=True,
                textColor=_BLUE,
                spaceBefore=7,
                spaceAfter=2,
                keepWithNext=True,
            )
        )
        story += _part(part)
    story.append(_signatures(sheet))
    template.build(story, onFirstPage=number_page, onLaterPages=number_page)
    return file.getvalue(), template.page


def _head(sheet: Sheet) -> Iterator[Flowable]:
    colour = _BLUE if sheet.accepted else _RED
    title = _paragraph(sheet.title, 2, bold=True, textColor=colour)
    number = _paragraph(sheet.number, alignment=TA_RIGHT)
    yield PdfTable(
        [[[title, _paragraph(sheet.of, 1.15)], number]],
        colWidths=[0.68 * _WIDTH, 0.32 * _WIDTH],
        style=TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "BOTTOM"),
                ("LINEBELOW", (0, 0), (-1, -1), 1.6, colour),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 0),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
            ]
        ),
    )
    yield Spacer(0, 3 * mm)
    yield PdfTable(
        [[_paragraph(sheet.statement)]],
        colWidths=[_WIDTH],
        style=TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, -1), _LIGHT),
                ("LINEBEFORE", (0, 0), (0, -1), 2.5, _AMBER),
                ("LEFTPADDING", (0, 0), (-1, -1), 8),
            ]
        ),
    )


def _part(part: Part) -> Iterator[Flowable]:
    match part:
        case Facts(rows=rows):
            yield _grid([list(row) for row in rows], (45, 55))
        case Table():
            yield _grid(
                [list(row) for row in (part.columns, *part.rows)],
                part.shares,
                numbers=[n for n in range(len(part.shares)) if n not in part.words],
                header=True,
                sums=part.sums,
            )
            if part.note:
                yield _paragraph(part.note, 0.9, textColor=_GREY, spaceBefore=3)
        case Lines(lines=lines):
            for line in lines:
                yield _paragraph(line, bullet="•", leftIndent=10, textColor=_RED)
        case Plot(shapes=shapes):
            yield _Picture(shapes)


def _grid(
    rows: list[list[str]],
    shares: tuple[int, ...],
    *,
    numbers: Sequence[int] = (),
    header: bool = False,
    sums: int = 0,
) -> PdfTable:
    """A table with thin lines between its rows; the columns `numbers` are set to the right."""

    def cell(text: str, row: int, column: int) -> Paragraph:
        strong = (header and row == 0) or row >= len(rows) - sums
        alignment = TA_RIGHT if column in numbers else TA_LEFT
        return _paragraph(text, 0.95, bold=strong, alignment=alignment)

    cells = [[cell(t, n, m) for m, t in enumerate(row)] for n, row in enumerate(rows)]
    style = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, _PALE),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (-1, -1), 1),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ("LEFTPADDING", (0, 0), (-1, -1), 3),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
    ]
    if header:
        style.append(("LINEBELOW", (0, 0), (-1, 0), 0.9, _GREY))
        style.append(("VALIGN", (0, 0), (-1, 0), "BOTTOM"))
    if sums:
        style.append(("LINEABOVE", (0, -sums), (-1, -sums), 0.9, _GREY))
    widths = [share / sum(shares) * _WIDTH for share in shares]
    return PdfTable(cells, colWidths=widths, style=TableStyle(style), repeatRows=int(header))


class _Picture(Flowable):
    """The plot, its millimetres those of the page."""

    def __init__(self, shapes: tuple[plot.Shape, ...]) -> None:
        super().__init__()
        self._shapes = shapes
        self.width, self.height = plot.WIDTH_MM * mm, plot.HEIGHT_MM * mm

    def draw(self) -> None:
        canvas: Any = self.canv
        for shape in self._shapes:
            match shape:
                case plot.Line(x1, y1, x2, y2, kind):
                    colour, width_mm, dashes = _STROKES[kind]
                    canvas.setStrokeColor(colour)
                    canvas.setLineWidth(width_mm * mm)
                    canvas.setDash([dash * mm for dash in dashes])
                    canvas.line(x1 * mm, self._up(y1), x2 * mm, self._up(y2))
                case plot.Dot(x, y):
                    canvas.setFillColor(_BLUE)
                    canvas.circle(x * mm, self._up(y), 0.9 * mm, stroke=0, fill=1)
                case plot.Label():
                    self._write(canvas, shape)

    def _write(self, canvas: Any, label: plot.Label) -> None:
        alignment = {"start": TA_LEFT, "middle": TA_CENTER, "end": TA_RIGHT}[label.anchor]
        shift = {"start": 0.0, "middle": -_WIDTH / 2, "end": -_WIDTH}[label.anchor]
        text = _paragraph(label.text, _LABEL_PT / _TEXT_PT, textColor=_GREY, alignment=alignment)
        _, height = text.wrapOn(canvas, _WIDTH, self.height)
        canvas.saveState()
        canvas.translate(label.x * mm, self._up(label.y))
        if label.upright:
            canvas.rotate(90)
        text.drawOn(canvas, shift, _LABEL_PT - height)
        canvas.restoreState()

    def _up(self, y_mm: float) -> float:
        return self.height - y_mm * mm


def _signatures(sheet: Sheet) -> Flowable:
    first, second = (_paragraph(text, 0.9) for text in sheet.signatures)
    style = [("LINEABOVE", (column, 0), (column, 0), 0.5, _GREY) for column in (0, 2)]
    widths = [0.46 * _WIDTH, 0.08 * _WIDTH, 0.46 * _WIDTH]
    return KeepTogether(
        [Spacer(0, 14 * mm), PdfTable([[first, "", second]], colWidths=widths, style=style)]
    )
