"""Board files: those that are shipped are right; what is wrong with others is told, all of it."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from noisewarden import boards
from noisewarden.acoustics import design
from noisewarden.chips import CHIPS
from noisewarden.cli import cli
from noisewarden.errors import UserError
from noisewarden.firmware import display, panel

BOARD = """
title = "A board"
chip = "{chip}"
arch = "xtensawin"
flash_mb = 4
microphone = "INMP441"
image = {{ version = "1.28.0", file = "ESP32_GENERIC-20260406-v1.28.0.bin", offset = {offset} }}
usb = {{ ids = ["10c4:ea60"] }}
relay = {{ active_high = true }}

[pins]
sck = 4
ws = 13
sd = 14
matrix = 18
relay = 21
button = 7
led = 17

[matrix]
width = 32
height = 8
first = "top-left"
lines = "columns"
serpentine = true
rotation = 0
colours = "GRB"
channel_ma = 12
idle_ma = 1
budget_ma = 1200
"""
ESP32 = BOARD.format(chip="esp32", offset="0x1000").replace("button = 7", "button = 19")
S3 = BOARD.format(chip="esp32s3", offset="0")


@pytest.fixture
def findings(tmp_path):
    def check(text, *changes):
        for old, new in changes:
            assert text.count(old) == 1, f"{old} is there {text.count(old)} times"
            text = text.replace(old, new)
        path = tmp_path / "board.toml"
        path.write_text(text)
        return boards.read(path)[1]

    return check


def told(findings):
    """Key and cause of each finding, for comparison."""
    return [f"{finding.key}: {finding.cause}" for finding in findings]


@pytest.mark.parametrize("name", boards.names())
def test_a_shipped_board_has_no_problem_and_no_warning(name):
    assert boards.read(boards.BOARDS / f"{name}.toml")[1] == []
    board = boards.load(name)
    assert board["board"] == name
    assert board["arch"] == CHIPS[board["chip"]].arch


def test_the_boards_of_the_project_are_there():
    assert boards.names() == [
        "esp32-c3-devkitm-1",
        "esp32-devkitc",
        "esp32-s3-devkitc-1",
        "esp32-wrover",
        "virtual",
    ]
    assert [board["board"] for board in boards.load_all()] == boards.names()


@pytest.mark.parametrize("name", boards.names())
def test_the_box_gets_all_it_needs(name):
    board = json.loads(json.dumps(boards.for_box(boards.load(name))))
    assert set(board) == {"board", "chip", "microphone", "pins", "relay", "matrix"}
    assert set(board["pins"]) == {"sck", "ws", "sd", "matrix", "relay", "button", "led"}
    assert len(board["microphone"]["equalisation"]) == 4
    shown = display.Display(board["matrix"])
    shown.show_number(188, 70)
    current = panel.current_ma(board["matrix"], shown.buffer)
    assert 0 < current <= board["matrix"]["budget_ma"]


@pytest.mark.parametrize("text", [ESP32, S3])
def test_the_board_of_these_tests_is_right(findings, text):
    assert findings(text) == []


@pytest.mark.parametrize(
    ("text", "change", "finding"),
    [
        (ESP32, ("matrix = 18", "matrix = 34"), "pins.matrix: GPIO 34 is an input only"),
        (ESP32, ("relay = 21", "relay = 39"), "pins.relay: GPIO 39 is an input only"),
        (ESP32, ("sd = 14", "sd = 8"), "pins.sd: GPIO 8 belongs to the module's flash or PSRAM"),
        (ESP32, ("sd = 14", "sd = 24"), "pins.sd: the ESP32 has no GPIO 24"),
        (ESP32, ("sck = 4", "sck = 1"), "pins.sck: GPIO 1 is the serial console"),
        (ESP32, ("sck = 4", "sck = 21"), "pins.relay: GPIO 21 is pins.sck already"),
        (
            ESP32,
            ("flash_mb = 4", 'flash_mb = 4\npsram = "quad"'),
            "pins.led: GPIO 17 belongs to the module's flash or PSRAM",
        ),
        (
            S3,
            ("flash_mb = 4", 'flash_mb = 4\npsram = "quad"'),
            "psram: no ESP32-S3 has quad PSRAM",
        ),
        (S3, ("sd = 14", "sd = 30"), "pins.sd: GPIO 30 belongs to the module's flash or PSRAM"),
        (S3, ('"xtensawin"', '"rv32imc"'), "arch: rv32imc is not what the ESP32-S3 runs"),
        (S3, ("offset = 0", "offset = 4096"), "image.offset: the ESP32-S3 starts elsewhere"),
        (
            S3,
            ('"1.28.0"', '"1.29.0"'),
            "image.file: ESP32_GENERIC-20260406-v1.28.0.bin is not of version 1.29.0",
        ),
        (
            ESP32,
            ("width = 32", "width = 14"),
            "matrix: 14 × 8 as it is seen does not hold three digits",
        ),
        (
            ESP32,
            ("rotation = 0", "rotation = 90"),
            "matrix: 8 × 32 as it is seen does not hold three digits",
        ),
        (ESP32, ("height = 8", "height = 40"), "matrix: 1280 LEDs take too long to write"),
        (
            ESP32,
            ("budget_ma = 1200", "budget_ma = 500"),
            "matrix.budget_ma: 500 mA do not light one digit of 256 LEDs",
        ),
        (ESP32, ("INMP441", "INMP442"), "microphone: 'INMP442' does not fit"),
        (ESP32, ('chip = "esp32"', 'chip = "esp8266"'), "chip: 'esp8266' does not fit"),
        (ESP32, ("flash_mb = 4", "flash_mb = 2"), "flash_mb: 2 does not fit"),
        (ESP32, ("flash_mb = 4", 'flash_mb = "4"'), "flash_mb: '4' does not fit"),
        (ESP32, ("button = 19", "button = true"), "pins.button: True does not fit"),
        (ESP32, ("rotation = 0", "rotation = false"), "matrix.rotation: False does not fit"),
        (ESP32, ("10c4:ea60", "10c4-ea60"), "usb.ids: ['10c4-ea60'] does not fit"),
        (ESP32, ("relay = { active_high = true }", ""), "relay: is missing"),
        (ESP32, ("relay = {", "relay = 1 #"), "relay: 1 does not fit"),
        (ESP32, ("led = 17", ""), "pins.led: is missing"),
        (ESP32, ("button = 19", "button = 19\nbuton = 3"), "pins.buton: unknown key"),
    ],
)
def test_a_problem_is_told(findings, text, change, finding):
    found = findings(text, change)
    # A relay of 1 also leaves the section unread: the first line names the cause.
    assert told(found)[:1] == [finding]
    assert not any(one.warning for one in found)


@pytest.mark.parametrize(
    ("text", "change", "finding"),
    [
        (ESP32, ("sck = 4", "sck = 12"), "pins.sck: GPIO 12 is a strapping pin, read at reset"),
        (S3, ("relay = 21", "relay = 3"), "pins.relay: GPIO 3 is a strapping pin, read at reset"),
        (S3, ("relay = 21", "relay = 20"), "pins.relay: GPIO 20 is the chip's own USB"),
        (ESP32, ("button = 19", "button = 35"), "pins.button: GPIO 35 has no pull-up"),
    ],
)
def test_a_risk_is_a_warning(findings, text, change, finding):
    (found,) = findings(text, change)
    assert found.warning and finding in told([found])[0]


def test_an_input_may_lie_on_an_input_only_pin(findings):
    assert findings(ESP32, ("sd = 14", "sd = 34")) == []


def test_all_problems_are_told_at_once_with_a_cure(findings):
    found = findings(
        ESP32,
        ("serpentine = true", "serpentin = true"),
        ("width = 32", "width = 8"),
        ("sck = 4", "sck = 6"),
        ("relay = 21", "relay = 18"),
        ("led = 17", "led = 2"),
        ('title = "A board"', ""),
    )
    assert {finding.key: finding.warning for finding in found} == {
        "title": False,
        "matrix.serpentin": False,
        "matrix.serpentine": False,
        "matrix": False,
        "pins.sck": False,
        "pins.relay": False,
        "pins.led": True,
    }
    lines = [finding.line("board.toml") for finding in found]
    assert "board.toml: matrix.serpentin: unknown key; did you mean serpentine?" in lines
    assert all(re.fullmatch(r"board\.toml: [\w.]+: [^\n]+; [^\n]+", line) for line in lines)
    # Pins offered instead are none of the taken ones, nor any with a catch of its own.
    offered = next(line for line in lines if "pins.sck" in line).split(": ")[-1]
    assert {int(pin) for pin in offered.split(", ")} <= CHIPS["esp32"].free("") - {13, 14, 18, 19}


@pytest.mark.parametrize(
    ("content", "cause"),
    [(b"chip = ", "is not TOML"), (b"\xff", "is not TOML"), (None, "cannot be read")],
)
def test_a_file_that_is_no_board_file_gets_one_line(tmp_path, content, cause):
    path = tmp_path / "board.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=cause) as caught:
        boards.read(path)
    assert "\n" not in str(caught.value)


def test_an_unknown_board_is_told_with_the_nearest_name():
    with pytest.raises(UserError, match="did you mean esp32-wrover"):
        boards.load("esp32-rover")
    with pytest.raises(UserError, match=r"known are .*virtual"):
        boards.load("toaster")


@pytest.mark.parametrize("name", boards.microphones())
def test_a_microphone_has_its_equalisation_made_from_its_response(name):
    microphone = boards.microphones()[name]
    made = design.equalisation(microphone["response"])
    assert microphone["equalisation"] == made
    gain_db = float(design.equalisation_db(made, [1000.0])[0])
    assert microphone["equalisation_gain_db"] == pytest.approx(gain_db, abs=0.0006)


@pytest.mark.parametrize("name", sorted(set(boards.microphones()) - {"flat"}))
def test_an_equalised_microphone_is_flat_within_its_tolerance(name):
    microphone = boards.microphones()[name]
    hz, response_db = np.array(microphone["response"], float).T
    assert np.interp(1000.0, hz, response_db) == 0
    undone_db = design.equalisation_db(microphone["equalisation"], hz)
    left_db = response_db + undone_db - microphone["equalisation_gain_db"]
    assert np.max(np.abs(left_db)) < 1.0 < np.max(np.abs(response_db))


def test_the_sensitivity_of_the_box_is_that_behind_the_equalisation():
    board = boards.load("esp32-devkitc")
    microphone = boards.microphones()["INMP441"]
    behind = boards.for_box(board)["microphone"]["sensitivity_dbfs"]
    assert behind == pytest.approx(-26.0 + microphone["equalisation_gain_db"], abs=1e-9)
    assert boards.for_box(boards.load("virtual"))["microphone"]["sensitivity_dbfs"] == -26.0


def run(*arguments):
    return CliRunner().invoke(cli, ["boards", *map(str, arguments)])


def test_the_command_lists_the_boards():
    listed = run()
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.output.splitlines()] == boards.names()
    assert [board["board"] for board in json.loads(run("--json").output)] == boards.names()


def test_the_command_shows_how_a_board_is_wired():
    shown = run("esp32-c3-devkitm-1").output
    for role, pin in boards.load("esp32-c3-devkitm-1")["pins"].items():
        assert re.search(rf"^  GPIO {pin}\b", shown, re.MULTILINE), role
    assert "One core" in shown
    described = json.loads(run("virtual", "--json").output)
    assert described["for_box"] == boards.for_box(boards.load("virtual"))


def test_the_command_checks_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(ESP32)
    assert run("--check", path).exit_code == 0
    path.write_text(ESP32.replace("led = 17", "led = 12").replace("sck = 4", "sck = 36"))
    checked = run("--check", path)
    assert checked.exit_code == 1
    problem, warning = checked.output.splitlines()
    assert problem.startswith("mine.toml: pins.sck: ")
    assert warning.startswith("warning: mine.toml: pins.led: ")
    report = json.loads(run("--check", path, "--json").output)
    assert report["problems"] == [problem]
    assert [f"warning: {line}" for line in report["warnings"]] == [warning]


def test_a_name_and_a_file_together_are_wrong_use(tmp_path):
    assert run("virtual", "--check", tmp_path / "x.toml").exit_code == 2
