"""Whether the chip starts its program, and is the one in the board file.

esptool is asked only when nothing else answers, since it resets the chip.
"""

import re
from collections.abc import Iterator
from typing import Any

from noisewarden import boards
from noisewarden.bench.deploy import obstacle
from noisewarden.bench.doctor.app import App
from noisewarden.bench.doctor.check import Check, failed, from_error, passed, warned
from noisewarden.bench.doctor.prompt import Findings
from noisewarden.bench.flash import Loader
from noisewarden.bench.tools import Unreachable
from noisewarden.chips import CHIPS
from noisewarden.errors import UserError

_DOWNLOAD = "waiting for download"
_PRESS_RESET = "press EN (RESET) without holding BOOT or the safe-mode button"


def start(app: App) -> Check:
    """What came of `app.meet`."""
    if app.box:
        return passed("start", f"{app.box} runs, firmware {app.state.get('firmware', 'unknown')}")
    if app.prompt:
        words = "the app does not run, MicroPython's prompt answers"
        return warned("start", words, "doctor starts it now; if it stays so, deploy again")
    if app.words:
        return warned("start", f"the app does not run; last heard: {app.words}", _PRESS_RESET)
    return warned("start", "not a word from the box", _PRESS_RESET)


def of_prompt(findings: Findings, board: dict[str, Any]) -> Iterator[Check]:
    """Of a box whose prompt answers."""
    version = ".".join(map(str, findings.survey.micropython))
    if cause := obstacle(findings.survey, board):
        yield from_error("MicroPython", UserError(cause))
    else:
        yield passed("MicroPython", f"{version} for {findings.survey.arch}")
    yield _chip(_named(findings.machine), board)


def of_loader(port: str, board: dict[str, Any] | None, words: str, error: Unreachable) -> Check:
    """Of a box at which neither app nor prompt answers: asks its boot loader.

    words   the last that was heard from it, error   how the prompt was missed
    """
    if board is None or "usb" not in board:
        return from_error("chip", error)
    loader = Loader(port, board)
    try:
        with loader:
            loader.connect()
    except UserError as loader_error:
        return from_error("chip", loader_error)
    found = _chip(loader.found.chip, board)
    if found.state != "pass":
        return found
    if loader.found.flash_mb < board["flash_mb"]:
        return failed(
            "chip",
            f"{loader.found.title} with {loader.found.flash_mb} MB of flash, where "
            f"{board['board']} has {board['flash_mb']}",
            f"take a board with {board['flash_mb']} MB, or name the right one",
        )
    if _DOWNLOAD in words:
        return failed(
            "chip",
            f"{loader.found.title} was held in its boot loader by BOOT, or by what is wired to "
            "that pin",
            f"let go, and {_PRESS_RESET}",
        )
    return failed(
        "chip",
        f"{loader.found.title} in its boot loader; its program does not answer",
        f"flash MicroPython (noisewarden flash --board {board['board']}) and deploy",
    )


def _chip(chip: str, board: dict[str, Any]) -> Check:
    wanted = board["chip"]
    if chip == wanted:
        return passed("chip", CHIPS[wanted].title)
    like = [one["board"] for one in boards.load_all() if one["chip"] == chip]
    title = CHIPS[chip].title if chip in CHIPS else chip
    return failed(
        "chip",
        f"is {title}, but {board['board']} has {CHIPS[wanted].title}",
        f"name its board: {' or '.join(like)}"
        if like
        else "take a board that is listed by noisewarden boards",
    )


def _named(machine: str) -> str:
    """The chip as board files write it, of `sys.implementation._machine`: "Generic ESP32S3 module
    with ESP32S3"; that of a PC tells its system."""
    if re.match("linux|darwin", machine):
        return "virtual"
    name = machine.rpartition(" with ")[2].lower()
    # A name may go on with the kind of module: esp32-unicore.
    return next((chip for chip in sorted(CHIPS, reverse=True) if name.startswith(chip)), name)
