"""`noisewarden flash` with the real esptool, against the boot loader of each chip on a pty."""

import errno
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import esptool.loader
import pytest
import serial
from images import BOARDS, OFFSETS, micropython
from noisewarden import cli, ports
from noisewarden.virtual.rom import DEAF_LOG, PROGRAM_LOG, SECURE_DOWNLOAD_MODE, Rom
from noisewarden.virtual.silicon import SILICON
from system.boxes import PATIENCE_S

FLASH_MB = {"esp32": 4, "esp32s3": 8, "esp32c3": 4}
MAC = "24:6f:28:aa:bb:cc"
FUSES = 0x3FF5A000
"""Of the ESP32; bit 20 of the first word turns flash encryption on."""

pytestmark = pytest.mark.timed
"""A board that answers late is one that does not answer."""


def rom(chip: str = "esp32", **options: Any) -> Rom:
    return Rom(chip, **{"flash_mb": FLASH_MB[chip]} | options)


@pytest.fixture
def image(tmp_path):
    """Writes an image for a chip; returns its path."""

    def write(chip: str = "esp32", **options: Any) -> Path:
        path = tmp_path / f"{chip}.bin"
        path.write_bytes(micropython(chip, **options))
        return path

    return write


@pytest.fixture
def run(capsys, monkeypatch):
    """Runs `noisewarden flash`: exit code, output, and the lines on the error stream."""

    def run(*arguments: object) -> tuple[int, str, list[str]]:
        monkeypatch.setattr(sys, "argv", ["noisewarden", "flash", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err.splitlines()

    return run


@pytest.fixture
def refused(run, image):
    """Runs it on a board that will not do, and returns the line that says why."""

    def refused(board: Rom, file: Path | None = None) -> str:
        with board:
            options = ("--port", board.port, "--board", BOARDS["esp32"])
            code, output, errors = run(*options, "--image", file or image(), "--json")
        assert (code, output) == (1, "")
        assert errors[:-1] == [] or errors[0].startswith("warning: ")
        assert errors[-1].startswith(f"noisewarden: {board.port}: ")
        return errors[-1].removeprefix(f"noisewarden: {board.port}: ")

    return refused


@pytest.mark.parametrize("stub", [True, False], ids=["stub", "rom"])
@pytest.mark.parametrize("chip", SILICON)
def test_a_board_is_erased_written_and_verified(chip, stub, run, image):
    file = image(chip)
    data = file.read_bytes()
    with rom(chip, stub=stub) as board:
        options = ("--port", board.port, "--board", BOARDS[chip], "--image", file, "--json")
        code, output, errors = run(*options)
    digest = hashlib.sha256(data).hexdigest()
    assert code == 0 and len(errors) == 1 and digest in errors[0]
    report = json.loads(output)
    assert report.pop("seconds") > 0
    assert report == {
        "port": board.port,
        "board": BOARDS[chip],
        "chip": chip,
        "revision": {"esp32": "3.0", "esp32s3": "0.2", "esp32c3": "0.4"}[chip],
        "mac": MAC,
        "flash_mb": FLASH_MB[chip],
        "image": str(file),
        "sha256": digest,
        "bytes": len(data),
        "stub": stub,
    }
    # All that was on the board, here zeros, is gone.
    start, end = OFFSETS[chip], OFFSETS[chip] + len(data)
    assert board.flash[start:end] == data
    assert set(board.flash[:start] + board.flash[end:]) == {0xFF}
    assert ("ERASE_FLASH" in board.commands) == stub
    assert ("FLASH_DEFL_DATA" if stub else "FLASH_DATA") in board.commands


def test_an_image_that_does_not_compress_is_written_as_it_is(run, image):
    file = image(random_part=1, size=300_000)
    # Without the gaps before the program, which compress well.
    data = file.read_bytes()
    with rom() as board:
        assert run("--port", board.port, "--board", "esp32-devkitc", "--image", file)[0] == 0
    assert board.flash[0x1000 : 0x1000 + len(data)] == data


def test_a_technician_reads_what_was_found_and_what_comes_next(run, image):
    file = image()
    with rom(flash_mb=16) as board:
        code, output, errors = run(
            "--port", board.port, "--board", "esp32-devkitc", "--image", file
        )
    assert code == 0
    assert output.splitlines()[0] == (
        f"{board.port}: ESP32-D0WD-V3 (revision v3.0), 16 MB of flash, MAC {MAC}"
    )
    assert re.fullmatch(
        rf"{file}: written and verified in \d+ s; "
        rf"next: noisewarden deploy --port {board.port} --board esp32-devkitc",
        output.splitlines()[1],
    )
    assert [line.split(": ")[0] for line in errors] == ["warning", "warning"]
    assert errors[1] == (
        f"warning: {board.port}: has 16 MB of flash, esp32-devkitc 4: is it the right board file?"
    )


@pytest.mark.parametrize(
    ("options", "registers", "line"),
    [
        (
            {"chip": "esp32s3"},
            {},
            "this chip is ESP32-S3 (QFN56) (revision v0.2), but esp32-devkitc has an ESP32; "
            "name its board: esp32-s3-devkitc-1",
        ),
        (
            {"chip": "esp32c3"},
            {},
            "this chip is ESP32-C3 (QFN32) (revision v0.4), but esp32-devkitc has an ESP32; "
            "name its board: esp32-c3-devkitm-1",
        ),
        (
            {"flash_mb": 2},
            {},
            "has 2 MB of flash, but esp32-devkitc has 4; take a board with 4 MB",
        ),
        (
            {"mac": "00:00:00:00:00:00"},
            {},
            "this chip has no MAC address of its own (00:00:00:00:00:00); take another board",
        ),
        (
            {},
            {FUSES: 1 << 20},
            "this chip is locked by its fuses (secure boot or flash encryption); "
            "take a board with a new chip",
        ),
    ],
    ids=["S3", "C3", "flash", "MAC", "locked"],
)
def test_a_board_that_is_not_the_one_named_stays_as_it_is(options, registers, line, refused):
    board = rom(**options)
    board.registers |= registers
    assert refused(board) == f"{line} (the board is as it was)"
    assert not any(board.flash)


def test_a_chip_that_lets_nothing_be_read_is_refused(run, image):
    with rom("esp32s3") as board:
        board.security_flags = SECURE_DOWNLOAD_MODE
        options = ("--port", board.port, "--board", BOARDS["esp32s3"], "--image", image("esp32s3"))
        code, _, errors = run(*options)
    assert code == 1 and "this chip is locked by its fuses" in errors[-1]
    assert not any(board.flash)


def test_a_flash_that_does_not_answer_is_refused(refused):
    board = rom()
    board.flash_id = 0xFFFFFF
    assert refused(board).startswith("the flash does not tell its size; unplug all that is wired")
    assert not any(board.flash)


def test_an_image_for_a_newer_chip_is_refused_before_the_erase(refused, image):
    board = rom()
    line = refused(board, image(revisions=(301, 399)))
    assert "esp32.bin does not run on ESP32-D0WD-V3 (revision v3.0); take another" in line
    assert not any(board.flash)


@pytest.mark.parametrize(
    ("fault", "start", "end"),
    [
        (
            {"silent": True},
            "the chip does not answer; take a cable that carries data (many only charge), "
            "or hold BOOT, tap EN",
            "(the board is as it was)",
        ),
        (
            {"log": PROGRAM_LOG},
            "a program answers instead of the boot loader; hold BOOT, tap EN",
            "(the board is as it was)",
        ),
        (
            {"bad_digest": True},
            "what was written does not read back; run flash again",
            "(its flash is not written whole)",
        ),
        (
            {"bad_digest": True, "stub": False},
            "what was written does not read back; run flash again",
            "(its flash is not written whole)",
        ),
        (
            {"pull_at": 0.4},
            "the board is gone, its cable or its power; plug it in",
            "(its flash is not written whole)",
        ),
    ],
    ids=["silent", "running", "digest", "digest-rom", "pulled"],
)
def test_a_fault_is_told_with_its_cure_and_the_state_of_the_board(fault, start, end, refused):
    line = refused(rom(**fault))
    assert line.startswith(start) and line.endswith(end)


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (PROGRAM_LOG, "the chip started its program instead of its boot loader; hold BOOT"),
        (DEAF_LOG, "the chip talks but does not hear; unplug what is wired to its console pins"),
    ],
    ids=["program", "deaf"],
)
def test_a_boot_log_tells_how_the_chip_started(log, line, refused, monkeypatch):
    # With reset lines, which a pty has not, the log comes while esptool waits for the reset.
    monkeypatch.setitem(esptool.loader.cfg, "custom_reset_sequence", "W0.05")
    assert refused(rom(log=log)).startswith(line)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (b"\x00\xf0\x0f", "the line is disturbed; take a shorter cable"),
        (
            b"Guru Meditation Error: Core 0 panic'ed (IllegalInstruction)",
            "the boot loader crashed; take a USB socket that gives more current",
        ),
    ],
    ids=["noise", "crash"],
)
def test_what_is_no_reply_is_told(said, line, refused):
    board = rom(on_command=lambda name: name == "SPI_FLASH_MD5" and board.say(said))
    assert refused(board).startswith(line)


def test_a_cable_that_is_pulled_while_it_connects(refused):
    board = rom(on_command=lambda name: name == "MEM_BEGIN" and board.pull())
    line = refused(board)
    assert line.startswith("the board is gone") and line.endswith("(the board is as it was)")
    assert "remove brltty" in line


@pytest.mark.parametrize(
    ("moment", "state"),
    [
        ("SYNC", "the board is as it was"),
        ("MEM_DATA", "the board is as it was"),
        ("ERASE_FLASH", "its flash is partly erased; run flash again"),
        ("FLASH_DEFL_BEGIN", "its flash is not written whole; run flash again"),
        ("FLASH_DEFL_DATA", "its flash is not written whole; run flash again"),
        ("SPI_FLASH_MD5", "its flash is not written whole; run flash again"),
    ],
)
def test_ctrl_c_says_how_the_board_is_left_and_flash_works_again(moment, state, run, image):
    main = threading.main_thread().ident
    pressed = []

    def press(name: str) -> None:
        if name == moment and not pressed:
            pressed.append(name)
            signal.pthread_kill(main, signal.SIGINT)

    file = image()
    with rom(on_command=press) as board:
        options = ("--port", board.port, "--board", "esp32-devkitc", "--image", file)
        code, _, errors = run(*options)
        assert (code, errors[-2:]) == (130, [f"{board.port}: {state}", "stopped"])
        assert run(*options)[0] == 0
    assert board.flash[0x1000:].startswith(file.read_bytes())


def usb(monkeypatch, *plugged: tuple[str, str]) -> None:
    """These USB ids and ports are all that is plugged in."""
    found = [
        SimpleNamespace(device=device, vid=int(ids[:4], 16), pid=int(ids[5:], 16))
        for ids, device in plugged
    ]
    monkeypatch.setattr(ports.list_ports, "comports", lambda: found)


def test_the_port_is_found_by_the_usb_ids_of_the_board(run, image, monkeypatch):
    with rom() as board:
        usb(monkeypatch, ("046d:c52b", "/dev/ttyACM9"), ("1a86:7523", board.port))
        code, output, _ = run("--board", "esp32-devkitc", "--image", image(), "--json")
    assert code == 0 and json.loads(output)["port"] == board.port


@pytest.mark.parametrize(
    ("plugged", "line"),
    [
        (
            (),
            "none is plugged in (USB 10c4:ea60, 1a86:7523, 1a86:55d4); plug it in with a cable "
            "that carries data, or name its port with --port (ports there are now: none)",
        ),
        (
            (("10c4:ea60", "/dev/ttyUSB1"), ("1a86:7523", "/dev/ttyUSB0")),
            "any of /dev/ttyUSB0, /dev/ttyUSB1 could be it; "
            "unplug the others, or name one with --port",
        ),
    ],
    ids=["none", "two"],
)
def test_a_port_that_is_not_clear_is_asked_for(plugged, line, run, image, monkeypatch, tmp_path):
    usb(monkeypatch, *plugged)
    monkeypatch.setattr(ports, "USB_DEVICES", tmp_path / "none")
    code, _, errors = run("--board", "esp32-devkitc", "--image", image())
    assert (code, errors) == (1, [f"noisewarden: esp32-devkitc: {line}"])


@pytest.mark.parametrize("port", [(), ("--port", "/dev/ttyUSB0")], ids=["found", "named"])
def test_a_bridge_that_brltty_has_taken_is_told(port, run, image, monkeypatch, tmp_path):
    device = tmp_path / "usb/1-2"
    (device / "1-2:1.0").mkdir(parents=True)
    (device / "idVendor").write_text("1a86\n")
    (device / "idProduct").write_text("7523\n")
    monkeypatch.setattr(ports, "USB_DEVICES", device.parent)
    usb(monkeypatch)
    options = ("--board", "esp32-devkitc", "--image", image(), *port)
    code, _, errors = run(*options)
    assert code == 1 and "USB 1a86:7523 is plugged in but has no port: brltty" in errors[-1]
    (device / "1-2:1.0/ttyUSB0").mkdir()
    code, _, errors = run(*options)
    assert code == 1 and "brltty" not in errors[-1]


@pytest.mark.parametrize(
    ("port", "line"),
    [
        ("/dev/ttyNOBOARD", "no such port; plug in the box (ports there are now: "),
        ("/dev/null", "is no serial port that can be used ("),
    ],
)
def test_a_port_that_is_none_is_told(port, line, run, image):
    code, _, errors = run("--port", port, "--board", "esp32-devkitc", "--image", image())
    assert code == 1 and errors[-1].startswith(f"noisewarden: {port}: {line}")


def test_a_port_in_use_is_refused(run, image):
    with rom() as board, serial.Serial(board.port, exclusive=True):
        code, _, errors = run("--port", board.port, "--board", "esp32-devkitc", "--image", image())
    assert code == 1
    assert errors[-1].startswith(
        f"noisewarden: {board.port}: another program holds it; close the terminal"
    )


def test_a_port_without_rights_is_refused(refused, monkeypatch):
    board = rom()
    really = os.open

    def forbidden(path: Any, *arguments: Any) -> int:
        if path == board.port:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return really(path, *arguments)

    monkeypatch.setattr(os, "open", forbidden)
    assert refused(board).startswith(
        "permission denied; join the group of the serial ports (sudo usermod -aG dialout $USER)"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        ((), 2, "Missing option '--board'"),
        (("--board", "virtual"), 1, "virtual: has no flash to write; run it with noisewarden box"),
        (("--board", "esp32-devkit"), 1, "board esp32-devkit: there is none of this name"),
        (
            ("--board", "esp32-wrover", "--port", "/dev/ttyUSB0"),
            1,
            "esp32-wrover: its board file pins no SHA-256",
        ),
        (
            ("--board", "esp32-devkitc", "--port", "/dev/ttyUSB0", "--image", "none.bin"),
            1,
            "none.bin: cannot be read",
        ),
    ],
)
def test_wrong_use_is_told_in_a_line(arguments, code, line, run):
    exit_code, _, errors = run(*arguments)
    assert exit_code == code and len(errors) == 1
    assert errors[0].startswith(f"noisewarden: {line}")


def test_esptool_itself_finds_the_chip_and_what_was_written(run, image):
    """The fake is one for any caller, not for this project's alone."""
    file = image()
    with rom() as board:
        for arguments, answer in [
            (("write-flash", "0x1000", file), "Hash of data verified."),
            (("flash-id",), "Detected flash size: 4MB"),
            (("verify-flash", "0x1000", file), "Verification successful"),
            (("--no-stub", "read-mac"), MAC),
        ]:
            done = subprocess.run(
                [sys.executable, "-m", "esptool", "--port", board.port, *map(str, arguments)],
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
            )
            assert done.returncode == 0 and answer in done.stdout, done.stdout + done.stderr
