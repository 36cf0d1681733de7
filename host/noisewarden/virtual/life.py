"""One life of a virtual box's chip: from its start to the reset that ends it.

The chip is a MicroPython process. What it prints goes to the console, what it reports to the
hardware around it, and what is typed goes in, Ctrl-C as an interrupt while code runs.
"""

import contextlib
import json
import os
import re
import select
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from noisewarden.errors import UserError
from noisewarden.virtual import chip
from noisewarden.virtual.console import Console
from noisewarden.virtual.feeder import Feeder
from noisewarden.virtual.interrupt import code_runs, interrupt

Event = dict[str, Any]

_TICK_S = 0.02
_CTRL_A, _CTRL_C = b"\x01", b"\x03"
_INTERRUPT_PATIENCE_S = 2.0
_MOMENT_WITHIN_S = 1.0
_START_S = 15.0
_YOUNG_S = 1.0
_INPUT_BYTES = 1 << 16
_TAIL_BYTES = 512
_PROMPTS = re.compile(rb'raw REPL; (CTRL-B) to exit|Type "help\(\)"')


class Watchdog:
    """Of the chip: once started, only a reset of the hardware stops it."""

    def __init__(self) -> None:
        self._timeout_s = 0.0
        self._deadline = float("inf")

    def start(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self.feed()

    def feed(self) -> None:
        self._deadline = time.monotonic() + self._timeout_s

    def stop(self) -> None:
        self._deadline = float("inf")

    def barks(self) -> bool:
        return time.monotonic() > self._deadline


@dataclass
class Hardware:
    """What is around the chip and outlives its resets; `settings` go to `chip.start` as is."""

    flash: Path
    rtc: IO[bytes]
    console: Console
    feeder: Feeder
    report: Callable[[Event], None]
    settings: dict[str, Any]
    watchdog: Watchdog = field(default_factory=Watchdog)
    stop: threading.Event = field(default_factory=threading.Event)
    power_cut: threading.Event = field(default_factory=threading.Event)


class Life:
    """`raw` starts into the raw REPL: boot.py without main.py, as after Ctrl-D there. `main` False
    does the same into the friendly one.

    After `live`, `crashed` tells whether MicroPython itself died young, and `interrupted` whether
    the next life starts without main.py.
    """

    def __init__(self, hardware: Hardware, cause: int, raw: bool, main: bool = True) -> None:
        self.crashed = False
        self._hardware = hardware
        self._console = hardware.console
        self._raw = raw
        self.interrupted = False
        self._started = False
        self._reset_cause = 0
        self._t = 0
        self._typed = hardware.console.typed
        if raw:
            self._typed[:0] = _CTRL_A
        self._hold_until = 0.0
        self._interrupt_by: float | None = None
        self._tail = b""
        self._event_tail = b""
        self._began = time.monotonic()
        rtc = hardware.rtc.fileno()
        os.lseek(rtc, 0, os.SEEK_SET)
        self._events, report = os.pipe()
        self._process = chip.start(
            hardware.flash,
            sound=hardware.feeder.chip_end,
            events=report,
            rtc=rtc,
            cause=cause,
            main=main and not raw,
            **hardware.settings,
        )
        os.close(report)
        assert self._process.stdin and self._process.stdout
        self._input = self._process.stdin.fileno()
        self._output = self._process.stdout.fileno()
        for fd in (self._input, self._output, self._events):
            os.set_blocking(fd, False)

    def live(self) -> tuple[int, bool]:
        """Returns the cause of the reset, and whether the next life starts into the raw REPL.

        UserError when the chip never gets to its first script.
        """
        try:
            while not self._hardware.stop.is_set():
                self._wait()
                self._hear_chip()
                self._hear_events()
                self._hear_console()
                self._pass_input()
                if end := self._end():
                    return end
            return chip.PWRON_RESET, False
        finally:
            self._process.kill()
            self._hear_chip()
            self._close()

    def _end(self) -> tuple[int, bool] | None:
        lived_s = time.monotonic() - self._began
        if not self._started and lived_s > _START_S:
            said = re.findall(r"^.*Error.*$", self._tail.decode(errors="replace"), re.MULTILINE)
            cause = said[-1].strip() if said else "no word from it"
            raise UserError(f"virtual box: MicroPython does not start ({cause}); check its heap")
        if self._hardware.power_cut.is_set():
            self._hardware.power_cut.clear()
            self._typed.clear()
            return chip.PWRON_RESET, False
        if self._hardware.watchdog.barks():
            cause = chip.WDT_RESET
            self._hardware.report({"event": "reset", "t": self._t, "cause": cause})
            return cause, False
        if self._reset_cause:
            if self._reset_cause == chip.SOFT_RESET:
                self._say_soft_reboot()
            return self._reset_cause, False
        if self._process.poll() is not None:
            # Ctrl-D or SystemExit at a prompt, or a crash of MicroPython itself. Or a Ctrl-C for
            # code that had just ended: a chip at its prompt takes no notice of it.
            self.interrupted = self._process.returncode == -signal.SIGINT
            if self.interrupted:
                return chip.SOFT_RESET, self._raw
            self.crashed = self._process.returncode != 0 and lived_s < _YOUNG_S
            self._say_soft_reboot()
            return chip.SOFT_RESET, self._raw
        return None

    def _say_soft_reboot(self) -> None:
        self._hear_chip()
        self._console.send(b"MPY: soft reboot\r\n")

    def _close(self) -> None:
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        os.close(self._events)
        self._hardware.report({"event": "end", "t": self._t})

    def _wait(self) -> None:
        """Until there is something to do, a tick at most: who opens the port is not announced."""
        sources = [self._output, self._events]
        if self._console.connected():
            sources.append(self._console.fd)
        select.select(sources, [], [], _TICK_S)

    def _hear_chip(self) -> None:
        # Once, which empties the pipe: a chip that prints without end would be read without end.
        if data := _read(self._output):
            self._console.send(data)
            seen = self._tail + data
            for prompt in _PROMPTS.finditer(seen):
                self._raw = prompt.group(1) is not None
            self._tail = seen[-_TAIL_BYTES:]
        self._console.flush()

    def _hear_events(self) -> None:
        lines = (self._event_tail + _read(self._events)).split(b"\n")
        self._event_tail = lines.pop()
        for line in lines:
            event = json.loads(line)
            self._t = event["t"]
            match event["event"]:
                case "start":
                    self._started = True
                case "watchdog":
                    self._hardware.watchdog.start(event["timeout_ms"] / 1000)
                case "feed":
                    self._hardware.watchdog.feed()
                    continue
                case "reset":
                    self._reset_cause = event["cause"]
            self._hardware.report(event)

    def _hear_console(self) -> None:
        if len(self._typed) < _INPUT_BYTES:
            self._typed += self._console.receive()

    def _pass_input(self) -> None:
        """Hands on what was typed. After Ctrl-C the rest waits for the prompt that comes."""
        while self._typed and self._started:
            running = code_runs(self._process.pid)
            if running and time.monotonic() < self._hold_until:
                return
            if running and self._typed[:1] == _CTRL_C:
                self._interrupt()
                return
            until = self._typed.find(_CTRL_C, 1)
            with contextlib.suppress(BrokenPipeError):
                try:
                    sent = os.write(self._input, self._typed[: until if until > 0 else None])
                except BlockingIOError:
                    return
                del self._typed[:sent]
                continue
            return

    def _interrupt(self) -> None:
        """Takes one try, each turn, until it is done."""
        now = time.monotonic()
        if self._interrupt_by is None:
            self._interrupt_by = now + _MOMENT_WITHIN_S
        if interrupt(self._process, whatever_it_does=now > self._interrupt_by):
            del self._typed[:1]
            self._interrupt_by = None
            self._hold_until = now + _INTERRUPT_PATIENCE_S


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 1 << 16)
    except BlockingIOError:
        return b""
