"""A calibration as it goes on at the bench: level by level, with whoever sets the sound."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from noisewarden.bench.calibration import procedure, result
from noisewarden.bench.calibration.procedure import Point, Progress, Refused, Take
from noisewarden.bench.calibration.result import Check
from noisewarden.bench.references import Reference
from noisewarden.bench.sitting import Sitting
from noisewarden.console import Vanished
from noisewarden.errors import UserError


class Person(Protocol):
    """Who sets the sound and sees what comes of it."""

    def ready(self, level_db: float | None, of: str) -> None:
        """Comes back once the sound plays; None asks for the low sound, or for any."""
        ...

    def again(self, problem: str) -> bool:
        """Whether to try a level again that did not count."""
        ...

    def done(self, point: Point) -> None: ...

    def watching(self) -> AbstractContextManager[Callable[[Progress], None]]:
        """What shows each second of a level."""
        ...


@dataclass
class Measured:
    """Of pink noise, and of the low sound when there was one; `left_out` says which minutes do not
    count, and why."""

    points: list[Point] = field(default_factory=list)
    low: Point | None = None
    left_out: list[str] = field(default_factory=list)

    def add(self, take: Take, point: Point) -> None:
        if take.level_db is None:
            self.low = point
        else:
            self.points.append(point)


def measure(
    sitting: Sitting, reference: Reference, levels_db: Sequence[float], rounds: int, person: Person
) -> Measured:
    """Pink noise at each level in turn, `rounds` times, and the low sound where the weighting of
    the reference is not known."""
    plan: list[float | None] = [*levels_db] * rounds
    if not reference.weighting_known:
        plan.append(None)
    measured = Measured()
    waiting: list[Take] = []
    for place, level_db in enumerate(plan, 1):
        take, point = one(sitting, reference, level_db, person, f"{place} of {len(plan)}")
        if take and point:
            measured.add(take, point)
        elif take:
            waiting.append(take)
    if waiting:
        reference.finish(sitting.course)
    for take in waiting:
        try:
            point = reference.point(take)
        except Refused as refused:
            measured.left_out.append(str(refused))
            continue
        assert point
        measured.add(take, point)
    return measured


def one(
    sitting: Sitting, reference: Reference, level_db: float | None, person: Person, of: str
) -> tuple[Take | None, Point | None]:
    """One level, again until it counts or the person gives it up."""
    while True:
        person.ready(level_db, of)
        try:
            with person.watching() as show:
                pairs = procedure.pairs(sitting.compared(), reference)
                take = procedure.record(pairs, level_db, show)
            point = reference.point(take)
        except Vanished:
            raise
        except UserError as problem:
            if not person.again(str(problem)):
                return None, None
            continue
        if point:
            person.done(point)
        return take, point


def check(sitting: Sitting, reference: Reference, person: Person) -> Check:
    """A minute of a calibrated box at whatever level there is. When it is out, that of a second
    minute: a digit typed wrong or a loose coupler must not put a box out of service."""
    found = _minute(sitting, reference, person, "check")
    if found.verdict == "out":
        more = f"more than {result.OUT_DB:g} dB apart, once more to be sure"
        found = _minute(sitting, reference, person, more)
    return found


def _minute(sitting: Sitting, reference: Reference, person: Person, of: str) -> Check:
    _, point = one(sitting, reference, None, person, of)
    return result.check([point] if point else [])
