"""The people of a station: accounts, roles, passwords, and how an account comes to be (DESIGN 6).

Nobody has a password that somebody else knows: an account is opened by a link that works once,
and whoever follows it chooses the password. The first link is printed by the station's first
start. What stands for a person after that is in `sessions`.
"""

import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql

from noisewarden.database import Database, alone
from noisewarden.schema import people
from noisewarden.station import passwords
from noisewarden.station.audit import Audit, By
from noisewarden.station.passwords import Passwords
from noisewarden.station.refusals import Refused
from noisewarden.station.sessions import INVITATION, Sessions

ROLES = ("viewer", "officer", "technician", "administrator")
"""Each may do what those before it may."""
VIEWER, OFFICER, TECHNICIAN, ADMINISTRATOR = ROLES

NAME_MOST_CHARS = 60
INVITATION_S = 3 * 24 * 3600


@dataclass(frozen=True)
class Person:
    """`ready`: has a password. `disabled_s`: since when the account is shut, None for open."""

    id: int
    name: str
    role: str
    ready: bool
    created_s: int
    disabled_s: int | None

    def may(self, role: str) -> bool:
        """Whether this person has `role` or a higher one."""
        return ROLES.index(self.role) >= ROLES.index(role)


class People:
    """Of several threads. Refused for what a person can cause, UserError from the database."""

    def __init__(
        self, database: Database, audit: Audit, now: Callable[[], float] = time.time
    ) -> None:
        self._transaction = database.transaction
        self._reading = database.reading
        self._audit = audit
        self._now = now
        self._passwords = Passwords()
        self.sessions = Sessions(database, now)

    # How accounts come to be.

    def setup_link(self) -> str | None:
        """The path and fragment of the first administrator's link; None when there is one.

        Each call makes a new link and ends the one before.
        """
        with self._transaction() as connection:
            if _administrators(connection):
                return None
            someone = connection.scalar(sql.select(people.c.id).where(people.c.name == ""))
            if someone is None:
                someone = self._add(connection, "", ADMINISTRATOR)
            return self._link(connection, someone)

    def invite(self, by: By, name: str, role: str) -> tuple[Person, str]:
        """Opens an account; the person, and the link that lets her choose a password."""
        name = _checked_name(name)
        with self._transaction() as connection:
            alone(connection, people)
            self._claim(connection, name)
            person = self._add(connection, name, _checked_role(role))
            self._audit.note(by, "invite", name, role, connection)
            return _person(connection, person), self._link(connection, person)

    def invite_again(self, by: By, person: int) -> str:
        """A new link for a forgotten password. The old password and all sessions end now."""
        with self._transaction() as connection:
            alone(connection, people)
            name = _person(connection, person).name
            connection.execute(
                sql.update(people).where(people.c.id == person).values(password=None)
            )
            self._keep_an_administrator(connection)
            self.sessions.end_all(connection, person)
            self._audit.note(by, "invite again", name, connection=connection)
            return self._link(connection, person)

    def recovery_link(self, name: str) -> str:
        """A new link for somebody whom nobody can invite again: for the station's own console.

        The old password and all sessions hold until the link is followed. Refused when there is no
        such account.
        """
        with self._transaction() as connection:
            person = connection.scalar(sql.select(people.c.id).where(people.c.name == name))
            if person is None:
                raise Refused("unknown", f"{name}: no such account; check the spelling")
            self._audit.note(By(), "recovery link", name, connection=connection)
            return self._link(connection, person)

    def invited(self, token: str) -> Person:
        """Whom a link invites; her name is "" when she is to choose it."""
        with self._reading() as connection:
            person = self.sessions.owner(connection, token, INVITATION)
            if person is None:
                raise _used_up()
            return _person(connection, person)

    def accept(self, token: str, name: str, password: str, address: str) -> Person:
        """Follows a link, once. `name` counts for the first administrator, who has none yet."""
        invited = self.invited(token)
        name = invited.name or _checked_name(name)
        hashed = self._passwords.hash(passwords.checked(password, name))
        with self._transaction() as connection:
            alone(connection, people)
            # Whoever takes the token away first has it; all else follows from that.
            if not self.sessions.end(connection, token):
                raise _used_up()
            self.sessions.end_all(connection, invited.id, but_machines=True)
            if not invited.name:
                self._claim(connection, name)
            connection.execute(
                sql.update(people)
                .where(people.c.id == invited.id)
                .values(name=name, password=hashed)
            )
            self._audit.note(By(invited.id, address), "accept", name, connection=connection)
            return _person(connection, invited.id)

    # What becomes of them.

    def everybody(self) -> list[Person]:
        """By name."""
        with self._reading() as connection:
            rows = connection.execute(sql.select(people).where(people.c.name != ""))
            return sorted(map(_from_row, rows), key=lambda person: person.name)

    def names(self) -> dict[int, str]:
        """Of all that ever had an account, by number: evidence names them."""
        query = sql.select(people.c.id, people.c.name).where(people.c.name != "")
        with self._reading() as connection:
            return {person: name for person, name in connection.execute(query)}

    def get(self, person: int) -> Person:
        with self._reading() as connection:
            return _person(connection, person)

    def change(
        self, by: By, person: int, *, role: str | None = None, disabled: bool | None = None
    ) -> Person:
        """Gives a role, shuts an account (all that stands for it ends; the name stays with what it
        did) or opens it again: both at once or neither, and what is None stays as it is."""
        values: dict[str, Any] = {}
        noted = []
        if role is not None:
            values["role"] = _checked_role(role)
            noted.append(("role", role))
        if disabled is not None:
            values["disabled_s"] = int(self._now()) if disabled else None
            noted.append(("disable" if disabled else "enable", ""))
        with self._transaction() as connection:
            alone(connection, people)
            before = _person(connection, person)
            if values:
                connection.execute(
                    sql.update(people).where(people.c.id == person).values(**values)
                )
                self._keep_an_administrator(connection)
            if disabled:
                self.sessions.end_all(connection, person)
            for action, detail in noted:
                self._audit.note(by, action, before.name, detail, connection)
            return _person(connection, person)

    def change_password(self, by: By, person: int, old: str, new: str) -> None:
        """All sessions of the person end, this one too, and a link that would change it again."""
        account = self.get(person)
        row = self._verify(account.name, old, by.address)
        hashed = self._passwords.hash(passwords.checked(new, account.name))
        with self._transaction() as connection:
            _must_hold(connection, row)
            connection.execute(
                sql.update(people).where(people.c.id == person).values(password=hashed)
            )
            self.sessions.end_all(connection, person, but_machines=True)
            self._audit.note(by, "password", account.name, connection=connection)

    # Passwords.

    def log_in(self, name: str, password: str, address: str) -> tuple[str, Person]:
        """The token of a new session; Refused and Throttled tell nothing about the account."""
        row = self._verify(name, password, address)
        person = _from_row(row)
        with self._transaction() as connection:
            _must_hold(connection, row)
            token = self.sessions.begin(connection, person.id)
            self._audit.note(By(person.id, address), "log in", person.name, connection=connection)
        return token, person

    def issue_token(self, by: By, person: int, label: str, days: int) -> str:
        """A machine's token, which may do what its person may, people and tokens apart."""
        with self._transaction() as connection:
            account = _person(connection, person)
            if account.disabled_s is not None:
                raise Refused("disabled", f"{account.name}: the account is shut; open it first")
            label = label.strip()[:NAME_MOST_CHARS]
            token = self.sessions.issue(connection, person, label, days * 24 * 3600)
            self._audit.note(by, "token", account.name, label, connection)
        return token

    def revoke_token(self, by: By, person: int, token_id: str) -> None:
        with self._transaction() as connection:
            account = _person(connection, person)
            label = self.sessions.revoke(connection, token_id, person)
            if label is None:
                raise Refused("unknown", f"{token_id}: no such token; look at the list again")
            self._audit.note(by, "revoke token", account.name, label, connection)

    def _verify(self, name: str, password: str, address: str) -> sql.Row[Any]:
        name = _normal(name)
        self._passwords.enter(name, address)
        query = sql.select(people).where(people.c.name == name, people.c.name != "")
        with self._reading() as connection:
            row = connection.execute(query).first()
        right = self._passwords.right(row.password if row else None, password)
        if not right or row is None or row.disabled_s is not None:
            self._audit.note(By(None, address), "log in refused", name)
            raise _wrong_password()
        self._passwords.passed(name, address)
        return row

    # Rows.

    def _add(self, connection: sql.Connection, name: str, role: str) -> int:
        row = {"name": name, "role": role, "created_s": int(self._now())}
        return connection.execute(
            sql.insert(people).values(row).returning(people.c.id)
        ).scalar_one()

    def _link(self, connection: sql.Connection, person: int) -> str:
        # Behind the #, which a browser keeps to itself: in no log and in no Referer.
        token = self.sessions.invite(connection, person, INVITATION_S)
        return f"/welcome#{token}"

    def _claim(self, connection: sql.Connection, name: str) -> None:
        for other in connection.scalars(sql.select(people.c.name)):
            if other.casefold() == name.casefold():
                raise Refused("name-taken", f"{name}: somebody has this name; choose another")

    def _keep_an_administrator(self, connection: sql.Connection) -> None:
        """After a change, which was `alone`, or two who shut each other out at the same moment
        would both succeed: the transaction is undone when nobody could administer any more."""
        if not _administrators(connection):
            raise Refused(
                "last-administrator",
                "this is the last administrator; make somebody else one first",
            )


def _administrators(connection: sql.Connection) -> int:
    c = people.c
    query = sql.select(c.id).where(
        c.role == ADMINISTRATOR, c.disabled_s.is_(None), c.password.is_not(None)
    )
    return len(connection.scalars(query).all())


def _person(connection: sql.Connection, person: int) -> Person:
    row = connection.execute(sql.select(people).where(people.c.id == person)).first()
    if row is None:
        raise Refused("unknown", f"person {person}: no such account; look at the list again")
    return _from_row(row)


def _from_row(row: sql.Row[Any]) -> Person:
    ready = row.password is not None
    return Person(row.id, row.name, row.role, ready, row.created_s, row.disabled_s)


def _normal(name: str) -> str:
    """One spelling for what looks the same: full-width letters, composed accents, spaces."""
    return " ".join(unicodedata.normalize("NFKC", name).split())


def _checked_name(name: str) -> str:
    name = _normal(name)
    if not 1 <= len(name) <= NAME_MOST_CHARS or not name.isprintable():
        raise Refused("bad-name", f"name: takes 1 to {NAME_MOST_CHARS} characters; choose another")
    return name


def _checked_role(role: str) -> str:
    if role not in ROLES:
        raise Refused("bad-role", f"{role}: is no role; there are {', '.join(ROLES)}")
    return role


def _must_hold(connection: sql.Connection, row: sql.Row[Any]) -> None:
    """A password that was verified a moment ago: it may have ended since, or the account."""
    p = people.c
    same = (p.id == row.id, p.password == row.password, p.disabled_s.is_(None))
    if connection.scalar(sql.select(p.id).where(*same).with_for_update()) is None:
        raise _wrong_password()


def _wrong_password() -> Refused:
    return Refused("wrong-password", "log in: name or password is wrong; try again")


def _used_up() -> Refused:
    return Refused(
        "link-used", "link: was used already, or is too old; ask an administrator for a new one"
    )
