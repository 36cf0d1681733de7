"""Boxes with small programs of a test's own on their flash, and what to let them hear."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import serial
from noisewarden.virtual.fast import run_fast
from noisewarden.virtual.sound import RATE_HZ, Frame
from noisewarden.virtual.supervisor import Event, VirtualBox

BOARD = {"pins": {"relay": 32}, "relay": {"active_high": True}}

MICROPHONE = """
import machine, time
from machine import I2S, Pin
def microphone(**changes):
    wires = dict(sck=Pin(26), ws=Pin(25), sd=Pin(33), mode=I2S.RX, bits=32,
                 format=I2S.STEREO, rate=48000, ibuf=40960)
    wires.update(changes)
    return I2S(0, **wires)
"""
"""Beginning of a main.py that listens."""

LISTENER = (
    MICROPHONE
    + """
import asyncio
async def listen():
    stream = asyncio.StreamReader(microphone())
    block = bytearray(3840)
    frames = second = 0
    while True:
        got = await stream.readinto(block)
        if not got:
            break
        frames += got // 8
        if frames // 48000 > second:
            second += 1
            print('{"second": %d, "cause": %d}' % (second, machine.reset_cause()))
asyncio.run(listen())
"""
)
"""A main.py that prints a line of JSON a second, as the app does."""


def flash(state: Path, **files: str) -> Path:
    """Writes `<name>.py` files to a new flash folder; returns it."""
    folder = state / "flash"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def ramp(seconds: float) -> Iterator[Frame]:
    """Frames that count: the left word is the number of the frame, the right its negative."""
    left = np.arange(round(seconds * RATE_HZ), dtype=np.int32)
    for at in range(0, len(left), RATE_HZ // 10):
        part = left[at : at + RATE_HZ // 10]
        yield np.stack([part, -part], axis=1)


def run(state: Path, main: str, seconds: float = 1.0, **options) -> list[str]:
    """What a main.py prints in virtual time."""
    return list(run_fast(flash(state, main=main), ramp(seconds), **options))


class Log:
    """Collects the events of a box; `wait_for` gives the next that fits or fails after 10 s."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._next = 0

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def wait_for(self, kind: str) -> Event:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            while self._next < len(self.events):
                event = self.events[self._next]
                self._next += 1
                if event["event"] == kind:
                    return event
            time.sleep(0.01)
        raise AssertionError(f"no {kind} among {self.events}")


def box(state: Path, main: str, seconds: float = 60, **options) -> VirtualBox:
    """A box in real time with this main.py."""
    flash(state, main=main)
    return VirtualBox(state, ramp(seconds), board=BOARD, **options)


class Terminal:
    """A person's terminal on the port of a box."""

    def __init__(self, port: str) -> None:
        self._serial = serial.Serial(port, timeout=0.05, exclusive=True)
        self.seen = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self._serial.close()

    def type(self, text: str) -> None:
        self._serial.write(text.encode())

    def expect(self, text: str) -> str:
        """Reads on until `text` has come; returns what came before it."""

        def found() -> bool:
            self.seen += self._serial.read(4096).decode()
            return text in self.seen

        until(found, lambda: f"no {text!r} in {self.seen!r}")
        before, _, self.seen = self.seen.partition(text)
        return before


def until(true: Callable[[], object], complaint: Callable[[], str], seconds: float = 10) -> None:
    """Waits until `true()`; fails with `complaint()` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.01)
