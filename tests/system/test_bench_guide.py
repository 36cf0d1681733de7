"""A new technician at the bench: docs/bench.md from its first command to its last, on a board that
was erased and ends as a calibrated box."""

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from host.benchbox import Hands
from images import micropython
from noisewarden import boards, cli
from noisewarden.bench.calibration import procedure
from noisewarden.database import Database
from noisewarden.store import Store
from noisewarden.virtual.rom import Rom
from noisewarden.virtual.supervisor import VirtualBox
from system.boxes import Bench
from system.loudspeaker import TONE_C_MINUS_A_DB, Loudspeaker

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "bench.md"
PORT, BOARD = "/dev/ttyUSB0", "esp32-devkitc"
BOX = "bagu-east-01"
STORE = ("--data", "station", "--json")


def commands() -> Iterator[list[str]]:
    """The words of each `noisewarden` command of the guide, in order."""
    for block in re.findall(r"```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("noisewarden "):
                yield shlex.split(line)


class Technician:
    """Types what the guide says; `said` is what came back."""

    def __init__(self, monkeypatch: Any, capsys: Any, hands: Hands) -> None:
        self._patch = monkeypatch
        self._capsys = capsys
        self._hands = hands
        self.guide = list(commands())

    def does(self, command: str, port: str, board: str, *more: str) -> tuple[int, str]:
        """The next command, which is to be this one, on another port and board; `more` is what
        differs from the guide. Exit code and output."""
        words = self.guide.pop(0)
        assert words[1] == command
        typed = [{PORT: port, BOARD: board}.get(word, word) for word in words]
        self._hands.seen = ""
        self._patch.setattr(sys, "argv", [*typed, *more])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = self._capsys.readouterr()
        return int(end.value.code or 0), said.out + said.err


@pytest.fixture
def in_haste(monkeypatch) -> None:
    """A minute of measuring is 6 s."""
    for name, seconds in (("SETTLE_S", 3), ("MEASURE_S", 6), ("PRESENT_LEAST_S", 6)):
        monkeypatch.setattr(procedure, name, seconds)


def test_the_guide_leads_from_an_erased_board_to_a_calibrated_box(
    tmp_path: Path, monkeypatch: Any, capsys: Any, in_haste: Callable[[], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    speaker = Loudspeaker()
    hands = Hands(speaker, lambda: capsys.readouterr().err)
    monkeypatch.setattr(sys, "stdin", hands)
    technician = Technician(monkeypatch, capsys, hands)

    # The image that the board file pins is not at hand; here is one like it.
    image = tmp_path / "micropython.bin"
    image.write_bytes(micropython("esp32"))
    with Rom("esp32", flash_mb=4) as board:
        code, said = technician.does("flash", board.port, BOARD, "--image", str(image))
    assert code == 0 and "verified" in said

    (tmp_path / "wifi").write_text("correct horse")
    (tmp_path / "box" / "flash").mkdir(parents=True)
    with VirtualBox(
        tmp_path / "box", speaker.frames(), board=boards.for_box(boards.load("virtual"))
    ) as box:
        code, said = technician.does("deploy", box.port, "virtual")
        assert code == 0, said

        code, said = technician.does(
            "provision", box.port, "virtual", "--wifi-password-file", "wifi"
        )
        assert code == 0, said
        assert Path(f"{BOX}.svg").exists() and Path(f"{BOX}.png").exists()

        speaker.level_db = 35
        code, said = technician.does("doctor", box.port, "virtual", "--unattended", "--json")
        checks = json.loads(said)["checks"]
        # No station runs yet, and no network of this name is in the air.
        states = {(check["group"], check["state"]) for check in checks}
        assert {group for group, state in states if state == "fail"} <= {"network"}, said
        assert {"port", "firmware", "sound", "room"} <= {group for group, _ in states}

        code, said = technician.does("calibrate", "", "")
        assert code == 0 and len(list(Path("sounds").glob("*.wav"))) == 2
        code, said = technician.does("calibrate", box.port, "")
        assert code == 0, hands.seen + said
        assert {path.suffix for path in Path("certificates").iterdir()} == {
            *(".json", ".html", ".pdf")
        }

        speaker.level_db, speaker.c_minus_a_db = 93.97, TONE_C_MINUS_A_DB
        code, said = technician.does("calibrate", box.port, "")
        assert code == 0 and "good" in said, said

        with Bench(box.port) as bench:
            assert "uncalibrated" not in bench.next("reading")["flags"]
        monkeypatch.setattr(sys, "argv", ["noisewarden", "collect", "--port", box.port, *STORE])
        with pytest.raises(SystemExit):
            cli.main()
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])["summary"]
    assert summary["box"] == BOX and summary["gaps"] == []
    # What it wrote before it had a secret nobody can vouch for.
    assert summary["chain"]["broken"] == 0 and summary["chain"]["verified"] > 5, summary
    with Database.in_folder(Path("station")) as database:
        kinds = [row.kind for row in Store(database).records(BOX)]
    assert kinds.count("calibration") == 1
    assert technician.guide == []
