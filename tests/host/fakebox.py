"""A box on a pty that answers as `firmware/noisebox/links.py` does, on a wire that may be bad."""

import os
import select
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from noisewarden.firmware import wire
from noisewarden.virtual import simulated

BOX = "bagu-east-01"
KEY = wire.Key(wire.derive(bytes(range(32)), "journal"))
OTHER_KEY = wire.Key(wire.derive(bytes(32), "journal"))
START_S = 1_780_000_000
RECORDS_AN_ACK = 16
SECOND_S = 0.1
"""Between two readings."""

MINUTE = {
    "laeq": 61.2,
    "lafmax": 70.1,
    "lafmin": 50.0,
    "lcpeak": 101.5,
    "l10": 64.0,
    "l50": 60.0,
    "l90": 55.0,
    "valid_s": 59,
    "flags": 0,
    "limit": 70,
    "stage": 0,
    "seconds": [612] * 59 + [wire.NO_TENTHS],
}


class Journal(simulated.Journal):
    """With a key of its own where none is given."""

    def __init__(self, key: Any = KEY, **start: Any) -> None:
        super().__init__(key, **start)


def journal(minutes: int, *, timeless: int = 0, **start: Any) -> Journal:
    """A boot, then minutes; the first `timeless` of them know no time."""
    made = Journal(**start)
    knows = 0 if timeless else START_S
    made.add(
        "boot", unix_s=knows or None, cause="power-on", firmware="0", micropython="1", board="b"
    )
    for minute in range(1, minutes + 1):
        unix_s = START_S + 60 * minute if minute > timeless else None
        made.add("minute", uptime_ms=60_000 * minute, unix_s=unix_s, **MINUTE)
    return made


class FakeBox:
    """spoil(n, line)  what the wire makes of record line n (from 0): the lines that arrive
    ahead_s         of the box's clock; None when it is not set
    """

    def __init__(
        self,
        journal: list,
        *,
        spoil: Callable[[int, bytes], list[bytes]] = lambda n, line: [line],
        ahead_s: float | None = 0,
        hears: bool = True,
    ) -> None:
        self._journal = journal
        self._spoil = spoil
        self.ahead_s = ahead_s
        self._hears = hears
        self._sent = self._allowed = 0
        self.acks: list[int] = []
        self._lines = self._readings = 0
        self._pulled = threading.Event()
        self._master, self._slave = os.openpty()
        self.port = os.ttyname(self._slave)
        tty.setraw(self._slave)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "FakeBox":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.pull()
        self._thread.join()

    def pull(self) -> None:
        """The cable, out of the computer."""
        self._pulled.set()

    def _run(self) -> None:
        heard = b""
        due = time.monotonic()
        while not self._pulled.is_set():
            if select.select([self._master], [], [], 0.005)[0]:
                *lines, heard = (heard + os.read(self._master, 4096)).split(b"\n")
                for line in lines:
                    self._hear(line.decode())
            if time.monotonic() >= due:
                due += SECOND_S
                self._say("reading", self._reading())
            self._send_record()
        os.close(self._slave)
        os.close(self._master)

    def _hear(self, line: str) -> None:
        message = wire.parse_line(line)
        if not message or not self._hears:
            return
        topic, payload = message
        if topic == wire.topic(BOX, "ack"):
            self.acks.append(payload["seq"])
            self._sent, self._allowed = payload["seq"], RECORDS_AN_ACK
        elif topic == wire.topic(BOX, "command"):
            assert payload["action"] == "set_time"
            self._set_clock(payload)

    def _set_clock(self, command: dict[str, Any]) -> None:
        self.ahead_s = 0
        self._journal.add(
            "command",
            uptime_ms=600_000,
            unix_s=command["time"],
            id=command["id"],
            action="set_time",
            by="usb",
            outcome="done: clock set",
        )

    def _send_record(self) -> None:
        following = [entry for entry in self._journal if entry[0] > self._sent]
        if following and self._allowed:
            entry = following[0]
            message = wire.record_message(entry, self._sent, following[-1][0], live=True)
            self._sent = entry[0]
            self._allowed -= 1
            line = wire.line(wire.topic(BOX, "record"), message).encode()
            for spoilt in self._spoil(self._lines, line):
                self._write(spoilt)
            self._lines += 1

    def _say(self, name: str, payload: dict[str, Any]) -> None:
        self._write(wire.line(wire.topic(BOX, name), payload).encode())

    def _reading(self) -> dict[str, Any]:
        self._readings += 1
        known = self.ahead_s is not None
        return {
            "n": self._readings - 1,
            "time": int(time.time() + self.ahead_s) - 1 if known else None,
            "laeq": 71.25,
            "lceq": 75.5,
            "lafmax": 74.0,
            "lasmax": 72.0,
            "lcpeak": 90.0,
            "limit": 70,
            "stage": 1,
            "incident": True,
            "shown": "71",
            "colour": "red",
            "spotlight": False,
            "flags": [] if known else ["clock"],
        }

    def _write(self, line: bytes) -> None:
        data = line + b"\r\n"
        while data and not self._pulled.is_set():
            if select.select([], [self._master], [], 0.05)[1]:
                data = data[os.write(self._master, data[:512]) :]


@contextmanager
def console_that_says(text: bytes, answer: bytes = b"") -> Iterator[str]:
    """The port of something that is no box: it says `text` again and again, `answer` to input."""
    master, slave = os.openpty()
    tty.setraw(slave)
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            if select.select([master], [], [], SECOND_S)[0]:
                os.read(master, 4096)
                os.write(master, answer)
            os.write(master, text)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        stop.set()
        thread.join()
        os.close(slave)
        os.close(master)
