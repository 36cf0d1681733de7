"""The serial console of a box, seen from the host: messages amid whatever stands there."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import serial

from noisewarden import ports
from noisewarden.errors import UserError
from noisewarden.firmware import wire

BAUD = 115_200
ANSWER_WITHIN_S = 10.0
"""A box says something each second, and is back within so long from a reset."""
_WRITE_TIMEOUT_S = 5.0
_PIECE_BYTES = 160
_PIECE_S = 0.3
"""A chip keeps 259 bytes of its UART and drops the rest without a word (esp32/mphalport.c). A box
takes them one by one, and none at all while its flash is written, for up to 240 ms."""
_LOOK_AGAIN_S = 0.2
_SHOWN_CHARS = 60

Message = tuple[str, str, dict[str, Any]]
"""Box, name of the topic, payload."""


class Vanished(UserError):
    """The port is gone: a pulled cable, a board without power."""


class Console:
    """A port, held for this program alone; a context manager that gives it back.

    `corrupt` counts lines that began as a message and were none. UserError when the port cannot be
    opened, Vanished from any method once it is gone.
    """

    def __init__(self, port: str) -> None:
        self.port = port
        self.corrupt = 0
        self._received = bytearray()
        self._other: deque[str] = deque(maxlen=5)
        try:
            self._serial = serial.Serial(
                port, BAUD, write_timeout=_WRITE_TIMEOUT_S, exclusive=True
            )
        except (OSError, ValueError) as error:
            raise UserError(f"{port}: {ports.refusal(error)}") from None

    def __enter__(self) -> "Console":
        return self

    def __exit__(self, *_: object) -> None:
        self._serial.close()

    def send(self, box: str, name: str, payload: dict[str, Any]) -> None:
        line = wire.line(wire.topic(box, name), payload).encode() + b"\n"
        for at in range(0, len(line), _PIECE_BYTES):
            if at:
                time.sleep(_PIECE_S)
            self._write(line[at : at + _PIECE_BYTES])

    def press_enter(self) -> None:
        """A running app takes no notice of it; a prompt answers with another prompt."""
        self._write(b"\r\n")

    def receive(self, timeout_s: float) -> Message | None:
        """The next message; None when none was complete within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while True:
            while (end := self._received.find(b"\n")) >= 0:
                line = self._received[:end].decode(errors="replace").strip()
                del self._received[: end + 1]
                if message := self._message(line):
                    return message
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            self._received += self._read(left_s)
            if b"\n" not in self._received and len(self._received) > wire.LINE_MOST_CHARS:
                self._received.clear()
                self.corrupt += 1

    def meet(self) -> Message:
        """The first message of the box that is there. UserError when none is, or none runs."""
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while (message := self.receive(1.0)) is None:
            if self.prompt:
                raise UserError(
                    f"{self.port}: the box's app does not run, its prompt answers; "
                    "press Ctrl-D in a terminal, or reset the box"
                )
            if time.monotonic() > deadline:
                raise UserError(f"{self.port}: {self._silence()}")
            self.press_enter()
        return message

    def _silence(self) -> str:
        if seen := self.last_words:
            return f"no box there, only “{seen}”; name another port, or deploy the box"
        return "nothing answers; is it the right port, and a cable that carries data?"

    @property
    def prompt(self) -> bool:
        """Whether the last thing there is MicroPython's prompt."""
        return self._received.strip().endswith(b">>>")

    @property
    def last_words(self) -> str:
        """The last that was no message, as far as it can be printed; "" for nothing."""
        texts = [*self._other, self._received.decode(errors="replace").strip()]
        last = next((text for text in reversed(texts) if text), "")
        return "".join(char if char.isprintable() else "?" for char in last[:_SHOWN_CHARS])

    def _message(self, line: str) -> Message | None:
        parsed = wire.parse_line(line)
        if parsed:
            topic, payload = parsed
            return *wire.split_topic(topic), payload
        if line.startswith("{") or len(line) > wire.LINE_MOST_CHARS:
            self.corrupt += 1
        if line:
            self._other.append(line)
        return None

    def _read(self, timeout_s: float) -> bytes:
        try:
            self._serial.timeout = timeout_s
            first = self._serial.read(max(self._serial.in_waiting, 1))
            # A lone letter is the beginning of what has come by now: no last words of its own.
            return first + self._serial.read(self._serial.in_waiting)
        except OSError:
            raise self._vanished() from None

    def _write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except OSError:
            raise self._vanished() from None

    def _vanished(self) -> Vanished:
        return Vanished(f"{self.port}: the box is gone, its cable or its power; plug it in again")


def after_restart(
    port: str, within_s: float, wanted: Callable[[Message], bool] = lambda message: True
) -> tuple[Message | None, str]:
    """(the first wanted message of a box that was restarted, what else it said). A port that is
    part of the chip goes and comes back with it."""
    deadline = time.monotonic() + within_s
    words = ""
    while (left_s := deadline - time.monotonic()) > 0:
        try:
            with Console(port) as console:
                message = console.receive(left_s)
                words = console.last_words
        except UserError as error:
            words = str(error)
            time.sleep(_LOOK_AGAIN_S)
            continue
        if message and wanted(message):
            return message, words
    return None, words or "not a word from it"
