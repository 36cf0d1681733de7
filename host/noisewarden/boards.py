"""Board files: what is soldered to what. Loads them, and makes the box's `board.json`.

A board is a dict as its TOML file has it, with its name under "board". What is wrong with one is
told in lines `file: key: cause; cure`, all of them at once (`board_rules`).
"""

import difflib
import tomllib
from pathlib import Path
from typing import Any

from noisewarden import board_rules
from noisewarden.board_rules import Finding
from noisewarden.errors import UserError
from noisewarden.paths import BOARDS

MICROPHONES_FILE = BOARDS / "microphones.toml"


def microphones() -> dict[str, dict[str, Any]]:
    """The microphones of `boards/microphones.toml` by name."""
    with MICROPHONES_FILE.open("rb") as file:
        return tomllib.load(file)


def names() -> list[str]:
    """The boards that there are."""
    return sorted(path.stem for path in BOARDS.glob("*.toml") if path != MICROPHONES_FILE)


def load(name: str) -> dict[str, Any]:
    """A board by its name. UserError when there is none or its file has a problem."""
    if name not in names():
        near = difflib.get_close_matches(name, names(), 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names())}"
        raise UserError(f"board {name}: there is none of this name; {hint}")
    path = BOARDS / f"{name}.toml"
    board, findings = read(path)
    problems = [finding.line(path.name) for finding in findings if not finding.warning]
    if problems:
        more = f" (and {len(problems) - 1} more: noisewarden boards --check {path})"
        raise UserError(problems[0] + (more if problems[1:] else ""))
    return board


def load_all() -> list[dict[str, Any]]:
    """All boards. UserError when one of their files has a problem."""
    return [load(name) for name in names()]


def read(path: Path) -> tuple[dict[str, Any], list[Finding]]:
    """The board in a file, and all that is wrong with it or risky. UserError when it cannot be
    read at all."""
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is not TOML ({error}); correct that place") from None
    board = written | {"board": path.stem}
    return board, board_rules.check(board, microphones())


def for_box(board: dict[str, Any]) -> dict[str, Any]:
    """What the box itself needs to know: its `board.json`.

    The sensitivity is that behind the equalisation, whose shelves change the level at 1 kHz too.
    """
    microphone = microphones()[board["microphone"]]
    sensitivity_dbfs = microphone["sensitivity_dbfs"] + microphone["equalisation_gain_db"]
    bits = {"bits": microphone["bits"]} if "bits" in microphone else {}
    return {
        "board": board["board"],
        "chip": board["chip"],
        "microphone": {
            "name": board["microphone"],
            "sensitivity_dbfs": round(sensitivity_dbfs, 3),
            "noise_dba": microphone["noise_dba"],
            "equalisation": microphone["equalisation"],
        }
        | bits,
        "pins": board["pins"],
        "relay": board["relay"],
        "matrix": board["matrix"],
    }
