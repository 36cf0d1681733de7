"""A doctor's work on a virtual box with the real mpremote, and on a boot loader with the real
esptool; what it concludes from what it hears is tests/host/test_doctor.py."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import brokers
import pytest
from host.eyes import Eyes
from noisewarden import boards, cli
from noisewarden.bench import manifest, tools
from noisewarden.bench.doctor import examination
from noisewarden.bench.doctor.check import Check
from noisewarden.bench.doctor.examination import GROUPS, STARTED, Examination
from noisewarden.firmware import wire
from noisewarden.virtual.air import Air
from noisewarden.virtual.rom import DEAF_LOG, PROGRAM_LOG, Rom
from noisewarden.virtual.sound import FAULTS, Frame
from noisewarden.virtual.supervisor import VirtualBox
from system.boxes import PATIENCE_S, RESTED_MAIN, Bench, Log, Terminal, tones, until

BOARD = boards.load("virtual")
DOCTOR = [sys.executable, "-c", "from noisewarden.cli import main; main()", "doctor"]
BOX = "bagu-east-01"
CONFIG = {"config.json": json.dumps({"box": BOX}).encode()}
ROOM_DB = 30

pytestmark = pytest.mark.timed
"""A board that answers late is one that does not answer."""


def room() -> Iterator[Frame]:
    return tones((1, ROOM_DB))


class Bedside:
    """A box that was deployed, and what its pins do."""

    def __init__(self, state: Path, box: VirtualBox, log: Log) -> None:
        self.state, self.box, self.log = state, box, log

    def lives_on(self) -> None:
        """Fails when the box does not run."""
        with Bench(self.box.port) as bench:
            bench.next("reading")

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.log.events if event["event"] == kind]


@contextmanager
def running(
    state: Path,
    changes: dict[str, bytes] | None = None,
    frames: Iterator[Frame] | None = None,
    log: Log | None = None,
    **options: Any,
) -> Iterator[Bedside]:
    """A box as a deploy leaves it, with other files than these beside or instead."""
    deployed = manifest.bundle(BOARD)
    files = CONFIG | deployed | (changes or {})
    files["manifest"] = manifest.manifest({path: files[path] for path in deployed})
    for path, content in files.items():
        (state / "flash" / path).parent.mkdir(parents=True, exist_ok=True)
        (state / "flash" / path).write_bytes(content)
    log = log or Log()
    board = boards.for_box(BOARD)
    with VirtualBox(state, frames or room(), board=board, on_event=log, **options) as box:
        yield Bedside(state, box, log)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bedside]:
    with running(tmp_path_factory.mktemp("healthy")) as found:
        yield found


class Report:
    """What `doctor --json` printed, and its exit code."""

    def __init__(self, code: int, printed: str) -> None:
        self.code = code
        self.json = json.loads(printed)
        self.lines = [(line["group"], line["name"]) for line in self.json["checks"]]
        self._checks = {line["name"]: line for line in self.json["checks"]}

    def told(self, name: str, state: str, found: str = "", cure: str = "") -> None:
        line = self._checks[name]
        assert line["state"] == state, self.json
        assert re.search(found, line["found"]), line
        assert re.search(cure, line["cure"]), line


@pytest.fixture
def doctor(capsys, monkeypatch) -> Callable[..., Report]:
    def run(port: str, *arguments: str) -> Report:
        monkeypatch.setattr(
            sys, "argv", ["noisewarden", "doctor", "--port", port, "--json", *arguments]
        )
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        assert said.err == ""
        return Report(int(end.value.code or 0), said.out)

    return run


# A box that is well.


def test_every_line_of_a_healthy_box(healthy: Bedside, doctor) -> None:
    report = doctor(healthy.box.port)
    assert (report.json["box"], report.json["board"]) == (BOX, "virtual")
    assert report.json["standing"] == STARTED
    for name in ("port", "start", "MicroPython", "chip", "firmware", "board"):
        report.told(name, "pass")
    for name in ("colours", "order", "relay", "clap"):
        report.told(name, "skip", "nobody is asked", "terminal")
    report.told("network", "warn", "USB only", "noisewarden provision")
    report.told("noise floor", "pass", f"LAeq,1s {ROOM_DB}.0 dB")
    report.told("clock", "warn", "was not set; set now")
    report.told("secret", "warn", "not there", "provision")
    for name in ("tasks", "heap", "IDF heap", "journal", "calibration", "flash"):
        report.told(name, "pass")
    groups = [group for group, _ in report.lines]
    assert groups == sorted(groups, key=GROUPS.index)
    assert report.code == 0
    healthy.lives_on()


def test_the_app_is_stopped_once_and_never_for_the_sound_alone(healthy: Bedside, doctor) -> None:
    before = len(healthy.events("reset")), healthy.box.lives
    assert doctor(healthy.box.port, "--only", "sound").lines == [
        ("sound", "microphone"),
        ("sound", "noise floor"),
        ("sound", "clap"),
    ]
    assert (len(healthy.events("reset")), healthy.box.lives) == before
    # By now its clock is right, and kept over the restart.
    report = doctor(healthy.box.port, "--only", "firmware", "--only", "room", "--board", "virtual")
    report.told("clock", "pass")
    assert {group for group, _ in report.lines} == {"firmware", "room"}
    assert len(healthy.events("reset")) == before[0] + 1
    healthy.lives_on()


def test_a_person_reads_the_cure_below_each_line_and_is_not_asked_unattended(
    healthy: Bedside,
) -> None:
    person, terminal = pty.openpty()
    only = ["--only", "port", "--only", "show", "--unattended"]
    printed = subprocess.run(
        [*DOCTOR, "--port", healthy.box.port, *only],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
        timeout=PATIENCE_S,
    )
    for end in (person, terminal):
        os.close(end)
    port, *checks, _, last = printed.stdout.splitlines()
    assert port.split() == ["pass", "port", healthy.box.port, "opens"]
    assert [line.split()[:2] for line in checks[::2]] == [
        ["skip", "colours"],
        ["skip", "order"],
        ["skip", "relay"],
    ]
    assert {line.strip() for line in checks[1::2]} == {"→ run doctor at a terminal"}
    assert last == f"{BOX}: 1 pass, 3 skip; {STARTED}"
    assert printed.returncode == 0


# A port that is not to be had.


def test_a_port_that_is_held_or_not_there(healthy: Bedside, doctor, tmp_path) -> None:
    with Terminal(healthy.box.port):
        report = doctor(healthy.box.port)
    report.told("port", "fail", "another program holds it", "close the terminal")
    assert (report.code, len(report.lines)) == (1, 1)
    report = doctor(str(tmp_path / "ttyUSB9"))
    report.told("port", "fail", "no such port", "plug in the box")
    assert report.code == 1
    healthy.lives_on()


# Sound.


@pytest.mark.parametrize(
    ("fault", "found", "cure"),
    [
        ("silent", "constant, silent or shifted", "SCK to GPIO 26"),
        ("wrong-slot", "in the other slot", r"L/R \(SEL\) pin to GND"),
    ],
)
def test_a_wrong_wire(tmp_path, doctor, fault: str, found: str, cure: str) -> None:
    with running(tmp_path, frames=FAULTS[fault](room())) as bedside:
        report = doctor(bedside.box.port, "--only", "sound")
    report.told("microphone", "fail", found, cure)
    report.told("noise floor", "skip")
    assert report.code == 1


# Firmware.


def test_bare_micropython(tmp_path, doctor) -> None:
    (tmp_path / "flash").mkdir()
    with VirtualBox(tmp_path, room(), board=boards.for_box(BOARD)) as box:
        report = doctor(box.port, "--board", "virtual")
        report.told("start", "warn", "MicroPython's prompt answers", "starts it now")
        report.told("MicroPython", "pass")
        report.told("firmware", "fail", "was not deployed: there are none", "noisewarden deploy")
        report.told("board", "fail", "no board.json", "noisewarden deploy")
        report.told("network", "skip", "without the firmware", "deploy first")
        assert report.code == 1
        report = doctor(box.port)
        report.told("prompt", "fail", "does not say which board", "--board")
        assert report.code == 1


def test_a_file_that_is_damaged_and_a_board_that_is_another(tmp_path, doctor) -> None:
    with running(tmp_path) as bedside:
        (tmp_path / "flash/noisebox/fonts.mpy").open("ab").write(b"\0")
        report = doctor(bedside.box.port, "--only", "firmware", "--board", "esp32-devkitc")
        report.told("firmware", "fail", r"\(noisebox/fonts.mpy\)", "deploy --board esp32-devkitc")
        report.told("board", "fail", "wired as virtual", "--board virtual")
        assert report.code == 1
        bedside.lives_on()


def test_the_safe_mode(tmp_path, doctor, monkeypatch) -> None:
    monkeypatch.setattr(examination, "REPORTS_WITHIN_S", 3.0)
    with running(tmp_path, pins="4:0") as bedside:
        report = doctor(bedside.box.port)
        report.told("start", "warn", "prompt answers")
        report.told("firmware", "pass")
        report.told(
            "app", "fail", "does not report itself", "without holding the safe-mode button"
        )
        assert report.code == 1


# What it shows, to a technician at a terminal.


def test_a_technician_at_a_terminal(tmp_path) -> None:
    """Answers what a right matrix and a right relay make one answer, but does not clap."""
    answers = iter(["r", "g", "b", "y", "y", "", "y", "", ""])
    person, terminal = pty.openpty()
    with running(tmp_path, {"main.py": RESTED_MAIN.encode()}) as bedside:
        doctor = subprocess.Popen(
            [*DOCTOR, "--port", bedside.box.port, "--only", "show", "--only", "sound"],
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=terminal,
            text=True,
        )
        os.close(terminal)

        def answer() -> None:
            seen = ""
            while True:
                try:
                    seen += os.read(person, 4096).decode()
                except OSError:
                    return
                if re.search(r"[?.] $", seen):
                    os.write(person, (next(answers) + "\n").encode())
                    seen = ""

        thread = threading.Thread(target=answer)
        thread.start()
        printed, _ = doctor.communicate(timeout=2 * PATIENCE_S)
        thread.join()
        os.close(person)
        lines = re.sub(r"\x1b\[\d*m", "", printed).splitlines()
        states = [line.split()[:2] for line in lines if line and not line.startswith(" ")]
        assert states[:5] == [
            ["pass", "colours"],
            ["pass", "order"],
            ["pass", "relay"],
            ["pass", "microphone"],
            ["pass", "noise"],
        ]
        assert states[5] == ["fail", "clap"] and doctor.returncode == 1
        lit, dark = bedside.events("relay")
        assert (lit["on"], dark["on"]) == (True, False)
        assert 5000 <= dark["t"] - lit["t"] <= 10_000
        bedside.lives_on()


class Technician(Eyes):
    """Sees the matrix of a virtual box, whose relay is not wired at all."""

    def __init__(self, truth: dict[str, Any], bedside: Bedside) -> None:
        super().__init__(truth)
        self._bedside = bedside

    def ask(self, question: str, answers: dict[str, str]) -> str:
        if "spotlight" in question:
            return "n"
        self.draw(bytes.fromhex(self._bedside.events("matrix")[-1]["grb"]))
        return super().ask(question, answers)

    def ready(self, request: str) -> None:
        pass


def test_a_panel_that_hangs_otherwise_than_its_board_file_says(tmp_path) -> None:
    truth = BOARD["matrix"] | {"colours": "RGB", "first": "bottom-right", "lines": "rows"}
    with running(tmp_path, {"main.py": RESTED_MAIN.encode()}) as bedside:
        technician = Technician(truth, bedside)
        lines = Examination(bedside.box.port, BOARD, technician, ["show"]).run()
        checks: dict[str, Check] = {check.name: check for _, check in lines}
    assert checks["colours"].cure.startswith(
        'write colours = "RGB" under [matrix] of virtual.toml'
    )
    assert checks["order"].cure.startswith('write first = "bottom-right", lines = "rows" under')
    assert (checks["relay"].state, checks["relay"].found) == ("fail", "does nothing")


# The network.

SSID, PASSWORD = "street", "a long password"
SECRET = bytes(range(32))


def provisioned(broker: brokers.Running, **changes: Any) -> dict[str, bytes]:
    network = {"ssid": SSID, "password": PASSWORD, "station": broker.host, "port": broker.port}
    return {
        "network.json": json.dumps(network | changes).encode(),
        "ca.der": broker.ca_der,
        "secret.bin": SECRET,
    }


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[brokers.Running]:
    passwords = {BOX: wire.derive(SECRET, "mqtt").hex()}
    with brokers.running("mosquitto", passwords, tmp_path_factory.mktemp("station")) as broker:
        yield broker


@pytest.mark.parametrize(
    ("changes", "states", "found", "cure"),
    [
        ({}, "pass pass pass", "lets the box in", ""),
        ({"ssid": "other"}, "fail skip pass", "no network of this name", "2.4 GHz"),
        ({"port": 1}, "pass fail warn", "does not reach", "--lan"),
        ({"secret.bin": bytes(32)}, "pass fail pass", "does not let the box in", "registered"),
        ({"ca.der": None}, "pass fail fail", "is not the box's station", "noisewarden provision"),
    ],
    ids=lambda value: next(iter(value), "right") if isinstance(value, dict) else None,
)
def test_wifi_and_station(
    tmp_path, doctor, station, changes: dict[str, Any], states: str, found: str, cure: str
) -> None:
    files = {name: changes.pop(name) for name in list(changes) if "." in name}
    if "ca.der" in files:
        files["ca.der"] = brokers.Authority.in_folder(tmp_path / "other").ca_der
    air = Air()
    air.network(SSID, PASSWORD)
    with running(tmp_path, provisioned(station, **changes) | files, air=air) as bedside:
        report = doctor(bedside.box.port, "--only", "network")
        bedside.lives_on()
    assert " ".join(line["state"] for line in report.json["checks"]) == states, report.json
    bad = next((line for line in report.json["checks"] if line["state"] == "fail"), None)
    report.told(bad["name"] if bad else "station", bad["state"] if bad else "pass", found, cure)
    assert report.code == (1 if bad else 0)
    assert PASSWORD not in json.dumps(report.json) and SECRET.hex() not in json.dumps(report.json)


# Interrupted.


def test_ctrl_c_leaves_the_box_running_and_says_so(tmp_path) -> None:
    with running(tmp_path) as bedside:
        doctor = subprocess.Popen(
            [*DOCTOR, "--port", bedside.box.port],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until(
            lambda: [event for event in bedside.events("i2s") if event["ibuf"] == 0],
            lambda: "the app is not stopped",
        )
        os.kill(doctor.pid, signal.SIGINT)
        _, errors = doctor.communicate(timeout=PATIENCE_S)
        assert doctor.returncode == 130
        assert errors.strip() == f"{bedside.box.port}: stopped; {STARTED}"
        bedside.lives_on()


class Alarm(Log):
    """Presses Ctrl-C as soon as the spotlight is lit."""

    def __call__(self, event: dict[str, Any]) -> None:
        super().__call__(event)
        if event["event"] == "relay" and event["on"]:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_puts_the_spotlight_out(tmp_path) -> None:
    with running(tmp_path, {"main.py": RESTED_MAIN.encode()}, log=Alarm()) as bedside:
        technician = Technician(BOARD["matrix"], bedside)
        work = Examination(bedside.box.port, BOARD, technician, ["show"])
        with pytest.raises(KeyboardInterrupt):
            list(work.run())
        assert work.standing == STARTED
        lit, dark = bedside.events("relay")
        assert (lit["on"], dark["on"]) == (True, False)
        assert dark["t"] - lit["t"] < 5000  # by itself it would be later
        bedside.lives_on()


# The boot loader.


@pytest.mark.parametrize(
    ("chip", "options", "found", "cure"),
    [
        ("esp32", {}, "its program does not answer", "noisewarden flash --board esp32-devkitc"),
        ("esp32c3", {}, "is ESP32-C3, but esp32-devkitc has ESP32", "esp32-c3-devkitm-1"),
        ("esp32", {"flash_mb": 2}, "with 2 MB of flash", "4 MB"),
        ("esp32", {"silent": True}, "the chip does not answer", "carries data .* doctor again"),
        ("esp32", {"log": PROGRAM_LOG}, "a program answers", "hold BOOT.* run doctor again"),
    ],
    ids=["right", "wrong chip", "small", "silent", "wrong boot mode"],
)
def test_a_board_at_which_nothing_answers(
    doctor, monkeypatch, chip: str, options: dict[str, Any], found: str, cure: str
) -> None:
    monkeypatch.setattr(examination, "ANSWER_WITHIN_S", 1.0)
    monkeypatch.setattr(tools, "SILENT_S", 2.0)
    with Rom(chip, **options) as board:
        report = doctor(board.port, "--board", "esp32-devkitc")
    report.told("chip", "fail", found, cure)
    assert report.code == 1


def test_a_chip_that_is_held_in_its_boot_loader(doctor, monkeypatch) -> None:
    monkeypatch.setattr(examination, "ANSWER_WITHIN_S", 4.0)  # what the chip says is to be heard
    monkeypatch.setattr(tools, "SILENT_S", 2.0)
    with Rom("esp32", greeting=DEAF_LOG) as board:
        report = doctor(board.port, "--board", "esp32-devkitc")
    report.told("start", "warn", "waiting for download")
    report.told("chip", "fail", "held in its boot loader", "let go, and press EN")
