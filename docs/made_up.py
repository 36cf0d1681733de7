"""Boxes that never hung anywhere, for the screenshots of a station.

Their levels are made up. What follows from these is not: the rooms of the firmware decide second
by second on limits, stages, lamp and matrix, and write the records.
"""

from array import array
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from noisewarden import firmware
from noisewarden.firmware import config as settings
from noisewarden.firmware import flags, wire
from noisewarden.virtual.replay import virtual_board
from noisewarden.virtual.simulated import Journal

Levels = np.ndarray
"""LAeq,1s in dB, a number a second."""

HISTORY_S = 600
"""So many of its last readings a box remembers: the trend of a tile."""

_FOR_EVER_S = 0xFFFFFFFF
_WANDERS_DB = 0.8
_KEEPS = 0.8
"""How much of its deviation a second hands on to the next."""
_CAR_S = np.exp(-((np.arange(-15, 16) / 5.0) ** 2))
_CARS_A_SECOND = 1 / 200
_SAMPLES = 48_000


def street(
    courses: Sequence[tuple[float, float]], from_h: float, seconds: int, seed: int
) -> Levels:
    """A level that wanders about straight lines between (hour of the day, dB), day after day, with
    cars that pass by day."""
    rng = np.random.default_rng(seed)
    hours = (from_h + np.arange(seconds) / 3600) % 24
    wander = np.empty(seconds)
    deviation = 0.0
    for second, chance in enumerate(rng.normal(0, _WANDERS_DB, seconds)):
        deviation = _KEEPS * deviation + chance
        wander[second] = deviation
    passing = (rng.random(seconds) < _CARS_A_SECOND) & (hours > 6) & (hours < 22)
    cars = np.convolve(passing * rng.uniform(2, 5.5, seconds), _CAR_S, "same")
    return np.interp(hours, *zip(*courses, strict=True)) + wander + cars


def louder(levels: Levels, begin: int, seconds: int, level_db: float) -> None:
    """Music from a second on, over all else."""
    music = level_db + np.random.default_rng(begin).normal(0, 0.7, seconds)
    part = levels[begin : begin + seconds]
    np.maximum(part, music[: len(part)], out=part)


class _Records:
    """The journal as the rooms of a box see it, on flash that is never full or late."""

    def __init__(self, key: Any) -> None:
        self.made = Journal(key)
        self.boot = 0

    def append(
        self, kind: str, body: bytes, uptime_ms: int, unix_s: int | None, quality: int
    ) -> None:
        self.made.add_body(kind, body, self.boot, uptime_ms, unix_s)

    def due(self, now_ms: int) -> bool:
        return False


class MadeUpBox:
    """The rooms of a box, without its microphone.

    journal   the entries of all that it recorded
    readings  the last HISTORY_S
    """

    def __init__(self, secret: bytes, config: dict[str, Any], seed: int) -> None:
        self.config = settings.merged(config)
        self.readings: list[dict[str, Any]] = []
        self._records = _Records(wire.Key(wire.derive(secret, "journal")))
        self._display = firmware.display.Display(virtual_board()["matrix"])
        self._rng = np.random.default_rng(seed)
        self._now_ms = 0

    @property
    def journal(self) -> Journal:
        return self._records.made

    @property
    def boot(self) -> int:
        return self._records.boot

    def start(self, unix_s: int) -> None:
        """The power comes."""
        self._records.boot += 1
        self._clock = firmware.clock.Clock(lambda: self._now_ms, lambda late, early: late - early)
        self._clock.set(unix_s)
        rules = settings.rules(self.config)
        rested = bytearray(firmware.spotlight.RESTED)
        self._box = firmware.box.Box(
            self.config, *rules, self._clock, self._records, self._display, rested, self
        )
        self._box.calibrated_until = _FOR_EVER_S
        self._minute = firmware.statistics.Minute()
        cause = {"cause": "power", "firmware": "0.1.0", "micropython": "1.28.0"}
        self._box.record("boot", **cause, board="esp32-s3-devkitc-1")

    def calibrate(self, date: str, expires: str) -> None:
        """A technician has been there with a reference meter; dates as YYYY-MM-DD."""
        self._box.record(
            "calibration",
            offset_mdb=-420,
            uncertainty_mdb=900,
            date=date,
            expires=expires,
            meter="Class 1 meter, no. 0417",
            certificate="0417-2026",
            by="bench",
        )

    def live(self, levels: Levels, marks: int = 0) -> None:
        """So many seconds more; of a level that is NaN, without one. `marks`: flags of all."""
        for level in levels:
            self._now_ms += 1000
            second = self._second(None if np.isnan(level) else float(level), marks)
            whole = self._minute.add(second)
            self._box.second(second, self._minute if whole else None)

    def _second(self, level: float | None, marks: int) -> Any:
        second = SimpleNamespace(flags=marks, valid=_SAMPLES, laeq=level, laf=array("f"))
        if level is None:
            second.flags |= flags.DEAD
            return second
        second.laf = array("f", level + self._rng.normal(0, 1.2, 10))
        second.lafmax = max(second.laf) + 0.7
        second.lafmin = min(second.laf) - 0.4
        second.lasmax = level + 0.8
        second.lceq = level + 5.5
        second.lcpeak = level + self._rng.uniform(15, 19)
        return second

    # What the rooms do to the world.

    def publish(self, name: str, payload: dict[str, Any]) -> None:
        self.readings = [*self.readings[1 - HISTORY_S :], dict(payload)]

    def light(self, on: bool) -> None:
        """The reading tells it."""

    def draw(self, buffer: bytearray) -> None:
        """The reading tells it."""

    def keep_ledger(self) -> None:
        """No power is cut here."""
