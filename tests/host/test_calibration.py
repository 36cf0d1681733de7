"""Calibration: the minute, the alignment of clocks, the judgement and the budget."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from noisewarden.bench.calibration import acceptance, alignment, procedure, result, uncertainty
from noisewarden.bench.calibration.procedure import Pair, Point, Progress, Refused
from noisewarden.bench.calibration.result import Subject
from noisewarden.bench.meters.protocol import Course, Instrument
from noisewarden.errors import UserError
from noisewarden.firmware import calibration as on_box

START_S = 1_780_000_000
METER = Instrument("NTi XL2", "A2A-00000-E0", "C-2026-001", 0.15, 0.1, weighting_known=True)
UNPROVEN = Instrument("CSV", "S-17", "C-2026-001", 0.15, 0.1, weighting_known=False)
SUBJECT = Subject(
    box="bagu-east-01",
    board="esp32-devkit",
    serial="a0b1c2000001",
    firmware="0.1.0",
    microphone="INMP441",
    offset_db=0.25,
    technician="bench 2",
    place="bench, 23 °C",
    day=date(2026, 6, 1),
)
SECONDS = procedure.SETTLE_S + procedure.MEASURE_S


def reading(n: int, laeq: float | None, flags: tuple[str, ...] = ("uncalibrated",)) -> dict:
    return {
        "n": n,
        "time": START_S + n,
        "laeq": laeq,
        "lceq": None if laeq is None else laeq + 1.8,
        "flags": list(flags),
    }


def steady(box_db: float = 68.0, reference_db: float | None = 70.0) -> list[Pair]:
    return [(reading(n, box_db), reference_db) for n in range(SECONDS)]


def silent(progress: Progress) -> None:
    pass


def measured(pairs: list[Pair], level_db: float = 70.0) -> Point:
    return procedure.point(procedure.record(pairs, level_db, silent), METER)


# One level.


def test_a_minute_after_settling_is_averaged_by_energy():
    pairs = steady()
    for n in range(procedure.SETTLE_S):
        pairs[n] = reading(n, 95.0, ("warmup", "overload")), 95.0  # the sound is being set
    for n in range(procedure.SETTLE_S, SECONDS, 2):
        pairs[n] = reading(n, 68.8), 70.8
    found = measured(pairs)
    mean_db = 10 * math.log10((1 + 10**0.08) / 2)
    assert found.box_db == pytest.approx(68 + mean_db)
    assert found.difference_db == pytest.approx(2.0)
    assert found.box_c_minus_a_db == pytest.approx(1.8)
    assert found.started == START_S + procedure.SETTLE_S
    assert found.box_wander_db == found.reference_wander_db == pytest.approx(0.4, abs=0.01)


def test_no_more_is_read_than_the_minute_and_progress_shows_both():
    seen: list[Progress] = []
    pairs: Iterator[Pair] = iter([*steady(), (reading(SECONDS, 20.0), None)])
    procedure.record(pairs, 70, seen.append)
    assert next(pairs)[0]["n"] == SECONDS
    assert [(p.settling, p.second, p.of) for p in seen] == [
        *((True, n + 1, procedure.SETTLE_S) for n in range(procedure.SETTLE_S)),
        *((False, n + 1, procedure.MEASURE_S) for n in range(procedure.MEASURE_S)),
    ]
    assert all(p.difference_db == pytest.approx(2.0) for p in seen)
    assert seen[0].box_leq_db is None
    assert seen[-1].reference_leq_db == pytest.approx(70)


@pytest.mark.parametrize(
    "flag", ["warmup", "dead", "slot", "overload", "underrange", "lost", "wind", "new"]
)
def test_whatever_the_box_flags_refuses_the_level_at_once(flag):
    pairs = iter(steady())
    bad = reading(30, 68.0, ("uncalibrated", flag))
    with pytest.raises(Refused, match=flag):
        procedure.record([*[next(pairs) for _ in range(30)], (bad, 70.0)], 70, silent)


def stepped(step_db: float, of: int) -> list[Pair]:
    """The last 20 s of the minute are louder, for the box (0) or for the reference (1)."""
    pairs = steady()
    for n in range(SECONDS - 20, SECONDS):
        levels = [68.0, 70.0]
        levels[of] += step_db
        pairs[n] = reading(n, levels[0]), levels[1]
    return pairs


@pytest.mark.parametrize("of", [0, 1])
def test_a_level_that_wanders_is_refused(of):
    # 20 of 60 s: a step of 1 dB is a standard deviation of 0.475 dB.
    assert measured(stepped(1.0, of))
    with pytest.raises(Refused, match=("box", "reference")[of] + " wandered"):
        measured(stepped(1.1, of))


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (steady()[:-1], "59 of 60 s"),
        ([], "0 of 60 s"),
        ([*steady()[:40], *steady()], "restarted"),
        ([(reading(n, None), 70.0) for n in range(SECONDS)], "no level"),
        (steady(reference_db=None), "0 of 60 s"),
        (steady(reference_db=72.6), "turn the sound down by 2.6 dB"),
        (steady(reference_db=67.4), "turn the sound up by 2.6 dB"),
    ],
)
def test_a_minute_that_is_none_is_refused(pairs, said):
    with pytest.raises(Refused, match=said) as error:
        measured(pairs)
    assert "\n" not in str(error.value)


def test_a_reading_that_is_not_there_leaves_both_averages():
    pairs = steady()
    for n in range(20, 26):
        pairs[n] = reading(n, 69.0), None
    assert measured(pairs).difference_db == pytest.approx(2.0)
    pairs[26] = reading(26, 69.0), None
    with pytest.raises(Refused, match="53 of 60 s"):
        measured(pairs)


def test_a_typed_level_stands_for_the_minute():
    take = procedure.record(steady(reference_db=None), 70, silent)
    found = procedure.point(take, UNPROVEN, typed_db=70.4)
    assert found.difference_db == pytest.approx(2.4)
    assert found.reference_wander_db is None


def test_a_log_fills_in_the_seconds_by_the_clock_of_the_box():
    take = procedure.record(steady(reference_db=None), 70, silent)
    log = {START_S + n: 50.0 if n < procedure.SETTLE_S else 70.3 for n in range(SECONDS - 3)}
    assert procedure.point(take.with_log(log), METER).difference_db == pytest.approx(2.3)
    timeless = [(r | {"time": None}, None) for r, _ in steady()]
    with pytest.raises(Refused, match="set its clock"):
        procedure.record(timeless, 70, silent).with_log(log)


def test_a_check_takes_whatever_level_there_is():
    take = procedure.record(steady(67.9, 68.3), None, silent)
    found = procedure.point(take, METER)
    assert found.level_db == 68
    assert found.difference_db == pytest.approx(0.4)
    with pytest.raises(Refused, match=r"^level: the box flags dead"):
        procedure.record([(reading(n, None, ("dead",)), 70.0) for n in range(11)], None, silent)


# Clocks.

DAY_S = 86_400


def staircase(seed: int = 1, seconds: int = 900) -> np.ndarray:
    rng = np.random.default_rng(seed)
    levels = rng.permutation([55, 65, 70, 75, 85, 60, 80, 50, 68])
    return np.repeat(levels, 100)[:seconds] + rng.normal(0, 0.1, seconds)


def course(levels: np.ndarray, begin_s: float) -> Course:
    return Course(begin_s + np.arange(len(levels), dtype=float), levels)


@pytest.mark.parametrize("ahead_s", [-90, -17, 0, 3, 90])
@pytest.mark.parametrize("days", [0, 1, -400])
def test_clocks_that_differ_are_found_out(ahead_s, days):
    levels = staircase()
    theirs = np.round(levels[50:] + 3, 1)
    theirs[100:110] = np.nan
    begin_s = START_S + 50 + ahead_s + days * DAY_S
    found = alignment.align(course(levels, START_S), course(theirs, begin_s))
    assert found.lag_s == ahead_s
    assert found.correlation > 0.99
    assert found.levels_db[START_S + 60] == pytest.approx(levels[60] + 3, abs=0.06)
    assert START_S + 155 not in found.levels_db


def test_a_course_is_made_of_the_readings_that_have_a_time():
    readings = [reading(0, 70.0) | {"time": None}, reading(1, None), reading(2, 71.0)]
    found = alignment.course_of(readings)
    assert found.times_s.tolist() == [START_S + 1, START_S + 2]
    assert np.isnan(found.levels_db[0])
    assert found.levels_db[1] == 71.0


@pytest.mark.parametrize("astray_s", [7 * DAY_S, 30_000 * DAY_S])
def test_a_long_log_with_rows_astray_aligns_too(astray_s):
    levels = staircase()
    hours = np.concatenate([np.full(20_000, 50.0), levels, [60.0]])
    times_s = START_S - 20_000 + 40 + np.arange(len(hours), dtype=float)
    times_s[-1] += astray_s
    assert alignment.align(course(levels, START_S), Course(times_s, hours)).lag_s == 40


def test_half_a_second_between_the_clocks_still_aligns():
    levels = staircase()
    between = 10 * np.log10((10 ** (levels[1:] / 10) + 10 ** (levels[:-1] / 10)) / 2)
    found = alignment.align(course(levels, START_S), course(between, START_S + 20.5))
    assert found.lag_s in (19, 20, 21)


PERIODIC = np.tile(np.repeat([60.0, 75.0], 40), 12)


@pytest.mark.parametrize(
    ("ours", "theirs", "begin_s", "said"),
    [
        (staircase(1), staircase(2), 0, "do not go together"),
        (staircase(1), staircase(1), 110, "clock is 110 s or more off"),
        (staircase(1), staircase(1), -130, "clock is 120 s or more off"),
        (staircase(1), staircase(1), 3600, "nothing of the hour"),
        (np.full(300, 70.0), np.full(300, 71.0), 0, "do not go together"),
        (staircase(1, 110), staircase(1, 110), 0, "do not go together"),
        (staircase(1), np.full(900, np.nan), 0, "do not go together"),
        (PERIODIC, PERIODIC, 0, "more than one shift"),
        (staircase(1), np.array([]), 0, "no levels"),
    ],
)
def test_courses_that_do_not_fit_once_are_refused(ours, theirs, begin_s, said):
    with pytest.raises(UserError, match=said):
        alignment.align(course(ours, START_S), course(theirs, START_S + begin_s))


# Judgement.


def points(
    differences: dict[float, tuple[float, ...]], instrument: Instrument = METER
) -> list[Point]:
    return [
        Point(level_db, START_S, level_db - difference, level_db, 1.8, 0.1, 0.1, instrument)
        for level_db, level in differences.items()
        for difference in level
    ]


def low(difference_db: float, c_minus_a_db: float = 13.3) -> Point:
    return Point(65, START_S, 65 - difference_db, 65, c_minus_a_db, 0.1, 0.1, UNPROVEN)


def numbers(text: str) -> set[str]:
    return set(re.findall(r"[+-]?\d[\d.]*", text))


GOOD = {55: (2.1, 2.0), 65: (2.0, 2.1), 70: (1.9, 2.0), 75: (2.0, 1.9), 85: (1.9, 2.1)}


def test_a_good_box_gets_an_offset_and_nothing_else():
    found = result.calibrate(SUBJECT, points(GOOD))
    assert found.accepted
    assert found.correction_db == pytest.approx(2.0)
    assert found.offset_db == 2.25
    assert max(map(abs, found.residuals_db)) == pytest.approx(0.1)
    assert abs(found.slope_db) < 0.1
    # Pairs 0.1, 0.1, 0.1, 0.1 and 0.2 dB apart: the square root of (4 · 0.005 + 0.02) / 5.
    assert found.repeatability_db == pytest.approx(math.sqrt(0.04 / 5))


def test_a_level_counts_once_however_often_it_is_measured():
    differences = GOOD | {70: (2.5,) * 8}
    correction_db = result.calibrate(SUBJECT, points(differences)).correction_db
    assert correction_db == pytest.approx((2.05 + 2.05 + 2.5 + 1.95 + 2.0) / 5)


@pytest.mark.parametrize(
    ("differences", "said"),
    [
        ({55: (2.0,), 70: (2.0,)}, "2 levels"),
        ({65: (2.0,), 70: (2.0,), 75: (2.0,)}, "over 10 dB"),
        ({40: (2.0,), 50: (2.0,), 60: (2.0,), 80: (2.0,)}, "no level from 65 to 75"),
        (GOOD | {70: (3.3, 3.3)}, r"residual \+1.03 dB at 70 dB"),
        (GOOD | {85: (4.0, 2.0)}, r"residual \+1.80 dB at 85 dB"),
        ({55: (1.4,), 65: (1.8,), 70: (2.0,), 75: (2.2,), 85: (2.6,)}, r"slope \+1.20 dB"),
        ({level: (-15.35,) for level in GOOD}, r"offset -15.10 dB"),
        # A microphone that is clipped without a sign: 85 dB reads as 80.
        (GOOD | {85: (7.0, 7.0)}, "residual"),
    ],
)
def test_a_box_that_needs_more_than_an_offset_is_refused(differences, said):
    found = result.calibrate(SUBJECT, points(differences))
    assert not found.accepted
    assert any(re.search(said, failure.en) for failure in found.failures), found.failures
    for failure in found.failures:
        assert numbers(failure.en) == numbers(failure.zh)
    with pytest.raises(UserError, match="not calibrated"):
        found.for_box()


@pytest.mark.parametrize("sign", [1, -1])
def test_limits_are_those_of_the_house(sign):
    """Just inside each limit is accepted, just outside refused."""

    def accepted(differences: dict[float, tuple[float, ...]]) -> bool:
        moved = {
            level: tuple(sign * db for db in level_dbs) for level, level_dbs in differences.items()
        }
        return result.calibrate(SUBJECT, points(moved)).accepted

    def alone(level_db: float, residual: float) -> dict[float, tuple[float, ...]]:
        # Two opposite takes leave the mean of the level, and so correction and slope, as they are.
        return {level: (0.0,) for level in GOOD} | {level_db: (residual, -residual)}

    def sloped(slope: float) -> dict[float, tuple[float, ...]]:
        return {level: ((level - 70) / 30 * slope,) for level in GOOD}

    for level_db, most in ((55, 1.5), (65, 1.0), (70, 1.0), (75, 1.0), (85, 1.5)):
        assert accepted(alone(level_db, most - 0.01))
        assert not accepted(alone(level_db, most + 0.01))
    assert accepted(sloped(0.99))
    assert not accepted(sloped(1.01))


@pytest.mark.parametrize(
    ("instrument", "low_point", "said"),
    [
        (METER, None, None),
        (UNPROVEN, low(2.0), None),
        (UNPROVEN, low(4.5), None),
        (UNPROVEN, None, "not proven"),
        (UNPROVEN, low(2.0, c_minus_a_db=5.0), "take a tone or noise near 160 Hz"),
        # On C the meter read 1.8 dB more for pink noise: 3.8; for the low sound 13.3 dB more.
        (UNPROVEN, low(2.0 + 13.3 - 1.8), "not on A weighting"),
        (UNPROVEN, low(-2.0), "lost its lows"),
    ],
)
def test_the_weighting_of_a_meter_is_known_or_proven(instrument, low_point, said):
    failures = result.calibrate(SUBJECT, points(GOOD, instrument), low_point).failures
    assert len(failures) == (said is not None)
    assert said is None or said in failures[0].en


@pytest.mark.parametrize("name", ["bench 2", "重庆" * 40])
def test_the_box_gets_a_file_that_it_takes(name, tmp_path):
    path = tmp_path / "calibration.json"
    subject = replace(SUBJECT, technician=name)
    measured = points(GOOD, replace(METER, meter=name))
    path.write_text(json.dumps(result.calibrate(subject, measured).for_box()))

    class Files:
        open = staticmethod(open)

    offset_db, until, _, problems = on_box.load(Files, str(path))
    assert (offset_db, problems) == (2.25, [])
    # Its last day, 2027-06-01, is over at midnight UTC.
    assert until == 1_811_894_400


def test_the_result_is_all_json():
    found = result.calibrate(SUBJECT, points(GOOD, UNPROVEN), low(2.1)).as_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["subject"]["day"] == "2026-06-01"
    assert found["expires"] == "2027-06-01"
    assert found["instruments"][0]["certificate"] == "C-2026-001"
    assert [point["residual_db"] for point in found["points"][:2]] == [0.1, 0.0]
    assert found["weighting_check"]["box_c_minus_a_db"] == 13.3
    assert found["uncertainty"]["k"] == 2
    assert result.calibrate(SUBJECT, points(GOOD)).as_json()["weighting_check"] is None


def test_nothing_measured_is_said():
    for judged in (lambda: result.calibrate(SUBJECT, []), lambda: result.check([])):
        with pytest.raises(UserError, match="no level was measured"):
            judged()


@pytest.mark.parametrize(
    ("drift_db", "verdict"),
    [(0.0, "ok"), (0.5, "ok"), (-0.5, "ok"), (0.51, "warn"), (-1.5, "warn"), (1.51, "out")],
)
def test_a_spot_check_warns_and_puts_out_of_calibration(drift_db, verdict):
    found = result.check(points({94: (-drift_db,)}))
    assert found.drift_db == pytest.approx(drift_db)
    assert found.verdict == verdict
    assert found.as_json()["verdict"] == verdict


# Uncertainty.


def test_the_budget_is_the_root_of_its_squares_and_names_each():
    budget = uncertainty.budget(0.15, 0.1, [2.0, 2.2, 1.8, 2.0], [0.3, -0.1])
    standard = {component.name: component.standard_db for component in budget.components}
    assert standard == {
        "reference": 0.15,
        "reference resolution": pytest.approx(0.05 / math.sqrt(3)),
        "box resolution": pytest.approx(0.005 / math.sqrt(3)),
        "repeatability": pytest.approx(math.sqrt(0.08 / 3 / 4)),
        "linearity": pytest.approx(0.3 / math.sqrt(3)),
        "placement": pytest.approx(0.2 / math.sqrt(3)),
    }
    combined = math.sqrt(sum(value**2 for value in standard.values()))
    assert budget.combined_db == pytest.approx(combined)
    assert 0 <= budget.expanded_db - 2 * combined < 0.01


def test_more_doubt_is_more_uncertainty():
    class_2 = Instrument("CSV", "S-17", "none", 0.5, 0.1, weighting_known=True)
    scattered = GOOD | {70: (1.5, 2.5)}
    expanded = [
        result.calibrate(SUBJECT, found).budget.expanded_db
        for found in (points(GOOD), points(scattered), points(scattered, class_2))
    ]
    assert all(less < more for less, more in pairwise(expanded))
    mixed = points(GOOD) + points({94: (2.0,)}, class_2)
    assert result.calibrate(SUBJECT, mixed).budget.components[0].standard_db == 0.5


def test_the_level_that_the_procedure_takes_by_itself_is_enough():
    levels = procedure.LEVELS_DB
    assert len(levels) >= acceptance.LEVELS_LEAST
    assert max(levels) - min(levels) >= acceptance.SPAN_LEAST_DB
    assert min(b - a for a, b in pairwise(levels)) >= procedure.NOMINAL_WITHIN_DB * 2
