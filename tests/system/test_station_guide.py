"""Who runs a station: what docs/station.md says to type does what it says."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from noisewarden.cli import COMMANDS
from served import PASSWORD, Visitor
from system.serving import NOISEWARDEN, Serving, register

pytest_plugins = ["postgres"]

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "station.md"


def commands(section: str) -> list[str]:
    """What a section of the guide says to type, but for what changes the computer."""
    text = GUIDE.read_text(encoding="utf-8").partition(section)[2].partition("\n## ")[0]
    blocks = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    found = [line for line in blocks.splitlines() if not line.startswith("sudo ")]
    assert found, section
    return found


def run(line: str, folder: Path, **more: str) -> None:
    """As a person in the station's environment types it, beside the data folder."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["sh", "-ec", line], cwd=folder, env=os.environ | {"PATH": path} | more, check=True
    )


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Serving]:
    """One with a box and an administrator."""
    register(tmp_path / "station", "bagu-east-01", bytes(32))
    with Serving(tmp_path / "station") as made, made.administrator():
        yield made


def is_as_it_was(serving: Serving) -> None:
    assert serving.setup == ""
    with Visitor(serving) as chief:
        assert chief.log_in("Chief", PASSWORD).is_success
        assert [box["box"] for box in chief.get("/api/v1/register").json()] == ["bagu-east-01"]


@pytest.mark.parametrize("section", ["## 1.", "## 3.", "## 4.", "## 10.", "## 11."])
def test_every_option_that_is_shown_is_one_of_its_command(section):
    for line in commands(section):
        if line.startswith("noisewarden "):
            _, command, *words = shlex.split(line)
            assert command in COMMANDS
            told = subprocess.run([NOISEWARDEN, command, "--help"], capture_output=True, text=True)
            for option in (word for word in words if word.startswith("--")):
                assert option in told.stdout, line


def test_a_backup_of_a_station_that_runs_is_a_station(station, tmp_path):
    for line in commands("## 6."):
        run(line, tmp_path)
    authority = station.authority.ca_der
    station.end(signal.SIGKILL)
    shutil.rmtree(tmp_path / "station")
    (tmp_path / "backup").rename(tmp_path / "station")
    with Serving(tmp_path / "station") as restored:
        is_as_it_was(restored)
        assert restored.authority.ca_der == authority
    for path in (tmp_path / "station").rglob("*"):
        assert path.stat().st_mode & 0o77 == 0, path


def test_a_station_moves_to_postgresql(station, tmp_path, postgresql):
    station.end(signal.SIGTERM)
    server = {"PGHOST": str(postgresql.folder), "PGUSER": "noisewarden"}
    postgresql.run("CREATE DATABASE noisewarden")
    move, serve = commands("## 9.")
    run(move, tmp_path, **server)
    options = shlex.split(serve)[2:]
    with Serving(tmp_path / "station", *options, env=os.environ | server) as moved:
        is_as_it_was(moved)
    assert not (tmp_path / "station" / "station.sqlite").exists()
