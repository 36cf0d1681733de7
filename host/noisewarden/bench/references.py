"""A reference meter in the course of a calibration: when its levels come, and how.

Live meters have theirs each second, a typed one after each minute, a log after all of it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from noisewarden.bench import meters
from noisewarden.bench.calibration import alignment, procedure
from noisewarden.bench.calibration.procedure import Point, Reading, Refused, Take
from noisewarden.bench.meters.protocol import Instrument, Meter, Papers, Seconds
from noisewarden.errors import UserError

TONE_C_MINUS_A_DB = 0.5
"""A and C part by more from 850 Hz down and from 1.2 kHz up (IEC 61672-1, annex E); at 250 Hz, the
tone of many a calibrator, by 8.7 dB."""


class Reference(Seconds, Protocol):
    @property
    def weighting_known(self) -> bool:
        """Whether nothing needs to prove that it is on A."""
        ...

    def point(self, take: Take) -> Point | None:
        """The comparison of a minute; None when it can be made after `finish` only. Refused when
        it does not count."""
        ...

    def finish(self, course: Iterable[Reading]) -> None:
        """All minutes are over, in which the box had these readings."""
        ...


class Live:
    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.weighting_known = meter.instrument.weighting_known

    def second(self) -> float | None:
        return self._meter.second()

    def point(self, take: Take) -> Point:
        return procedure.point(take, self._meter.instrument)

    def finish(self, course: Iterable[Reading]) -> None:
        pass


class Coupled(Live):
    """A calibrator: what the box hears has to be its tone, and nothing beside it."""

    def point(self, take: Take) -> Point:
        point = super().point(take)
        if abs(point.box_c_minus_a_db) > TONE_C_MINUS_A_DB:
            raise Refused(
                f"level: LCeq − LAeq is {point.box_c_minus_a_db:+.1f} dB, where a tone of 1 kHz "
                "has 0; set the calibrator to 1 kHz, seat it tightly, and repeat the level"
            )
        return point


class ReadOff(Live):
    """`level` gets what the meter shows of the minute that is just over."""

    def __init__(self, meter: Meter, level: Callable[[], float]) -> None:
        super().__init__(meter)
        self._level = level

    def point(self, take: Take) -> Point:
        return procedure.point(take, self._meter.instrument, self._level())


class Logged:
    """`meter` is its make and type. `ask(problem)` gets the file that it wrote; `problem` is what
    was wrong with the one before, "" at first."""

    weighting_known = False

    def __init__(self, papers: Papers, meter: str, ask: Callable[[str], Path]) -> None:
        self._papers = papers
        self._meter = meter
        self._ask = ask
        self._found: tuple[Mapping[int, float], Instrument] | None = None

    def second(self) -> None:
        return None

    def point(self, take: Take) -> Point | None:
        if self._found is None:
            return None
        levels_db, instrument = self._found
        return procedure.point(take.with_log(levels_db), instrument)

    def finish(self, course: Iterable[Reading]) -> None:
        ours, problem = alignment.course_of(course), ""
        while self._found is None:
            try:
                log = meters.read_log(self._ask(problem))
                levels_db = alignment.align(ours, log.course).levels_db
                instrument = log.instrument(self._papers)
                self._found = levels_db, replace(instrument, meter=self._meter)
            except UserError as error:
                problem = str(error)
