"""The running app of a box, asked over its console."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from noisewarden.boxclock import BoxClock
from noisewarden.console import ANSWER_WITHIN_S, Console
from noisewarden.errors import UserError

_LISTEN_S = 1.0
_SECONDS_APART = 2.5
_REOPEN_S = 0.2
_CATCH_UP_S = 0.1

Payload = dict[str, Any]


class App:
    """A port on which a box's app may run; a context manager that holds the port.

    After `meet`, which tells whether it runs:

    box        its id
    clock      how its clock was, in words (`BoxClock.found`), and `clock_set` what came of it
    state      the payload of its `state`, fresh; empty when it would not tell
    self_test  what it found of itself, by part: "journal": "ok"

    Otherwise `prompt` tells whether MicroPython's prompt answers, `words` the last that was heard.
    """

    def __init__(self, port: str) -> None:
        self.port = port
        self.box = self.clock = self.clock_set = self.words = ""
        self.state: Payload = {}
        self.self_test: dict[str, str] = {}
        self.prompt = False
        self._asked = 0

    def __enter__(self) -> "App":
        self._console = Console(self.port)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the port back."""
        self._console.__exit__()

    def meet(self, within_s: float) -> bool:
        """Waits for the app's first reading, sets its clock and asks how it is."""
        deadline = time.monotonic() + within_s
        reading = None
        while reading is None:
            message = self._receive(_LISTEN_S)
            if message:
                self.box, name, payload = message
                reading = payload if name == "reading" else None
            elif self._console.prompt or time.monotonic() > deadline:
                self.prompt, self.words = self._console.prompt, self._console.last_words
                # Its errors are `cause; cure`, and nobody knows what a box may say.
                self.words = self.words.replace(";", ",")
                return False
            else:
                self._console.press_enter()
        self._set_clock(reading)
        parts = self.command("self_test")[1].split(", ")
        self.self_test = {part.partition(" ")[0]: part.partition(" ")[2] for part in parts}
        return True

    def next_reading(self) -> Payload | None:
        """The next second; None when it does not come."""
        return self._next("reading", _SECONDS_APART)

    def catch_up(self) -> None:
        """Passes over what has come while nobody listened."""
        while self._receive(_CATCH_UP_S):
            pass

    def command(self, action: str, **fields: Any) -> tuple[str, str]:
        """(outcome, detail) of a command; ("", "") when the box does not answer."""
        self._asked += 1
        identity = f"doctor-{int(time.time())}-{self._asked}"
        self._console.send(self.box, "command", {"id": identity, "action": action} | fields)
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while (left_s := deadline - time.monotonic()) > 0:
            result = self._next("result", left_s)
            if result and result["id"] == identity:
                return result["outcome"], result["detail"]
        return "", ""

    def _set_clock(self, reading: Payload) -> None:
        """Also a clock that is right, since a box then tells its state."""
        clock = BoxClock(self._console)
        clock.judge(self.box, reading)
        self.clock, _, self.clock_set = clock.found.partition("; ")
        if self.clock_set:
            return
        if self.clock == "right":
            outcome, detail = self.command("set_time", time=round(time.time()))
        else:
            result = self._next("result", ANSWER_WITHIN_S) or {}
            outcome, detail = result.get("outcome"), result.get("detail")
        self.clock_set = "set now" if outcome == "done" else f"not set: {detail or 'no answer'}"

    def _next(self, name: str, within_s: float) -> Payload | None:
        deadline = time.monotonic() + within_s
        while (left_s := deadline - time.monotonic()) > 0:
            message = self._receive(left_s)
            if message and message[1] == name:
                return message[2]
        return None

    def _receive(self, timeout_s: float) -> tuple[str, str, Payload] | None:
        message = self._console.receive(timeout_s)
        if message and message[1] == "state":
            self.state = message[2]
        return message


@contextmanager
def started_again(port: str, within_s: float) -> Iterator[App]:
    """The app of a box that was just reset, met; UserError when it does not report itself.

    A port that is part of the chip goes and comes back with it.
    """
    deadline = time.monotonic() + within_s
    with ExitStack() as stack:
        app, words = None, ""
        while app is None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise UserError(
                    f"{port}: the app does not report itself ({words or 'not a word from it'}); "
                    "press the reset button without holding the safe-mode button, and if it "
                    "stays so deploy again"
                )
            try:
                app = stack.enter_context(App(port))
                if not app.meet(left_s):
                    words = app.words
                    stack.close()
                    app = None
            except UserError as error:
                words, app = str(error).replace(";", ","), None
                stack.close()
                time.sleep(_REOPEN_S)
        yield app
