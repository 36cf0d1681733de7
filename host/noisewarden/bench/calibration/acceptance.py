"""When a box is refused: why and what to do, a line each."""

from statistics import fmean
from typing import NamedTuple

from noisewarden.bench.calibration.procedure import Point
from noisewarden.firmware import calibration as on_box

LEVELS_LEAST = 3
SPAN_LEAST_DB = 15.0

RESIDUAL_DB = 1.5
BAND_DB = (65, 75)
BAND_RESIDUAL_DB = 1.0
"""Where limits are, the box must be better."""
SLOPE_DB = 1.0
"""Change of the difference from the lowest level to the highest."""

LOW_SOUND_DB = 6.0
"""So much more LCeq − LAeq than the pink noise has the sound of the weighting check."""
LOW_SHIFT_DB = 3.0
"""By more than that a meter on A cannot differ between pink noise and a low sound, and one on C or
Z differs by LOW_SOUND_DB at least. Microphones leave 2 dB at 100 Hz."""


class Failure(NamedTuple):
    """One line, for the terminal and for reports in either language."""

    en: str
    zh: str


def of_levels(points: list[Point]) -> list[Failure]:
    """Too few levels, too near each other, or none where limits are."""
    levels = {point.level_db for point in points}
    span_db = max(levels) - min(levels)
    failures = []
    if len(levels) < LEVELS_LEAST or span_db < SPAN_LEAST_DB:
        failures.append(
            Failure(
                f"{len(levels)} levels over {span_db:.0f} dB; measure at least {LEVELS_LEAST} "
                f"over {SPAN_LEAST_DB:g} dB",
                f"{len(levels)} 个声级，跨度 {span_db:.0f} dB；至少测量 {LEVELS_LEAST} 个声级，"
                f"跨度不小于 {SPAN_LEAST_DB:g} dB",
            )
        )
    if not any(map(_in_band, levels)):
        failures.append(
            Failure(
                f"no level from {BAND_DB[0]} to {BAND_DB[1]} dB, where limits are; measure one "
                "there",
                f"限值所在的 {BAND_DB[0]} 至 {BAND_DB[1]} dB 内没有声级；在此范围内测量一个",
            )
        )
    return failures


def residual_most_db(level_db: float) -> float:
    """The largest residual that is accepted at a level."""
    return BAND_RESIDUAL_DB if _in_band(level_db) else RESIDUAL_DB


def of_residuals(points: list[Point], residuals: tuple[float, ...]) -> list[Failure]:
    """One for each level whose worst residual, in dB, is too large; one residual a point."""
    worst: dict[float, float] = {}
    for point, residual in zip(points, residuals, strict=True):
        most_db = residual_most_db(point.level_db)
        if abs(residual) > max(most_db, abs(worst.get(point.level_db, 0.0))):
            worst[point.level_db] = residual
    return [
        Failure(
            f"residual {residual:+.2f} dB at {level_db:g} dB, more than "
            f"{residual_most_db(level_db):g} dB; repeat the calibration, and change the "
            "microphone if it stays",
            f"{level_db:g} dB 处残差 {residual:+.2f} dB，超过 {residual_most_db(level_db):g} dB；"
            "重新校准，如仍超差则更换传声器",
        )
        for level_db, residual in worst.items()
    ]


def of_slope(slope_db: float) -> list[Failure]:
    """A difference that changes over the range by more than SLOPE_DB."""
    if abs(slope_db) <= SLOPE_DB:
        return []
    return [
        Failure(
            f"slope {slope_db:+.2f} dB over the range, more than {SLOPE_DB:g} dB: the box is not "
            "linear; change the microphone",
            f"全量程斜率 {slope_db:+.2f} dB，超过 {SLOPE_DB:g} dB，装置非线性；更换传声器",
        )
    ]


def of_offset(offset_db: float) -> list[Failure]:
    """An offset that no box takes."""
    if abs(offset_db) <= on_box.MAX_OFFSET_DB:
        return []
    return [
        Failure(
            f"offset {offset_db:+.2f} dB, more than {on_box.MAX_OFFSET_DB} dB; check the "
            "microphone named in the board file, its port, and the reference's range",
            f"修正值 {offset_db:+.2f} dB，超过 {on_box.MAX_OFFSET_DB} dB；检查板卡文件中的传声器"
            "型号、传声器声孔及参考仪器量程",
        )
    ]


def of_weighting(
    points: list[Point], low_point: Point | None, correction_db: float
) -> list[Failure]:
    """A reference that is not on A weighting, or was not proven to be.

    low_point      the low sound, None when it was not measured
    correction_db  what pink noise gave
    """
    if low_point is None:
        if all(point.instrument.weighting_known for point in points):
            return []
        return [
            Failure(
                "weighting of the reference not proven; measure the low sound too, at 160 Hz",
                "参考仪器的频率计权未得到验证；请加测 160 Hz 低频声",
            )
        ]
    pink_db = fmean(point.box_c_minus_a_db for point in points)
    low_db = low_point.box_c_minus_a_db - pink_db
    if low_db < LOW_SOUND_DB:
        return [
            Failure(
                f"LCeq − LAeq of the low sound only {low_db:.1f} dB above the pink noise's, less "
                f"than {LOW_SOUND_DB:g} dB; take a tone or noise near 160 Hz",
                f"低频声的 LCeq − LAeq 仅比粉红噪声高 {low_db:.1f} dB，小于 {LOW_SOUND_DB:g} dB；"
                "请使用 160 Hz 附近的纯音或噪声",
            )
        ]
    shift_db = low_point.difference_db - correction_db
    if abs(shift_db) > LOW_SHIFT_DB:
        return [
            Failure(
                f"reference and box differ by {shift_db:+.1f} dB more for the low sound than for "
                "pink noise: the reference is not on A weighting, or the microphone has lost its "
                "lows; set the meter to A and repeat",
                f"低频声下参考仪器与装置之差比粉红噪声下多 {shift_db:+.1f} dB：参考仪器未设为 A "
                "计权，或传声器低频失灵；将仪器设为 A 计权后重测",
            )
        ]
    return []


def _in_band(level_db: float) -> bool:
    return BAND_DB[0] <= level_db <= BAND_DB[1]
