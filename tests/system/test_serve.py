"""`noisewarden serve` as a person runs it: from its first start to its end."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from fastest import fastest_s
from noisewarden.database import Database
from noisewarden.virtual import flash
from noisewarden.virtual.supervisor import VirtualBox
from served import PASSWORD, Visitor
from system.boxes import PATIENCE_S, install, tones, until
from system.serving import LOOPBACK, NOISEWARDEN, Serving, register

WIFI, USB = "bagu-east-01", "renmin-north-01"
SECRETS = {WIFI: bytes(range(32)), USB: bytes(range(32, 64))}
LEVELS = {WIFI: 64, USB: 60}
ENDS_WITHIN_S = 20
"""Two on a machine that has nothing else to do."""


def children(process: int) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_from_the_first_start_to_the_end(tmp_path: Path, sign: signal.Signals) -> None:
    folder = tmp_path / "station"
    with Serving(folder) as station:
        assert station.setup.startswith(f"{station.url}/welcome#")
        with Visitor(station) as anybody:
            assert anybody.get("/healthz").text.strip() == "ok"
            assert anybody.get("/", follow_redirects=True).url.path == "/login"
        with station.administrator() as chief:
            page = chief.get("/")
            assert page.status_code == 200 and "text/html" in page.headers["content-type"]
            assert chief.get("/api/v1/boxes").json() == []
            # A page that looks on does not hold the station up.
            with chief.stream("GET", "/api/v1/stream") as stream:
                assert stream.status_code == 200
                assert children(station.process.pid) == []
                began = time.monotonic()
                assert station.end(sign) == 0
                assert time.monotonic() - began < ENDS_WITHIN_S
        assert station.complaints == ["stopped"]
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", station.port))
    assert sorted(path.name for path in folder.iterdir()) == ["authority", "station.sqlite"]
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o77 == 0, path
    with Serving(folder) as again:
        assert again.setup == ""
        with Visitor(again) as chief:
            assert chief.log_in("Chief", PASSWORD).status_code == 204


def test_the_only_administrator_has_forgotten_the_password(tmp_path: Path) -> None:
    folder, new = tmp_path / "station", "another seven umbrellas"
    with Serving(folder) as station, station.administrator():
        pass
    with Serving(folder, "--let-in", "Chief") as station, Visitor(station) as chief:
        (link,) = [line for line in station.said if line.startswith("let in")]
        account = {"token": link.partition("#")[2], "name": "", "password": new}
        assert chief.post("/api/v1/invitation/acceptance", json=account).status_code == 204
        assert chief.log_in("Chief").status_code == 401
        assert chief.log_in("Chief", new).status_code == 204
        noted = [entry["action"] for entry in chief.get("/api/v1/audit").json()]
        assert {"recovery link", "accept"} <= set(noted)
    code, complaint = refusal(folder, *LOOPBACK, "--let-in", "Chef")
    assert (code, complaint) == (1, "noisewarden: Chef: no such account; check the spelling\n")


@pytest.mark.timed
def test_a_small_answer_waits_for_no_acknowledgement(tmp_path: Path) -> None:
    """The first of its two packets is acknowledged after 40 ms, on all but a new connection."""

    def ask(*headers: tuple[str, str]) -> None:
        assert chief.get("/api/v1/session", headers=headers).status_code == 200

    with Serving(tmp_path / "station") as station, station.administrator() as chief:
        floor_s = fastest_s(lambda: ask(("Connection", "close")), 10)
        assert fastest_s(ask, 10) < floor_s + 0.03


@contextmanager
def box(folder: Path, name: str, ca: bytes | None = None, port: int = 0) -> Iterator[VirtualBox]:
    (folder / name).mkdir()
    board = install(folder / name, config={"box": name})
    flash.provision(folder / name / "flash", SECRETS[name], ca, port)
    sound = tones((60, LEVELS[name]))
    with VirtualBox(folder / name, sound, board=board, unix_s=int(time.time())) as made:
        yield made


class Seen:
    """A box as the station shows it."""

    def __init__(self, chief: Visitor, name: str) -> None:
        self._chief = chief
        self._path = f"/api/v1/boxes/{name}"

    def shows(self, text: str) -> None:
        def now() -> dict[str, Any]:
            return self._chief.get(self._path).json()

        def shown(box: dict[str, Any]) -> bool:
            return box["online"] and (box["reading"] or {}).get("shown") == text

        until(lambda: shown(now()), lambda: f"{now()}")

    def does(self, action: str, **arguments: Any) -> None:
        wish = {"action": action, "arguments": arguments}
        asked = self._chief.post(f"{self._path}/commands", json=wish)
        assert asked.is_success, asked.text

        def command() -> dict[str, Any]:
            return self._chief.get(f"/api/v1/commands/{asked.json()['id']}").json()

        until(lambda: command()["status"] == "done", lambda: f"{command()}")

    def recorded(self, *kinds: str) -> None:
        """Waits for records of these kinds; fails when the chain of one is not verified."""

        def journal() -> list[dict[str, Any]]:
            return self._chief.get(f"{self._path}/records").json()

        until(
            lambda: set(kinds) <= {record["kind"] for record in journal()},
            lambda: f"{journal()}",
        )
        assert {record["chain"] for record in journal()} == {"verified"}


def test_a_box_over_wifi_and_one_over_usb(tmp_path: Path) -> None:
    folder = tmp_path / "station"
    for name, secret in SECRETS.items():
        register(folder, name, secret)
    with (
        box(tmp_path, USB) as cable,
        Serving(folder, "--serial", cable.port) as station,
        box(tmp_path, WIFI, station.authority.ca_der, station.port),
        station.administrator() as chief,
    ):
        for name, level_db in LEVELS.items():
            seen = Seen(chief, name)
            seen.shows(str(level_db))
            seen.does("show", text="HI", seconds=20)
            seen.shows("HI")
            seen.recorded("boot", "command")
        assert station.end(signal.SIGTERM) == 0
    assert station.complaints == ["stopped"]


def test_a_port_that_is_not_there_yet_is_looked_for(tmp_path: Path) -> None:
    with Serving(tmp_path / "station", "--serial", str(tmp_path / "ttyUSB0")) as station:
        with station.administrator() as chief:
            assert chief.get("/api/v1/boxes").json() == []
        assert station.end(signal.SIGINT) == 0
    complaint, end = station.complaints
    assert str(tmp_path / "ttyUSB0") in complaint and end == "stopped"


def refusal(folder: Path, *options: str, **environment: str) -> tuple[int, str]:
    """Exit code and complaint, which is one line."""
    refused = subprocess.run(
        [NOISEWARDEN, "serve", "--data", str(folder), *options],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1 and "Traceback" not in refused.stderr, refused.stderr
    return refused.returncode, refused.stderr


@pytest.mark.parametrize("option", ["--http", "--mqtt"])
def test_a_port_that_is_taken(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        free = {"--http": "127.0.0.1:0", "--mqtt": "127.0.0.1:0"} | {option: taken}
        options = [word for pair in free.items() for word in pair]
        code, complaint = refusal(tmp_path / "station", *options)
    assert code == 1
    assert complaint == (
        f"noisewarden: {taken}: another program listens there; stop it, or take another port\n"
    )


def test_a_data_folder_of_a_newer_version(tmp_path: Path) -> None:
    with Database.in_folder(tmp_path / "station") as database, database.transaction() as made:
        made.execute(sql.text("UPDATE schema_version SET version = version + 1"))
    code, complaint = refusal(tmp_path / "station", "--http", "127.0.0.1:0")
    assert code == 1
    assert "newer version" in complaint and "station.sqlite" in complaint


@pytest.mark.parametrize(
    ("options", "environment", "code", "words"),
    [
        (
            ("--database", "postgresql+psycopg://noisewarden@127.0.0.1:1/station"),
            {},
            1,
            "127.0.0.1:1/station: the database refuses",
        ),
        (("--database", "oracle:station"), {}, 1, "no database has such a URL"),
        (("--broker", "http://127.0.0.1"), {}, 1, "broker: is no URL of one"),
        ((), {"NOISEWARDEN_BROKER": "mqtt://me:hunter2@:x"}, 1, "broker: is no URL of one"),
        (("--broker", "mqtts://b", "--broker-ca", "/no/ca.pem"), {}, 1, "/no/ca.pem"),
        (("--broker-ca", "ca.pem"), {}, 2, "--broker-ca goes with --broker"),
        (("--records-only",), {}, 2, "--records-only goes with --broker"),
        (
            ("--records-only", "--broker", "mqtt://127.0.0.1", "--database", "sqlite:///x"),
            {},
            2,
            "--records-only goes with --broker and --database of PostgreSQL",
        ),
        (("--broker", "mqtt://192.0.2.1"), {}, 1, "unencrypted; write mqtts://, or 127.0.0.1"),
        ((), {"NOISEWARDEN_BROKER": "mqtt://me:hunter2@192.0.2.1"}, 1, "unencrypted; write mqtts"),
        (("--http", "0.0.0.0:8080"), {}, 2, "pages leave this computer with --lan only"),
        (("--http", "8080"), {}, 2, "is not HOST:PORT"),
        (("--http", "127.0.0.1:70000"), {}, 2, "is not HOST:PORT"),
        (("--mqtt", "127.0.0.1:x"), {}, 2, "is not HOST:PORT"),
        (("--mqtt", "203.0.113.1:0"), {}, 1, "203.0.113.1:0: cannot listen there"),
    ],
)
def test_what_cannot_be_is_one_line(
    tmp_path: Path, options: tuple[str, ...], environment: dict[str, str], code: int, words: str
) -> None:
    free = ("--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0")
    refused, complaint = refusal(tmp_path / "station", *free, *options, **environment)
    assert refused == code
    assert words in complaint
    assert "hunter2" not in complaint


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "station").write_text("")
    code, complaint = refusal(tmp_path / "station", "--http", "127.0.0.1:0")
    assert code == 1 and "is no folder to write to" in complaint


def test_a_broker_that_refuses_is_told_and_the_pages_are_there(tmp_path: Path) -> None:
    url = "mqtt://station:hunter2@127.0.0.1:1"
    with Serving(tmp_path / "station", env=os.environ | {"NOISEWARDEN_BROKER": url}) as station:
        assert "boxes   broker 127.0.0.1:1" in station.said
        with Visitor(station) as anybody:
            assert anybody.get("/healthz").text.strip() == "ok"
        assert station.end(signal.SIGTERM) == 0
    complaint, end = station.complaints
    assert complaint.startswith("broker 127.0.0.1:1: ") and "tried again" in complaint
    assert end == "stopped" and "hunter2" not in complaint
