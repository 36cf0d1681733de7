"""From a box's journal to its incidents: the same records always give the same ones (DESIGN 4.3).

An incident goes from leaving stage 0 until it has stayed there for the clear time. A box starts at
stage 0 without a word, so a start calms what went on before it.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

CLEAR_S = 600


@dataclass(frozen=True)
class Moment:
    """When a record was written; `unix_s` is None while nobody knows the time."""

    seq: int
    boot: int
    uptime_ms: int
    unix_s: int | None


@dataclass(frozen=True)
class Change(Moment):
    """The stage that came with a record of a stage or of a start; `live`: it came as it was."""

    stage: int
    live: bool


@dataclass
class Course:
    """An incident as the journal tells it.

    loud   its changes to a stage above 0, `rises` those among them that led up
    calm   since when it is at stage 0, None while it is not
    ended  whether it has been for the clear time
    """

    loud: list[Change] = field(default_factory=list)
    rises: list[Change] = field(default_factory=list)
    calm: Change | None = None
    ended: bool = False

    @property
    def opened(self) -> Change:
        return self.loud[0]

    @property
    def stage(self) -> int:
        """The highest."""
        return max(change.stage for change in self.loud)

    @property
    def calmed_s(self) -> int | None:
        return self.calm.unix_s if self.calm else None

    @property
    def ended_s(self) -> int | None:
        """None too when it ended and nobody knows the time."""
        return self.calmed_s + CLEAR_S if self.ended and self.calmed_s is not None else None


def courses(changes: Iterable[Change], last: Moment | None) -> Iterator[Course]:
    """The incidents in a box's changes, which are in the order of its journal.

    last   the newest record of all, by which the last incident may have ended
    """
    course: Course | None = None
    stage = 0
    for change in changes:
        if course and _is_over(course, change):
            yield course
            course = None
        before, stage = stage, change.stage
        if stage:
            course = course or Course()
            course.loud.append(change)
            course.calm = None
            if stage > before:
                course.rises.append(change)
        elif course and not course.calm:
            course.calm = change
    if course:
        if last:
            _is_over(course, last)
        yield course


def _is_over(course: Course, now: Moment) -> bool:
    course.ended = course.calm is not None and _seconds(course.calm, now) >= CLEAR_S
    return course.ended


def _seconds(since: Moment, now: Moment) -> float:
    """From one record to a later one.

    A time of an earlier start that is unknown stays so: the box began anew, and so does the count.
    So does one that was wrong, from which the later start goes back. One of the later start may
    still be resolved: until then nothing ends by it.
    """
    if since.boot == now.boot:
        return (now.uptime_ms - since.uptime_ms) / 1000
    if since.unix_s is None:
        return math.inf
    seconds = 0 if now.unix_s is None else now.unix_s - since.unix_s
    return math.inf if seconds < -CLEAR_S else seconds
