"""The plot of a calibration: residuals by level, each with the expanded uncertainty, and limits.

Lines, dots and labels in millimetres from the top left; `html` and `pdf` draw the same ones.
"""

import math
from dataclasses import dataclass

from noisewarden.bench.calibration import acceptance
from noisewarden.bench.calibration.result import Result
from noisewarden.bench.certificate.numbers import signed
from noisewarden.bench.certificate.texts import Texts

WIDTH_MM, HEIGHT_MM = 170.0, 72.0
_LEFT_MM, _RIGHT_MM, _TOP_MM, _BOTTOM_MM = 15.0, 2.0, 3.0, 12.0
_CAP_MM = 0.9
_LEVELS_BESIDE_DB = 5
_LEAST_DB = 2.0
_APART_DB = 0.5
"""Takes of one level stand beside each other."""


@dataclass(frozen=True)
class Line:
    """`kind`: axis, grid, zero, limit or bar."""

    x1: float
    y1: float
    x2: float
    y2: float
    kind: str


@dataclass(frozen=True)
class Dot:
    x: float
    y: float


@dataclass(frozen=True)
class Label:
    """`anchor`: start, middle or end. `upright`: turned to read upwards."""

    x: float
    y: float
    text: str
    anchor: str
    upright: bool = False


Shape = Line | Dot | Label


def draw(result: Result, texts: Texts) -> list[Shape]:
    levels = [point.level_db for point in result.points]
    first_db = _LEVELS_BESIDE_DB * math.floor(min(levels) / _LEVELS_BESIDE_DB - 1)
    last_db = _LEVELS_BESIDE_DB * math.ceil(max(levels) / _LEVELS_BESIDE_DB + 1)
    expanded_db = result.budget.expanded_db
    reach_db = max(abs(residual) for residual in result.residuals_db) + expanded_db
    most_db = max(_LEAST_DB, math.ceil(2 * reach_db) / 2)

    def x(level_db: float) -> float:
        width_mm = WIDTH_MM - _LEFT_MM - _RIGHT_MM
        return _LEFT_MM + (level_db - first_db) / (last_db - first_db) * width_mm

    def y(residual_db: float) -> float:
        height_mm = HEIGHT_MM - _TOP_MM - _BOTTOM_MM
        return _TOP_MM + (most_db - residual_db) / (2 * most_db) * height_mm

    shapes: list[Shape] = []
    step_db = 0.5 if most_db <= 3 else 1 if most_db <= 6 else math.ceil(most_db / 5)
    for n in range(-int(most_db / step_db), int(most_db / step_db) + 1):
        at = y(n * step_db)
        shapes.append(Line(x(first_db), at, x(last_db), at, "grid" if n else "zero"))
        shapes.append(Label(_LEFT_MM - 1.5, at + 1, signed(n * step_db, 1), "end"))
    for level_db in range(first_db, last_db + 1, _LEVELS_BESIDE_DB):
        shapes.append(Line(x(level_db), y(-most_db), x(level_db), y(-most_db) + 1, "axis"))
        shapes.append(Label(x(level_db), y(-most_db) + 4.5, f"{level_db}", "middle"))
    shapes.append(Line(x(first_db), y(-most_db), x(last_db), y(-most_db), "axis"))
    shapes.append(Line(x(first_db), y(most_db), x(first_db), y(-most_db), "axis"))
    shapes.append(Label((x(first_db) + x(last_db)) / 2, HEIGHT_MM - 2, texts("plot x"), "middle"))
    shapes.append(Label(3.5, (y(most_db) + y(-most_db)) / 2, texts("plot y"), "middle", True))
    for sign in (1, -1):
        edges = [first_db, *acceptance.BAND_DB, last_db]
        limits = [acceptance.residual_most_db(level) for level in (first_db, edges[1], last_db)]
        for index, limit_db in enumerate(limits):
            at = y(sign * limit_db)
            shapes.append(Line(x(edges[index]), at, x(edges[index + 1]), at, "limit"))
        for edge, (a_db, b_db) in zip(edges[1:3], (limits[:2], limits[1:]), strict=True):
            shapes.append(Line(x(edge), y(sign * a_db), x(edge), y(sign * b_db), "limit"))
    for index, (level_db, residual_db) in enumerate(zip(levels, result.residuals_db, strict=True)):
        takes = levels.count(level_db)
        beside = levels[:index].count(level_db) - (takes - 1) / 2
        at = x(level_db + beside * _APART_DB * 2)
        top, bottom = y(residual_db + expanded_db), y(residual_db - expanded_db)
        shapes.append(Line(at, top, at, bottom, "bar"))
        for end in (top, bottom):
            shapes.append(Line(at - _CAP_MM, end, at + _CAP_MM, end, "bar"))
        shapes.append(Dot(at, y(residual_db)))
    return shapes
