"""`noisewarden collect` on the real firmware: played fast, then collected over the console."""

import csv
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from host.fakebox import BOX, FakeBox, journal
from noisewarden import cli, records_csv
from noisewarden.database import Database
from noisewarden.firmware import evidence
from noisewarden.register import Register, Registration
from noisewarden.store import Store
from noisewarden.virtual import flash, sound
from noisewarden.virtual.fast import run_fast
from noisewarden.virtual.replay import virtual_board
from noisewarden.virtual.supervisor import VirtualBox

pytest_plugins = ["postgres"]

SECRET = bytes(range(32))
MINUTES = 10
COLLECT = (sys.executable, "-c", "from noisewarden.cli import main; main()", "collect")


def noise(level_db: float, seconds: int) -> Iterator[sound.Samples]:
    one = np.random.default_rng(1).normal(0, sound.amplitude(level_db), sound.RATE_HZ)
    for _ in range(seconds):
        yield one


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    """The folder of a box that has heard ten minutes, two of them too loud, and knew no time."""
    folder = tmp_path_factory.mktemp("box")
    files = folder / "flash"
    flash.fill(files, virtual_board(), {"box": "bagu-east-01"})
    (files / "secret.bin").write_bytes(SECRET)
    blocks = [*noise(60, 240), *noise(84, 120), *noise(60, 60 * MINUTES - 360)]
    for _ in run_fast(files, sound.frames(blocks)):
        pass
    return folder


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    """Exit code, output and errors of `noisewarden collect`."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(sys, "argv", ["noisewarden", "collect", *map(str, arguments)])
        cli.main()
    said = capsys.readouterr()
    return int(end.value.code or 0), said.out, said.err


def summary(output: str) -> dict:
    return json.loads(output.splitlines()[-1])["summary"]


def test_a_box_is_collected_verified_and_then_only_what_is_new(state, tmp_path, capsys):
    data, table, secret = tmp_path / "station", tmp_path / "all.csv", tmp_path / "secret"
    secret.write_text(SECRET.hex() + "\n")
    with VirtualBox(state, [], board=virtual_board()) as box:
        options = ("--port", box.port, "--data", data, "--secret", secret, "--json")
        code, output, errors = run(capsys, *options, "--csv", table)
        assert (code, errors) == (0, "")
        first = summary(output)
        code, output, errors = run(capsys, *options)
        assert (code, errors) == (0, "")
        second = summary(output)
    assert first["box"] == "bagu-east-01" and first["new"] > MINUTES
    assert first["chain"] == {"verified": first["new"], "broken": 0, "unverified": 0}
    assert first["gaps"] == first["conflicts"] == []
    assert first["clock"] == "was not set; set now"
    assert second["clock"] == "right" and second["known"] == 0
    # The dead microphone of the second run may bring some faults while it is collected.
    assert second["new"] < MINUTES
    with Database.in_folder(data) as database:
        rows = list(Store(database).records("bagu-east-01"))
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    minutes = [row for row in rows if row.kind == "minute"]
    assert len(minutes) == MINUTES
    # White noise is 2 dB less in dB(A) at 48 kHz.
    assert [row.laeq for row in minutes][1:3] == pytest.approx([58, 58], abs=1.5)
    assert minutes[4].laeq == pytest.approx(minutes[1].laeq + 24, abs=0.2)
    assert [row.stage for row in minutes if row.stage]
    # The first boot never learned the time; the second did, from this very collect.
    assert {row.clock for row in rows if row.boot == 1} == {0}
    assert {row.clock for row in rows if row.boot == 2 and row.seq <= first["new"]} == {2, 3}
    check_csv(table, rows[: first["new"]])


def check_csv(table: Path, rows: list) -> None:
    with table.open(encoding="utf-8-sig", newline="") as file:
        written = list(csv.DictReader(file))
    assert len(written) == len(rows)
    for line, row in zip(written, rows, strict=True):
        record = evidence.unpack(row.data)
        for name in ("seq", "kind", "boot", "uptime_ms"):
            assert line[name] == str(record[name])
        assert line["box"] == "bagu-east-01" and line["chain"] == "verified"
        assert (line["time"] == "") == (row.unix_s is None)
        if row.kind == "minute":
            levels = ("laeq", "lafmax", "lafmin", "lcpeak", "l10", "l50", "l90")
            assert [float(line[name]) for name in levels] == [record[name] for name in levels]
            seconds = [None if s == "--" else float(s) for s in line["seconds"].split()]
            assert seconds == record["seconds"]
            assert line["details"] == ""
        elif row.kind == "boot":
            details = json.loads(line["details"])
            assert details["board"] == "virtual" and details["cause"] == record["cause"]
        elif row.kind == "stage":
            assert int(line["stage"]) == record["stage"]
            assert json.loads(line["details"])["around"] == record["around"]


def test_a_station_on_a_server_has_the_records_and_the_keys(tmp_path, capsys, postgresql_url):
    names = {"box": BOX, "place": "gate", "board": "virtual", "serial": "00"}
    with Database(postgresql_url) as database, FakeBox(journal(20)) as box:
        Register(database).add(Registration.of_secret(SECRET, **names))
        url = postgresql_url.render_as_string()
        code, output, errors = run(capsys, "--port", box.port, "--database", url, "--json")
        assert (code, errors) == (0, "")
        assert summary(output)["chain"] == {"verified": 21, "broken": 0, "unverified": 0}
        assert Store(database).held(BOX) == 21


def test_following_writes_readings_beside_the_records(tmp_path, capsys):
    table = tmp_path / "box.csv"
    with FakeBox(journal(20)) as box:
        code, output, errors = run(
            capsys, "--port", box.port, "--csv", table, "--follow", "--seconds", "8"
        )
    assert (code, errors) == (0, "")
    assert "21 new records" in output and "LAeq  71.2  limit 70  shown  71 red" in output
    with (tmp_path / "box-readings.csv").open(encoding="utf-8-sig", newline="") as file:
        readings = list(csv.DictReader(file))
    assert len(readings) >= 5 and readings[0]["laeq"] == "71.25" and readings[0]["time"][-1] == "Z"
    with table.open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == 21
    with FakeBox(journal(20)) as box:
        code, _, errors = run(capsys, "--port", box.port, "--csv", table)
    assert code == 1 and f"{table}: is there already; name a new file" in errors
    with FakeBox(journal(20)) as box:
        code, _, errors = run(
            capsys, "--port", box.port, "--csv", tmp_path / "missing" / "box.csv"
        )
    assert code == 1 and "box.csv: cannot be written (No such file or directory)" in errors


@pytest.mark.parametrize("payload", [{}, {"time": "soon"}, {"time": 1, "laeq": "loud"}])
def test_readings_that_are_none_are_left_out(tmp_path, capsys, payload):
    with FakeBox(journal(3)) as box:
        box._reading = lambda: payload
        code, output, errors = run(
            capsys, "--port", box.port, "--csv", tmp_path / "b.csv", "--follow", "--seconds", "1"
        )
    assert (code, errors) == (0, "")
    # One more: the command that sets its clock.
    assert "5 new records" in output and "LAeq" not in output
    readings = (tmp_path / "b-readings.csv").read_text(encoding="utf-8-sig")
    assert readings.splitlines() == [",".join(records_csv.READING_COLUMNS)]


def test_a_full_disk_is_one_line(tmp_path, capsys):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with FakeBox(journal(60)) as box:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        try:
            code, _, errors = run(capsys, "--port", box.port, "--csv", tmp_path / "box.csv")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 1 and "box.csv: cannot be written (File too large)" in errors
    assert errors.count("\n") == 1


def test_ctrl_c_keeps_what_came(tmp_path):
    with FakeBox(journal(20)) as box:
        program = subprocess.Popen(
            [*COLLECT, "--port", box.port, "--data", tmp_path, "--follow", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert program.stdout
        assert "laeq" in program.stdout.readline()
        os.kill(program.pid, signal.SIGINT)
        output, errors = program.communicate(timeout=60)
    assert program.returncode == 130 and errors.strip() == "stopped"
    assert summary(output)["new"] == 21
    with Database.in_folder(tmp_path) as database:
        assert Store(database).held("bagu-east-01") == 21


def test_a_cable_pulled_in_the_middle_is_one_line_and_keeps_what_came(tmp_path, capsys):
    def pulled(n, line):
        if n == 40:
            box.pull()
            time.sleep(0.2)
        return [line]

    with FakeBox(journal(60), spoil=pulled) as box:
        code, output, errors = run(capsys, "--port", box.port, "--csv", tmp_path / "some.csv")
    assert code == 1 and errors.count("\n") == 1 and "the box is gone" in errors
    with (tmp_path / "some.csv").open(encoding="utf-8-sig", newline="") as file:
        written = len(list(csv.DictReader(file)))
    assert f"{written} new records were collected and stay" in errors
    assert f"{written} new records, 0 were there" in output


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--port", "P"), 2, "say where to: --data DIR or --database URL, --csv FILE or both"),
        (("--csv", "x.csv"), 2, "--port"),
        (("--port", "P", "--csv", "x.csv", "--seconds", "5"), 2, "--seconds goes with --follow"),
        (("--port", "/dev/ttyNONE", "--csv", "x.csv"), 1, "/dev/ttyNONE: no such port; plug in"),
        (("--port", "P", "--csv", "x.csv", "--secret", "none"), 1, "none: cannot be read"),
        (("--port", "P", "--csv", "x.csv", "--secret", "short"), 1, "short: is no secret"),
    ],
)
def test_wrong_use_is_told_in_a_line(options, code, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("short").write_text("abcd")
    ended, _, errors = run(capsys, *options)
    assert ended == code and words in errors
    assert not Path("x.csv").exists()
