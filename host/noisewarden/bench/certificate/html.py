"""A certificate as one HTML file that needs nothing beside it."""

from html import escape

from noisewarden.bench.certificate import plot
from noisewarden.bench.certificate.content import Facts, Lines, Part, Plot, Sheet, Table

_STYLE = """
body { font: 10.5pt/1.5 "Noto Sans", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif;
       color: #1a1a1a; max-width: 174mm; margin: 12mm auto; padding: 0 4mm; }
header { border-bottom: 0.6mm solid #1d4e89; padding-bottom: 3mm; display: flex;
         justify-content: space-between; align-items: end; }
h1 { font-size: 19pt; line-height: 1.2; margin: 0; color: #1d4e89; }
.refused h1 { color: #a4161a; } .refused header { border-color: #a4161a; }
header p { margin: 0; } .number { text-align: right; white-space: nowrap; }
.statement { border-left: 1mm solid #d98e04; background: #fdf6e7; padding: 2mm 4mm;
             margin: 4mm 0; }
h2 { font-size: 11.5pt; color: #1d4e89; margin: 6mm 0 1.5mm; break-after: avoid; }
table { border-collapse: collapse; width: 100%; break-inside: avoid; }
th, td { text-align: right; padding: 0.8mm 2mm; border-bottom: 0.2mm solid #d5dbe3;
         font-variant-numeric: tabular-nums; vertical-align: top; }
thead th { border-bottom: 0.4mm solid #5c6b7f; font-weight: 600; vertical-align: bottom; }
.word, .facts th, .facts td { text-align: left; }
.facts th { width: 45%; font-weight: 400; color: #444; }
.sum td { font-weight: 600; } tr:not(.sum) + .sum td { border-top: 0.4mm solid #5c6b7f; }
.note { font-size: 9pt; color: #444; margin: 1.5mm 0 0; }
svg { width: 100%; height: auto; } svg text { font-size: 3px; fill: #333; }
footer { display: flex; gap: 10mm; margin-top: 14mm; } footer p { flex: 1; border-top: 0.2mm solid
         #444; padding-top: 1mm; margin: 0; font-size: 9pt; }
@media print { body { margin: 0 auto; } @page { size: A4; margin: 15mm; } }
"""

_STROKES = {
    "axis": 'stroke="#333" stroke-width="0.25"',
    "grid": 'stroke="#e3e7ec" stroke-width="0.2"',
    "zero": 'stroke="#9aa5b1" stroke-width="0.25"',
    "limit": 'stroke="#a4161a" stroke-width="0.4" stroke-dasharray="1.6 1"',
    "bar": 'stroke="#1d4e89" stroke-width="0.35"',
}


def page(sheet: Sheet) -> str:
    language = "zh-CN" if sheet.language == "zh" else "en"
    body = "\n".join(map(_part, sheet.parts))
    verdict = "accepted" if sheet.accepted else "refused"
    signatures = "".join(f"<p>{escape(signature)}</p>" for signature in sheet.signatures)
    return f"""<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(sheet.title)} {escape(sheet.number)}</title>
<style>{_STYLE}</style>
</head>
<body class="{verdict}">
<header><div><h1>{escape(sheet.title)}</h1><p>{escape(sheet.of)}</p></div>
<p class="number">{escape(sheet.number)}</p></header>
<p class="statement">{escape(sheet.statement)}</p>
{body}
<footer>{signatures}</footer>
</body>
</html>
"""


def _part(part: Part) -> str:
    heading = f"<h2>{escape(part.heading)}</h2>\n"
    match part:
        case Facts(rows=rows):
            cells = "".join(
                f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>\n'
                for name, value in rows
            )
            return f'{heading}<table class="facts">\n{cells}</table>'
        case Table():
            return heading + _table(part)
        case Lines(lines=lines):
            items = "".join(f"<li>{escape(line)}</li>" for line in lines)
            return f"{heading}<ul>{items}</ul>"
        case Plot(shapes=shapes):
            return heading + svg(shapes, part.heading)


def _table(table: Table) -> str:
    word = ' class="word"'

    def row(cells: tuple[str, ...], tag: str, kind: str = "") -> str:
        marked = (
            f"<{tag}{word if column in table.words else ''}>{escape(cell)}</{tag}>"
            for column, cell in enumerate(cells)
        )
        return f"<tr{kind}>{''.join(marked)}</tr>\n"

    own = len(table.rows) - table.sums
    rows = [
        row(cells, "td", ' class="sum"' if place >= own else "")
        for place, cells in enumerate(table.rows)
    ]
    note = f'\n<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f"<table>\n<thead>{row(table.columns, 'th')}</thead>\n"
        f"<tbody>{''.join(rows)}</tbody></table>{note}"
    )


def svg(shapes: tuple[plot.Shape, ...], name: str) -> str:
    """The picture by itself, an element that HTML takes as it is."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(name)}" '
        f'viewBox="0 0 {plot.WIDTH_MM:g} {plot.HEIGHT_MM:g}" font-family="sans-serif" '
        f'font-size="3">\n{"".join(map(_shape, shapes))}</svg>'
    )


def _shape(shape: plot.Shape) -> str:
    match shape:
        case plot.Line(x1, y1, x2, y2, kind):
            return (
                f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" '
                f"{_STROKES[kind]}/>\n"
            )
        case plot.Dot(x, y):
            return f'<circle cx="{x:.2f}" cy="{y:.2f}" r="0.9" fill="#1d4e89"/>\n'
        case plot.Label(x, y, text, anchor, upright):
            turn = f' transform="rotate(-90 {x:.2f} {y:.2f})"' if upright else ""
            return (
                f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}"{turn}>'
                f"{escape(text)}</text>\n"
            )
