"""The register: which boxes may speak to this station, and the keys that they share with it.

A box has one secret; the station has what comes of it (`wire.derive`) and never the secret. Of the
password at the broker it keeps the SHA-256: 256 random bits need no slow hash. Beside it stands
the hash by which an external Mosquitto knows the box.
"""

import hashlib
import hmac
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from noisewarden.database import Database, Noted, alone, unnoted
from noisewarden.errors import UserError
from noisewarden.firmware import wire
from noisewarden.mosquitto_password import checked, hashed
from noisewarden.schema import register

KEY_BYTES = 32

_TEXTS = ("box", "place", "board", "serial")
_KEYS = ("password_sha256", "command_key", "journal_key")
_COLUMNS = tuple(register.c.keys())
_NOBODY = bytes(hashlib.sha256().digest_size)
"""What no password has the SHA-256 of."""


@dataclass(frozen=True)
class Registration:
    """What a station must know of a box.

    serial     of the chip, in hex
    mosquitto  its password as `mosquitto_password` makes it; None for a box that was provisioned
               before there was one
    """

    box: str
    place: str
    board: str
    serial: str
    password_sha256: bytes = field(repr=False)
    command_key: bytes = field(repr=False)
    journal_key: bytes = field(repr=False)
    mosquitto: str | None = field(repr=False, compare=False)

    @classmethod
    def of_secret(
        cls, secret: bytes, *, box: str, place: str, board: str, serial: str
    ) -> "Registration":
        """That of a box with this 32-byte secret."""
        return cls(
            box,
            place,
            board,
            serial,
            password_sha256=_sha256(password(secret)),
            command_key=wire.derive(secret, "command"),
            journal_key=wire.derive(secret, "journal"),
            mosquitto=hashed(password(secret)),
        )


@dataclass(frozen=True)
class Registered(Registration):
    """A box in the register.

    former_journal_keys   of records from before its secret was changed, the latest key first
    counter               of the last command that was signed for it
    added_s, revoked_s    unix time; revoked_s is None while the box is admitted
    """

    former_journal_keys: tuple[bytes, ...] = field(repr=False)
    counter: int
    added_s: int
    revoked_s: int | None

    @property
    def journal_keys(self) -> tuple[Any, ...]:
        """The `wire.Key`s of its records, the one in use first."""
        return tuple(map(wire.Key, (self.journal_key, *self.former_journal_keys)))


class Register:
    """Each method is one transaction, `noted` a part of it. UserError when the database
    refuses."""

    def __init__(self, database: Database) -> None:
        self._transaction = database.transaction
        self._reading = database.reading

    def add(self, entry: Registration, *, replace: bool = False, noted: Noted = unnoted) -> None:
        """Takes a box in. UserError when its id is there, unless `replace`: then it is admitted
        again with its new keys, and the journal keys that it had stay for its old records.

        The counter goes on, so that no box need forget it.
        """
        c = register.c
        row = {name: getattr(entry, name) for name in (*_TEXTS, *_KEYS, "mosquitto")}
        row |= {"added_s": int(time.time()), "revoked_s": None}
        with self._transaction() as connection:
            alone(connection, register)
            noted(connection)
            known = connection.execute(
                sql.select(c.serial, c.journal_key).where(c.box == entry.box)
            ).first()
            if not known:
                connection.execute(sql.insert(register).values(row | {"counter": 0}))
                return
            if not replace:
                raise UserError(
                    f"{entry.box}: is in the register, as the box with serial {known.serial}; "
                    "choose another id, or replace that one"
                )
            former = [key for key in _split(known.journal_key) if key != entry.journal_key]
            row["journal_key"] = b"".join((entry.journal_key, *former))
            connection.execute(sql.update(register).where(c.box == entry.box).values(row))

    def get(self, box: str) -> Registered | None:
        query = sql.select(register).where(register.c.box == box)
        with self._reading() as connection:
            row = connection.execute(query).first()
        return _registered(row) if row else None

    def all(self) -> list[Registered]:
        """In the order of their ids, the revoked too."""
        query = sql.select(register).order_by(register.c.box)
        with self._reading() as connection:
            return [_registered(row) for row in connection.execute(query)]

    def revoke(self, box: str, noted: Noted = unnoted) -> None:
        """Admits a box no more; what it sent stays. UserError when there is none of that id."""
        c = register.c
        with self._transaction() as connection:
            done = connection.execute(
                sql.update(register)
                .where(c.box == box)
                .values(revoked_s=sql.func.coalesce(c.revoked_s, int(time.time())))
                .returning(c.box)
            ).first()
            if not done:
                raise _unknown(box)
            noted(connection)

    def admits(self, box: str, password: str) -> bool:
        """Whether this is the password of a box that is not revoked.

        Takes as long for one that is not there.
        """
        c = register.c
        query = sql.select(c.password_sha256).where(c.box == box, c.revoked_s.is_(None))
        with self._reading() as connection:
            wanted = connection.scalar(query)
        return hmac.compare_digest(_sha256(password), wanted or _NOBODY)

    def admitted(self) -> set[str]:
        """The ids of all boxes that are not revoked, in one query however many there are."""
        query = sql.select(register.c.box).where(register.c.revoked_s.is_(None))
        with self._reading() as connection:
            return set(connection.scalars(query))

    def mosquitto_passwords(self) -> dict[str, str | None]:
        """By the ids of all boxes that are not revoked, in their order."""
        c = register.c
        query = sql.select(c.box, c.mosquitto).where(c.revoked_s.is_(None)).order_by(c.box)
        with self._reading() as connection:
            return {row.box: row.mosquitto for row in connection.execute(query)}

    def next_counter(self, box: str) -> int:
        """The number of the next command for a box: never given twice, not after a crash either.

        UserError when there is none of that id.
        """
        c = register.c
        with self._transaction() as connection:
            counter = connection.scalar(
                sql.update(register)
                .where(c.box == box)
                .values(counter=c.counter + 1)
                .returning(c.counter)
            )
        if counter is None:
            raise _unknown(box)
        return counter

    def import_handover(self, path: Path, *, replace: bool = False) -> Registration:
        """Takes in a box that was provisioned away from this station (`write_handover`).

        UserError when the file is none, or `add` refuses.
        """
        entry = read_handover(path)
        self.add(entry, replace=replace)
        return entry


def password(secret: bytes) -> str:
    """Of a box at the broker, 64 hex digits."""
    return wire.derive(secret, "mqtt").hex()


def write_handover(path: Path, entry: Registration) -> None:
    """A new file for `import_handover`, readable by its owner alone.

    It holds the keys of one box, not its secret. UserError when it cannot be made, or is there.
    """
    content = vars(entry) | {name: getattr(entry, name).hex() for name in _KEYS}
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, ensure_ascii=False)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise UserError(f"{path}: cannot be made ({error.strerror}); name a new file") from None


def read_handover(path: Path) -> Registration:
    """UserError when it is none; what is in it is never told."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entry = Registration(
            **{name: _text(content[name], register.c[name].type) for name in _TEXTS},
            **{name: _key(content[name]) for name in _KEYS},
            mosquitto=checked(content.get("mosquitto")),
        )
        if not wire.split_topic(wire.topic(entry.box, "state")):
            raise ValueError("no id of a box")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the name") from None
    except (ValueError, TypeError, LookupError, RecursionError):
        raise UserError(
            f"{path}: is no handover of a box; provision the box again with --handover"
        ) from None
    return entry


def _text(value: Any, column: Any) -> Any:
    if not isinstance(value, str) or len(value) > column.length:
        raise ValueError("no such text")
    return value


def _key(value: Any) -> Any:
    key = bytes.fromhex(value)
    if len(key) != KEY_BYTES:
        raise ValueError("no key")
    return key


def _sha256(password: str) -> bytes:
    return hashlib.sha256(password.encode(errors="replace")).digest()


def _split(keys: bytes) -> list[bytes]:
    """The journal keys of a row: 32 bytes each, the newest first."""
    return [keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)]


def _registered(row: sql.Row[Any]) -> Registered:
    newest, *former = _split(row.journal_key)
    # Once a second for all boxes: `_asdict` would look up the names of the columns for each row.
    columns: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True)) | {"journal_key": newest}
    return Registered(**columns, former_journal_keys=tuple(former))


def _unknown(box: str) -> UserError:
    return UserError(f"{box}: is not in the register; provision it")
