"""The clock of a box on USB: judged by its first reading, set when it is not right."""

import time
from typing import Any

from noisewarden.console import Console
from noisewarden.firmware import evidence

TOLERANCE_S = 2.0
_SET_WITHIN_S = 10.0
_EARLIEST_S = 1_704_067_200
"""2024-01-01: a computer that says less does not know the time."""

Reading = dict[str, Any]
"""The payload of a `reading`."""


class BoxClock:
    """`found`: how the clock was, and what came of it, in words; "" before the first reading."""

    def __init__(self, console: Console) -> None:
        self.found = ""
        self._console = console
        self._command = ""
        self._deadline = float("inf")

    def judge(self, box: str, reading: Reading) -> None:
        """Once: sets a clock that has no time, or is off by more than TOLERANCE_S."""
        if self.found:
            return
        now_s = time.time()
        told_s = reading.get("time")
        if not isinstance(told_s, int):
            self.found = "was not set"
        else:
            # A reading tells the whole second that was over when it was sent: 1 to 2 s ago.
            ahead_s = told_s + 1.5 - now_s
            if abs(ahead_s) <= TOLERANCE_S:
                self.found = "right"
                return
            self.found = f"was {abs(ahead_s):.0f} s {'ahead' if ahead_s > 0 else 'behind'}"
        if now_s < _EARLIEST_S:
            self._add("left so, since this computer does not know the time either")
            return
        self._command = f"time-{int(now_s)}"
        command = {"id": self._command, "action": "set_time", "time": round(now_s)}
        self._console.send(box, "command", command)

    def note(self, data: bytes) -> None:
        """Sees a record: the journal tells what came of the command.

        Waiting for it also brings the time by which those before it can be resolved.
        """
        try:
            record = evidence.unpack(data)
        except ValueError:
            return
        if self._command and record.get("id") == self._command:
            outcome = record["outcome"]
            self._add("set now" if outcome.startswith("done") else f"not set, {outcome}")
            self._command = ""

    def settled(self) -> bool:
        """Whether nothing more is to come. Asked when all earlier records are here: then the
        command's own must follow within _SET_WITHIN_S."""
        now = time.monotonic()
        self._deadline = min(self._deadline, now + _SET_WITHIN_S)
        if self._command and now > self._deadline:
            self._add("not set, since the box did not answer")
            self._command = ""
        return bool(self.found) and not self._command

    def _add(self, outcome: str) -> None:
        self.found += f"; {outcome}"
