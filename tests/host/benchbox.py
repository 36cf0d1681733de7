"""A box in a calibration whose seconds pass in a hundredth of one, and the hands of a technician.

What the box hears is `Sound`; the technician's hands set it as the prompts ask.
"""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from noisewarden.firmware import wire

from host import fakebox

PINK_C_MINUS_A_DB, LOW_C_MINUS_A_DB = 1.8, 13.2
SERIAL = "240ac4000001"


@dataclass
class Sound:
    """What is played: true LAeq in dB, and how much louder it is with C."""

    level_db: float = 50.0
    c_minus_a_db: float = PINK_C_MINUS_A_DB


class BenchBox(fakebox.FakeBox):
    """`curve`: what the box makes of a true level, its offset left out.

    calibration   what it was given, None before
    commands      (action, payload) of all that it was asked
    heard         (time, true level) of each second
    flags         on each reading
    """

    def __init__(
        self,
        sound: Sound,
        curve: Callable[[float], float] = lambda level_db: level_db - 2,
        **state: Any,
    ) -> None:
        super().__init__(fakebox.journal(0))
        self.sound = sound
        self.curve = curve
        self.calibration: dict[str, Any] | None = None
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.heard: list[tuple[int, float]] = []
        self.flags: list[str] = ["uncalibrated"]
        self.refusal = ""
        self._n = 0
        self._set_at = (0, fakebox.START_S)
        self._noise = np.random.default_rng(1)
        self._state = {
            "board": "virtual",
            "firmware": "0.1.0",
            "serial": SERIAL,
            "offset_db": 0.25,
            "calibrated_until": 0,
            "void": "",
        } | state

    def _hear(self, line: str) -> None:
        message = wire.parse_line(line)
        if not message or not message[0].endswith("/command"):
            return
        command = message[1]
        action = command["action"]
        self.commands.append((action, command))
        detail = self.refusal if action == "set_calibration" else ""
        if action == "set_time":
            self._set_at = (self._n, command["time"])
        elif action == "set_calibration" and not detail:
            self.calibration = command["calibration"]
            self._state |= {"offset_db": self.calibration["offset_db"], "void": ""}
        elif action == "void_calibration":
            self._state |= {"calibrated_until": 0, "void": command["reason"]}
        if action != "compare":
            self._say("state", self._state)
        outcome = "refused" if detail else "done"
        self._say("result", {"id": command["id"], "outcome": outcome, "detail": detail})

    def _reading(self) -> dict[str, Any]:
        self._n += 1
        unix_s = self._set_at[1] + self._n - self._set_at[0]
        true_db = self.sound.level_db + float(self._noise.normal(0, 0.05))
        self.heard.append((unix_s, true_db))
        laeq = round(self.curve(true_db) + self._state["offset_db"], 2)
        lceq = round(laeq + self.sound.c_minus_a_db, 2)
        return {
            "n": self._n,
            "time": unix_s,
            "laeq": laeq,
            "lceq": lceq,
            "flags": list(self.flags),
        }

    def log(self, path: Path, clock_s: int, error_db: float = 0.0) -> None:
        """Writes what a meter beside it logged, its clock so far ahead."""
        rows = [
            f"{datetime.fromtimestamp(unix_s + clock_s):%Y-%m-%d %H:%M:%S},{level + error_db:.1f}"
            for unix_s, level in self.heard
        ]
        path.write_text("Time,LAeq\n" + "\n".join(rows) + "\n")


@dataclass
class Hands(io.TextIOBase):
    """Standard input: answers each prompt as `said`, what is new on the error stream, asks for it.

    answers   (pattern, what to do with the match: the line to type, "" for Enter alone); the
              first that is found in the talk about a level
    """

    sound: Sound
    said: Callable[[], str]
    answers: list[tuple[str, Callable[[re.Match[str]], str]]] = field(default_factory=list)
    seen: str = ""

    def readline(self, size: int | None = -1, /) -> str:
        self.seen += self.said()
        level = re.split(r"(?=\b\d+ of \d+: )", self.seen)[-1]
        for pattern, answer in [*self.answers, *self._usual()]:
            if match := re.search(pattern, level):
                return answer(match) + "\n"
        return ""

    def _usual(self) -> list[tuple[str, Callable[[re.Match[str]], str]]]:
        return [
            (r"pink noise at (\d+) dB\(A\)[^\n]*steady: $", self._pink),
            (r"low sound[^\n]*steady: $", self._low),
            (r"LAeq that the meter shows[^\n]*: $", lambda match: f"{self.sound.level_db:.1f}"),
            (r"(Enter when it is steady|Try again\? \[Y/n\]): $", lambda match: ""),
        ]

    def _pink(self, match: re.Match[str]) -> str:
        self.sound.level_db = float(match[1]) + 0.3
        self.sound.c_minus_a_db = PINK_C_MINUS_A_DB
        return ""

    def _low(self, match: re.Match[str]) -> str:
        self.sound.level_db = 65.0
        self.sound.c_minus_a_db = LOW_C_MINUS_A_DB
        return ""
