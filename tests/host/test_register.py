"""The register of boxes: who is admitted, what is kept of a secret; counters only rise."""

import dataclasses
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from noisewarden import mosquitto_password
from noisewarden.database import FILE, Database
from noisewarden.errors import UserError
from noisewarden.firmware import wire
from noisewarden.register import (
    Register,
    Registration,
    password,
    read_handover,
    write_handover,
)

SECRET, OTHER, THIRD = bytes(range(32)), bytes(range(1, 33)), bytes(range(2, 34))


def entry(secret: bytes = SECRET, **changes: str) -> Registration:
    about = {"box": "bagu-east-01", "place": "八股广场东", "board": "esp32-devkitc"}
    return Registration.of_secret(secret, **{**about, "serial": "240ac4000001", **changes})


@pytest.fixture
def register(tmp_path: Path):
    with Database.in_folder(tmp_path) as database:
        yield Register(database)


def test_what_was_added_is_there(register: Register) -> None:
    register.add(entry())
    register.add(entry(OTHER, box="another"))
    found = register.get("bagu-east-01")
    assert found and (found.place, found.board) == ("八股广场东", "esp32-devkitc")
    assert found.serial == "240ac4000001" and found.revoked_s is None and found.counter == 0
    assert found.command_key == wire.derive(SECRET, "command")
    assert found.journal_key == wire.derive(SECRET, "journal")
    assert found.former_journal_keys == ()
    assert [box.box for box in register.all()] == ["another", "bagu-east-01"]
    assert register.get("nobody") is None


@pytest.mark.parametrize(
    ("box", "offered", "admitted"),
    [
        ("bagu-east-01", password(SECRET), True),
        ("bagu-east-01", password(OTHER), False),
        ("bagu-east-01", password(SECRET)[:-1], False),
        ("bagu-east-01", "", False),
        ("bagu-east-01", "\ud800", False),
        ("another", password(SECRET), False),
        ("nobody", password(SECRET), False),
    ],
)
def test_who_is_admitted(register: Register, box: str, offered: str, admitted: bool) -> None:
    register.add(entry())
    register.add(entry(OTHER, box="another"))
    assert register.admits(box, offered) is admitted


def test_a_revoked_box_is_out_until_it_is_provisioned_anew(register: Register) -> None:
    register.add(entry())
    assert register.admitted() == {"bagu-east-01"}
    register.revoke("bagu-east-01")
    assert register.admitted() == set()
    assert not register.admits("bagu-east-01", password(SECRET))
    register.add(entry(OTHER), replace=True)
    assert register.admitted() == {"bagu-east-01"}
    assert register.admits("bagu-east-01", password(OTHER))
    assert not register.admits("bagu-east-01", password(SECRET))


def test_mosquitto_is_told_who_is_admitted_and_by_which_password(register: Register) -> None:
    for box in ("another", "bagu-east-01"):
        register.add(entry(box=box))
    register.revoke("another")
    first = register.mosquitto_passwords()
    assert list(first) == ["bagu-east-01"]
    register.add(entry(OTHER), replace=True)
    assert register.mosquitto_passwords() != first


def test_an_id_that_is_taken_is_not_taken_over(register: Register) -> None:
    register.add(entry())
    with pytest.raises(UserError, match="is in the register, as the box with serial 240ac4000001"):
        register.add(entry(OTHER, serial="240ac4000002"))
    assert register.admits("bagu-east-01", password(SECRET))


def test_old_journal_keys_stay_for_old_records(register: Register) -> None:
    register.add(entry())
    for secret in (OTHER, THIRD, THIRD):
        register.add(entry(secret, place="moved"), replace=True)
    found = register.get("bagu-east-01")
    assert found and found.place == "moved"
    assert found.journal_key == wire.derive(THIRD, "journal")
    assert found.former_journal_keys == (
        wire.derive(OTHER, "journal"),
        wire.derive(SECRET, "journal"),
    )
    signed = wire.Key(wire.derive(SECRET, "journal")).sign(b"record")
    assert [key.sign(b"record") == signed for key in found.journal_keys] == [False, False, True]


def test_a_counter_rises_by_one_and_goes_on(tmp_path: Path) -> None:
    with Database.in_folder(tmp_path) as database:
        register = Register(database)
        register.add(entry())
        assert [register.next_counter("bagu-east-01") for _ in range(3)] == [1, 2, 3]
        register.add(entry(OTHER), replace=True)
    with Database.in_folder(tmp_path) as database:
        assert Register(database).next_counter("bagu-east-01") == 4


def test_no_counter_is_given_twice(tmp_path: Path) -> None:
    with Database.in_folder(tmp_path) as one, Database.in_folder(tmp_path) as two:
        Register(one).add(entry())
        with ThreadPoolExecutor(4) as pool:
            given = [
                pool.submit(Register(database).next_counter, "bagu-east-01")
                for database in (one, two) * 20
            ]
        assert sorted(ask.result() for ask in given) == list(range(1, 41))


@pytest.mark.parametrize("ask", [Register.revoke, Register.next_counter])
def test_a_box_that_is_not_there(register: Register, ask: Any) -> None:
    with pytest.raises(UserError, match="nobody: is not in the register; provision it"):
        ask(register, "nobody")


def test_neither_secret_nor_password_is_kept_or_shown(tmp_path: Path) -> None:
    with Database.in_folder(tmp_path) as database:
        Register(database).add(entry())
        shown = repr(Register(database).get("bagu-east-01")) + repr(entry())
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"bagu-east-01" in kept
    for secret in (SECRET, wire.derive(SECRET, "mqtt")):
        assert secret not in kept and secret.hex().encode() not in kept
        assert secret.hex() not in shown and repr(secret)[2:-1] not in shown
    assert wire.derive(SECRET, "journal").hex() not in shown and "bagu-east-01" in shown
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


# The handover.


def test_a_handover_is_taken_in_at_the_station(register: Register, tmp_path: Path) -> None:
    path = tmp_path / "box.handover"
    write_handover(path, entry())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SECRET.hex() not in path.read_text() and password(SECRET) not in path.read_text()
    found = register.import_handover(path)
    assert found == entry() and found.mosquitto
    assert register.mosquitto_passwords() == {"bagu-east-01": found.mosquitto}
    assert register.admits("bagu-east-01", password(SECRET))
    with pytest.raises(UserError, match="is in the register"):
        register.import_handover(path)
    register.import_handover(path, replace=True)


def test_a_handover_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "box.handover"
    path.write_text("mine")
    with pytest.raises(UserError, match="cannot be made"):
        write_handover(path, entry())
    assert path.read_text() == "mine"


def spoilt(**changes: Any) -> str:
    good = {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in dataclasses.asdict(entry()).items()
    }
    return json.dumps(good | changes)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        "\ud800",
        spoilt(box="Not a slug"),
        spoilt(box=7),
        spoilt(place="x" * 61),
        spoilt(command_key="00"),
        spoilt(journal_key=None),
        spoilt(password_sha256="x" * 64),
        spoilt(mosquitto=7),
        spoilt(mosquitto=mosquitto_password.hashed("x") + "\nother:line"),
        spoilt(mosquitto="$7$101$AAAA$AAAA"),
    ],
)
def test_what_is_no_handover(register: Register, tmp_path: Path, content: str) -> None:
    path = tmp_path / "box.handover"
    path.write_bytes(content.encode(errors="surrogatepass"))
    with pytest.raises(UserError, match="is no handover of a box") as end:
        register.import_handover(path)
    assert end.value.__cause__ is None and "\n" not in str(end.value)
    assert register.all() == []


def test_a_handover_of_before_mosquitto_is_taken_in(register: Register, tmp_path: Path) -> None:
    path = tmp_path / "box.handover"
    path.write_text(spoilt(mosquitto=None))
    register.import_handover(path)
    content = json.loads(path.read_text())
    del content["mosquitto"]
    path.write_text(json.dumps(content))
    register.import_handover(path, replace=True)
    assert register.mosquitto_passwords() == {"bagu-east-01": None}


def test_a_handover_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_handover(tmp_path / "nothing")
