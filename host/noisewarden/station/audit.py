"""The audit log: who changed what, when and from where. It only grows."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sql

from noisewarden.database import Database
from noisewarden.schema import audit, people

PAGE_ROWS = 100
DETAIL_MOST_CHARS = 2000


@dataclass(frozen=True)
class By:
    """Who acts: a person's number (None: nobody known, or the station itself) and the address."""

    person: int | None = None
    address: str = ""


@dataclass(frozen=True)
class Entry:
    """`person` is a name, "" for nobody; `about` is the box, person or number changed."""

    id: int
    at_s: int
    person: str
    action: str
    about: str
    detail: str
    address: str


class Audit:
    """UserError when the database refuses."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._transaction = database.transaction
        self._reading = database.reading
        self._now = now

    def note(
        self,
        by: By,
        action: str,
        about: str = "",
        detail: str = "",
        connection: sql.Connection | None = None,
    ) -> None:
        """Adds an entry; with `connection` in its transaction: change and entry are one."""
        if connection is None:
            with self._transaction() as connection:
                self.note(by, action, about, detail, connection)
            return
        connection.execute(
            sql.insert(audit).values(
                at_s=int(self._now()),
                person=by.person,
                action=action,
                about=about[:64],
                detail=detail[:DETAIL_MOST_CHARS],
                address=by.address[:45],
            )
        )

    def entries(self, before: int | None = None, most: int = PAGE_ROWS) -> list[Entry]:
        """The newest first; those older than the entry with the number `before`."""
        a = audit.c
        query = (
            sql.select(
                a.id, a.at_s, sql.func.coalesce(people.c.name, ""), a.action, a.about, a.detail,
                a.address,
            )
            .select_from(audit.outerjoin(people, people.c.id == a.person))
            .order_by(a.id.desc())
            .limit(most)
        )  # fmt: skip
        if before is not None:
            query = query.where(a.id < before)
        with self._reading() as connection:
            return [Entry(*row) for row in connection.execute(query)]
