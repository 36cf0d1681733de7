"""The commands `demo` and `box` as a person runs them: real sound in, and what came of it out."""

import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import httpx
import numpy as np
import pytest
from browser import PATIENCE_MS, chromium
from noisewarden.demo import crowd as crowds
from noisewarden.demo.crowd import Crowd
from noisewarden.demo.square import evening_zone
from noisewarden.demo.station import DemoStation
from noisewarden.firmware import wire
from playwright.sync_api import expect
from system.boxes import PATIENCE_S, processes, until

NOISEWARDEN = Path(sys.executable).with_name("noisewarden")
SPEECH = Path("/usr/share/sounds/alsa/Front_Center.wav")
"""Debian's alsa-utils."""


def run(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [NOISEWARDEN, *arguments], capture_output=True, timeout=PATIENCE_S, **options
    )


def environment(folder: Path) -> dict[str, str]:
    """One in which temporary files go to `folder`."""
    return os.environ | {"TMPDIR": str(folder)}


def nothing_left(folder: Path) -> bool:
    return not processes(folder) and not list(folder.iterdir())


@pytest.mark.timed
def test_demo_shows_a_square_and_a_real_recording_and_what_the_station_has(tmp_path):
    shown = run(
        *("demo", "--seconds", "24", "--no-browser", "--wav", str(SPEECH)),
        env=environment(tmp_path),
    )
    assert (shown.returncode, shown.stderr) == (0, b"")
    text = shown.stdout.decode()
    near, far, recording, total = text.splitlines()[-4:]
    assert near.startswith("square-east (Square, beside the dancers): no change")
    assert far.startswith("square-west (Square, three times as far): no change")
    # A voice close to the microphone is over 70 dB from the first second on.
    assert re.match(
        rf"mill-street \(Beside {SPEECH.name}\): +\d+ s  within → reminder  at ", recording
    )
    assert "spotlight" not in near and "spotlight" not in far
    assert re.fullmatch(
        r"3 boxes, 3 heard now\. (\d+) records on the station's disk, \1 verified\. "
        r"\d+ samples lost\.",
        total,
    )
    level_near, level_far = (
        dict(re.findall(rf"square-{side} +(\d+) s  shows +\d\d \w+ +LAeq +([\d.]+)", text))
        for side in ("east", "west")
    )
    differences = [
        float(level_near[second]) - float(level_far[second])
        for second in level_near.keys() & level_far.keys()
    ]
    assert median(differences) == pytest.approx(9.5, abs=0.5)
    assert re.search(r"mill-street +\d+ s  shows  [89]\d red ", text)
    assert nothing_left(tmp_path)


@contextmanager
def running(folder: Path, *options: str, **more: str) -> Iterator[subprocess.Popen]:
    demo = subprocess.Popen(
        [NOISEWARDEN, "demo", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder) | more,
    )
    try:
        yield demo
    finally:
        demo.terminate()
        demo.communicate(timeout=PATIENCE_S)


@pytest.mark.timed
def test_in_a_terminal_the_matrices_are_drawn(tmp_path):
    command = [NOISEWARDEN, "demo", "--boxes", "1", "--seconds", "15", "--no-browser"]
    master, slave = os.openpty()
    with os.fdopen(master, "rb", 0) as terminal:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        environ = environment(tmp_path) | {"TERM": "xterm-256color"}
        demo = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environ)
        os.close(slave)
        seen = b""
        with suppress(OSError):  # the end of a pty
            while data := terminal.read(1 << 16):
                seen += data
    assert demo.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert "Traceback" not in text
    assert "▀" * 32 in text and "○ spotlight dark" in text
    assert re.search(r"LAeq,1s +\d\d\.\d dB  limit 70", text)
    assert nothing_left(tmp_path)


def test_the_browser_is_sent_to_pages_that_know_it(tmp_path):
    """A real browser by the link that the person's would be given."""
    temporary, given = tmp_path / "tmp", tmp_path / "url"
    temporary.mkdir()
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {given}.new && mv {given}.new {given}\n')
    browser.chmod(0o755)
    with running(temporary, "--boxes", "2", BROWSER=f"{browser} %s"), chromium() as chrome:
        until(given.exists, lambda: "no browser was opened")
        link = given.read_text()
        page = chrome.new_page(locale="en-GB")
        page.set_default_timeout(PATIENCE_MS)
        page.goto(link)
        assert link not in page.url and "/login" not in page.url
        expect(page.locator(".tile")).to_have_count(2)
        number = page.locator(".tile", has_text="square-east").locator("[data-laeq]")
        expect(number).to_have_text(re.compile(r"\d\d\.\d"))
        assert httpx.get(link, timeout=PATIENCE_S).status_code == 410
        # A stranger who comes without a link is not known.
        stranger = httpx.get(page.url, follow_redirects=True, timeout=PATIENCE_S)
        assert stranger.url.path == "/login"


@pytest.mark.parametrize(
    "signs", [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGINT)]
)
def test_what_ends_the_demo_leaves_nothing_running(tmp_path, signs):
    with running(tmp_path, "--boxes", "1", "--no-browser") as demo:
        until(lambda: processes(tmp_path), lambda: "no box runs")
        for sign in signs:
            demo.send_signal(sign)
            time.sleep(0.1)
        _, complaints = demo.communicate(timeout=PATIENCE_S)
        assert (demo.returncode, complaints.strip()) == (130, "stopped")
    assert nothing_left(tmp_path)


def test_ctrl_c_while_the_station_starts(tmp_path):
    with running(tmp_path, "--no-browser") as demo:
        assert demo.stdout.readline().startswith("A square at eight")
        until(lambda: list(tmp_path.iterdir()), lambda: "no folder")
        demo.send_signal(signal.SIGINT)
        _, complaints = demo.communicate(timeout=PATIENCE_S)
        assert (demo.returncode, complaints.strip()) == (130, "stopped")
    assert nothing_left(tmp_path)


def test_a_crowd_of_simulated_boxes_is_heard_and_marked(tmp_path, monkeypatch):
    monkeypatch.setattr(crowds, "_ENDS_WITHIN_S", PATIENCE_S)
    with DemoStation(tmp_path / "station") as station, Crowd(5, station) as crowd:
        names = [box.name for box in crowd.boxes]

        def all_heard() -> bool:
            for name, seen in station.look(names).items():
                if not seen.reading or seen.records["verified"] != 1:
                    return False
                # The level is told in 0.1 dB: the number on the matrix was rounded from all of it.
                off_db = int(seen.reading["shown"]) - seen.reading["laeq"]
                assert abs(off_db) <= 0.5 + 0.05, (name, seen.reading)
            return True

        until(all_heard, lambda: f"{station.look(names)}")
        process = crowd._process
        for box in crowd.boxes:
            assert box.place.startswith("Simulated")
    assert process.returncode == 0


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
        (("demo", "--boxes", "0"), 2, "--boxes"),
    ],
)
def test_wrong_use_is_one_line(arguments, code, words):
    refused = run(*arguments)
    complaint = refused.stderr.decode()
    assert refused.returncode == code, complaint
    assert words in complaint
    assert complaint.count("\n") == 1 and "Traceback" not in complaint
