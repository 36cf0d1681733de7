"""A recording through the real firmware: what a box would have measured, shown and done (DESIGN
5)."""

import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from noisewarden import boards
from noisewarden.errors import UserError
from noisewarden.firmware import wire
from noisewarden.virtual import flash
from noisewarden.virtual.fast import BoxStopped, run_fast
from noisewarden.virtual.sound import Frames

Row = dict[str, Any]

_MAIN = Path(__file__).with_name("replay_main.py")
_LEVELS = ("laeq", "lceq", "lafmax", "lasmax", "lcpeak")
_REST = ("limit", "stage", "shown", "colour", "spotlight", "flags")
_LAF = "laf "


class Replay:
    """Iterates over the rows of a recording, one a second; `summary` holds after the last one.

    board, config  as the box reads them. The box's clock starts at `start`, which is local time.
    UserError when the firmware stops, which no recording should bring about.
    """

    def __init__(
        self, frames: Frames, board: dict[str, Any], config: dict[str, Any], start: datetime
    ) -> None:
        self._frames = frames
        self._board = board
        # Local time is all that a schedule asks for, so the zone may have no offset.
        self._config = config | {"zone": "UTC0"}
        self._unix_s = int(start.replace(tzinfo=UTC).timestamp())
        self._rows: list[Row] = []
        self._laf: list[float] = []
        self._incidents = 0
        self._in_incident = False

    def __iter__(self) -> Iterator[Row]:
        with tempfile.TemporaryDirectory(prefix="noisewarden-replay-") as folder:
            files = Path(folder) / "flash"
            flash.fill(files, self._board, self._config)
            (files / "main.py").write_bytes(_MAIN.read_bytes())
            try:
                for line in run_fast(files, self._frames, unix_s=self._unix_s):
                    yield from self._row(line)
            except BoxStopped as error:
                raise UserError(f"the virtual box stopped: {error}") from error

    def _row(self, line: str) -> Iterator[Row]:
        if line.startswith(_LAF):
            self._laf += map(float, line.split()[1:])
            return
        message = wire.parse_line(line)
        if message and message[0].endswith("/reading"):
            reading = message[1]
            row = {"t": reading["n"]} | {name: _to_0_01(reading[name]) for name in _LEVELS}
            row |= {name: reading[name] for name in _REST}
            self._incidents += reading["incident"] and not self._in_incident
            self._in_incident = reading["incident"]
            self._rows.append(row)
            yield row

    def summary(self) -> dict[str, Any]:
        """Of all rows so far: levels in dB (None without any), seconds in each stage, counts.

        LAeq is the energy mean of the seconds with a level; L10, L50 and L90 are of LAF, each
        100 ms.
        """
        stages = [row["stage"] for row in self._rows]
        before = [0, *stages]
        return {
            "seconds": len(self._rows),
            "valid_seconds": len(self._levels("laeq")),
            "laeq": energy_mean(self._levels("laeq")),
            "lafmax": max(self._levels("lafmax"), default=None),
            "lcpeak": max(self._levels("lcpeak"), default=None),
            "l10": exceeded(self._laf, 10),
            "l50": exceeded(self._laf, 50),
            "l90": exceeded(self._laf, 90),
            "seconds_per_stage": [stages.count(stage) for stage in range(4)],
            "reminders": sum(b == 0 and s > 0 for b, s in zip(before, stages, strict=False)),
            "referrals": sum(b < 3 and s == 3 for b, s in zip(before, stages, strict=False)),
            "incidents": self._incidents,
            "spotlight_seconds": sum(row["spotlight"] for row in self._rows),
        }

    def _levels(self, name: str) -> list[float]:
        return [row[name] for row in self._rows if row[name] is not None]


def _to_0_01(level_db: float | None) -> float | None:
    # MicroPython's own rounding leaves a tail where its floats are double.
    return None if level_db is None else round(level_db, 2)


def energy_mean(levels_db: Iterable[float]) -> float | None:
    """The level in dB, to 0.01, of the mean energy; None for no levels."""
    levels = np.asarray(list(levels_db))
    return round(float(10 * np.log10(np.mean(10 ** (levels / 10)))), 2) if levels.size else None


def exceeded(levels_db: list[float], percent: int) -> float | None:
    """The highest level that at least `percent` of the levels reach (ISO 1996-1); None for no
    levels."""
    if not levels_db:
        return None
    return sorted(levels_db, reverse=True)[-(-len(levels_db) * percent // 100) - 1]


def virtual_board(name: str = "virtual", sensitivity_dbfs: float | None = None) -> dict[str, Any]:
    """The board.json of a board file, run without the board: its own microphone or another
    sensitivity."""
    board = boards.for_box(boards.load(name))
    # The chip is a PC: no register tells a brown-out there, and no microphone wants calibration.
    board["chip"] = "virtual"
    if sensitivity_dbfs is not None:
        board["microphone"]["sensitivity_dbfs"] = sensitivity_dbfs
    return board
