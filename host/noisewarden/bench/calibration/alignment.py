"""A meter's log laid on the box's seconds, when their clocks differ.

Both heard the same sound, so the right lag is where the two courses go together best. Only their
changes count, not their levels: that is what calibration is to find. The date of a log is not
compared, since meters print it in either order and forget it with the battery.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from noisewarden.bench.calibration.procedure import Reading
from noisewarden.bench.meters.protocol import Course
from noisewarden.errors import UserError

WITHIN_S = 90
"""Clocks may differ by so much."""

CORRELATION_LEAST = 0.8
"""A meter on C, or a box that bends, still goes along with the sound; that is not judged here."""
MARGIN_LEAST = 0.02
"""By so much the best lag must beat any that is more than APART_S from it."""
APART_S = 30
CHANGES_LEAST_DB = 2.0
"""Standard deviation of a course that says when it was: noise of a steady sound does not."""
OVERLAP_LEAST_S = 120

_SEARCHED_S = WITHIN_S + APART_S
"""So that a lag too long is found out, and not taken for the longest that may be."""
_DAY_S = 86_400


def course_of(readings: Iterable[Reading]) -> Course:
    """A box's course out of its readings, without those that have no time."""
    return Course.of((r["time"], r["laeq"]) for r in readings if r["time"] is not None)


@dataclass(frozen=True)
class Aligned:
    """`lag_s`: how far the meter's clock is ahead of the box's, whole days left out."""

    lag_s: int
    correlation: float
    levels_db: dict[int, float]
    """By the box's second; those that the meter has not are not in it."""


def align(box: Course, meter: Course) -> Aligned:
    """UserError when nothing fits, or more than one lag does."""
    if not len(box.times_s) or not len(meter.times_s):
        raise UserError("alignment: no levels to compare; record box and meter at the same time")
    meter = _beside(box, meter)
    ours, begin_s = _grid(box)
    theirs, their_begin_s = _grid(meter)
    offset = their_begin_s - begin_s
    lags = np.arange(-_SEARCHED_S, _SEARCHED_S + 1)
    correlations = np.array([_correlation(ours, theirs, offset - int(lag)) for lag in lags])
    best = int(np.argmax(correlations))
    lag_s, correlation = int(lags[best]), float(correlations[best])
    if correlation < CORRELATION_LEAST:
        raise UserError(
            f"alignment: box and meter do not go together (correlation {correlation:.2f}); take "
            f"the log of this hour, set the meter's clock to within {WITHIN_S} s, and change the "
            "level between measurements"
        )
    if abs(lag_s) > WITHIN_S + 1:
        raise UserError(
            f"alignment: the meter's clock is {abs(lag_s)} s or more off; set it to within "
            f"{WITHIN_S} s and measure again"
        )
    rivals = correlations[np.abs(lags - lag_s) > APART_S]
    if correlation - rivals.max() < MARGIN_LEAST:
        raise UserError(
            "alignment: more than one shift of the clocks fits; pause the sound once for 10 s and "
            "measure again"
        )
    theirs_at = {
        round(second): float(level)
        for second, level in zip(meter.times_s - lag_s, meter.levels_db, strict=True)
        if not np.isnan(level)
    }
    return Aligned(lag_s, correlation, theirs_at)


def _beside(box: Course, meter: Course) -> Course:
    """What of `meter` can be of the box's time: by its date, or by the time of day alone.
    UserError when nothing can."""
    for days in (0, round(float(np.median(meter.times_s) - np.median(box.times_s)) / _DAY_S)):
        times_s = meter.times_s - days * _DAY_S
        near = (times_s >= box.times_s[0] - _SEARCHED_S) & (
            times_s <= box.times_s[-1] + _SEARCHED_S
        )
        if near.any():
            return Course(times_s[near], meter.levels_db[near])
    raise UserError(
        "alignment: the log has nothing of the hour of this calibration; take the right log, and "
        f"set the meter's clock to within {WITHIN_S} s"
    )


def _grid(course: Course) -> tuple[np.ndarray, int]:
    """A level each whole second from the first on, NaN for none, and when that is."""
    seconds = np.round(course.times_s).astype(np.int64)
    levels = np.full(int(seconds[-1] - seconds[0]) + 1, np.nan)
    levels[seconds - seconds[0]] = course.levels_db
    return levels, int(seconds[0])


def _correlation(ours: np.ndarray, theirs: np.ndarray, offset: int) -> float:
    """Of the seconds that both have, `theirs` beginning `offset` after `ours`; -1 for too few, or
    too little change."""
    first, last = max(offset, 0), min(offset + len(theirs), len(ours))
    if last - first < OVERLAP_LEAST_S:
        return -1.0
    a, b = ours[first:last], theirs[first - offset : last - offset]
    both = ~(np.isnan(a) | np.isnan(b))
    if np.count_nonzero(both) < OVERLAP_LEAST_S:
        return -1.0
    a, b = a[both], b[both]
    if min(a.std(), b.std()) < CHANGES_LEAST_DB:
        return -1.0
    return float(np.corrcoef(a, b)[0, 1])
