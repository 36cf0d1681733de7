"""A new version of the firmware onto a box, so that an interruption leaves the old one running.

Files go to `next/` on the box, the manifest last; `firmware/update.py` puts them into place once
they are complete, here and at every start of the box. Nothing else on the flash is touched.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from noisewarden.bench.manifest import MANIFEST, Files, digests, manifest
from noisewarden.bench.tools import FULL, Tool, ToolFailed, Unreachable
from noisewarden.console import after_restart
from noisewarden.errors import UserError
from noisewarden.paths import FIRMWARE

OLDEST_MICROPYTHON = (1, 28)
REPORTS_WITHIN_S = 20.0

_UPDATE = "update.py"
_NEXT = "next/"
_ROOMS = "noisebox/"
_BLOCK_BYTES = 4096
_FOLDERS_BYTES = 8 * _BLOCK_BYTES
"""Of two folders in LittleFS, each a pair of blocks, and as much for what it writes beside."""

_ARCHES = {2: "x64", 10: "xtensawin", 11: "rv32imc"}
"""By its number in `sys.implementation._mpy` (MicroPython, py/persistentcode.h)."""

# After Ctrl-C no one feeds a watchdog that an app has started: it gets time for a deploy, and then
# starts the box again, should nobody else. It goes after firmware/update.py, whose names it uses.
_SURVEY = """
import json, machine, sys
machine.WDT(timeout=30 * 60 * 1000)
run()
for folder in ("next", "next/noisebox"):
    try:
        os.mkdir(folder)
    except OSError:
        pass
space = os.statvfs("next")
paths = [path for path in {root} if path in os.listdir()]
for folder in ("noisebox", "next", "next/noisebox"):
    paths += files(folder)
print(json.dumps({{
    "micropython": list(sys.implementation.version[:3]),
    "mpy": sys.implementation._mpy,
    "free": space[1] * space[3],
    "files": {{path: sha256(path) for path in paths}},
}}))
"""

_REMOVE = """
import os
for path in {paths}:
    os.remove(path)
"""


@dataclass(frozen=True)
class Survey:
    """What a box is and has.

    here, waiting   SHA-256 by path of the firmware in place, and of what is in `next/`
    """

    micropython: tuple[int, ...]
    mpy: int
    free: int
    here: dict[str, str]
    waiting: dict[str, str]

    @property
    def arch(self) -> str:
        """As board files name it."""
        number = self.mpy >> 10 & 15
        return _ARCHES.get(number, f"number {number}")


@dataclass
class Report:
    """What a deploy did, and what the box said of itself afterwards."""

    sent: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0
    box: str = ""
    firmware: str = ""
    micropython: str = ""


class Deployment:
    """Brings `files` (see `manifest.bundle`) onto the box of the board `board` behind `tool`.

    `standing` says, at any moment, how the box stands should the work end there.
    """

    def __init__(self, tool: Tool, board: dict[str, Any], files: Files) -> None:
        self.standing = "nothing was changed on the box"
        self._tool = tool
        self._board = board
        self._files = files
        self._wanted = digests(files | {MANIFEST: manifest(files)})

    def run(self, on_files: Callable[[int], None] = lambda count: None) -> Report:
        """Does it all; `on_files` gets how many more files, of `files` and the manifest, are dealt
        with.

        UserError with cause and cure; the box then runs a whole version again, if it can be
        reached.
        """
        try:
            report = self._install(on_files)
        except Unreachable:
            raise
        except UserError:
            self.leave()
            raise
        self._tool.restart()
        self._hear(report)
        return report

    def leave(self) -> str:
        """Starts the box again in the middle of the work; says how it stands."""
        return self._tool.leave(self.standing)

    def _install(self, on_files: Callable[[int], None]) -> Report:
        survey = self._survey()
        if cause := obstacle(survey, self._board):
            raise UserError(f"{self._tool.port}: {cause}")
        report = Report(micropython=".".join(map(str, survey.micropython)))
        report.removed = [path for path in survey.here if path not in self._wanted]
        missing = self._missing(survey)
        report.unchanged = len(self._wanted) - len(missing)
        if not missing and not report.removed:
            return report
        # The manifest is what sets an update going, so it goes last and always.
        missing = [path for path in missing if path != MANIFEST]
        report.sent = [path for path in missing if survey.waiting.get(path) != self._wanted[path]]
        report.sent.append(MANIFEST)
        on_files(len(self._wanted) - len(report.sent))
        self._make_room(survey, missing, report.sent)
        self.standing = (
            "the box starts the version it had, or the new one if all of that has arrived; "
            "deploy again to go on"
        )
        self._send(report.sent, on_files)
        survey = self._survey()
        if damaged := self._missing(survey):
            raise UserError(
                f"{self._tool.port}: {len(damaged)} files did not arrive as they were sent "
                f"({', '.join(damaged[:3])}), so the old version stays; deploy again"
            )
        self.standing = "the new version is in place"
        return report

    def _survey(self) -> Survey:
        root = tuple(path for path in self._wanted if "/" not in path)
        script = (FIRMWARE / _UPDATE).read_text(encoding="utf-8") + _SURVEY.format(root=root)
        said = self._tool.run(script)
        try:
            found = json.loads(said[said.index("{") : said.rindex("}") + 1])
        except ValueError:
            raise ToolFailed(
                f"{self._tool.port}: the box's answer is garbled; "
                "try another cable, and deploy again"
            ) from None
        survey = Survey(tuple(found["micropython"]), found["mpy"], found["free"], {}, {})
        for path, digest in found["files"].items():
            files = survey.waiting if path.startswith(_NEXT) else survey.here
            files[path.removeprefix(_NEXT)] = digest
        return survey

    def _missing(self, survey: Survey) -> list[str]:
        return [path for path in self._wanted if survey.here.get(path) != self._wanted[path]]

    def _make_room(self, survey: Survey, missing: list[str], sending: list[str]) -> None:
        """Removes what waits for nothing or came in part; UserError when there is no room all the
        same."""
        useless = [path for path in survey.waiting if path not in missing or path in sending]
        if useless:
            self._tool.run(_REMOVE.format(paths=tuple(_NEXT + path for path in useless)))
            survey = self._survey()
        blocks = sum(1 + len(self._files.get(path, b"")) // _BLOCK_BYTES for path in sending)
        wanted = blocks * _BLOCK_BYTES + _FOLDERS_BYTES
        if wanted > survey.free:
            raise UserError(
                f"{self._tool.port}: {wanted} bytes are needed and {survey.free} are free, "
                f"so {FULL}"
            )

    def _send(self, paths: list[str], on_files: Callable[[int], None]) -> None:
        content = self._files | {MANIFEST: manifest(self._files)}
        with tempfile.TemporaryDirectory(prefix="noisewarden-") as name:
            folder = Path(name)
            (folder / _NEXT / _ROOMS).mkdir(parents=True)
            for path in paths:
                (folder / _NEXT / path).write_bytes(content[path])
            self._tool.send(folder, [_NEXT + path for path in paths], lambda path: on_files(1))

    def _hear(self, report: Report) -> None:
        message, words = after_restart(self._tool.port, REPORTS_WITHIN_S)
        if message is None:
            raise UserError(
                f"{self._tool.port}: the new version is in place, but the box does not report "
                f"itself ({words}); press its reset button without holding the safe-mode button"
            )
        report.box, name, payload = message
        report.firmware = payload["firmware"] if name == "state" else ""


def obstacle(survey: Survey, board: dict[str, Any]) -> str:
    """Why this box cannot take this board's firmware, with the cure; "" when it can."""
    if survey.micropython[:2] < OLDEST_MICROPYTHON:
        return (
            f"the box runs MicroPython {'.'.join(map(str, survey.micropython))}, too old for this "
            f"firmware; flash it anew (noisewarden flash --board {board['board']})"
        )
    if survey.arch != board["arch"]:
        return (
            f"the box's chip runs {survey.arch} code and the board {board['board']} is "
            f"{board['arch']}; name the right board (noisewarden boards lists them)"
        )
    return ""
