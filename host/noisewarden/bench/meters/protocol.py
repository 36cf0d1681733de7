"""What a reference meter is to the bench: a live one, or the log that it wrote.

Another live meter is a file with a class that has what `Meter` has; another log is a file with
`recognises` and `read`, named in `meters.LOGS`. Levels are dB(A) re 20 µPa. A reading that is not
there is None, in a course NaN, and never 0 dB.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import numpy as np

from noisewarden.errors import UserError

STANDARD_UNCERTAINTY_DB = {1: 0.15, 2: 0.5}
"""Of a meter of this class of IEC 61672-1 that was set with its calibrator just before, k = 1.
What its certificate states goes before."""

LOWEST_DB, HIGHEST_DB = 10.0, 150.0
"""No reference meter reads below its own noise or above its overload; drivers mark what is not
there by 0, -999 and the like."""

_SEVERAL = 1.5
"""Rows for each second of a log; an hour of a night comes twice when summer time ends."""

_NO_YEAR = 1900
"""What `strptime` gives for none."""

_NUMBER = re.compile(r"[+-]?\d{1,3}([.,]\d+)?")


@dataclass(frozen=True)
class Instrument:
    """A reference as the certificate names it.

    uncertainty_db   standard uncertainty of its levels (k = 1)
    weighting_known  the instrument itself says that its levels are A-weighted, or there is no
                     difference (the 1 kHz of a calibrator)
    """

    meter: str
    serial: str
    certificate: str
    uncertainty_db: float
    resolution_db: float
    weighting_known: bool

    @property
    def name(self) -> str:
        return f"{self.meter} {self.serial}".strip()


@dataclass(frozen=True)
class Papers:
    """What the technician knows of a meter.

    certificate     number of its certificate
    serial          "" for a meter that tells it itself
    uncertainty_db  standard uncertainty (k = 1): half of what the certificate states for k = 2, or
                    that of its class
    """

    certificate: str
    serial: str
    uncertainty_db: float

    def instrument(
        self, meter: str, *, weighting_known: bool, serial: str = "", resolution_db: float = 0.1
    ) -> Instrument:
        """With what the driver knows; `serial` as the meter tells it, if it does."""
        return Instrument(
            meter=meter,
            serial=serial or self.serial,
            certificate=self.certificate,
            uncertainty_db=self.uncertainty_db,
            resolution_db=resolution_db,
            weighting_known=weighting_known,
        )


class Seconds(Protocol):
    def second(self) -> float | None:
        """The level now; asked once a second, answered well within it. UserError when the meter is
        gone or is set so that its levels mean something else."""
        ...


class Meter(Seconds, Protocol):
    """A reference that is there while the box measures."""

    @property
    def instrument(self) -> Instrument: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Course:
    """A level each second: when it began or ended, in seconds on the instrument's own clock, and
    dB(A), NaN for none. Arrays of one length, times rising."""

    times_s: np.ndarray
    levels_db: np.ndarray

    @classmethod
    def of(cls, rows: Iterable[tuple[float, float | None]]) -> "Course":
        """From (time, level or None) in any order; of two at the same time the last. UserError
        when that is no exception: each is of a part of its second alone."""
        rows = list(rows)
        by_time = dict(rows)
        if len(rows) >= _SEVERAL * len(by_time) > 0:
            raise UserError("several levels a second; set the meter to log LAeq each second")
        times = sorted(by_time)
        levels = [by_time[time] for time in times]
        return cls(
            np.array(times, dtype=float),
            np.array([np.nan if level is None else level for level in levels], dtype=float),
        )


@dataclass(frozen=True)
class Log:
    """What a meter wrote: its name and serial as far as the file tells them, and its course."""

    meter: str
    serial: str
    weighting_known: bool
    course: Course

    def instrument(self, papers: Papers) -> Instrument:
        return papers.instrument(
            self.meter, serial=self.serial, weighting_known=self.weighting_known
        )


def level(text: str) -> float | None:
    """The level that `text` is, with a decimal point or comma; None for anything that is none:
    dashes, an empty cell, garbage, a number that no meter reads."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    return plausible(float(text.replace(",", ".")))


def local_seconds(text: str, form: str) -> float | None:
    """Seconds since 1970 of a time as a meter shows it, which is this computer's local time; None
    for none. One without a date is of today."""
    try:
        shown = datetime.strptime(text, form)
    except ValueError:
        return None
    if shown.year == _NO_YEAR:
        shown = datetime.combine(date.today(), shown.time())
    return shown.timestamp()


def plausible(level_db: float) -> float | None:
    return level_db if LOWEST_DB <= level_db <= HIGHEST_DB else None
