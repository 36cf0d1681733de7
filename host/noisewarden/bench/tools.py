"""mpremote and ampy as processes: their Python interfaces are nobody's promise.

Both come to the box's prompt by Ctrl-C and a soft reset, which runs boot.py and no main.py.
"""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from noisewarden.console import Console
from noisewarden.errors import UserError
from noisewarden.firmware import wire

SILENT_S = 40.0
"""A tool that works is never silent for so long: 10 KB by ampy take half of it. One whose box was
reset under it waits for ever."""

_SHOWN_CHARS = 80


class ToolFailed(UserError):
    """A tool did not do its work."""


class Unreachable(ToolFailed):
    """Nor will another try, before a person has done something."""


FULL = "the flash of the box is full; remove what is not its own (mpremote fs ls, fs rm)"

_NO_PROMPT = (
    "the box does not come to its prompt (could not enter raw repl), its app or a watchdog is in "
    "the way; hold its button while you reset it, which starts the safe mode, and try again"
)
_UNREACHABLE = (
    ("could not enter raw repl", _NO_PROMPT),
    (
        "SerialException|Input/output error|device disconnected|Device not configured",
        "the box is gone, its cable or its power; plug it in and try again",
    ),
)
"""What a tool says, and what a technician is told."""


class Tool(ABC):
    """One of them on a port. Each method raises ToolFailed, with the cause and its cure."""

    module: ClassVar[str]
    package: ClassVar[str]

    def __init__(self, port: str) -> None:
        self.port = port
        if not importlib.util.find_spec(self.module.split(".")[0]):
            raise UserError(f"{self.package}: is not installed; pip install {self.package}")

    @abstractmethod
    def run(self, script: str) -> str:
        """What a MicroPython script prints on the box."""

    @abstractmethod
    def send(self, folder: Path, paths: Sequence[str], on_file: Callable[[str], None]) -> None:
        """Copies files of `folder` to the same paths on the box, in this order, into folders that
        are there. `on_file` gets each path as its turn comes."""

    @abstractmethod
    def restart(self) -> None:
        """Resets the chip, and does not wait for it."""

    def leave(self, standing: str) -> str:
        """Starts the box again in the middle of some work, after which it stands so; that, and
        whether it was started."""
        try:
            self.restart()
        except ToolFailed:
            return f"{standing} (press its reset button to start it)"
        return f"{standing} (it was started again)"

    def _run(
        self,
        *arguments: str,
        folder: Path | None = None,
        on_line: Callable[[str], None] = lambda line: None,
    ) -> str:
        """Everything that the tool prints. A box that was not reached is tried once more: a busy
        app may have swallowed the tool's Ctrl-C."""
        try:
            return self._try(arguments, folder, on_line)
        except Unreachable:
            return self._try(arguments, folder, on_line)

    def _try(
        self, arguments: Sequence[str], folder: Path | None, on_line: Callable[[str], None]
    ) -> str:
        process = subprocess.Popen(
            [sys.executable, "-m", self.module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=folder,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            # Ctrl-C is for `deploy`, which then ends the tool and starts the box again.
            start_new_session=True,
        )
        said: list[str] = []
        silent = threading.Event()
        try:
            while line := _line(process, silent):
                if wire.parse_line(line):
                    raise ToolFailed(
                        f"{self.port}: the box was reset meanwhile, its app runs; try again"
                    )
                said.append(line)
                on_line(line)
            code = process.wait()
        finally:
            process.kill()
            process.communicate()
        if silent.is_set() and not said:
            raise Unreachable(f"{self.port}: {_NO_PROMPT}")
        if code:
            raise self._failure("".join(said))
        return "".join(said)

    def _run_script(self, script: str, *arguments: str) -> str:
        with tempfile.TemporaryDirectory(prefix="noisewarden-") as folder:
            # Whatever it prints first tells that the prompt was reached.
            (Path(folder) / "script.py").write_text("print()\n" + script, encoding="utf-8")
            return self._run(*arguments, "run", "script.py", folder=Path(folder))

    def _failure(self, said: str) -> ToolFailed:
        if "failed to access" in said:
            return Unreachable(self._locked())
        for sign, told in _UNREACHABLE:
            if re.search(sign, said):
                return Unreachable(f"{self.port}: {told}")
        if re.search("ENOSPC|Errno 28|No space left", said):
            return ToolFailed(f"{self.port}: {FULL}")
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        last = lines[-1][:_SHOWN_CHARS] if lines else "not a word"
        return ToolFailed(
            f"{self.port}: {self.package} broke off ({last}): its watchdog, supply or cable; "
            "try again to go on"
        )

    def _locked(self) -> str:
        try:
            with Console(self.port):
                return f"{self.port}: was held by another program for a moment; try again"
        except UserError as error:
            return str(error)


def _line(process: subprocess.Popen[str], silent: threading.Event) -> str:
    """The next line of a tool, "" at its end; after SILENT_S it is ended, and `silent` set."""

    def end() -> None:
        silent.set()
        process.kill()

    assert process.stdout
    alarm = threading.Timer(SILENT_S, end)
    alarm.daemon = True  # Ctrl-C may come before the `try`
    alarm.start()
    try:
        return process.stdout.readline()
    finally:
        alarm.cancel()


class Mpremote(Tool):
    module = package = "mpremote"

    def run(self, script: str) -> str:
        return self._run_script(script, "connect", self.port)

    def send(self, folder: Path, paths: Sequence[str], on_file: Callable[[str], None]) -> None:
        def on_line(line: str) -> None:
            if line.startswith("cp "):
                on_file(line.rpartition(":")[2].strip())

        copies = [word for path in paths for word in ("+", "cp", "-f", path, f":{path}")]
        self._run("connect", self.port, *copies, folder=folder, on_line=on_line)

    def restart(self) -> None:
        self._run("connect", self.port, "resume", "reset")


class Ampy(Tool):
    module, package = "ampy.cli", "adafruit-ampy"

    def run(self, script: str) -> str:
        return self._run_script(script, "--port", self.port)

    def send(self, folder: Path, paths: Sequence[str], on_file: Callable[[str], None]) -> None:
        for path in paths:
            on_file(path)
            self._run("--port", self.port, "put", path, path, folder=folder)

    def restart(self) -> None:
        self._run("--port", self.port, "reset", "--hard")


TOOLS: dict[str, type[Tool]] = {"mpremote": Mpremote, "ampy": Ampy}
