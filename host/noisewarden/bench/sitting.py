"""A box on the bench for a calibration: its console read without a pause while a person works.

All the time the box is told that it is beside a reference, so that a loudspeaker's noise lights no
lamp and calls nobody (docs/protocol.md, `compare`).
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from queue import Empty, Queue
from typing import Any

from noisewarden.bench.calibration.procedure import Reading
from noisewarden.console import ANSWER_WITHIN_S, Console
from noisewarden.errors import UserError

COMPARE_S = 600
"""Longer than a level takes; each begins it anew. Without the bench the box ends it by itself."""

_LISTEN_S = 0.2
_COURSE_S = 4 * 3600
"""So much of the readings is kept, to lay a meter's log on."""

_AS_IT_WAS = "its calibration is as it was"


class Sitting:
    """The box on a console that is open; a context manager.

    box      its id, and
    state    the payload of its last `state`, both known from the entry on
    course   its readings since its clock was set, the last hours of them
    left     what became of its calibration, in words
    """

    def __init__(self, console: Console) -> None:
        self.box = ""
        self.state: dict[str, Any] = {}
        self.course: deque[Reading] = deque(maxlen=_COURSE_S)
        self.left = _AS_IT_WAS
        self._console = console
        self._messages: Queue[tuple[str, dict[str, Any]] | Exception] = Queue()
        self._asked = 0
        self._stop = threading.Event()
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> "Sitting":
        self.box = self._console.meet()[0]
        self._listener.start()
        try:
            self._begin()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.ask("compare", seconds=0)
        except UserError:
            pass  # it is gone, and ends that by itself
        finally:
            self._end()

    def compared(self) -> Iterator[Reading]:
        """Its readings from now on, as they come, moving none of its stages."""
        self.command("compare", seconds=COMPARE_S)
        while True:
            yield self._next("reading")

    def calibrate(self, calibration: dict[str, Any]) -> None:
        """Writes `Result.for_box()` into the box. UserError when it does not take it."""
        self.left = "it may have its new calibration or its old one; noisewarden doctor tells"
        self.command("set_calibration", calibration=calibration)
        self._await_flush()
        self.left = "it has its new calibration"

    def void(self, reason: str) -> None:
        """Marks the box as out of calibration, until it is calibrated again."""
        self.left = "it may be marked as out of calibration; noisewarden doctor tells"
        self.command("void_calibration", reason=reason)
        self._await_flush()
        self.left = "it is marked as out of calibration"

    def command(self, action: str, **fields: Any) -> None:
        """UserError when the box refuses."""
        outcome, detail = self.ask(action, **fields)
        if outcome != "done":
            cure = (
                "bring its firmware up to date (noisewarden deploy)"
                if "unknown action" in detail
                else "put that right and try again"
            )
            self.left = _AS_IT_WAS
            raise UserError(f"{self.box}: refuses {action} ({detail}); {cure}")

    def ask(self, action: str, **fields: Any) -> tuple[str, str]:
        """(outcome, detail) of a command."""
        self._asked += 1
        identity = f"bench-{time.time_ns() // 1000}-{self._asked}"
        self._forget()
        self._console.send(self.box, "command", {"id": identity, "action": action} | fields)
        while (result := self._next("result"))["id"] != identity:
            pass
        return result["outcome"], result["detail"]

    def _begin(self) -> None:
        # At the turn of a second, since that is how finely a box is told the time.
        time.sleep(1 - time.time() % 1)
        self.command("set_time", time=round(time.time()))
        self.course.clear()
        self.command("compare", seconds=COMPARE_S)
        if "void" not in self.state:
            raise UserError(
                f"{self.box}: tells no state of its calibration; bring its firmware up to date "
                "(noisewarden deploy)"
            )

    def _await_flush(self) -> None:
        """The record of what was done is on flash at the end of its second, after the reading."""
        for _ in range(2):
            self._next("reading")

    def _end(self) -> None:
        self._stop.set()
        self._listener.join()

    def _listen(self) -> None:
        try:
            while not self._stop.is_set():
                message = self._console.receive(_LISTEN_S)
                if message is None or message[0] != self.box:
                    continue
                _, name, payload = message
                if name == "state":
                    self.state = payload
                elif name == "reading":
                    self.course.append(payload)
                self._messages.put((name, payload))
        except UserError as error:
            self._messages.put(error)

    def _next(self, name: str) -> dict[str, Any]:
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while True:
            try:
                message = self._messages.get(timeout=max(deadline - time.monotonic(), 0.001))
            except Empty:
                raise UserError(
                    f"{self._console.port}: {self.box} fell silent; reset the box and repeat"
                ) from None
            if isinstance(message, Exception):
                self._messages.put(message)  # whatever is asked next ends so too
                raise message
            if message[0] == name:
                return message[1]

    def _forget(self) -> None:
        """What came while nobody asked. The end of the console stays known."""
        try:
            while not isinstance(message := self._messages.get_nowait(), Exception):
                pass
            self._messages.put(message)
        except Empty:
            pass
