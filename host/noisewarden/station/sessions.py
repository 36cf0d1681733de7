"""What stands for a person: a browser's session, a machine's token, an invitation.

A token is 256 random bits, which only their bearer keeps: here is the SHA-256 of them, so that a
copied database opens nothing. (Random bits need no slow hash; a password does.)
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sql

from noisewarden.database import Database, DatabaseRefuses
from noisewarden.schema import people, tokens

SESSION, MACHINE, INVITATION = "session", "machine", "invitation"

SESSION_S = 12 * 3600
"""A shift; then the password is asked again."""
IDLE_S = 2 * 3600
"""A page that is open counts as looking at it, since its event stream is."""
_SEEN_EVERY_S = 60

SESSIONS_MOST = 10
"""Of one person; the one that was quiet longest ends."""


@dataclass(frozen=True)
class Session:
    """`csrf` comes with each change that a browser's session asks for; "" for a machine."""

    kind: str
    person: int
    name: str
    role: str
    csrf: str
    expires_s: int


@dataclass(frozen=True)
class MachineToken:
    """`id` names it without opening anything: the first half of its hash."""

    id: str
    label: str
    created_s: int
    seen_s: int
    expires_s: int


class Sessions:
    """Methods that take a connection are part of its transaction."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._transaction = database.transaction
        self._reading = database.reading
        self._now = now

    def begin(self, connection: sql.Connection, person: int) -> str:
        """A new session's token; what has expired, of anyone, is swept out."""
        t = tokens.c
        connection.execute(sql.delete(tokens).where(t.expires_s <= self._now()))
        quiet = (
            sql.select(t.sha256)
            .where(t.person == person, t.kind == SESSION)
            .order_by(t.seen_s.desc())
            .offset(SESSIONS_MOST - 1)
        )
        ended = list(connection.scalars(quiet))
        connection.execute(sql.delete(tokens).where(t.sha256.in_(ended)))
        return self._new(connection, person, SESSION, SESSION_S, csrf=secrets.token_urlsafe(24))

    def invite(self, connection: sql.Connection, person: int, seconds: int) -> str:
        """An invitation's token; one before it ends."""
        t = tokens.c
        connection.execute(sql.delete(tokens).where(t.person == person, t.kind == INVITATION))
        return self._new(connection, person, INVITATION, seconds)

    def issue(self, connection: sql.Connection, person: int, label: str, seconds: int) -> str:
        """A machine's token."""
        return self._new(connection, person, MACHINE, seconds, label=label)

    def find(self, token: str, kind: str) -> Session | None:
        """Who bears a token of this kind, when it and its person are in force."""
        t, p = tokens.c, people.c
        now_s = int(self._now())
        query = sql.select(t.person, p.name, p.role, t.csrf, t.expires_s, t.seen_s).where(
            t.sha256 == _hash(token),
            t.kind == kind,
            t.expires_s > now_s,
            p.id == t.person,
            p.disabled_s.is_(None),
        )
        if kind == SESSION:
            # Seen later than now: the clock was set back, and nobody knows how old it is.
            query = query.where(t.seen_s.between(now_s - IDLE_S + 1, now_s + _SEEN_EVERY_S))
        with self._reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        if row.seen_s <= now_s - _SEEN_EVERY_S:
            seen = sql.update(tokens).where(t.sha256 == _hash(token)).values(seen_s=now_s)
            # On a full disk whoever looks may look on, for as long as nobody seems to.
            with suppress(DatabaseRefuses), self._transaction() as connection:
                connection.execute(seen)
        return Session(kind, row.person, row.name, row.role, row.csrf, row.expires_s)

    def owner(self, connection: sql.Connection, token: str, kind: str) -> int | None:
        """Whose token of this kind it is, also when that person cannot log in yet."""
        t = tokens.c
        return connection.scalar(
            sql.select(t.person).where(
                t.sha256 == _hash(token), t.kind == kind, t.expires_s > self._now()
            )
        )

    def end(self, connection: sql.Connection, token: str) -> bool:
        """Takes a token away; False when it is gone already."""
        gone = sql.delete(tokens).where(tokens.c.sha256 == _hash(token))
        return connection.execute(gone).rowcount == 1

    def log_out(self, token: str) -> None:
        with self._transaction() as connection:
            self.end(connection, token)

    def end_all(
        self, connection: sql.Connection, person: int, *, but_machines: bool = False
    ) -> None:
        """Ends what stands for a person; `but_machines` leaves those their tokens."""
        gone = sql.delete(tokens).where(tokens.c.person == person)
        if but_machines:
            gone = gone.where(tokens.c.kind != MACHINE)
        connection.execute(gone)

    def machines(self, person: int) -> list[MachineToken]:
        t = tokens.c
        query = (
            sql.select(t.sha256, t.label, t.created_s, t.seen_s, t.expires_s)
            .where(t.person == person, t.kind == MACHINE)
            .order_by(t.created_s)
        )
        with self._reading() as connection:
            return [MachineToken(_id(row.sha256), *row[1:]) for row in connection.execute(query)]

    def revoke(self, connection: sql.Connection, token_id: str, person: int) -> str | None:
        """Takes a machine's token of `person` away by its id; its label, None for no such one."""
        t = tokens.c
        query = sql.select(t.sha256, t.label).where(t.person == person, t.kind == MACHINE)
        for sha256, label in connection.execute(query).all():
            if _id(sha256) == token_id:
                connection.execute(sql.delete(tokens).where(t.sha256 == sha256))
                return label
        return None

    def _new(
        self,
        connection: sql.Connection,
        person: int,
        kind: str,
        seconds: int,
        label: str = "",
        csrf: str = "",
    ) -> str:
        token = secrets.token_urlsafe(32)
        now_s = int(self._now())
        connection.execute(
            sql.insert(tokens).values(
                sha256=_hash(token),
                kind=kind,
                person=person,
                label=label,
                csrf=csrf,
                created_s=now_s,
                seen_s=now_s,
                expires_s=now_s + seconds,
            )
        )
        return token


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _id(sha256: bytes) -> str:
    return sha256[:16].hex()
