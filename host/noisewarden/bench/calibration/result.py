"""What comes of the levels: an offset, whether the box may have it, and how sure that is.

A calibration adds one number to every level. A box that would need a curve is refused.
"""

from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from statistics import fmean
from typing import Any

import numpy as np

from noisewarden.bench.calibration import acceptance, procedure, uncertainty
from noisewarden.bench.calibration.procedure import Point
from noisewarden.bench.meters.protocol import Instrument
from noisewarden.errors import UserError

WARN_DB, OUT_DB = 0.5, 1.5
"""Drift at which a check warns, and at which the box is out of calibration."""

VALID_DAYS = 365

TEXT_MOST_CHARS = 60
"""Of a text in the box's files."""


@dataclass(frozen=True)
class Subject:
    """What was calibrated, by whom, when. `offset_db` is what the box had while it was measured,
    `serial` of its chip, `place` with whatever is worth telling of the room."""

    box: str
    board: str
    serial: str
    firmware: str
    microphone: str
    offset_db: float
    technician: str
    place: str
    day: date


@dataclass(frozen=True)
class Result:
    """All that a certificate says.

    correction_db     to be added to the box's levels as they were
    residuals_db      what the correction leaves of each point
    slope_db          change of the difference over the range of levels, by least squares
    repeatability_db  standard deviation of repeats about the mean of their level, None without
    failures          why the box is refused; () when it is accepted
    """

    subject: Subject
    points: tuple[Point, ...]
    low_point: Point | None
    correction_db: float
    residuals_db: tuple[float, ...]
    slope_db: float
    repeatability_db: float | None
    budget: uncertainty.Budget
    failures: tuple[acceptance.Failure, ...]

    @property
    def accepted(self) -> bool:
        return not self.failures

    @property
    def offset_db(self) -> float:
        """The box's new offset, to the 0.001 dB that its journal keeps."""
        return round(self.subject.offset_db + self.correction_db, 3)

    @property
    def expires(self) -> date:
        """The last day on which it holds."""
        return self.subject.day + timedelta(days=VALID_DAYS)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return _instruments(self.points)

    def for_box(self) -> dict[str, Any]:
        """The box's `calibration.json`. UserError for a box that was refused."""
        if not self.accepted:
            raise UserError(f"{self.subject.box}: not calibrated; {self.failures[0].en}")
        meters = ", ".join(used.name for used in self.instruments)
        certificates = ", ".join(dict.fromkeys(used.certificate for used in self.instruments))
        return {
            "offset_db": self.offset_db,
            "uncertainty_db": self.budget.expanded_db,
            "date": self.subject.day.isoformat(),
            "expires": self.expires.isoformat(),
            "meter": meters[:TEXT_MOST_CHARS],
            "certificate": certificates[:TEXT_MOST_CHARS],
            "by": self.subject.technician[:TEXT_MOST_CHARS],
        }

    def as_json(self) -> dict[str, Any]:
        """Everything, in types of JSON; levels in dB(A), to 0.001."""
        return _rounded(
            {
                "subject": asdict(self.subject) | {"day": self.subject.day.isoformat()},
                "accepted": self.accepted,
                "failures": [failure.en for failure in self.failures],
                "offset_db": self.offset_db,
                "correction_db": self.correction_db,
                "expires": self.expires.isoformat(),
                "instruments": [asdict(used) for used in self.instruments],
                "points": [
                    _point(point) | {"residual_db": residual}
                    for point, residual in zip(self.points, self.residuals_db, strict=True)
                ],
                "weighting_check": self.low_point and _point(self.low_point),
                "slope_db": self.slope_db,
                "repeatability_db": self.repeatability_db,
                "uncertainty": _budget(self.budget),
                "procedure": _PROCEDURE,
            }
        )


@dataclass(frozen=True)
class Check:
    """A spot check of a calibrated box. `drift_db`: box less reference."""

    points: tuple[Point, ...]
    drift_db: float
    budget: uncertainty.Budget

    @property
    def verdict(self) -> str:
        """ "ok", "warn", or "out": the box is out of calibration."""
        drift_db = abs(round(self.drift_db, 2))
        return "out" if drift_db > OUT_DB else "warn" if drift_db > WARN_DB else "ok"

    def as_json(self) -> dict[str, Any]:
        return _rounded(
            {
                "verdict": self.verdict,
                "drift_db": self.drift_db,
                "instruments": [asdict(used) for used in _instruments(self.points)],
                "points": [_point(point) for point in self.points],
                "uncertainty": _budget(self.budget),
            }
        )


def calibrate(subject: Subject, points: list[Point], low_point: Point | None = None) -> Result:
    """The result of `points`, at least one.

    low_point  the same comparison with a low sound, a tone or band of noise near 160 Hz. Without
               it a meter on C passes for a box that is off by 2 dB, since pink noise has the same
               LCeq − LAeq at every level. Needed for a meter whose weighting is not known.
    """
    if not points:
        raise UserError("calibration: no level was measured; measure at least three")
    by_level: dict[float, list[float]] = defaultdict(list)
    for point in points:
        by_level[point.level_db].append(point.difference_db)
    of_level = {level_db: fmean(differences) for level_db, differences in by_level.items()}
    correction_db = fmean(of_level.values())
    residuals = tuple(point.difference_db - correction_db for point in points)
    slope_db = _slope(points)
    failures = (
        *acceptance.of_levels(points),
        *acceptance.of_residuals(points, residuals),
        *acceptance.of_slope(slope_db),
        *acceptance.of_offset(subject.offset_db + correction_db),
        *acceptance.of_weighting(points, low_point, correction_db),
    )
    return Result(
        subject=subject,
        points=tuple(points),
        low_point=low_point,
        correction_db=correction_db,
        residuals_db=residuals,
        slope_db=slope_db,
        repeatability_db=_repeatability(list(by_level.values())),
        budget=_budget_of(points, [db - correction_db for db in of_level.values()]),
        failures=failures,
    )


def check(points: list[Point]) -> Check:
    """How far a calibrated box has drifted, from one point or more, a calibrator's perhaps."""
    if not points:
        raise UserError("check: no level was measured; measure one")
    differences = [point.difference_db for point in points]
    drift_db = -fmean(differences)
    return Check(
        tuple(points), drift_db, _budget_of(points, [db + drift_db for db in differences])
    )


_PROCEDURE = {
    "signal": "pink noise",
    "settle_s": procedure.SETTLE_S,
    "measure_s": procedure.MEASURE_S,
    "wander_limit_db": procedure.WANDER_DB,
    "residual_limit_db": acceptance.RESIDUAL_DB,
    "band_db": list(acceptance.BAND_DB),
    "band_residual_limit_db": acceptance.BAND_RESIDUAL_DB,
    "slope_limit_db": acceptance.SLOPE_DB,
}


def _slope(points: list[Point]) -> float:
    levels = np.array([point.reference_db for point in points])
    differences = np.array([point.difference_db for point in points])
    spread = levels - levels.mean()
    if not spread.any():
        return 0.0
    return float((spread @ differences) / (spread @ spread) * np.ptp(levels))


def _repeatability(levels: list[list[float]]) -> float | None:
    """Pooled over the levels that were repeated."""
    freedom = sum(len(differences) - 1 for differences in levels)
    if not freedom:
        return None
    squares = sum((db - fmean(level)) ** 2 for level in levels for db in level)
    return (squares / freedom) ** 0.5


def _budget_of(points: list[Point], residuals_db: list[float]) -> uncertainty.Budget:
    """With the worst of the references, when there are several."""
    return uncertainty.budget(
        reference_db=max(point.instrument.uncertainty_db for point in points),
        resolution_db=max(point.instrument.resolution_db for point in points),
        differences_db=[point.difference_db for point in points],
        residuals_db=residuals_db,
    )


def _instruments(points: tuple[Point, ...]) -> tuple[Instrument, ...]:
    return tuple(dict.fromkeys(point.instrument for point in points))


def _point(point: Point) -> dict[str, Any]:
    values = asdict(point)
    del values["instrument"]
    return values | {
        "difference_db": point.difference_db,
        "reference": point.instrument.name,
    }


def _budget(budget: uncertainty.Budget) -> dict[str, Any]:
    return {
        "components": [asdict(component) for component in budget.components],
        "combined_db": budget.combined_db,
        "k": uncertainty.COVERAGE_FACTOR,
        "expanded_db": budget.expanded_db,
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value
