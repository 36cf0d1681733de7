"""When a box is refused: why and what to do, a line each."""

from statistics import fmean

from noisewarden.bench.calibration.procedure import Point
from noisewarden.firmware import config

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


def of_levels(points: list[Point]) -> list[str]:
    levels = {point.level_db for point in points}
    span_db = max(levels) - min(levels)
    failures = []
    if len(levels) < LEVELS_LEAST or span_db < SPAN_LEAST_DB:
        failures.append(
            f"{len(levels)} levels over {span_db:.0f} dB; measure at least {LEVELS_LEAST} over "
            f"{SPAN_LEAST_DB:g} dB"
        )
    if not any(map(_in_band, levels)):
        failures.append(
            f"no level from {BAND_DB[0]} to {BAND_DB[1]} dB, where limits are; measure one there"
        )
    return failures


def of_residuals(points: list[Point], residuals: tuple[float, ...]) -> list[str]:
    worst: dict[float, float] = {}
    for point, residual in zip(points, residuals, strict=True):
        if abs(residual) > max(_most(point.level_db), abs(worst.get(point.level_db, 0.0))):
            worst[point.level_db] = residual
    return [
        f"residual {residual:+.2f} dB at {level_db:g} dB, more than {_most(level_db):g} dB; "
        "repeat the calibration, and change the microphone if it stays"
        for level_db, residual in worst.items()
    ]


def of_slope(slope_db: float) -> list[str]:
    if abs(slope_db) <= SLOPE_DB:
        return []
    return [
        f"slope {slope_db:+.2f} dB over the range, more than {SLOPE_DB:g} dB: the box is not "
        "linear; change the microphone"
    ]


def of_offset(offset_db: float) -> list[str]:
    if abs(offset_db) <= config.MAX_OFFSET_DB:
        return []
    return [
        f"offset {offset_db:+.2f} dB, more than {config.MAX_OFFSET_DB} dB; check the microphone "
        "named in the board file, its port, and the reference's range"
    ]


def of_weighting(points: list[Point], low_point: Point | None, correction_db: float) -> list[str]:
    if low_point is None:
        if all(point.instrument.weighting_known for point in points):
            return []
        return ["weighting of the reference not proven; measure the low sound too, at 160 Hz"]
    pink_db = fmean(point.box_c_minus_a_db for point in points)
    low_db = low_point.box_c_minus_a_db - pink_db
    if low_db < LOW_SOUND_DB:
        return [
            f"LCeq − LAeq of the low sound only {low_db:.1f} dB above the pink noise's, less than "
            f"{LOW_SOUND_DB:g} dB; take a tone or noise near 160 Hz"
        ]
    shift_db = low_point.difference_db - correction_db
    if abs(shift_db) > LOW_SHIFT_DB:
        return [
            f"reference and box differ by {shift_db:+.1f} dB more for the low sound than for pink "
            "noise: the reference is not on A weighting, or the microphone has lost its lows; set "
            "the meter to A and repeat"
        ]
    return []


def _in_band(level_db: float) -> bool:
    return BAND_DB[0] <= level_db <= BAND_DB[1]


def _most(level_db: float) -> float:
    return BAND_RESIDUAL_DB if _in_band(level_db) else RESIDUAL_DB
