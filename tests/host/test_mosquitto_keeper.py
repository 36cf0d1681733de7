"""The files of the station's own Mosquitto follow the register, and its reload goes to nobody
else. A real Mosquitto obeys them in tests/system/test_several_intakes.py."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from host.station_parts import admit, until
from noisewarden.database import Database
from noisewarden.errors import UserError
from noisewarden.register import Register
from noisewarden.station import mosquitto_keeper
from noisewarden.station.mosquitto_keeper import FOLDER, Keeper, names, station_url

URL = "mqtt://127.0.0.1:1884"
CERTIFICATE = (Path("server.pem"), Path("server.key"))
BOXES = ("", 8883)


class Kept:
    """A keeper over a register in memory; `told` are its troubles that last."""

    def __init__(self, folder: Path, database: Database, url: str = URL) -> None:
        self.told: dict[str, str] = {}
        self.rounds = 0
        self.folder = folder / FOLDER
        self.register = Register(database)
        self.keeper = Keeper(url, folder, self.register, CERTIFICATE, BOXES, self._trouble)

    def _trouble(self, what: str, why: str) -> None:
        self.told[what] = why
        self.rounds += 1

    def boxes(self) -> list[str]:
        lines = (self.folder / "boxes.passwords").read_text().splitlines()
        return [line.partition(":")[0] for line in lines]

    def look(self, connected: bool = False, rounds: int = 1) -> None:
        """What a second of its work does, or some of them."""

        async def work() -> None:
            wanted = self.rounds + rounds
            task = asyncio.create_task(self.keeper.run(lambda: connected))
            await until(lambda: self.rounds >= wanted, lambda: "it does not look")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(work())


@pytest.fixture
def database():
    with Database.in_memory() as made:
        yield made


def runs(folder: Path, *command: str) -> Any:
    """A process that its file of the process id names."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    (folder / "mosquitto.pid").write_text(f"{process.pid}\n")
    return process


def test_who_is_admitted_stands_in_the_file(tmp_path, database):
    admit(Register(database), "a")
    kept = Kept(tmp_path, database)
    assert kept.boxes() == ["a"]
    admit(kept.register, "b")
    kept.register.revoke("a")
    kept.look()
    assert kept.boxes() == ["b"]


def test_its_files_are_their_owners_alone_and_the_password_stays(tmp_path, database):
    conf = Kept(tmp_path, database).keeper.conf
    url = station_url(URL, tmp_path)
    assert conf.is_absolute() and conf.is_file()
    for path in (tmp_path / FOLDER).iterdir():
        assert path.stat().st_mode & 0o77 == 0, path
    Kept(tmp_path, database)
    assert station_url(URL, tmp_path) == url
    assert url.startswith("mqtt://%24station:") and url.endswith("@127.0.0.1:1884")
    password = url.partition("station:")[2].partition("@")[0]
    assert len(password) == 64 and password not in conf.read_text()


def test_an_empty_password_is_none(tmp_path, database):
    """So a power cut may leave a file; whoever is on this computer could log in with it."""
    Kept(tmp_path, database)
    (tmp_path / FOLDER / "station.secret").write_text("")
    Kept(tmp_path, database)
    assert len(station_url(URL, tmp_path)) > len("mqtt://%24station:@127.0.0.1:1884") + 32


def test_over_a_network_the_station_comes_by_tls(tmp_path, database):
    conf = Kept(tmp_path, database, "mqtts://192.0.2.1").keeper.conf.read_text()
    station = conf.partition("# The station\n")[2]
    assert station.startswith("listener 8883 192.0.2.1\ncertfile ")
    assert names("mqtts://192.0.2.1") == ("192.0.2.1",)
    assert names("mqtts://me:word@192.0.2.1") == names(None) == ()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mqtt://192.0.2.1", "unencrypted; write mqtts://, or 127.0.0.1"),
        ("mqtt://station.example", "unencrypted"),
        ("http://127.0.0.1", "broker: is no URL of one"),
        ("mqtt://127.0.0.1:x", "broker: is no URL of one"),
        ("mqtts://a..b", "broker: is no URL of one"),
        ("mqtt://", "broker: is no URL of one"),
    ],
)
def test_a_url_that_will_not_do(url, words):
    with pytest.raises(UserError, match=words) as refusal:
        names(url)
    assert "\n" not in str(refusal.value)


def test_a_password_that_was_not_made_yet_is_one_line(tmp_path):
    with pytest.raises(UserError, match="start the station itself first"):
        station_url(URL, tmp_path)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, database):
    (tmp_path / FOLDER).write_text("")
    with pytest.raises(UserError, match="cannot be kept"):
        Kept(tmp_path, database)


def test_a_reload_goes_to_no_other_program(tmp_path, database):
    """One that has got the number of a Mosquitto that crashed."""
    kept = Kept(tmp_path, database)
    with runs(kept.folder, sys.executable, "-c", "input()") as other:
        kept.look(connected=True)
        assert "send it SIGHUP" in kept.told["mosquitto"]
        other.communicate(b"\n")
        assert other.returncode == 0


def test_a_mosquitto_reads_them_again_once_for_each_change(tmp_path, database, monkeypatch):
    kept = Kept(tmp_path, database)
    told = []
    monkeypatch.setattr(os, "kill", lambda process, sign: told.append((process, sign)))
    monkeypatch.setattr(mosquitto_keeper, "LOOK_EVERY_S", 0.01)
    called = kept.folder / "mosquitto"
    called.symlink_to("/bin/cat")
    with runs(kept.folder, str(called)) as running:
        kept.look(connected=True, rounds=5)
        admit(kept.register, "b")
        kept.look(rounds=5)
        running.communicate(b"")
    assert told == [(running.pid, signal.SIGHUP)] * 2
    assert kept.told["mosquitto"] == ""


def test_a_box_of_before_is_named(tmp_path, database, monkeypatch):
    monkeypatch.setattr("noisewarden.register.hashed", lambda word: None)
    admit(Register(database), "old-01")
    monkeypatch.undo()
    admit(Register(database), "new-02")
    kept = Kept(tmp_path, database)
    assert kept.boxes() == ["new-02"]
    kept.look()
    assert kept.told["mosquitto"].startswith("old-01: registered before Mosquitto")
