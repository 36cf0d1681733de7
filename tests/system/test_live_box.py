"""The whole box in real time, as a technician at its port meets it."""

import json
import os
import signal
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from noisewarden.virtual.fast import run_fast
from noisewarden.virtual.supervisor import VirtualBox
from system.boxes import (
    DARK_AT_FIRST_S,
    RESTED_MAIN,
    Bench,
    Log,
    install,
    processes,
    stored,
    tones,
)

EVENING_UNIX_S = 1_780_315_200
"""Monday 2026-06-01, 20:00 in the zone of a box."""
NIGHT_UNIX_S = EVENING_UNIX_S + 3 * 3600


class Running:
    """A box in real time, a technician at its port, and what its pins and matrix do."""

    def __init__(self, state: Path, box: VirtualBox, bench: Bench, log: Log) -> None:
        self.state, self.box, self.bench, self.log = state, box, bench, log

    def start_again(self) -> None:
        """Ctrl-D at the prompt."""
        self.bench.type("\x04")

    def stop(self) -> None:
        """Ctrl-C; comes back at the prompt."""
        self.bench.type("\x03")
        self.bench.wait_for(">>> ")


def run(
    state: Path, main: str | None = None, level_db: float = 60, **options
) -> Iterator[Running]:
    state.mkdir(exist_ok=True)
    log = Log()
    board = install(state, main)
    sound = tones((1, level_db))
    with (
        VirtualBox(state, sound, board=board, on_event=log, **options) as box,
        Bench(box.port) as bench,
    ):
        yield Running(state, box, bench, log)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A box that hears 60 dB at 20:00, shared by the tests of its commands."""
    state = tmp_path_factory.mktemp("street")
    for running in run(state, RESTED_MAIN, unix_s=EVENING_UNIX_S):
        while running.bench.next("reading")["laeq"] is None:
            pass
        yield running


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Running]:
    """A box of a test's own."""
    yield from run(tmp_path, RESTED_MAIN, unix_s=EVENING_UNIX_S)


# Commands.


def test_the_time_is_set(street: Running) -> None:
    began = time.monotonic()
    outcome, detail = street.bench.ask("set_time", time=EVENING_UNIX_S + 60)
    assert outcome == "done" and detail.startswith("clock moved by ")
    assert street.bench.payloads("state")[-1]["clock"] == 2
    reading = street.bench.next("reading")
    took_s = time.monotonic() - began
    assert -2 <= reading["time"] - (EVENING_UNIX_S + 60) <= took_s + 2
    outcome, detail = street.bench.ask("set_time", time=5)
    assert outcome == "refused" and "5 is not a time" in detail


def test_a_text_is_shown_for_its_time(street: Running) -> None:
    assert street.bench.ask("show", text="QUIET", seconds=8) == ("done", "")
    shown = [street.bench.next("reading")["shown"]]
    while shown[-1] in ("QUIET", "--"):  # a busy PC has lost samples
        shown.append(street.bench.next("reading")["shown"])
    assert shown[0] == "QUIET" and shown[-1] == "60"


def test_identify_blinks(street: Running) -> None:
    assert street.bench.ask("identify", seconds=2) == ("done", "")
    seen = {street.log.wait_for("matrix")["grb"] for _ in range(8)}
    assert len(seen) >= 2


def test_the_self_test_names_its_parts(street: Running) -> None:
    while street.bench.next("reading")["laeq"] is None:  # a busy PC has lost samples
        pass
    outcome, detail = street.bench.ask("self_test")
    assert outcome == "done"
    for part in ("microphone ok", "journal ok", "calibration ok", "clock ", "heap "):
        assert part in detail


@pytest.mark.timed
def test_the_lamp_is_lit_from_afar_and_goes_out_by_itself(street: Running) -> None:
    street.bench.ask("set_time", time=EVENING_UNIX_S)
    while street.bench.next("reading")["n"] < DARK_AT_FIRST_S:
        pass
    assert street.bench.ask("spotlight_on", seconds=5) == ("done", "")
    lit, dark = street.log.wait_for("relay"), street.log.wait_for("relay")
    assert (lit["on"], dark["on"]) == (True, False)
    assert dark["t"] - lit["t"] >= 5000


def test_the_lamp_is_refused_out_of_hours(street: Running) -> None:
    street.bench.ask("set_time", time=NIGHT_UNIX_S)
    assert street.bench.next("reading")["limit"] == 55
    outcome, detail = street.bench.ask("spotlight_on", seconds=5)
    assert outcome == "refused" and "not permitted" in detail


def test_a_config_is_taken_at_once_and_kept(street: Running) -> None:
    rows = [{"days": "1234567", "from": "00:00", "to": "00:00", "limit": 65}]
    config = {"place": "north gate", "schedule": {"rows": rows}}
    assert street.bench.ask("set_config", config=config) == ("done", "")
    assert street.bench.next("reading")["limit"] == 65
    assert street.bench.payloads("state")[-1]["place"] == "north gate"
    assert json.loads((street.state / "flash/config.json").read_text()) == config


@pytest.mark.parametrize(
    ("config", "cause"),
    [
        ('{"stages": {"window_s": 0}, "colour": 1}', "stages.window_s: "),
        ('{"schedule": {"rows": []}}', "schedule.rows: is empty"),
        ('{"display": {"mode": "loud"}}', "display.mode: "),
        ("{1: 2}", "a key is no text"),
        ("[]", "must be an object"),
        ('{"schedule": ' + "[" * 1900 + "]" * 1900 + "}", "too little memory"),
    ],
)
def test_a_bad_config_is_refused_and_changes_nothing(
    street: Running, config: str, cause: str
) -> None:
    file = street.state / "flash/config.json"
    before = file.read_bytes() if file.exists() else None
    topic = '"topic": "noisewarden/box/command", "id": "bad {}", "action": "set_config"'
    street.bench.type(
        "{" + topic.format(config.replace('"', "")[:20]) + ', "config": ' + config + "}\n"
    )
    result = street.bench.next("result")
    assert result["outcome"] == "refused"
    assert cause in result["detail"]
    assert (file.read_bytes() if file.exists() else None) == before


def test_an_unknown_action_is_refused(street: Running) -> None:
    assert street.bench.ask("dance") == ("refused", "unknown action dance")


def test_a_line_may_come_in_pieces_and_is_answered_once(street: Running) -> None:
    line = '{"topic": "noisewarden/box/command", "id": "twice", "action": "self_test"}\r\n'
    street.bench.type("noise\r\n" + line[:30])
    time.sleep(0.3)
    street.bench.type(line[30:] + line)
    assert street.bench.next("result")["id"] == "twice"
    street.bench.ask("self_test")
    assert [r["id"] for r in street.bench.payloads("result")].count("twice") == 1


def test_every_command_is_in_the_journal(street: Running) -> None:
    street.bench.ask("show", text="HI", seconds=1)
    street.bench.take_all(street.state)
    last = street.bench.records("command")[-1]
    assert (last["action"], last["by"], last["outcome"]) == ("show", "usb", "done")


# Resets.


def starts(bench: Bench) -> tuple[int, str]:
    """(boot, cause of the reset) of the next start."""
    state = bench.next("state")
    return state["boot"], state["reset"]


def test_ctrl_c_puts_the_lamp_out_and_ctrl_d_goes_on(own: Running) -> None:
    bench = own.bench
    assert starts(bench) == (1, "power")
    while bench.next("reading")["laeq"] is None:
        pass
    while bench.ask("spotlight_on", seconds=60)[0] != "done":
        bench.next("reading")
    while not own.log.wait_for("relay")["on"]:
        pass
    bench.ask("show", text="LAST", seconds=5)
    own.stop()
    assert not own.log.wait_for("relay")["on"]
    assert any("the lamp is out" in line for line in bench.text)
    assert not any("Traceback" in line for line in bench.text)
    before = stored(own.state)
    assert before[-1]["kind"] == "command" and before[-1]["action"] == "show"
    own.start_again()
    assert starts(bench) == (2, "soft")
    bench.next("reading")
    bench.collect()
    bench.next("reading")
    assert bench.ask("reboot") == ("done", "in one second")
    assert starts(bench) == (3, "asked")
    bench.next("reading")
    own.box.cut_power()
    assert starts(bench) == (4, "power")
    bench.take_all(own.state)
    causes = [record["cause"] for record in bench.records("boot")]
    assert causes == ["power", "soft", "asked", "power"]
    assert [entry[0] for entry in bench.entries] == list(range(1, len(bench.entries) + 1))


def test_a_box_that_stood_still_counts_each_second_once(own: Running) -> None:
    while own.bench.next("reading")["laeq"] is None:
        pass
    (chip,) = processes(own.state)
    os.kill(chip, signal.SIGSTOP)
    time.sleep(4.3)
    os.kill(chip, signal.SIGCONT)
    before = own.bench.payloads("reading")[-1]
    with_level = 0
    # What a busy PC loses besides is told within the seconds that follow.
    while with_level < 3:
        reading = own.bench.next("reading")
        if reading["laeq"] is None:
            assert set(reading["flags"]) <= {"dead", "lost"}
        with_level = with_level + 1 if reading["laeq"] is not None else 0
    assert reading["n"] - before["n"] == pytest.approx(reading["time"] - before["time"], abs=1)
    assert reading["n"] - before["n"] >= 4 + with_level


def test_a_bad_config_file_gives_way_to_the_last_good_one_and_to_the_defaults(
    tmp_path: Path,
) -> None:
    for own in run(tmp_path, unix_s=EVENING_UNIX_S):
        bench = own.bench
        assert bench.next("state")["place"] == ""
        bench.ask("set_config", config={"place": "north gate"})
        config = tmp_path / "flash/config.json"
        for last, place in ((True, "north gate"), (False, "")):
            config.write_text('{"place": ')
            if not last:
                (tmp_path / "flash/config.json.last").unlink()
            own.box.cut_power()
            assert bench.next("state")["place"] == place
            bench.take_all(own.state)
            faults = [record["text"] for record in bench.records("fault")]
            assert faults[-2].startswith("config.json: not valid JSON")
            assert faults[-1].endswith("last good copy holds" if last else "the defaults hold")


def test_garbage_in_the_chips_clock_is_no_time(tmp_path: Path) -> None:
    install(tmp_path, "from noisebox import hal, start\nstart.main()\nprint(hal.rtc_unix())\n")
    after_2099_s, start_of_2000_s = 4_200_000_000, 946_684_800
    lines = list(run_fast(tmp_path / "flash", islice(tones((1, 60)), 4), unix_s=after_2099_s))
    state = next(json.loads(line) for line in lines if '/state"' in line)
    assert (state["time"], state["clock"]) == (None, 0)
    assert 0 <= int(lines[-1]) - start_of_2000_s < 10


def test_three_crashes_bring_the_safe_mode_and_a_technician_ends_it(tmp_path: Path) -> None:
    for own in run(tmp_path):
        bench = own.bench
        bench.next("reading")
        app = tmp_path / "flash/noisebox/app.py"
        good = app.read_text()
        app.write_text("def")
        own.box.cut_power()
        bench.wait_for("safe mode after 3 crashes")
        assert sum("SyntaxError" in line for line in bench.text) == 3
        assert own.box.lives == 5
        bench.text.clear()
        own.stop()
        app.write_text(good)
        own.start_again()
        assert bench.next("state")["reset"] == "soft"
        bench.next("reading")


def test_the_button_starts_no_app(tmp_path: Path) -> None:
    for own in run(tmp_path, pins="4:0"):
        own.bench.wait_for("safe mode, the button was held")
        own.bench.wait_for(">>> ")
        assert own.bench.messages == []


def test_a_box_without_board_file_says_so(tmp_path: Path) -> None:
    for own in run(tmp_path):
        own.bench.next("reading")
        (tmp_path / "flash/board.json").unlink()
        own.box.cut_power()
        own.bench.wait_for("there is no board.json; deploy the firmware again")
        own.bench.wait_for(">>> ")
        assert not any("Traceback" in line for line in own.bench.text)
