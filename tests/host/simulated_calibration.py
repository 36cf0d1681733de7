"""A bench with many boxes: what calibration makes of them, with the bench's own code.

Each box has a microphone that is off by up to ±3 dB, with 33 dB(A) of its own noise. The meter has
an error of its own, the same all day, noise and a display of 0.1 dB; it logs, on a clock that is
off by up to 90 s and between the box's seconds, and misses a second here and there. The technician
sets each level by ear and takes it twice; people talk, so levels wander, at times too much. Then
come the low sound, and the log into the box's seconds.

    python tests/host/simulated_calibration.py [BOXES]    the figures
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from noisewarden.bench.calibration import procedure
from noisewarden.bench.calibration.alignment import align
from noisewarden.bench.calibration.procedure import Point, Refused, Take
from noisewarden.bench.calibration.result import Result, Subject, calibrate
from noisewarden.bench.meters.protocol import STANDARD_UNCERTAINTY_DB, Course, Instrument
from noisewarden.errors import UserError

BOXES = 500
START_S = 1_780_000_000

MICROPHONE_DB = 3.0
MICROPHONE_LOW_DB = 1.0
"""How its response at 160 Hz is off, beside that."""
NOISE_DBA = 33.0
METER_NOISE_DB = 0.1
METER_MISSES = 0.01
CLOCK_S = 90.0

PINK_C_MINUS_A_DB, LOW_C_MINUS_A_DB = 1.8, 13.3
"""LC − LA of pink noise from 20 Hz to 20 kHz, and of 160 Hz."""

LOW_DB = 65.0
ROUNDS = 2
TRIES = 3
PAUSE_S = 20

TOLD_DB = (65.0, 70.0, 75.0)
"""Where the error after calibration is looked at."""
GOOD_DB = 0.5

SUBJECT = Subject("box", "esp32", "", "", "INMP441", 0.0, "bench", "bench", date(2026, 6, 1))

Curve = Callable[[np.ndarray], np.ndarray]
"""What a box makes of true levels, dB(A)."""


@dataclass(frozen=True)
class Box:
    """`curve` without the microphone's noise; `flags` on every reading."""

    curve: Curve
    low_db: float = 0.0
    flags: tuple[str, ...] = ()

    def measure(self, levels_db: np.ndarray, low: np.ndarray) -> np.ndarray:
        heard = levels_db + np.where(low, self.low_db, 0.0)
        return self.curve(_sum(heard, np.full_like(heard, NOISE_DBA)))


@dataclass(frozen=True)
class Bench:
    """The sound of a whole calibration, second by second, and when levels begin.

    `low`: where it is the low sound; `starts`: (level, first second) of each, None for the low
    sound, which may have any.
    """

    levels_db: np.ndarray
    low: np.ndarray
    starts: tuple[tuple[float | None, int], ...]

    @property
    def c_minus_a_db(self) -> np.ndarray:
        return np.where(self.low, LOW_C_MINUS_A_DB, PINK_C_MINUS_A_DB)


def sound(rng: np.random.Generator) -> Bench:
    """Levels in rounds, each TRIES times, in case one is refused; the low one last."""
    minute = procedure.SETTLE_S + procedure.MEASURE_S
    planned = [*procedure.LEVELS_DB * ROUNDS, *[None] * ROUNDS]
    pieces, starts, at = [], [], 0
    for level_db in planned:
        set_db = (LOW_DB if level_db is None else level_db) + rng.uniform(-1.5, 1.5)
        for _ in range(TRIES):
            wander = rng.choice([0.1, 0.2, 0.3, 0.6]) * _slow(rng, minute)
            pieces.append(set_db + wander + rng.normal(0, 0.1, minute))
            starts.append((level_db, at))
            # Between levels the knob is turned and people speak.
            pieces.append(rng.uniform(45, 75) + rng.normal(0, 3, PAUSE_S))
            at += minute + PAUSE_S
    levels = np.concatenate(pieces)
    low = np.arange(len(levels)) >= starts[-TRIES * ROUNDS][1]
    return Bench(levels, low, tuple(starts))


def good_box(rng: np.random.Generator) -> Box:
    off_db = rng.uniform(-MICROPHONE_DB, MICROPHONE_DB)
    return Box(lambda x: x + off_db, rng.uniform(-MICROPHONE_LOW_DB, MICROPHONE_LOW_DB))


def log_of(
    bench: Bench, error_db: float, rng: np.random.Generator, c_weighted: bool = False
) -> Course:
    """What the meter logs of it: LAeq,1s between the box's seconds, on a clock of its own."""
    true_db = bench.levels_db + (bench.c_minus_a_db if c_weighted else 0.0)
    clock_s = rng.uniform(-CLOCK_S, CLOCK_S)
    later = rng.uniform()
    energy = 10 ** (true_db / 10)
    between_db = 10 * np.log10((1 - later) * energy[:-1] + later * energy[1:])
    read_db = np.round(between_db + error_db + rng.normal(0, METER_NOISE_DB, len(between_db)), 1)
    read_db[rng.uniform(size=len(read_db)) < METER_MISSES] = np.nan
    # Its clock shows whole seconds as the fraction of its second begins.
    begin_s = np.floor(START_S + later + clock_s)
    return Course(begin_s + np.arange(len(read_db)), read_db)


def run(bench: Bench, box: Box, log: Course, instrument: Instrument) -> Result:
    """The calibration as a technician makes it. UserError when it comes to no result."""
    levels_db = np.round(box.measure(bench.levels_db, bench.low), 2)
    lceq_db = levels_db + bench.c_minus_a_db
    takes: dict[int, Take] = {}
    refused: UserError | None = None
    for number, (level_db, start) in enumerate(bench.starts):
        if number // TRIES not in takes:
            pairs = _pairs(levels_db, lceq_db, box.flags, start)
            try:
                takes[number // TRIES] = procedure.record(pairs, level_db, lambda progress: None)
            except Refused as error:
                refused = error
    if not takes and refused:
        raise refused
    seconds = START_S + np.arange(len(levels_db), dtype=float)
    aligned = align(Course(seconds, levels_db), log)
    points: dict[int, Point] = {}
    for planned, take in takes.items():
        try:
            points[planned] = procedure.point(take.with_log(aligned.levels_db), instrument)
        except Refused as error:
            refused = error
    pink = len(procedure.LEVELS_DB) * ROUNDS
    low = next((point for planned, point in points.items() if planned >= pink), None)
    measured = [point for planned, point in points.items() if planned < pink]
    if not measured and refused:
        raise refused
    return calibrate(SUBJECT, measured, low)


def errors_of(box: Box, found: Result) -> np.ndarray:
    """What the box then shows too much at TOLD_DB."""
    true_db = np.array(TOLD_DB)
    shown_db = box.measure(true_db, np.zeros(len(true_db), bool)) + found.offset_db
    return shown_db - true_db


@dataclass(frozen=True)
class Figures:
    """Of good boxes, by share and in dB: `within` GOOD_DB, `covered` by the stated uncertainty at
    all of TOLD_DB, `worst` and `percentile_99` error, `expanded` uncertainty stated on average."""

    boxes: int
    accepted: float
    within: float
    covered: float
    percentile_99_db: float
    worst_db: float
    expanded_db: float


def good_boxes(meter_class: int, boxes: int = BOXES, seed: int = 1) -> Figures:
    """What calibration with a meter of this class makes of good boxes."""
    rng = np.random.default_rng([seed, meter_class])
    instrument = instrument_of(meter_class)
    errors, expanded, refused = [], [], 0
    for _ in range(boxes):
        bench, box = sound(rng), good_box(rng)
        log = log_of(bench, rng.normal(0, instrument.uncertainty_db), rng)
        found = run(bench, box, log, instrument)
        if found.accepted:
            errors.append(np.abs(errors_of(box, found)).max())
            expanded.append(found.budget.expanded_db)
        else:
            refused += 1
    worst, stated = np.array(errors), np.array(expanded)
    return Figures(
        boxes=boxes,
        accepted=1 - refused / boxes,
        within=float(np.mean(worst <= GOOD_DB)),
        covered=float(np.mean(worst <= stated)),
        percentile_99_db=float(np.percentile(worst, 99)),
        worst_db=float(worst.max()),
        expanded_db=float(stated.mean()),
    )


def _compressed(rng: np.random.Generator, off_db: float) -> Box:
    factor = rng.choice([-1, 1]) * rng.uniform(0.06, 0.2)
    return Box(lambda x: x + off_db + factor * (x - 70))


def _bent(rng: np.random.Generator, off_db: float) -> Box:
    knee_db, ratio = rng.uniform(60, 72), rng.uniform(1.5, 4)
    return Box(lambda x: np.where(x > knee_db, knee_db + (x - knee_db) / ratio, x) + off_db)


def _clipped_unseen(rng: np.random.Generator, off_db: float) -> Box:
    most_db = rng.uniform(72, 80)
    return Box(lambda x: np.minimum(x, most_db) + off_db)


def _clipped(rng: np.random.Generator, off_db: float) -> Box:
    return Box(lambda x: x + off_db, flags=("overload",))


def _dead(rng: np.random.Generator, off_db: float) -> Box:
    return Box(lambda x: np.full_like(x, np.nan), flags=("dead",))


def _stuck(rng: np.random.Generator, off_db: float) -> Box:
    """A line in the wrong slot whose level is plausible and steady, as an SPH0645's."""
    return Box(lambda x: np.full_like(x, 75.0 + off_db))


def _noisy(rng: np.random.Generator, off_db: float) -> Box:
    noise_db = rng.uniform(62, 70)
    return Box(lambda x: _sum(x, np.full_like(x, noise_db)) + off_db)


FAULTS = {
    "non-linear, compressed": _compressed,
    "non-linear, bent": _bent,
    "non-linear, noisy": _noisy,
    "clipped, flagged": _clipped,
    "clipped, not flagged": _clipped_unseen,
    "dead": _dead,
    "stuck": _stuck,
    "meter on C": None,
}
"""By name, what makes such a box of an offset; None for a good box."""


def faulty_boxes(boxes: int = BOXES, seed: int = 1) -> dict[str, tuple[int, int]]:
    """(refused, of) for each fault, class 1 and class 2 meters in turn."""
    counts = {}
    for number, (name, make) in enumerate(FAULTS.items()):
        rng = np.random.default_rng([seed, number])
        count = -(-boxes // len(FAULTS))
        refused = 0
        for n in range(count):
            instrument = instrument_of(1 + n % 2)
            bench, box = sound(rng), good_box(rng)
            if make:
                box = replace(make(rng, rng.uniform(-3, 3)), low_db=box.low_db)
            error_db = rng.normal(0, instrument.uncertainty_db)
            log = log_of(bench, error_db, rng, c_weighted=make is None)
            try:
                refused += not run(bench, box, log, instrument).accepted
            except UserError:
                refused += 1
        counts[name] = refused, count
    return counts


def main(boxes: int = BOXES) -> None:
    """Prints all figures."""
    for meter_class in (1, 2):
        found = good_boxes(meter_class, boxes)
        print(
            f"class {meter_class} reference, {found.boxes} boxes: accepted {found.accepted:.1%}; "
            f"error at 65-75 dB within {GOOD_DB:g} dB {found.within:.1%}, 99 % within "
            f"{found.percentile_99_db:.2f} dB, worst {found.worst_db:.2f} dB; stated U (k = 2) "
            f"{found.expanded_db:.2f} dB covers {found.covered:.1%}"
        )
    for name, (refused, of) in faulty_boxes(boxes).items():
        print(f"{name}: {refused} of {of} refused")


def instrument_of(meter_class: int) -> Instrument:
    sigma = STANDARD_UNCERTAINTY_DB[meter_class]
    return Instrument(f"class {meter_class}", "", "", sigma, 0.1, weighting_known=False)


def _pairs(
    levels_db: np.ndarray, lceq_db: np.ndarray, flags: tuple[str, ...], start: int
) -> Iterator[procedure.Pair]:
    for n in range(start, len(levels_db)):
        level_db = None if np.isnan(levels_db[n]) else float(levels_db[n])
        yield (
            {
                "n": n,
                "time": START_S + n,
                "laeq": level_db,
                "lceq": None if level_db is None else float(lceq_db[n]),
                "flags": ["uncalibrated", *flags],
            },
            None,
        )


def _sum(a_db: np.ndarray, b_db: np.ndarray) -> np.ndarray:
    return 10 * np.log10(10 ** (a_db / 10) + 10 ** (b_db / 10))


def _slow(rng: np.random.Generator, seconds: int) -> np.ndarray:
    """A course that wanders over ten seconds or so, standard deviation 1."""
    points = rng.normal(0, 1, seconds // 10 + 2)
    course = np.interp(np.arange(seconds) / 10, np.arange(len(points)), points)
    return course / 0.82  # of what interpolation leaves of it


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
