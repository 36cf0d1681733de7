"""The commands `demo` and `box` as a person runs them: real sound in, and what came of it out."""

import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from noisewarden.demo import evening_zone
from noisewarden.firmware import wire
from system.boxes import processes, until

NOISEWARDEN = Path(sys.executable).with_name("noisewarden")
SPEECH = Path("/usr/share/sounds/alsa/Front_Center.wav")
"""Debian's alsa-utils."""


def run(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([NOISEWARDEN, *arguments], capture_output=True, timeout=60, **options)


def environment(folder: Path) -> dict[str, str]:
    """One in which temporary files go to `folder`."""
    return os.environ | {"TMPDIR": str(folder)}


def nothing_left(folder: Path) -> bool:
    return not processes(folder) and not list(folder.iterdir())


def test_demo_shows_a_scene_and_a_real_recording_and_collects_their_records(tmp_path):
    shown = run("demo", "--seconds", "20", "--wav", str(SPEECH), env=environment(tmp_path))
    assert (shown.returncode, shown.stderr) == (0, b"")
    text = shown.stdout.decode()
    scene, recording = text.splitlines()[-2:]
    assert scene.startswith("square-01 (square): no change of stage.")
    assert re.search(r"[1-9] verified", scene)
    # A voice close to the microphone is over 70 dB from the first second on.
    assert recording.startswith(f"square-02 ({SPEECH.name}): 5 s  within → reminder")
    assert re.search(r"[2-9] verified", recording)
    assert "0 frames lost" in scene and "0 frames lost" in recording
    assert re.search(r"square-01 +10 s  shows  6\d green LAeq  6", text)
    assert re.search(r"square-02 +10 s  shows  [89]\d red ", text)
    assert nothing_left(tmp_path)


def test_ctrl_c_ends_the_demo_and_leaves_nothing_running(tmp_path):
    demo = subprocess.Popen(
        [NOISEWARDEN, "demo", "--boxes", "1", "--seconds", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
    )
    until(lambda: processes(tmp_path), lambda: "no box runs")
    demo.send_signal(signal.SIGINT)
    _, complaints = demo.communicate(timeout=20)
    assert (demo.returncode, complaints.decode().strip()) == (130, "stopped")
    assert nothing_left(tmp_path)


def test_it_is_evening_in_the_demo_whatever_the_hour_here():
    from noisewarden.firmware import config

    for minutes in range(0, 1440, 7):
        now = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=minutes)
        zone, _ = config.rules(config.merged({"zone": evening_zone(now)}))
        assert zone.local(int(now.timestamp()))[4] == 20 * 60, now


def test_a_box_hears_standard_input():
    tone = 0.1 * np.sin(2 * np.pi * 1000 / 48_000 * np.arange(4 * 48_000))
    samples = np.repeat(np.round(tone * 32767).astype("<i2"), 2)
    heard = run("box", "--stdin", "16", "--fast", input=samples.tobytes())
    assert (heard.returncode, heard.stderr) == (0, b"")
    messages = [wire.parse_line(line) for line in heard.stdout.decode().splitlines()]
    readings = [payload for topic, payload in messages if topic.endswith("/reading")]
    # A tenth of full scale is 20 dB under the 120 dB of a full-scale sine.
    assert [reading["shown"] for reading in readings] == ["--", "100", "100", "100"]


def test_a_box_keeps_its_state_and_takes_its_config(tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"box": "north-gate", "place": "north gate"}))
    for boot in (1, 2):
        options = ("--state", str(tmp_path / "box"), "--config", str(config), "--limit", "60")
        heard = run("box", "--wav", str(SPEECH), "--fast", *options)
        assert heard.returncode == 0, heard.stderr
        topic, state = wire.parse_line(heard.stdout.decode().splitlines()[0])
        assert topic == "noisewarden/north-gate/state"
        assert state["boot"] == boot


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("box", "--wav", "a.wav", "--scene", "night"), 2, "one of --wav, --scene and --stdin"),
        (("box", "--loop"), 2, "--loop goes with --wav"),
        (("box", "--fast", "--scene", "night"), 2, "--fast needs sound that ends"),
        (("box", "--scene", "nigth"), 1, "known are square, night, building, rain"),
        (("box", "--board", "esp32-devkit"), 1, "did you mean esp32-devkitc?"),
        (("box", "--wav", "missing.wav"), 1, "missing.wav: no such file"),
        (("box", "--wav", str(SPEECH), "--state", str(SPEECH)), 2, "--state"),
        (("demo", "--wav", "missing.wav"), 1, "missing.wav: no such file"),
        (("demo", "--boxes", "9"), 2, "--boxes"),
    ],
)
def test_wrong_use_is_one_line(arguments, code, words):
    refused = run(*arguments)
    complaint = refused.stderr.decode()
    assert refused.returncode == code, complaint
    assert words in complaint
    assert complaint.count("\n") == 1 and "Traceback" not in complaint
