"""`noisewarden replay` as a person types it: recordings in, rows and a summary out."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from system.sound import RATE, amplitude, sine

KEYS = [
    *("t", "laeq", "lceq", "lafmax", "lasmax", "lcpeak"),
    *("limit", "stage", "shown", "colour", "spotlight", "flags"),
]
LEVELS = KEYS[1:6]
SUMMARY = ["laeq", "lafmax", "lcpeak", "l10", "l50", "l90"]
SPEECH = Path("/usr/share/sounds/alsa")
"""48 kHz recordings of Debian's alsa-utils, which .ci/run installs."""


def noisewarden(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("noisewarden")
    return subprocess.run([command, *arguments], capture_output=True, text=True, timeout=120)


class Result:
    """Rows and summary of `replay --json`."""

    def __init__(self, *arguments: str | Path) -> None:
        run = noisewarden("replay", "--json", *arguments)
        assert (run.returncode, run.stderr) == (0, "")
        *rows, last = map(json.loads, run.stdout.splitlines())
        self.rows: list[dict[str, Any]] = rows
        self.summary: dict[str, Any] = last["summary"]

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]

    def changes(self, name: str) -> list[tuple[int, Any]]:
        """(t, value) of the first row and of each that differs from the one before."""
        column = self.column(name)
        return [(t, v) for t, v in enumerate(column) if t == 0 or v != column[t - 1]]


def recorded(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_24") -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def tone(level_db: float, seconds: float, rate: int = RATE) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return amplitude(level_db) * np.sin(2 * np.pi * 1000 * time)


def course(path: Path, *parts: tuple[int, float]) -> Path:
    """A recording of a 1 kHz tone: (seconds, level in dB) one after the other."""
    return recorded(path, np.concatenate([sine(1000, level, s * RATE) for s, level in parts]))


# Rows.


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """From 20:00 on: 30 s at 60 dB, 150 s at 80 dB, 40 s at 60 dB."""
    path = tmp_path_factory.mktemp("evening") / "evening.wav"
    return Result(course(path, (30, 60), (150, 80), (40, 60)))


def test_a_row_a_second_with_the_promised_keys(evening: Result) -> None:
    assert evening.column("t") == list(range(220))
    assert all(list(row) == KEYS for row in evening.rows)
    first = evening.rows[0]
    assert [first[name] for name in LEVELS] == [None] * 5
    assert first["flags"] == ["warmup"]
    assert (first["shown"], first["colour"], first["spotlight"]) == ("--", "off", False)
    for row in evening.rows[1:]:
        assert row["flags"] == []
        assert all(row[name] == round(row[name], 2) for name in LEVELS)


def test_the_number_and_its_colour(evening: Result) -> None:
    assert evening.changes("shown") == [(0, "--"), (1, "60"), (30, "80"), (180, "60")]
    assert evening.changes("colour") == [(0, "off"), (1, "green"), (30, "red"), (180, "green")]
    assert evening.changes("limit") == [(0, 70)]


def test_stages_to_the_second(evening: Result) -> None:
    # Five of ten seconds are over 70 dB at 34, and so is LAeq,10s (two at 80 dB would do: 73 dB).
    # The spotlight is 20 s and the referral 120 s after that. At 188 one second is left over, and
    # LAeq,10s is 70.4 dB, neither over nor clear. From 189 on it is 60 dB: each
    # ten clear seconds, at 198, 208 and 218, lead one stage down.
    assert evening.changes("stage") == [
        (0, 0),
        (34, 1),
        (54, 2),
        (154, 3),
        (198, 2),
        (208, 1),
        (218, 0),
    ]


def test_the_lamp_burns_120_s_at_most_and_rests(evening: Result) -> None:
    # Lit with stage 2 at 54; the 120 s are over at 174, less the 2 s that a step may be late.
    lit = [t for t, on in enumerate(evening.column("spotlight")) if on]
    assert lit[0] == 54
    assert 118 <= len(lit) <= 120
    assert lit == list(range(54, 54 + len(lit)))


def test_the_summary_is_that_of_the_rows(evening: Result) -> None:
    summary = evening.summary
    assert list(summary)[2:8] == SUMMARY
    levels = np.array([level for level in evening.column("laeq") if level is not None])
    mean = 10 * np.log10(np.mean(10 ** (levels / 10)))
    assert summary["laeq"] == pytest.approx(mean, abs=0.01)
    assert summary["lafmax"] == max(evening.column("lafmax")[1:])
    assert summary["lcpeak"] == max(evening.column("lcpeak")[1:])
    assert summary["l10"] == summary["l50"] == pytest.approx(80, abs=0.05)
    assert summary["l90"] == pytest.approx(60, abs=0.05)
    stages = evening.column("stage")
    assert summary["seconds_per_stage"] == [stages.count(stage) for stage in range(4)]
    assert (summary["seconds"], summary["valid_seconds"]) == (220, 219)
    assert (summary["reminders"], summary["referrals"], summary["incidents"]) == (1, 1, 1)
    assert summary["spotlight_seconds"] == sum(evening.column("spotlight"))


def test_the_night_limit_begins_at_ten_and_the_lamp_is_dark_from_then(tmp_path: Path) -> None:
    path = course(tmp_path / "late.wav", (45, 80))
    result = Result(path, "--start", "21:59:30")
    assert result.changes("limit") == [(0, 70), (30, 55)]
    # The first second has no level, so the fifth over second is the one at t = 5.
    assert result.changes("stage") == [(0, 0), (5, 1), (25, 2)]
    assert result.changes("spotlight") == [(0, False), (25, True), (30, False)]


def test_one_limit_at_all_hours(tmp_path: Path) -> None:
    result = Result(
        course(tmp_path / "a.wav", (8, 64)), "--limit", "63", "--start", "2026-06-07T03:00"
    )
    assert result.changes("limit") == [(0, 63)]
    assert result.rows[-1]["stage"] == 1


def test_a_config_file_rules(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"stages": {"spotlight_after_s": 3}, "display": {"mode": "off"}}))
    result = Result(course(tmp_path / "a.wav", (12, 80)), "--config", config)
    assert result.changes("stage") == [(0, 0), (5, 1), (8, 2)]
    assert set(result.column("colour")) == {"off"}


# Recordings of every kind.


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_a_tone_has_its_level_in_every_format(tmp_path: Path, subtype: str) -> None:
    path = recorded(tmp_path / "tone.wav", tone(94, 4), subtype=subtype)
    for laeq in Result(path).column("laeq")[1:]:
        assert laeq == pytest.approx(94, abs=0.05)


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
def test_a_tone_has_its_level_at_every_rate(tmp_path: Path, rate: int) -> None:
    result = Result(recorded(tmp_path / "tone.wav", tone(94, 4, rate), rate))
    assert len(result.rows) in (3, 4)  # the resampler may end a sample early
    for name in ("laeq", "lceq"):
        for level in result.column(name)[1:]:
            assert level == pytest.approx(94, abs=0.1)


def test_of_two_channels_the_left_is_measured(tmp_path: Path) -> None:
    both = np.stack([tone(80, 4), tone(110, 4)], axis=1)
    result = Result(recorded(tmp_path / "stereo.wav", both))
    assert result.column("laeq")[1:] == pytest.approx([80] * 3, abs=0.05)


def test_another_sensitivity_is_another_level(tmp_path: Path) -> None:
    result = Result(recorded(tmp_path / "a.wav", tone(94, 3)), "--sensitivity", "-31.5")
    assert result.column("laeq")[1:] == pytest.approx([99.5] * 2, abs=0.05)


def test_a_recording_too_short_for_a_level_has_none(tmp_path: Path) -> None:
    result = Result(recorded(tmp_path / "a.wav", tone(94, 1.5)))
    assert len(result.rows) == 1
    assert [result.summary[name] for name in SUMMARY] == [None] * 6


def test_speech_of_real_people(tmp_path: Path) -> None:
    said = sorted(SPEECH.glob("*_*.wav"))
    assert len(said) == 8, "alsa-utils brings the recordings"
    path = tmp_path / "speech.wav"
    subprocess.run(["sox", *said, path], check=True)
    result = Result(path)
    seconds = soundfile.info(path).frames // RATE
    assert len(result.rows) == seconds
    samples, _ = soundfile.read(path)
    for t, row in enumerate(result.rows[1:], 1):
        # Speech has its energy between 200 Hz and 4 kHz, where A and Z differ by less than 11 dB.
        own = 10 * np.log10(2 * np.mean(samples[t * RATE : (t + 1) * RATE] ** 2)) + 120
        assert own - 11 < row["laeq"] < own + 2
        assert row["laeq"] <= row["lafmax"] <= row["lcpeak"]
        assert row["colour"] == ("red" if int(row["shown"]) > 70 else "green")


def test_people_read_a_table(tmp_path: Path) -> None:
    run = noisewarden("replay", course(tmp_path / "a.wav", (6, 80)))
    assert (run.returncode, run.stderr) == (0, "")
    head, *rows = run.stdout.splitlines()
    assert head.split()[:2] == ["time", "LAeq"]
    assert rows[5].split() == ["0:05", "80.0", "80.0", "83.0", "70", "80", "reminder"]
    assert "LAeq 80.0" in run.stdout and "reminders 1" in run.stdout


# What a person can do wrong.


def bad_files(folder: Path) -> Iterator[tuple[str, str]]:
    """Names of recordings that cannot be measured, made in `folder`, and a word of the cure."""
    whole = recorded(folder / "whole.wav", tone(94, 1)).read_bytes()
    yield "nothing.wav", "check the name"
    (folder / "folder.wav").mkdir()
    yield "folder.wav", "name one WAV"
    (folder / "song.mp3").write_bytes(b"ID3\x04 a song")
    yield "song.mp3", "convert it"
    (folder / "empty.wav").write_bytes(b"")
    yield "empty.wav", "record it again"
    (folder / "cut.wav").write_bytes(whole[:5000])
    yield "cut.wav", "copy it again"
    (folder / "head.wav").write_bytes(whole[:20])
    yield "head.wav", "record it again"
    recorded(folder / "silent.wav", tone(94, 0))
    yield "silent.wav", "record it again"
    recorded(folder / "short.wav", tone(94, 0.9))
    yield "short.wav", "record longer"
    recorded(folder / "eight.wav", tone(94, 1), subtype="PCM_U8")
    yield "eight.wav", "convert"
    recorded(folder / "law.wav", tone(94, 1), subtype="ULAW")
    yield "law.wav", "convert"


def refused(*arguments: str | Path) -> str:
    """The one line with which a command ends."""
    run = noisewarden(*arguments)
    assert run.returncode in (1, 2), run.stdout
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1, run.stderr
    return run.stderr


def test_a_bad_recording_ends_in_one_line_with_name_and_cure(tmp_path: Path) -> None:
    for name, cure in bad_files(tmp_path):
        line = refused("replay", tmp_path / name)
        assert str(tmp_path / name) in line
        assert cure in line


def test_every_wrong_key_of_a_config_is_named(tmp_path: Path) -> None:
    sound = recorded(tmp_path / "a.wav", tone(94, 2))
    config = tmp_path / "config.json"
    wrong = {
        "box": "East Gate",
        "colour": "blue",
        "zone": "Chongqing",
        "stages": {"window_s": 0, "patience_s": 5},
        "display": {"brightness": "full"},
        "schedule": {"exceptions": [{"from_date": "2026-02-30", "limit": 50}]},
    }
    config.write_text(json.dumps(wrong))
    line = refused("replay", sound, "--config", config)
    assert line.startswith(f"noisewarden: {config}: ")
    for key in (
        *("box", "colour", "zone", "stages.window_s", "stages.patience_s", "display.brightness"),
        *(f"schedule.exceptions[0].{key}" for key in ("from_date", "to_date", "from", "to")),
    ):
        assert f"{key}:" in line


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "check the name"),
        ("{'box': 1}", "not JSON"),
        ("[]", "not an object"),
        ("[" * 99_999, "not JSON"),
    ],
)
def test_a_config_that_is_none_is_told(tmp_path: Path, content: str | None, cause: str) -> None:
    sound = recorded(tmp_path / "a.wav", tone(94, 2))
    config = tmp_path / "config.json"
    if content is not None:
        config.write_text(content)
    line = refused("replay", sound, "--config", config)
    assert str(config) in line and cause in line


def test_an_unknown_board_is_told_with_those_there_are() -> None:
    line = refused("box", "--board", "esp8266")
    assert "esp8266" in line and "esp32-devkitc" in line


@pytest.mark.parametrize(
    ("option", "value"), [("--start", "25:00"), ("--limit", "200"), ("--sensitivity", "loud")]
)
def test_wrong_use_names_the_option(tmp_path: Path, option: str, value: str) -> None:
    line = refused("replay", recorded(tmp_path / "a.wav", tone(94, 2)), option, value)
    assert option in line and value in line
