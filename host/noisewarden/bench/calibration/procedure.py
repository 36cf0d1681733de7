"""One level of a calibration: settle, measure a minute, refuse what is not to be trusted.

Pure logic over pairs of a box's reading and the reference's second. What stands in a `Take` is the
box's half, and the reference's as far as it came live; `point` makes the comparison, with a level
that was typed in or seconds out of a log where there were none.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from noisewarden.bench.meters.protocol import Instrument, Seconds
from noisewarden.errors import UserError

SETTLE_S = 10
MEASURE_S = 60
LEVELS_DB = (55, 65, 70, 75, 85)
"""Pink noise; each is measured at least once, better twice."""

NOMINAL_WITHIN_DB = 2.5
"""A level counts as the nominal one when the reference is so near: half a step of LEVELS_DB."""

WANDER_DB = 0.5
"""Standard deviation of the levels of the seconds, beyond which a level was not steady. Pink noise
alone has about 0.1 dB, a drift of 1 dB over the minute 0.3 dB, one slammed door 0.8 dB."""

PRESENT_LEAST_S = 54
"""The reference may miss 6 of the 60 seconds; the box none."""

UNMINDED = frozenset(("uncalibrated", "clock"))
"""Flags that say nothing about the level."""

_CURES = {
    "warmup": "wait until it has started",
    "dead": "check the microphone's wires",
    "slot": "check the microphone's L/R wire",
    "overload": "the sound is too loud for it; lower it or take the box out of the near field",
    "underrange": "the sound is too near its own noise; raise it",
    "lost": "samples were lost; repeat the level",
    "wind": "keep draughts and low rumble away",
}

Reading = Mapping[str, Any]
"""Payload of the box's `reading`."""
Pair = tuple[Reading, float | None]


def pairs(readings: Iterable[Reading], meter: Seconds) -> Iterator[Pair]:
    """Each reading with what the meter has at that moment."""
    return ((reading, meter.second()) for reading in readings)


class Refused(UserError):
    """A level that does not count; the calibration goes on when it is repeated."""


@dataclass(frozen=True)
class Progress:
    """After each second: its levels, and the averages of the minute so far (None while settling
    and where there is none)."""

    level_db: float | None
    settling: bool
    second: int
    of: int
    box_db: float | None
    reference_db: float | None
    box_leq_db: float | None
    reference_leq_db: float | None

    @property
    def difference_db(self) -> float | None:
        """Reference less box, of the averages; of the second while settling."""
        if self.box_leq_db is not None and self.reference_leq_db is not None:
            return self.reference_leq_db - self.box_leq_db
        if self.settling and self.box_db is not None and self.reference_db is not None:
            return self.reference_db - self.box_db
        return None


@dataclass(frozen=True)
class Take:
    """A minute of the box at one level, second by second.

    level_db        nominal; None for whatever there is, which will do for a check and for the low
                    sound
    times           of the box's seconds, unix time, None where it had none
    box_db, box_c   LAeq,1s and LCeq,1s
    reference_db    what came live, None for none
    """

    level_db: float | None
    times: tuple[int | None, ...]
    box_db: tuple[float, ...]
    box_c: tuple[float, ...]
    reference_db: tuple[float | None, ...]

    def with_log(self, levels_db: Mapping[int, float]) -> "Take":
        """With the seconds of an aligned log as the reference's."""
        if None in self.times:
            raise Refused(
                f"{_name(self.level_db)}: the box had no time, so no log fits; set its clock"
            )
        reference = tuple(None if t is None else levels_db.get(t) for t in self.times)
        return Take(self.level_db, self.times, self.box_db, self.box_c, reference)


@dataclass(frozen=True)
class Point:
    """One level compared, dB(A).

    box_c_minus_a_db  LCeq − LAeq as the box measured it: what sound it was
    box_wander_db, reference_wander_db  standard deviations of the seconds; None for a typed level
    """

    level_db: float
    started: int | None
    box_db: float
    reference_db: float
    box_c_minus_a_db: float
    box_wander_db: float
    reference_wander_db: float | None
    instrument: Instrument

    @property
    def difference_db(self) -> float:
        """What must be added to the box."""
        return self.reference_db - self.box_db


def record(
    pairs: Iterable[Pair], level_db: float | None, progress: Callable[[Progress], None]
) -> Take:
    """Settles for SETTLE_S, then takes MEASURE_S; no more of `pairs` than that.

    Refused as soon as the box flags anything, has no level or restarts; in the end when it
    wandered, or when `pairs` ends early.
    """
    taken: list[Pair] = []
    box, reference = _Mean(), _Mean()
    settled = 0
    last = -1
    for reading, reference_db in pairs:
        if reading["n"] <= last:
            raise Refused(f"{_name(level_db)}: the box restarted; repeat the level")
        last = reading["n"]
        settling = settled < SETTLE_S
        if settling:
            settled += 1
        else:
            _check(reading, level_db)
            taken.append((reading, reference_db))
            box.add(reading["laeq"])
            reference.add(reference_db)
        progress(
            Progress(
                level_db=level_db,
                settling=settling,
                second=settled if settling else len(taken),
                of=SETTLE_S if settling else MEASURE_S,
                box_db=reading["laeq"],
                reference_db=reference_db,
                box_leq_db=box.leq,
                reference_leq_db=reference.leq,
            )
        )
        if len(taken) == MEASURE_S:
            break
    if len(taken) < MEASURE_S:
        raise Refused(
            f"{_name(level_db)}: readings ended after {len(taken)} of {MEASURE_S} s; "
            "repeat the level"
        )
    take = Take(
        level_db=level_db,
        times=tuple(reading["time"] for reading, _ in taken),
        box_db=tuple(reading["laeq"] for reading, _ in taken),
        box_c=tuple(reading["lceq"] for reading, _ in taken),
        reference_db=tuple(reference_db for _, reference_db in taken),
    )
    _check_wander("box", take.box_db, level_db)
    return take


def point(take: Take, instrument: Instrument, typed_db: float | None = None) -> Point:
    """`take` compared with `typed_db`, or with its own reference.

    Box and reference are averaged over the same seconds. Refused when the reference has
    fewer than PRESENT_LEAST_S, wandered, or is another level than the nominal one.
    """
    reference = take.reference_db if typed_db is None else [typed_db] * MEASURE_S
    seconds = zip(take.box_db, take.box_c, reference, strict=True)
    present = [(box_db, box_c, db) for box_db, box_c, db in seconds if db is not None]
    if len(present) < PRESENT_LEAST_S:
        raise Refused(
            f"{_name(take.level_db)}: the reference has {len(present)} of {MEASURE_S} s; "
            "look after its battery, cable and log, and repeat the level"
        )
    box, box_c, levels = zip(*present, strict=True)
    if typed_db is None:
        _check_wander("reference", levels, take.level_db)
    box_leq, reference_leq = _leq(box), _leq(levels)
    level_db = float(round(reference_leq)) if take.level_db is None else take.level_db
    off_db = reference_leq - level_db
    if abs(off_db) > NOMINAL_WITHIN_DB:
        raise Refused(
            f"{_name(take.level_db)}: the reference measured {reference_leq:.1f} dB; turn the "
            f"sound {'down' if off_db > 0 else 'up'} by {abs(off_db):.1f} dB and repeat the level"
        )
    return Point(
        level_db=level_db,
        started=take.times[0],
        box_db=box_leq,
        reference_db=reference_leq,
        box_c_minus_a_db=_leq(box_c) - box_leq,
        box_wander_db=wander(take.box_db),
        reference_wander_db=wander(levels) if typed_db is None else None,
        instrument=instrument,
    )


class _Mean:
    """The energy mean of levels as they come."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._count = 0

    def add(self, level_db: float | None) -> None:
        if level_db is not None:
            self._sum += 10 ** (level_db / 10)
            self._count += 1

    @property
    def leq(self) -> float | None:
        return 10 * math.log10(self._sum / self._count) if self._count else None


def wander(levels_db: Iterable[float]) -> float:
    """Standard deviation of the levels of at least two seconds, dB."""
    levels = list(levels_db)
    mean = sum(levels) / len(levels)
    return math.sqrt(sum((level - mean) ** 2 for level in levels) / (len(levels) - 1))


def _name(level_db: float | None) -> str:
    return "level" if level_db is None else f"level {level_db:g} dB"


def _leq(levels_db: Iterable[float]) -> float:
    mean = _Mean()
    for level_db in levels_db:
        mean.add(level_db)
    assert mean.leq is not None
    return mean.leq


def _check(reading: Reading, level_db: float | None) -> None:
    flags = [flag for flag in reading["flags"] if flag not in UNMINDED]
    if flags:
        cures = "; ".join(_CURES.get(flag, "see what it means") for flag in flags)
        raise Refused(f"{_name(level_db)}: the box flags {', '.join(flags)}: {cures}")
    if reading["laeq"] is None or reading["lceq"] is None:
        raise Refused(f"{_name(level_db)}: the box has no level; repeat the level")


def _check_wander(who: str, levels_db: Iterable[float], level_db: float | None) -> None:
    found = wander(levels_db)
    if found > WANDER_DB:
        raise Refused(
            f"{_name(level_db)}: the {who} wandered, standard deviation {found:.2f} dB of at "
            f"most {WANDER_DB:g} dB; wait for quiet, keep still, and repeat the level"
        )
