"""Deploying to a virtual box with the real mpremote and ampy, and all that gets in the way."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from noisewarden import boards, cli, compile
from noisewarden.bench import deploy, manifest, tools
from noisewarden.bench.deploy import Deployment, Survey, obstacle
from noisewarden.bench.tools import TOOLS, Tool, ToolFailed
from noisewarden.errors import UserError
from noisewarden.paths import FIRMWARE
from noisewarden.virtual.supervisor import VirtualBox
from system.boxes import PATIENCE_S, Bench, Log, Terminal, put, ramp, tones, until
from system.halting import halt_at

BOARD = boards.load("virtual")
DEPLOY = [sys.executable, "-c", "from noisewarden.cli import main; main()", "deploy"]
OWN = {
    "config.json": b'{"box": "bagu-east-01"}',
    "calibration.json": b'{"offset_db": 0.5, "until": 1893456000}',
    "secret.bin": bytes(range(32)),
    "journal/note": b"stays",
}
"""What no deploy touches."""

START = """
import json, time
from noisebox import first, second
def darken():
    pass
def main():
    with open("board.json") as file:
        versions = {first.VERSION, second.VERSION, json.load(file)["version"], %d}
    print('{"topic": "noisewarden/box/state", "firmware": "%%s"}' %% versions)
    while True:
        time.sleep_ms(200)
        print('{"topic": "noisewarden/box/reading", "n": 0}')
"""


def program(version: int) -> manifest.Files:
    """A small firmware whose every file differs between versions; it tells them in its state."""
    mark = f"\n# {version}\n".encode()
    files = {
        name: (FIRMWARE / name).read_bytes() + mark for name in ("boot.py", "main.py", "update.py")
    }
    module = f"VERSION = {version}\n" + "#" * 3000
    return files | {
        "noisebox/__init__.py": mark,
        "noisebox/first.py": module.encode(),
        "noisebox/second.py": module.encode(),
        "noisebox/start.py": (START % version).encode(),
        "board.json": json.dumps({"version": version}).encode(),
    }


def on_flash(state: Path) -> manifest.Files:
    """The firmware that is in place."""
    folder = state / "flash"
    paths = [*folder.glob("*.py"), folder / "board.json", *(folder / "noisebox").iterdir()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@contextmanager
def box_with(state: Path, files: manifest.Files, **options: Any) -> Iterator[VirtualBox]:
    put(state, files)
    with VirtualBox(
        state, ramp(120), board=boards.for_box(BOARD), unix_s=1_780_315_200, **options
    ) as box:
        yield box


def deployment(box: VirtualBox, files: manifest.Files, tool: str = "mpremote") -> Deployment:
    return Deployment(TOOLS[tool](box.port), BOARD, files)


def started(box: VirtualBox) -> str:
    """What a box says of its firmware after the power has gone and come."""
    with Bench(box.port) as bench:
        bench.next("reading")
        box.cut_power()
        return bench.next("state")["firmware"]


# The firmware itself.


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("box")


@pytest.fixture(scope="module")
def erased(state: Path) -> Iterator[VirtualBox]:
    """A box with MicroPython and what was on it before, then with what the tests deploy."""
    put(state, OWN)
    with VirtualBox(state, tones((1, 60)), board=boards.for_box(BOARD)) as box:
        yield box


def noisewarden(capsys, *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of `noisewarden deploy`."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(sys, "argv", ["noisewarden", "deploy", *arguments])
        cli.main()
    return end.value.code, *capsys.readouterr()


def test_a_board_gets_the_firmware_and_reports_itself(erased, state, capsys) -> None:
    code, output, errors = noisewarden(
        capsys, "--port", erased.port, "--board", "virtual", "--json"
    )
    assert (code, errors) == (0, "")
    report = json.loads(output)
    files = manifest.bundle(BOARD)
    assert set(report["sent"]) == files.keys() | {"manifest"} and report["sent"][-1] == "manifest"
    assert report["box"] == "bagu-east-01"
    assert (
        report["firmware"]
        == re.findall(r'__version__ = "(.+)"', (FIRMWARE / "noisebox/__init__.py").read_text())[0]
    )
    assert on_flash(state) == files
    assert json.loads(files["board.json"]) == boards.for_box(BOARD)
    with Bench(erased.port) as bench:
        assert bench.next("reading")["n"] >= 0


def test_what_the_box_owns_is_not_touched(erased, state) -> None:
    assert {path: (state / "flash" / path).read_bytes() for path in OWN} == OWN


def test_a_second_deploy_sends_nothing(erased, capsys) -> None:
    deployment(erased, manifest.bundle(BOARD)).run()
    for _ in range(3):
        code, said, complaint = noisewarden(capsys, "--port", erased.port, "--board", "virtual")
        assert code == 0, complaint
        assert "nothing to send" in said and "bagu-east-01" in said


@pytest.mark.parametrize("tool", TOOLS)
def test_a_changed_module_is_sent_with_the_manifest(
    erased, state, tool, tmp_path, monkeypatch
) -> None:
    shutil.copytree(FIRMWARE, tmp_path / "firmware")
    with (tmp_path / "firmware/noisebox/zone.py").open("a") as zone:
        zone.write(f'CHANGED_BY = "{tool}"\n')
    for module in (compile, manifest):
        monkeypatch.setattr(module, "FIRMWARE", tmp_path / "firmware")
    files = manifest.bundle(BOARD)
    report = deployment(erased, files, tool).run()
    assert report.sent == ["noisebox/zone.mpy", "manifest"]
    assert report.unchanged == len(files) - 1
    assert on_flash(state) == files


def test_sources_put_there_by_hand_do_not_stay_in_the_way(erased, state) -> None:
    put(state, {"noisebox/zone.py": b"raise SystemExit"})
    report = deployment(erased, manifest.bundle(BOARD)).run()
    assert report.removed == ["noisebox/zone.py"]
    assert on_flash(state) == manifest.bundle(BOARD)


# Interruptions.


def deploy_cut_at(box: VirtualBox, state: Path, path: str, tool: str) -> None:
    """A deploy of version 2 whose tool dies as soon as it has begun to write this file."""
    with pytest.MonkeyPatch.context() as patch:
        halt_at(state / "flash/next" / path, signal.SIGKILL, state / "halting", patch)
        with pytest.raises(ToolFailed, match=f"{tool} broke off"):
            deployment(box, program(2), tool).run()


@pytest.mark.parametrize(
    ("tool", "old", "told"),
    [
        ("mpremote", program(1), "{1}"),
        # Its every file takes a second: two of them must do.
        ("ampy", program(2) | {"board.json": program(1)["board.json"]}, "{1, 2}"),
    ],
    ids=["mpremote", "ampy"],
)
def test_cut_off_at_each_file_in_turn_the_old_version_starts(
    tmp_path: Path, tool: str, old: manifest.Files, told: str
) -> None:
    new = [path for path, content in program(2).items() if content != old[path]]
    with box_with(tmp_path, old) as box:
        for path in [*new, "manifest"]:
            deploy_cut_at(box, tmp_path, path, tool)
            assert started(box) == told
            assert on_flash(tmp_path) == old
        report = deployment(box, program(2), tool).run()
        assert report.sent == ["manifest"]
        assert report.firmware == "{2}" and on_flash(tmp_path) == program(2)


def test_what_ends_an_update_goes_into_place_first() -> None:
    lines = manifest.manifest(program(1)).decode().splitlines()
    assert [line.split()[-1] for line in lines[:3]] == ["update.py", "boot.py", "board.json"]


def test_the_box_itself_ends_what_was_complete(tmp_path: Path) -> None:
    new = program(2)
    waiting = {f"next/{path}": content for path, content in new.items()}
    with box_with(tmp_path, program(1) | waiting) as box:
        assert started(box) == "{1}"
        put(tmp_path, {"next/manifest": manifest.manifest(new)})
        assert started(box) == "{2}"
        assert on_flash(tmp_path) == new and not (tmp_path / "flash/next/manifest").exists()


def test_files_of_a_deploy_that_was_given_up_are_cleared_away(tmp_path: Path) -> None:
    left = {"next/noisebox/first.py": b"VERSION = 7", "next/manifest": b"half of", "next/x": b""}
    with box_with(tmp_path, program(1) | left) as box:
        assert deployment(box, program(2)).run().firmware == "{2}"
    assert not [path for path in (tmp_path / "flash/next").rglob("*") if path.is_file()]


def test_the_power_fails_while_files_are_sent(tmp_path: Path, monkeypatch) -> None:
    with box_with(tmp_path, program(1)) as box:

        def cut(count: int) -> None:
            if count == 1 and (tmp_path / "flash/next/update.py").exists():
                box.cut_power()
                monkeypatch.setattr(tools, "SILENT_S", 3.0)

        with pytest.raises(ToolFailed, match="watchdog, supply or cable; try again") as end:
            deployment(box, program(2)).run(cut)
        assert "\n" not in str(end.value)
        assert on_flash(tmp_path) == program(1) and started(box) == "{1}"


def test_a_watchdog_of_the_app_gets_time_for_the_deploy(tmp_path: Path) -> None:
    log = Log()
    app = b"""
import machine, time
dog = machine.WDT(timeout=15000)
while True:
    time.sleep_ms(100)
    dog.feed()
"""
    with box_with(tmp_path, {"main.py": app}, on_event=log) as box:
        log.wait_for("watchdog")
        assert deployment(box, program(2)).run().firmware == "{2}"
    lengths_ms = [event["timeout_ms"] for event in log.events if event["event"] == "watchdog"]
    assert lengths_ms[0] == 15_000 and set(lengths_ms[1:]) == {30 * 60 * 1000}
    # The one that deploy asked for, and none by the watchdog.
    assert [event["cause"] for event in log.events if event["event"] == "reset"] == [2]


def test_ctrl_c_says_how_the_box_stands_and_starts_it(tmp_path: Path, monkeypatch) -> None:
    next_app = tmp_path / "flash/next/noisebox/app.mpy"
    order = halt_at(next_app, signal.SIGSTOP, tmp_path / "halting", monkeypatch)
    with box_with(tmp_path, program(1)) as box:
        tried = subprocess.Popen(
            [*DEPLOY, "--port", box.port, "--board", "virtual"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until(lambda: not order.exists(), lambda: "nothing is sent")
        os.kill(tried.pid, signal.SIGINT)
        output, errors = tried.communicate(timeout=PATIENCE_S)
        assert (tried.returncode, output) == (130, "")
        assert errors == (
            f"{box.port}: stopped; the box starts the version it had, or the new one if all of "
            "that has arrived; deploy again to go on (it was started again)\n"
        )
        with Bench(box.port) as bench:
            assert bench.next("reading")
        assert on_flash(tmp_path) == program(1)


# Refusals.


def refused(box: VirtualBox, files: manifest.Files) -> str:
    with pytest.raises(UserError) as end:
        deployment(box, files).run()
    assert "\n" not in str(end.value)
    return str(end.value)


RAM_DISK = """
import os, vfs
class Disk:
    def __init__(self):
        self.data = bytearray(4096 * 8)
    def readblocks(self, n, buffer, offset=0):
        at = n * 4096 + offset
        buffer[:] = self.data[at:at + len(buffer)]
    def writeblocks(self, n, buffer, offset=0):
        at = n * 4096 + offset
        self.data[at:at + len(buffer)] = buffer
    def ioctl(self, request, argument):
        return {4: 8, 5: 4096}.get(request, 0)
disk = Disk()
vfs.VfsLfs2.mkfs(disk)
vfs.mount(disk, "/next")
os.mkdir("/next/noisebox")
"""
"""A boot.py after which there is little room for what waits."""


@pytest.mark.parametrize("told", [True, False], ids=["refused", "met while sending"])
def test_a_full_flash(tmp_path: Path, monkeypatch, told: bool) -> None:
    if not told:
        monkeypatch.setattr(deploy, "_FOLDERS_BYTES", -(10**6))
    large = {"noisebox/large.py": b"#" * 40_000}
    with box_with(tmp_path, program(1) | {"boot.py": RAM_DISK.encode()}) as box:
        error = refused(box, program(1) | large)
        assert "the flash of the box is full; remove what is not its own" in error
        assert ("are free, so" in error) == told
        with Bench(box.port) as bench:
            assert bench.next("state")["firmware"] == "{1}"


def test_an_app_that_does_not_let_go(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tools, "SILENT_S", 20.0)
    stubborn = b"""
import time
while True:
    try:
        print("x" * 500)
        time.sleep_ms(20)
    except KeyboardInterrupt:
        pass
"""
    with box_with(tmp_path, {"main.py": stubborn}) as box:
        with Terminal(box.port) as terminal:
            terminal.expect("xxx")
        assert "(could not enter raw repl)" in (error := refused(box, program(1)))
        assert "hold its button while you reset it, which starts the safe mode" in error


def test_a_new_version_that_does_not_start(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(deploy, "REPORTS_WITHIN_S", 2.0)
    with box_with(tmp_path, program(1)) as box:
        error = refused(box, program(2) | {"noisebox/second.py": b"import nothing"})
        assert "the new version is in place, but the box does not report itself" in error


@pytest.mark.parametrize(
    ("tool", "hold"), [("mpremote", True), ("mpremote", False), ("ampy", False)]
)
def test_a_port_that_is_not_to_be_had(tmp_path: Path, capsys, tool: str, hold: bool) -> None:
    with box_with(tmp_path, program(1)) as box:
        port = box.port if hold else str(tmp_path / "ttyUSB9")
        terminal = Terminal(box.port)
        with terminal:
            code, output, errors = noisewarden(
                capsys, "--port", port, "--board", "virtual", "--tool", tool
            )
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert ("another program holds it; close" if hold else "no such port; plug in") in errors


def survey(micropython: tuple[int, ...], arch: int) -> Survey:
    return Survey(micropython, arch << 10 | 6, 100_000, {}, {})


XTENSAWIN, RV32IMC = 10, 11


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (survey((1, 28, 0), XTENSAWIN), ""),
        (survey((1, 27, 0), XTENSAWIN), "runs MicroPython 1.27.0, too old .* flash it anew"),
        (survey((1, 28, 0), RV32IMC), "runs rv32imc code .* is xtensawin; name the right board"),
        (survey((1, 28, 0), 9), "runs number 9 code"),
    ],
)
def test_a_box_that_cannot_take_this_firmware(found: Survey, words: str) -> None:
    assert re.fullmatch(
        f".*{words}.*" if words else "", obstacle(found, boards.load("esp32-devkitc"))
    )


class Recorded(Tool):
    """A tool whose box always gives the same answer."""

    module = package = "json"

    def __init__(self, answer: str) -> None:
        super().__init__("/dev/ttyUSB0")
        self.answer = answer
        self.restarts = 0

    def run(self, script: str) -> str:
        return self.answer

    def send(self, folder, paths, on_file) -> None:
        pass

    def restart(self) -> None:
        self.restarts += 1


def answer(**changes: Any) -> str:
    found = {"micropython": [1, 28, 0], "mpy": 2 << 10 | 6, "free": 1_000_000, "files": {}}
    return json.dumps(found | changes)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer(micropython=[1, 26, 1]), "too old"),
        (answer(mpy=10 << 10), "name the right board"),
        (answer(free=5000), "and 5000 are free, so the flash of the box is full"),
        (answer(), "did not arrive as they were sent .* the old version stays; deploy again"),
        ("?#{", "garbled; try another cable"),
    ],
)
def test_a_refused_box_starts_again(said: str, words: str) -> None:
    tool = Recorded(said)
    with pytest.raises(UserError, match=words):
        Deployment(tool, BOARD, program(1)).run()
    assert tool.restarts == 1
