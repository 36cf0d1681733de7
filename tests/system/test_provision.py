"""Provisioning a virtual box with the real mpremote and ampy: what each side then has, and what no
one sees."""

import contextlib
import functools
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from noisewarden import boards, firmware
from noisewarden.bench import manifest, provision
from noisewarden.bench.deploy import Deployment
from noisewarden.bench.tools import TOOLS, ToolFailed
from noisewarden.database import Database
from noisewarden.firmware import evidence, wire
from noisewarden.register import Register, password
from noisewarden.schema import BROKEN
from noisewarden.station.audit import Audit
from noisewarden.station.authority import Authority
from noisewarden.store import Store
from noisewarden.virtual.supervisor import VirtualBox
from system.boxes import JOURNAL_KEY, PATIENCE_S, Bench, put, tones, until
from system.halting import halt_at

pytest_plugins = ["postgres"]

BOARD = boards.load("virtual")
PROVISION = [sys.executable, "-c", "from noisewarden.cli import main; main()", "provision"]
WIFI_PASSWORD = "correct horse battery"
CONFIG, NETWORK, CA, SECRET = provision.OWN
OLD = {
    CONFIG: json.dumps(
        {"box": "bagu-east-01", "place": "old", "display": {"mode": "bar"}}
    ).encode(),
    NETWORK: b'{"ssid": "Old", "password": "", "station": "10.0.0.1"}',
    CA: b"old",
    SECRET: bytes(range(32)),
}
"""What a box was provisioned with before."""
ERASE = """
import machine, os
machine.WDT(timeout=30 * 60 * 1000)
for name in os.listdir("journal"):
    os.remove("journal/" + name)
os.remove("secret.bin")
"""
KEPT = {"calibration.json": b'{"kept": true}', "counter.bin": b"kept"}
OLD_KEY = wire.Key(wire.derive(OLD[SECRET], "journal"))


@functools.cache
def program() -> manifest.Files:
    """The firmware as a deploy leaves it."""
    files = manifest.bundle(BOARD)
    return files | {manifest.MANIFEST: manifest.manifest(files)}


@contextmanager
def box_with(state: Path, files: manifest.Files) -> Iterator[VirtualBox]:
    """A box that has these files, and has said something."""
    put(state, files)
    with VirtualBox(state, tones((1, 60)), board=boards.for_box(BOARD)) as box:
        with Bench(box.port) as bench:
            bench.next("reading")
        yield box


@pytest.fixture
def new(tmp_path: Path) -> Iterator[VirtualBox]:
    """A box to which the firmware was deployed."""
    with box_with(tmp_path, program()) as box:
        yield box


@pytest.fixture
def used(tmp_path: Path) -> Iterator[VirtualBox]:
    """One that was provisioned before."""
    with box_with(tmp_path, program() | OLD | KEPT) as box:
        yield box


def arguments(port: VirtualBox | str, state: Path, /, *more: str, **changes: Any) -> list[str]:
    """Of a usual call; a change to None leaves an option out."""
    options = {
        "port": port if isinstance(port, str) else port.port,
        "board": "virtual",
        "box": "bagu-east-01",
        "place": "八股广场东",
        "wifi": "Square",
        "wifi_password_file": "-",
        "station": "10.0.0.2",
        "data": state / "data",
        "label": state / "label",
        **changes,
    }
    words = [
        word
        for name, value in options.items()
        if value is not None
        for word in ("--" + name.replace("_", "-"), str(value))
    ]
    return [*words, *more]


def start(state: Path, *words: str) -> subprocess.Popen[str]:
    (state / "tmp").mkdir(exist_ok=True)
    return subprocess.Popen(
        [*PROVISION, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(state / "tmp")},
    )


def run(state: Path, *words: str, password: str = WIFI_PASSWORD) -> tuple[int, str, str]:
    """Exit code, output and errors of `noisewarden provision`."""
    process = start(state, *words)
    output, errors = process.communicate(password + "\n", timeout=PATIENCE_S)
    return process.returncode, output, errors


def done(box: VirtualBox, state: Path, /, *more: str, **changes: Any) -> dict[str, Any]:
    """What a call that succeeds reports."""
    code, output, errors = run(state, *arguments(box, state, "--json", *more, **changes))
    assert (code, errors) == (0, "")
    return json.loads(output)


def own(state: Path) -> manifest.Files:
    """What a box has of its provisioning."""
    paths = [state / "flash" / path for path in provision.OWN]
    return {path.name: path.read_bytes() for path in paths if path.exists()}


def entries(state: Path) -> list[tuple]:
    """Of the journal on a box's flash, oldest first."""

    def path(name: str) -> Path:
        return state / "flash" / name

    files = SimpleNamespace(
        open=lambda name, mode: path(name).open(mode),
        listdir=lambda name: os.listdir(path(name)),
        mkdir=lambda name: path(name).mkdir(),
        remove=lambda name: path(name).unlink(),
    )
    return list(firmware.journal.Journal(files, "journal", JOURNAL_KEY).read(1, 10_000))


def records(state: Path) -> list[dict[str, Any]]:
    return [evidence.unpack(entry[1]) for entry in entries(state)]


# What each side then has.


def test_a_new_box_and_its_station_know_each_other(new: VirtualBox, tmp_path: Path) -> None:
    report = done(new, tmp_path, "--limit-day", "65", "--limit-night", "50", zone="CST-8")
    assert (report["box"], report["station"]) == ("bagu-east-01", "10.0.0.2:8883")
    with Bench(new.port) as bench:
        bench.next("reading")
        new.cut_power()
        assert bench.next("state")["place"] == "八股广场东"
        assert bench.next("reading")["limit"] == 65  # without a clock the highest holds
    files = own(tmp_path)
    config = json.loads(files[CONFIG])
    assert (config["box"], config["zone"]) == ("bagu-east-01", "CST-8")
    assert [row["limit"] for row in config["schedule"]["rows"]] == [65, 50]
    assert json.loads(files[NETWORK]) == {
        "ssid": "Square",
        "password": WIFI_PASSWORD,
        "station": "10.0.0.2",
        "port": 8883,
    }
    assert files[CA] == Authority.in_folder(tmp_path / "data").ca_der
    with Database.in_folder(tmp_path / "data") as database:
        register = Register(database)
        assert register.admits("bagu-east-01", password(files[SECRET]))
        found = register.get("bagu-east-01")
        [entry] = Audit(database).entries()
    assert (entry.action, entry.about, entry.detail) == (
        "admit box",
        "bagu-east-01",
        report["serial"],
    )
    assert found and (found.board, found.serial) == ("virtual", report["serial"])
    assert found.command_key == wire.derive(files[SECRET], "command")


def test_a_box_that_is_provisioned_again_keeps_what_is_its_own(
    used: VirtualBox, tmp_path: Path
) -> None:
    done(used, tmp_path, place="new")
    files = own(tmp_path)
    assert json.loads(files[CONFIG]) == {
        "box": "bagu-east-01",
        "place": "new",
        "display": {"mode": "bar"},
    }
    assert all(files[path] != OLD[path] for path in provision.OWN)
    assert {path: (tmp_path / "flash" / path).read_bytes() for path in KEPT} == KEPT


def test_the_chain_goes_on_under_the_new_key(used: VirtualBox, tmp_path: Path) -> None:
    done(used, tmp_path)
    first = own(tmp_path)[SECRET]
    done(used, tmp_path)
    second = own(tmp_path)[SECRET]
    assert len({first, second, OLD[SECRET]}) == 3
    with Bench(used.port) as bench:
        bench.next("reading")
    told = records(tmp_path)
    assert [record["seq"] for record in told] == list(range(1, len(told) + 1))
    assert [record["text"] for record in told if "journal" in record.get("text", "")] == []
    changes = [record for record in told if record["kind"] == "config"]
    assert [record["change"] for record in changes] == ["provisioned as bagu-east-01"] * 2
    assert all(record["quality"] == 2 for record in changes)
    with Database.in_folder(tmp_path / "data") as database:
        found = Register(database).get("bagu-east-01")
    assert found
    keys = (*found.journal_keys, OLD_KEY)
    chain = entries(tmp_path)
    signed = [
        next(n for n, key in enumerate(keys) if key.sign(previous, data) == mac)
        for _, data, mac, previous in chain
    ]
    assert signed == sorted(signed, reverse=True) and set(signed) == {0, 1, 2}
    assert [entry[3] for entry in chain[1:]] == [entry[2] for entry in chain[:-1]]


@pytest.mark.parametrize("ran", [False, True], ids=["at once", "after it ran as new"])
def test_a_box_that_was_erased_goes_on_behind_what_its_station_has(
    used: VirtualBox, tmp_path: Path, ran: bool
) -> None:
    done(used, tmp_path)
    with Bench(used.port) as bench:
        bench.next("reading")
    with Database.in_folder(tmp_path / "data") as database:
        store, register = Store(database), Register(database)
        before = [(entry, entry[0] - 1) for entry in entries(tmp_path)]
        store.intake("bagu-east-01", before)
        tool = TOOLS["mpremote"](used.port)
        tool.run(ERASE)  # and no app writes another journal
        if ran:
            tool.restart()
            with Bench(used.port) as bench:
                bench.next("reading")
        done(used, tmp_path)
        with Bench(used.port) as bench:
            bench.next("reading")
        after = entries(tmp_path)
        assert after[0][0] == before[-1][0][0] + 2
        keys = register.get("bagu-east-01").journal_keys
        arrivals = list(zip(after, [0, *(entry[0] for entry in after)], strict=False))
        taken = store.intake("bagu-east-01", arrivals, keys[0])
        assert (taken.new, taken.conflicts) == (len(after), 0)
        assert store.chain("bagu-east-01")[BROKEN] == 0


def test_a_station_on_a_server_learns_of_the_box_there(
    new: VirtualBox, tmp_path: Path, postgresql_url: Any
) -> None:
    authority = Authority.in_folder(tmp_path / "data")
    done(new, tmp_path, database=postgresql_url.render_as_string())
    files = own(tmp_path)
    assert files[CA] == authority.ca_der
    with Database(postgresql_url) as database:
        assert Register(database).admits("bagu-east-01", password(files[SECRET]))
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["authority"]


def test_a_station_that_is_elsewhere_gets_a_handover(new: VirtualBox, tmp_path: Path) -> None:
    station = Authority.in_folder(tmp_path / "station")
    (tmp_path / "ca.pem").write_bytes(station.ca_pem)
    handover = tmp_path / "box.handover"
    report = done(new, tmp_path, data=None, ca=tmp_path / "ca.pem", handover=handover)
    assert report["handover"] == str(handover)
    assert stat.S_IMODE(handover.stat().st_mode) == 0o600
    files = own(tmp_path)
    assert files[CA] == station.ca_der
    with Database.in_memory() as database:
        register = Register(database)
        register.import_handover(handover)
        assert register.admits("bagu-east-01", password(files[SECRET]))


def test_a_box_that_stays_on_usb(used: VirtualBox, tmp_path: Path) -> None:
    done(used, tmp_path, "--no-wifi", wifi=None, wifi_password_file=None, station=None)
    files = own(tmp_path)
    assert set(files) == {CONFIG, SECRET} and files[SECRET] != OLD[SECRET]
    with Database.in_folder(tmp_path / "data") as database:
        assert Register(database).get("bagu-east-01")


def test_the_firmware_is_whole_and_the_next_deploy_sends_nothing(
    new: VirtualBox, tmp_path: Path
) -> None:
    done(new, tmp_path)
    files = {path: content for path, content in program().items() if path != manifest.MANIFEST}
    report = Deployment(TOOLS["mpremote"](new.port), BOARD, files).run()
    assert report.sent == report.removed == [] and report.box == "bagu-east-01"


# Nothing of it is seen.


class Watch(threading.Thread):
    """Looks at what a process and its children show to all, and leave about, until it ends."""

    def __init__(self, pid: int, folder: Path) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.modes: set[int] = set()
        self._pid = pid
        self._folder = folder
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.002):
            for pid in self._family(self._pid):
                for name in ("cmdline", "environ"):
                    try:
                        self.seen.add(Path(f"/proc/{pid}/{name}").read_bytes())
                    except OSError:
                        continue
            for path in self._folder.glob("noisewarden-*"):
                try:
                    self.modes.add(stat.S_IMODE(path.stat().st_mode))
                except OSError:
                    continue

    def _family(self, pid: int) -> Iterator[int]:
        yield pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return
        for child in children:
            yield from self._family(int(child))


@pytest.mark.parametrize("tool", TOOLS)
def test_no_secret_is_shown_logged_or_left(used: VirtualBox, tmp_path: Path, tool: str) -> None:
    process = start(tmp_path, *arguments(used, tmp_path, tool=tool))
    watch = Watch(process.pid, tmp_path / "tmp")
    watch.start()
    output, errors = process.communicate(WIFI_PASSWORD + "\n", timeout=PATIENCE_S)
    watch.ended.set()
    watch.join()
    assert process.returncode == 0, errors
    assert any(TOOLS[tool].module.encode() in line for line in watch.seen), "nothing was seen"
    assert watch.modes == {0o700}
    with Bench(used.port) as bench:
        bench.next("reading")
        said = "\n".join(bench.text) + json.dumps(bench.messages)
    secret = own(tmp_path)[SECRET]
    hidden = [WIFI_PASSWORD.encode()]
    for key in (secret, *(wire.derive(secret, use) for use in ("mqtt", "command", "journal"))):
        hidden += [key, key.hex().encode(), repr(key)[2:-1].encode()]
    shown = b"\n".join([*watch.seen, output.encode(), errors.encode(), said.encode()])
    shown += b"".join(path.read_bytes() for path in (tmp_path / "label").iterdir())
    assert [text for text in hidden if text in shown] == []
    assert list((tmp_path / "tmp").iterdir()) == []
    station = b"".join(
        path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()
    )
    assert b"bagu-east-01" in station
    assert [text for text in hidden[:7] if text in station] == []


def test_the_password_of_the_wifi_is_asked_without_echo(tmp_path: Path) -> None:
    terminal, computer = os.openpty()
    words = arguments("/dev/ttyUSB9", tmp_path, wifi_password_file=None)
    process = subprocess.Popen(
        [*PROVISION, *words],
        stdin=computer,
        stdout=computer,
        stderr=computer,
        start_new_session=True,
    )
    os.close(computer)
    with open(terminal, "r+b", buffering=0) as screen:
        seen = b""
        while b"Password of Square" not in seen:
            seen += screen.read(1000)
        screen.write(WIFI_PASSWORD.encode() + b"\n")
        with contextlib.suppress(OSError):  # Linux says so when the last program has gone
            while more := screen.read(1000):
                seen += more
    assert process.wait(timeout=PATIENCE_S) == 1
    assert b"/dev/ttyUSB9: no such port" in seen
    assert WIFI_PASSWORD.encode() not in seen


# Interruptions.

CUT = '\nraise ValueError("cut")\n'

CUT_IN_RENAMES = """
class Cut:
    left = %d
    def __getattr__(self, name):
        return getattr(real, name)
    def rename(self, old, new):
        if not self.left:
            raise ValueError("cut")
        self.left -= 1
        real.rename(old, new)
real, os = os, Cut()
"""
"""Before the install script: what it does ends instead of the rename of this number."""

CUTS = {
    "before it begins": lambda script: CUT + script,
    "before the journal": lambda script: script.replace("\nhand_on()", CUT),
    "after the journal": lambda script: script.replace("\nhand_on()", "\nhand_on()" + CUT),
} | {f"rename {n}": lambda script, n=n: CUT_IN_RENAMES % n + script for n in (0, 2, 4, 5)}


@pytest.mark.parametrize("cut", CUTS)
def test_a_power_cut_leaves_the_old_set_or_the_new_one(
    used: VirtualBox, tmp_path: Path, monkeypatch, cut: str
) -> None:
    monkeypatch.setattr(provision, "_INSTALL", CUTS[cut](provision._INSTALL))
    network = {"ssid": "Square", "password": WIFI_PASSWORD, "station": "10.0.0.2", "port": 8883}
    wishes = provision.Wishes({"box": "new-id", "place": "new"}, network, b"new", b"n" * 32)
    work = provision.Provisioning(TOOLS["mpremote"](used.port), "virtual", wishes)
    work.look()
    with pytest.raises(ToolFailed, match="again"):
        work.install()
    with Bench(used.port) as bench:
        used.cut_power()
        bench.next("reading")
    files = own(tmp_path)
    if cut == "before it begins":
        assert files == OLD
    else:
        assert json.loads(files[CONFIG])["box"] == "new-id" and files[SECRET] == b"n" * 32
        assert files[CA] == b"new" and json.loads(files[NETWORK]) == network
    monkeypatch.undo()
    done(used, tmp_path)
    assert (tmp_path / "flash/manifest").read_bytes() == program()[manifest.MANIFEST]


def test_ctrl_c_says_how_the_box_stands_and_starts_it(
    used: VirtualBox, tmp_path: Path, monkeypatch
) -> None:
    next_config = tmp_path / "flash/next" / CONFIG
    order = halt_at(next_config, signal.SIGSTOP, tmp_path / "halting", monkeypatch)
    process = start(tmp_path, *arguments(used, tmp_path))
    assert process.stdin
    process.stdin.write(WIFI_PASSWORD + "\n")
    process.stdin.flush()
    until(lambda: not order.exists(), lambda: "nothing is sent")
    os.kill(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, output) == (130, "")
    assert errors == (
        f"{used.port}: stopped; the box is as it was; provision it again to go on "
        "(it was started again)\n"
    )
    with Bench(used.port) as bench:
        bench.next("reading")
    assert own(tmp_path) == OLD
    with Database.in_folder(tmp_path / "data") as database:
        assert Register(database).all() == []


# Refusals.


@pytest.mark.parametrize(
    ("changes", "password", "words"),
    [
        ({"box": "Bagu East"}, "", "box: 'Bagu East' is not 1 to 32 of a-z, 0-9 and -"),
        ({"box": "x" * 33}, "", "is not 1 to 32"),
        ({"place": "x" * 61}, "", "place: .* is not a text of at most 60 characters"),
        ({"place": "\u3000"}, "", "place: is empty"),
        ({"zone": "Chongqing/China/Asia"}, "", "zone: "),
        ({"wifi": "x" * 33}, "", "ssid: is not 1 to 32 bytes of text"),
        ({}, "short", "password: is neither empty nor 8 to 63 characters of ASCII"),
        ({}, "密码" * 5, "password: is neither empty"),
        ({"station": "bad host"}, "", "station: is not a host name or an IPv4 address"),
        ({"station": "host:0"}, "", "port: is not a whole number from 1 to 65535"),
        ({"station": "host:mqtt"}, "", "port: is not a whole number"),
        ({"data": None, "handover": "h", "ca": __file__}, "", "is no certificate of a station's"),
        ({"board": "esp32"}, "", "esp32"),
        ({"database": "sqlite:///none"}, "", "data: has no authority; name the data folder"),
    ],
)
def test_a_wrong_wish_is_told_before_the_box_is_touched(
    tmp_path: Path, changes: dict[str, Any], password: str, words: str
) -> None:
    code, output, errors = run(
        tmp_path, *arguments("/dev/null/none", tmp_path, **changes), password=password
    )
    assert (code, output, errors.count("\n")) == (1, "", 1), errors
    assert re.search(words, errors), errors
    assert password == "" or password not in errors


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"wifi": None}, "--wifi SSID, or --no-wifi"),
        ({"data": None}, "--data DIR for a station here, else --handover FILE"),
        ({"data": None, "handover": "h", "database": "sqlite://"}, "--database goes with --data"),
        ({"station": None}, "--wifi and --station go together"),
        ({"ca": "ca.pem"}, "--ca is for --wifi with --handover"),
        ({"place": "two\nlines"}, "is not text on one line"),
        ({"limit_day": 60}, "--limit-day and --limit-night go together"),
    ],
)
def test_wrong_use(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    code, output, errors = run(tmp_path, *arguments("/dev/ttyUSB9", tmp_path, **changes))
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert words in errors


@pytest.mark.parametrize(
    ("files", "changes", "words"),
    [
        ({manifest.MANIFEST: b""}, {}, "has no firmware, or not all of it; deploy first"),
        ({"noisebox/zone.mpy": b"M"}, {}, "has no firmware, or not all of it; deploy first"),
        ({}, {"board": "esp32-devkitc"}, "was deployed as virtual, not esp32-devkitc"),
        ({}, {"handover": "{state}/there", "data": None}, "there: is no new file in a folder"),
    ],
    ids=["no manifest", "a damaged file", "another board", "a handover that is there"],
)
def test_a_box_that_cannot_be_provisioned_goes_on_as_it_was(
    tmp_path: Path, files: manifest.Files, changes: dict[str, Any], words: str
) -> None:
    (tmp_path / "there").touch()
    (tmp_path / "ca.pem").write_bytes(Authority.in_folder(tmp_path / "ca").ca_pem)
    changes = {name: value and value.format(state=tmp_path) for name, value in changes.items()}
    if "handover" in changes:
        changes["ca"] = tmp_path / "ca.pem"
    with box_with(tmp_path, program() | OLD) as box:
        put(tmp_path, files)
        code, output, errors = run(tmp_path, *arguments(box, tmp_path, **changes))
        assert (code, output, errors.count("\n")) == (1, "", 1), errors
        assert words in errors
        assert own(tmp_path) == OLD
        if "noisebox/zone.mpy" not in files:
            with Bench(box.port) as bench:
                bench.next("reading")


def test_a_handover_that_fails_at_last_tells_how_the_box_stands(
    new: VirtualBox, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_bytes(Authority.in_folder(tmp_path / "ca").ca_pem)
    words = arguments(
        new, tmp_path, data=None, ca=tmp_path / "ca.pem", handover="/proc/box.handover"
    )
    code, output, errors = run(tmp_path, *words)
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert "/proc/box.handover: cannot be made" in errors
    assert "the box has all that is new, but its station does not know it yet" in errors


def test_an_id_of_another_chip_is_not_taken_over_unasked(new: VirtualBox, tmp_path: Path) -> None:
    done(new, tmp_path)
    before = own(tmp_path)
    (tmp_path / "other").mkdir()
    with box_with(tmp_path / "other", program()) as other:
        words = arguments(other, tmp_path)
        code, _, errors = run(tmp_path, *words)
        assert code == 1 and "choose another id, or say --replace if it takes its place" in errors
        assert own(tmp_path / "other") == {}
        assert run(tmp_path, *words, "--replace")[0] == 0
    with Database.in_folder(tmp_path / "data") as database:
        assert not Register(database).admits("bagu-east-01", password(before[SECRET]))
