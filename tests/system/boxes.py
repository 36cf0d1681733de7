"""Boxes with small programs of a test's own on their flash, and what to let them hear."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import serial
from noisewarden import firmware
from noisewarden.firmware import evidence, wire
from noisewarden.virtual.fast import run_fast
from noisewarden.virtual.flash import fill
from noisewarden.virtual.replay import virtual_board
from noisewarden.virtual.sound import RATE_HZ, Frame
from noisewarden.virtual.supervisor import Event, VirtualBox
from system.sound import frames, sine

BOARD = {"pins": {"relay": 32}, "relay": {"active_high": True}}

PATIENCE_S = 120
"""When what is waited for will not come any more. A busy machine needs a multiple of the usual."""
DARK_AT_FIRST_S = 7
"""The relay is not switched within 5 s of the start (DESIGN 4.4)."""

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
        frames += await stream.readinto(block) // 8
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


def put(state: Path, files: Mapping[str, bytes]) -> None:
    """Puts files on the flash of a box that is off."""
    for path, content in files.items():
        (state / "flash" / path).parent.mkdir(parents=True, exist_ok=True)
        (state / "flash" / path).write_bytes(content)


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
    """Collects the events of a box; `wait_for` gives the next that fits or fails in the end."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._next = 0

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def wait_for(self, kind: str) -> Event:
        deadline = time.monotonic() + PATIENCE_S
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


def processes(folder: Path) -> list[int]:
    """The processes of boxes that live in this folder, or below it."""
    mark = f"NOISEBOX_FLASH={folder.resolve()}/".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables = (process / "environ").read_bytes().split(b"\0")
            if any(variable.startswith(mark) for variable in variables):
                found.append(int(process.name))
        except OSError:
            continue
    return found


class Terminal:
    """A person's terminal on the port of a box."""

    def __init__(self, port: str) -> None:
        self._serial = serial.Serial(port, timeout=0.05, exclusive=True)
        self.seen = ""

    def __enter__(self) -> Self:
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


def until(
    true: Callable[[], object], complaint: Callable[[], str], seconds: float = PATIENCE_S
) -> None:
    """Waits until `true()`; fails with `complaint()` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.01)


RESTED_MAIN = """
from noisebox import hal, start
from noisebox.retained import Retained
from noisebox.spotlight import RESTED
retained = Retained(hal.rtc_memory)
retained.ledger[:] = RESTED
retained.save()
start.main()
"""
"""A main.py for a box whose lamp need not rest first."""

HEAP_MAIN = """
import gc
from noisebox import start
def tell(second, reading):
    gc.collect()
    print("heap", gc.mem_alloc())
start.main(tell)
"""
"""A main.py that prints, each second, how much heap is in use after a collection."""

JOURNAL_KEY = wire.Key(wire.derive(bytes(32), "journal"))
"""Of a box that was never provisioned."""


def install(state: Path, main: str | None = None, **options: Any) -> dict[str, Any]:
    """Puts the firmware on a box's flash, with another main.py if given; returns its board."""
    board = virtual_board()
    fill(state / "flash", board, **options)
    if main:
        flash(state, main=main)
    return board


def tones(*parts: tuple[float, float]) -> Iterator[Frame]:
    """A 1 kHz tone of (seconds, level in dB), one after the other, over and over."""
    while True:
        for seconds, level_db in parts:
            for _ in range(round(4 * seconds)):
                yield frames(sine(1000, level_db, RATE_HZ // 4)).reshape(-1, 2)


def flash_files(state: Path) -> SimpleNamespace:
    """The files of a box, as its rooms want them. Only the box itself removes any."""

    def path(name: str) -> Path:
        return state / "flash" / name

    return SimpleNamespace(
        open=lambda name, mode: path(name).open(mode),
        listdir=lambda name: [entry.name for entry in path(name).iterdir()],
        mkdir=lambda name: path(name).mkdir(),
        remove=lambda name: None,
    )


def on_flash(state: Path, key: wire.Key = JOURNAL_KEY) -> list[tuple]:
    """The entries of a box's journal, whether it runs or not; fails when their chain is broken."""
    read = firmware.journal.Journal(flash_files(state), "journal", key).read(1, 100_000)
    entries = list(read)
    assert list(evidence.breaks(key, entries)) == []
    return entries


def stored(state: Path) -> list[dict[str, Any]]:
    """The records on the flash of a box that was never provisioned."""
    return [evidence.unpack(entry[1]) for entry in on_flash(state)]


class Bench(Terminal):
    """A technician's program on the port of a box: what comes is sorted, records are acknowledged.

    messages   (name, payload) of all that came, in order
    entries    of the journal, each once and in order; `records()` unpacks them, with the key of
               the journal
    """

    def __init__(self, port: str, key: wire.Key = JOURNAL_KEY) -> None:
        super().__init__(port)
        self._key = key
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.entries: list[tuple] = []
        self.text: list[str] = []
        self._asked = 0
        self._read_to = 0

    def say(self, name: str, **payload: Any) -> None:
        self.type(wire.line(wire.topic("box", name), payload) + "\n")

    def collect(self) -> None:
        """Asks for the records after those there are."""
        self.say("ack", seq=self.entries[-1][0] if self.entries else 0)

    def take_all(self, state: Path) -> None:
        """Collects what is on the flash of this box by the next second."""
        self.next("reading")
        self.next("reading")
        newest = on_flash(state, self._key)[-1][0]
        self.collect()

        def came() -> bool:
            self.listen()
            return bool(self.entries) and self.entries[-1][0] >= newest

        until(came, lambda: f"not all of {newest} records in {self.entries[-1:]}")

    def listen(self) -> None:
        """Takes in what has come."""
        self.seen += self._serial.read(self._serial.in_waiting or 1).decode(errors="replace")
        *lines, self.seen = self.seen.split("\n")
        for line in lines:
            message = wire.parse_line(line)
            if message is None:
                self.text.append(line.strip())
                continue
            name = wire.split_topic(message[0])[1]
            self.messages.append((name, message[1]))
            if name == "record":
                self._take(message[1])

    def _take(self, payload: dict[str, Any]) -> None:
        entry = evidence.entry(payload)
        if payload["after"] == (self.entries[-1][0] if self.entries else 0):
            self.entries.append(entry)
            self.collect()

    def next(self, name: str) -> dict[str, Any]:
        """The next message of this name, passing over others."""
        found: dict[str, Any] = {}

        def came() -> bool:
            self.listen()
            while self._read_to < len(self.messages):
                kind, payload = self.messages[self._read_to]
                self._read_to += 1
                if kind == name:
                    found.update(payload)
                    return True
            return False

        until(came, lambda: f"no {name} after {self.messages[-3:]} {self.text[-20:]}")
        return found

    def wait_for(self, text: str) -> None:
        """Listens until a line of other text has it."""

        def came() -> bool:
            self.listen()
            return any(text in line for line in [*self.text, self.seen])

        until(came, lambda: f"no {text!r} in {self.text[-20:]} {self.seen!r}")

    def ask(self, action: str, **fields: Any) -> tuple[str, str]:
        """Gives a command; its outcome and detail."""
        self._asked += 1
        self.say("command", id=self._asked, action=action, **fields)
        while (result := self.next("result"))["id"] != self._asked:
            pass
        return result["outcome"], result["detail"]

    def payloads(self, name: str) -> list[dict[str, Any]]:
        return [payload for kind, payload in self.messages if kind == name]

    def records(self, kind: str) -> list[dict[str, Any]]:
        """The records of a kind that were collected; fails when their chain is broken."""
        assert list(evidence.breaks(self._key, self.entries)) == []
        found = [evidence.unpack(entry[1]) for entry in self.entries]
        return [record for record in found if record["kind"] == kind]


def heaps(bench: Bench) -> list[int]:
    """What HEAP_MAIN printed."""
    return [int(line.split()[1]) for line in bench.text if line.startswith("heap ")]
