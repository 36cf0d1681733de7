"""The command `calibrate`, against a box on a pty that hears what a technician's hands play."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from host.benchbox import SERIAL, BenchBox, Hands, Sound
from host.test_meters import FakeXL2
from noisewarden import cli
from noisewarden.bench import sitting

from host import fakebox

PAPERS = ("--certificate", "C-2026-001", "--serial", "S-17", "--uncertainty", "0.3")
WHO = ("--technician", "bench 2", "--place", "bench, 23 °C")
TYPED = ("--typed", "--meter", "Sound Meter 1", *PAPERS, *WHO)


class Bench:
    """A box, and `noisewarden calibrate` as it is used on it."""

    def __init__(self, box: BenchBox, monkeypatch: Any, capsys: Any) -> None:
        self.box = box
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def run(self, *arguments: Any, answers: list | None = None) -> tuple[int, str, str]:
        """(exit code, output, what was said on the error stream)."""
        out = ""

        def said() -> str:
            nonlocal out
            captured = self._capsys.readouterr()
            out += captured.out
            return captured.err

        hands = Hands(self.box.sound, said, answers or [])
        self._monkeypatch.setattr(sys, "stdin", hands)
        line = ["noisewarden", "calibrate", "--port", self.box.port, *map(str, arguments)]
        self._monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        hands.seen += said()
        return int(ended.value.code or 0), out, hands.seen

    def actions(self) -> list[str]:
        return [action for action, _ in self.box.commands]


@pytest.fixture
def bench(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> Iterator[Callable]:
    monkeypatch.setattr(fakebox, "SECOND_S", 0.005)
    monkeypatch.setattr(sitting.time, "sleep", lambda seconds: None)
    monkeypatch.chdir(tmp_path)

    @contextmanager
    def made(curve: Callable[[float], float] = lambda level_db: level_db - 2, **state: Any):
        with BenchBox(Sound(), curve, **state) as box:
            yield Bench(box, monkeypatch, capsys)

    return made


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CST-8")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def files(said: str) -> dict[str, Path]:
    found = (Path(line) for line in said.splitlines() if line.startswith("certificates"))
    return {path.suffix: path for path in found}


def test_a_typed_meter_makes_an_offset_and_a_certificate(bench) -> None:
    with bench() as here:
        code, out, said = here.run(*TYPED, "--language", "en")
        assert code == 0, said
        # 0.3 dB too loud each; the box hears 2 dB too little, and had 0.25 dB before.
        assert here.box.calibration["offset_db"] == pytest.approx(2.0, abs=0.03)
        assert here.box.calibration["meter"] == "Sound Meter 1 S-17"
        assert here.box.calibration["certificate"] == "C-2026-001"
        assert here.box.calibration["by"] == "bench 2"
        assert 0.3 < here.box.calibration["uncertainty_db"] < 0.6
    assert said.count("Start the meter's LAeq now") == 11
    assert said.count("difference ") == 11 and "11 of 11: the low sound" in said
    found = files(out)
    assert set(found) == {".json", ".html", ".pdf"}
    told = json.loads(found[".json"].read_text())
    assert told["accepted"] and told["subject"]["serial"] == SERIAL
    assert told["subject"]["microphone"] == "flat" and told["subject"]["offset_db"] == 0.25
    assert len(told["points"]) == 10 and told["weighting_check"]
    assert re.search(r"calibrated, offset \+2\.0\d dB \(change \+1\.7\d dB\), U = 0\.\d\d", out)


def test_wide_spaces_become_such_as_box_and_station_take(bench) -> None:
    with bench() as here:
        names = ("--meter", "声级计\u30001", "--technician", "\u3000bench\u00a02")
        code, _, said = here.run(*TYPED, *names, "--levels", "55,70,85", "--rounds", "1")
        assert code == 0, said
        assert here.box.calibration["meter"] == "声级计 1 S-17"
        assert here.box.calibration["by"] == "bench 2"


def test_the_box_moves_no_stage_from_the_first_sound_to_the_last(bench) -> None:
    with bench() as here:
        here.run(*TYPED, "--levels", "60,70,80", "--rounds", "1")
        compared = [
            command["seconds"] for action, command in here.box.commands if action == "compare"
        ]
        assert compared == [600] * 5 + [0]
        assert here.actions()[:2] == ["set_time", "compare"]
        assert here.actions()[-2:] == ["set_calibration", "compare"]


def test_a_log_is_laid_on_the_box_by_its_course(bench, tmp_path) -> None:
    log = tmp_path / "night.csv"
    with bench() as here:

        def write(match: re.Match) -> str:
            here.box.log(log, clock_s=47, error_db=0.5)
            return ""

        code, out, said = here.run(
            "--log",
            log,
            "--meter",
            "Sound Meter 1",
            *PAPERS,
            *WHO,
            "--rounds",
            "1",
            answers=[(r"Its file \[.*night.csv\]: $", write)],
        )
        assert code == 0, said
        assert here.box.calibration["offset_db"] == pytest.approx(2.5, abs=0.05)
    assert (
        json.loads(files(out)[".json"].read_text())["instruments"][0]["meter"] == "Sound Meter 1"
    )


def test_a_wrong_log_is_told_and_asked_again(bench, tmp_path) -> None:
    log = tmp_path / "night.csv"
    with bench() as here:

        def write(match: re.Match) -> str:
            here.box.log(log, clock_s=0)
            return str(log)

        code, _, said = here.run(
            "--log",
            "other.csv",
            "--meter",
            "Sound Meter 1",
            *PAPERS,
            *WHO,
            "--levels",
            "55,70,85",
            "--rounds",
            "1",
            answers=[
                (r"other.csv: cannot be read[^\n]*\n[^\n]*: $", write),
                (r"Its file \[other.csv\]: $", lambda match: ""),
            ],
        )
        assert code == 0, said
        assert here.box.calibration


def test_a_live_meter_proves_its_weighting_and_is_left_stopped(bench) -> None:
    with bench() as here:

        def shows() -> Iterator[bytes]:
            while True:
                yield f"{here.box.sound.level_db:.1f} dB, OK\r\n".encode()

        meter = FakeXL2(shows(), b"NTiAudio,XL2,A2A-00000-E0,FW4.71\r\n")
        try:
            code, _, said = here.run(
                "--xl2",
                meter.port,
                "--class",
                "1",
                "--certificate",
                "C-7",
                *WHO,
                "--levels",
                "55,70,85",
                "--rounds",
                "1",
            )
        finally:
            meter.close()
        assert code == 0, said
        assert here.box.calibration["meter"] == "NTi XL2 A2A-00000-E0"
        assert "low sound" not in said and "3 of 3" in said
        assert meter.commands[-2:] == ["SYST:KLOC OFF", "quit"]


def test_a_box_that_bends_is_refused_with_a_report_and_nothing_is_written(bench) -> None:
    with bench(lambda level_db: 65 + (level_db - 65) * 0.9) as here:
        code, out, _ = here.run(*TYPED, "--language", "zh", "--rounds", "1")
        assert code == 1
        assert here.box.calibration is None and "set_calibration" not in here.actions()
    assert "refused: slope +3.0" in out and "its calibration is as it was" in out
    assert "校准报告：不合格" in files(out)[".html"].read_text()


def test_what_a_level_is_refused_for_is_told_and_it_is_asked_again(bench) -> None:
    with bench() as here:
        wrong = iter([77.0, 70.3])
        flags = iter([["wind"], []])

        def play(match: re.Match) -> str:
            here.box.sound.level_db = 70.3
            here.box.flags = next(flags, [])
            return ""

        code, _, said = here.run(
            *TYPED,
            "--levels",
            "55,70,85",
            "--rounds",
            "1",
            answers=[
                (r"2 of 4: [^\n]*steady: $", play),
                (r"(?s)2 of 4: .*meter shows[^\n]*: $", lambda match: f"{next(wrong)}"),
            ],
        )
        assert code == 0, said
    assert "level 70 dB: the box flags wind: keep draughts" in said
    assert "the reference measured 77.0 dB; turn the sound down by 7.0 dB" in said
    assert said.count("2 of 4") == 3


def test_a_level_may_be_given_up_and_its_lack_is_judged(bench) -> None:
    with bench() as here:
        code, out, _ = here.run(
            *TYPED,
            "--levels",
            "55,70,85",
            "--rounds",
            "1",
            answers=[
                (r"Try again\? \[Y/n\]: $", lambda match: "n"),
                (r"1 of 4: [^\n]*steady: $", lambda match: self_set(here.box.sound, 63.0)),
            ],
        )
    assert code == 1
    assert "refused: 2 levels over 15 dB" in out


def self_set(sound: Sound, level_db: float) -> str:
    sound.level_db = level_db
    return ""


def test_a_typing_error_is_asked_again(bench) -> None:
    with bench() as here:
        typed = iter(["7O.3", "", "70.3"])
        code, _, said = here.run(
            *TYPED,
            "--levels",
            "55,70,85",
            "--rounds",
            "1",
            answers=[(r"(?s)2 of 4: .*meter shows[^\n]*: $", lambda match: next(typed))],
        )
        assert code == 0, said
    assert "level '7O.3': not a level" in said and "level '': not a level" in said


def test_a_box_that_does_not_take_it_is_told(bench) -> None:
    with bench() as here:
        here.box.refusal = "calibration.json: not written: 28"
        code, _, said = here.run(*TYPED, "--levels", "55,70,85", "--rounds", "1")
    assert code == 1
    assert "refuses set_calibration (calibration.json: not written: 28)" in said
    assert said.rstrip().endswith("its calibration is as it was")
    assert not list(Path("certificates").iterdir())


def test_no_box_is_calibrated_whose_certificate_cannot_be_written(bench) -> None:
    pdf = Path(f"certificates/bagu-east-01-{date.today()}.pdf")
    pdf.mkdir(parents=True)
    with bench() as here:
        code, _, said = here.run(*TYPED, "--levels", "55,70,85", "--rounds", "1")
        assert here.box.calibration is None
    assert code == 1
    assert said.rstrip().endswith("with --certificates; its calibration is as it was")
    assert list(Path("certificates").iterdir()) == [pdf]


def interrupt(match: re.Match) -> str:
    raise KeyboardInterrupt


def hang_up(match: re.Match) -> str:
    raise EOFError


@pytest.mark.parametrize("end", [interrupt, hang_up])
def test_ctrl_c_and_the_end_of_input_leave_the_box_as_it_was(bench, end) -> None:
    with bench() as here:
        code, _, said = here.run(*TYPED, answers=[(r"3 of 11: [^\n]*steady: $", end)])
        assert code == 130
        assert here.actions()[-1] == "compare" and here.box.commands[-1][1]["seconds"] == 0
        assert here.box.calibration is None
    assert "bagu-east-01: stopped; its calibration is as it was" in said
    assert "Traceback" not in said
    assert not list(Path("certificates").iterdir())


def test_a_pulled_cable_is_told_in_a_line(bench) -> None:
    with bench() as here:

        def pull(match: re.Match) -> str:
            here.box.pull()
            return ""

        code, _, said = here.run(*TYPED, answers=[(r"2 of 11: [^\n]*steady: $", pull)])
    assert code == 1
    last = said.rstrip().splitlines()[-1]
    assert "the box is gone" in last and last.endswith("its calibration is as it was")


UNTIL_S = 1_900_000_000
CHECKED = ("--check", "--typed", "--meter", "Sound Meter 1", *PAPERS)


@pytest.mark.parametrize(
    ("drift_db", "code", "word"),
    [(0.3, 0, "good"), (0.9, 0, "warning, more than 0.5 dB"), (-1.8, 1, "out of calibration")],
)
def test_a_check_is_good_a_warning_or_marks_the_box(bench, drift_db, code, word) -> None:
    with bench(
        lambda level_db: level_db + drift_db, offset_db=0, calibrated_until=UNTIL_S
    ) as here:
        here.box.sound.level_db = 71.0
        ended, out, _ = here.run(*CHECKED)
        assert ended == code and word in out
        assert ("void_calibration" in here.actions()) == (code == 1)
        if code:
            reason = next(c for a, c in here.box.commands if a == "void_calibration")["reason"]
            assert reason == "drift -1.8 dB against Sound Meter 1 S-17"
        shown = float(re.search(r"reads ([+-][\d.]+) dB", out)[1])
        assert shown == pytest.approx(drift_db, abs=0.05)


def test_one_slip_puts_no_box_out_of_calibration(bench) -> None:
    with bench(lambda level_db: level_db, offset_db=0, calibrated_until=UNTIL_S) as here:
        here.box.sound.level_db = 71.0
        typed = iter(["17.0", "71.0"])
        shows = (r"meter shows[^\n]*: $", lambda match: next(typed))
        code, out, said = here.run(*CHECKED, answers=[shows])
        assert code == 0 and "good" in out
        assert "void_calibration" not in here.actions()
    assert "more than 1.5 dB apart, once more to be sure: a steady sound" in said


def test_a_box_that_is_out_is_marked_when_a_second_minute_says_so(bench) -> None:
    with bench(lambda level_db: level_db + 2, offset_db=0, calibrated_until=UNTIL_S) as here:
        here.box.sound.level_db = 71.0
        given_up = (r"to be sure: [^\n]*steady: $", interrupt)
        code, _, said = here.run(*CHECKED, answers=[given_up])
        assert code == 130 and "void_calibration" not in here.actions()
        assert "stopped; its calibration is as it was" in said
        code, out, said = here.run(*CHECKED)
        assert code == 1 and "it is now marked out of calibration" in out
        assert said.count("LAeq that the meter shows") == 2


def test_a_check_with_a_calibrator_in_json(bench) -> None:
    with bench(lambda level_db: level_db, offset_db=0.2, calibrated_until=UNTIL_S) as here:
        here.box.sound.level_db, here.box.sound.c_minus_a_db = 93.97, 0
        code, out, said = here.run(
            "--check", "--calibrator", "93.97", "--serial", "3412", "--class", "1", "--json"
        )
        assert code == 0
        found = json.loads(out)
    assert (found["box"], found["verdict"]) == ("bagu-east-01", "ok")
    assert found["drift_db"] == pytest.approx(0.2, abs=0.05)
    assert found["instruments"][0]["serial"] == "3412"
    assert "the calibrator on the box's microphone" in said


def test_a_calibrator_that_is_not_at_1_khz_puts_no_box_out_of_calibration(bench) -> None:
    with bench(lambda level_db: level_db, offset_db=0, calibrated_until=UNTIL_S) as here:
        # 114 dB at 250 Hz, where A takes 8.7 dB away.
        here.box.sound.level_db, here.box.sound.c_minus_a_db = 105.3, 8.7
        code, _, said = here.run(
            *("--check", "--calibrator", "114", "--serial", "3412", "--class", "1"),
            answers=[(r"Try again\? \[Y/n\]: $", lambda match: "n")],
        )
        assert code == 1 and "void_calibration" not in here.actions()
    assert "level: LCeq − LAeq is +8.7 dB, where a tone of 1 kHz has 0" in said
    assert said.rstrip().endswith("its calibration is as it was")


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({}, "it was never calibrated"),
        ({"void": "drift 2 dB"}, "drift 2 dB"),
        # A box's days end at midnight UTC: that is 08:00 of the next day where it hangs.
        ({"calibrated_until": 1_700_006_400}, "its last day was 2023-11-14"),
    ],
)
def test_a_box_out_of_calibration_is_not_checked(bench, zone, state, why) -> None:
    with bench(**state) as here:
        code, _, said = here.run(*CHECKED)
    assert code == 1 and f"is out of calibration ({why}); calibrate it" in said


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), 2, "name one reference"),
        (("--typed", "--gm1356"), 2, "name one reference"),
        (("--typed", "--class", "1", "--uncertainty", "0.3"), 2, "how good the reference is"),
        (("--typed", "--class", "1"), 2, "--meter, --serial, --certificate, --technician: needed"),
        # A table of levels does not tell whose they are.
        (
            ("--log", "night.csv", "--class", "1", "--certificate", "C", *WHO),
            2,
            "--meter, --serial",
        ),
        (("--calibrator", "94", "--class", "1"), 2, "--calibrator goes with --check"),
        (("--check", "--log", "x", "--class", "1"), 2, "not --log"),
        ((*TYPED, "--levels", "60,70"), 2, "name at least 3 over 15 dB"),
        ((*TYPED, "--levels", "60,loud"), 2, "not levels; write 55,65,70,75,85"),
        ((*TYPED, "--technician", "two\nlines"), 2, r"'two\nlines' is not text on one line"),
        # What a terminal of another encoding makes of a name.
        ((*TYPED, "--place", "\udcc0\udcee"), 2, r"'\udcc0\udcee' is not text on one line"),
        ((*TYPED, "--technician", " "), 2, "--technician: needed"),
        ((*TYPED, "--certificates", "/dev/null/x"), 1, "name another folder with --certificates"),
        (
            ("--check", "--calibrator", "104", "--serial", "1", "--class", "2"),
            1,
            "not 94 or 114 dB",
        ),
        ((*TYPED, "--port", "/dev/ttyNONE"), 1, "/dev/ttyNONE: no such port"),
    ],
)
def test_wrong_use_is_told_in_a_line(bench, options, code, words) -> None:
    with bench() as here:
        ended, _, said = here.run(*options)
        assert here.box.commands == []
    assert ended == code and words in said and said.count("\n") == 1, said


def test_the_sounds_are_written_without_a_box(bench, monkeypatch, capsys, tmp_path) -> None:
    line = ["noisewarden", "calibrate", "--write-noise", str(tmp_path / "sounds")]
    monkeypatch.setattr(sys, "argv", line)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    written = capsys.readouterr().out.split()
    assert [Path(path).name for path in written] == ["pink-noise.wav", "low-noise.wav"]
    assert all(Path(path).exists() for path in written)
