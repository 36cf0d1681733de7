"""The console of a virtual box, with the tools that technicians use on a board."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from noisewarden.virtual.sound import RATE_HZ
from noisewarden.virtual.supervisor import VirtualBox
from system.boxes import LISTENER, PATIENCE_S, Log, Terminal, box, until


@pytest.fixture
def running(tmp_path: Path) -> Iterator[VirtualBox]:
    log = Log()
    with box(tmp_path, LISTENER, on_event=log) as virtual:
        log.wait_for("i2s")
        yield virtual


def tool(name: str, *arguments: str | Path) -> str:
    """Runs mpremote or ampy as it comes; what it printed."""
    command = Path(sys.executable).with_name(name)
    result = subprocess.run(
        [command, *arguments], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def mpremote(virtual: VirtualBox, *arguments: str | Path) -> str:
    return tool("mpremote", "connect", virtual.port, *arguments)


def ampy(virtual: VirtualBox, *arguments: str | Path) -> str:
    return tool("ampy", "-p", virtual.port, *arguments)


def test_messages_come_line_by_line(running: VirtualBox) -> None:
    with Terminal(running.port) as terminal:
        for second in (1, 2):
            line = terminal.expect("\n").strip()
            assert json.loads(line) == {"second": second, "cause": 1}


def test_mpremote_lists_copies_runs_and_resets(running: VirtualBox, tmp_path: Path) -> None:
    (tmp_path / "hello.txt").write_text("hello\n" * 500)
    (tmp_path / "job.py").write_text("import os\nprint('running', len(os.listdir()))\n")
    folder = tmp_path / "noise"
    folder.mkdir()
    (folder / "a.py").write_text("A = 1\n")
    assert "main.py" in mpremote(running, "ls")
    mpremote(running, "cp", tmp_path / "hello.txt", ":hello.txt")
    assert (tmp_path / "flash/hello.txt").read_text() == "hello\n" * 500
    mpremote(running, "cp", "-r", folder, ":")
    assert mpremote(running, "exec", "from noise.a import A; print(A + 41)").strip() == "42"
    assert mpremote(running, "fs", "cat", "hello.txt") == "hello\n" * 500
    mpremote(running, "cp", ":hello.txt", tmp_path / "back.txt")
    assert (tmp_path / "back.txt").read_text() == "hello\n" * 500
    assert mpremote(running, "run", tmp_path / "job.py").strip() == "running 3"
    assert "4.0" in mpremote(running, "resume", "eval", "2.0 + 2")
    mpremote(running, "rm", ":hello.txt")
    assert not (tmp_path / "flash/hello.txt").exists()
    mpremote(running, "reset")
    with Terminal(running.port) as terminal:
        terminal.expect('{"second": 1')


def test_ampy_lists_copies_and_runs(running: VirtualBox, tmp_path: Path) -> None:
    (tmp_path / "hello.txt").write_text("hello\n")
    (tmp_path / "job.py").write_text("print('running')\n")
    assert ampy(running, "ls") == "/main.py\n"
    ampy(running, "put", tmp_path / "hello.txt")
    assert (tmp_path / "flash/hello.txt").read_text() == "hello\n"
    assert ampy(running, "get", "hello.txt").strip() == "hello"
    assert ampy(running, "run", tmp_path / "job.py").strip() == "running"
    ampy(running, "reset", "--hard")
    with Terminal(running.port) as terminal:
        terminal.expect('{"second": 1, "cause": 2}')


def test_ctrl_c_gives_the_prompt_and_ctrl_d_the_app(running: VirtualBox) -> None:
    with Terminal(running.port) as terminal:
        terminal.expect('"second": 1')
        terminal.type("\x03")
        assert "KeyboardInterrupt" in terminal.expect(">>> ")
        terminal.type("machine.reset_cause() * 100\r")
        terminal.expect("100\n")
        terminal.expect(">>> ")
        terminal.type('exec("print(6 * 7)\\nwhile True: pass")\r')
        terminal.expect("42")  # it runs
        terminal.type("\x03")
        assert "KeyboardInterrupt" in terminal.expect(">>> ")
        terminal.type("\x04")
        terminal.expect("MPY: soft reboot\r\n")
        terminal.expect('{"second": 1, "cause": 5}')


def test_ctrl_c_in_the_raw_repl_interrupts_what_a_tool_left_running(
    running: VirtualBox, tmp_path: Path
) -> None:
    mpremote(running, "exec", "--no-follow", "open('runs', 'w').close()\nwhile True: pass")
    until((tmp_path / "flash/runs").exists, lambda: "it does not run")
    assert mpremote(running, "exec", "print('mine again')").strip() == "mine again"


def test_a_soft_reset_from_the_raw_repl_runs_boot_but_not_main(
    running: VirtualBox, tmp_path: Path
) -> None:
    (tmp_path / "flash/boot.py").write_text("BOOTED = True\n")
    assert mpremote(running, "exec", "print(BOOTED, 'listen' in dir())").strip() == "True False"


def test_a_failing_boot_keeps_main_from_running(running: VirtualBox, tmp_path: Path) -> None:
    (tmp_path / "flash/boot.py").write_text("1 / 0\n")
    with Terminal(running.port) as terminal:
        terminal.type("\x03")
        terminal.expect(">>> ")
        terminal.type("\x04")
        assert "ZeroDivisionError" in terminal.expect(">>> ")
        terminal.type("'listen' in dir()\r")
        terminal.expect("False\n")


def test_a_reader_gets_what_is_said_from_now_on(running: VirtualBox) -> None:
    feeder = running.feeder
    until(lambda: feeder.offered - feeder.dropped > 4 * RATE_HZ, lambda: "it hears nothing")
    with Terminal(running.port) as terminal:
        second = json.loads(terminal.expect("\n"))["second"]
    assert second >= 3


def test_a_port_in_use_is_refused_to_a_second(running: VirtualBox) -> None:
    with Terminal(running.port), pytest.raises(serial.SerialException):
        serial.Serial(running.port, exclusive=True)


def test_the_port_outlives_resets(running: VirtualBox) -> None:
    with Terminal(running.port) as terminal:
        for _ in range(3):
            running.cut_power()
            terminal.expect('{"second": 1, "cause": 1}')
    assert running.lives == 4
