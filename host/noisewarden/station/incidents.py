"""Incidents: what the journals say of them, and what people do about them (DESIGN 6).

A box tells that it was loud, never who was. An incident that came live wants a person, who takes
it by name, steps in, and closes it with an outcome. One that came late is history: it calls
nobody.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sql

from noisewarden.database import Database, Noted, unnoted
from noisewarden.firmware import evidence
from noisewarden.schema import events, incidents, interventions, records
from noisewarden.station import settling
from noisewarden.station.refusals import Refused
from noisewarden.station.settling import Incident

BY_PEOPLE = ("note", "dissuade", "mediate", "deal_with", "hand_over")
"""Interventions of a person; `hand_over` is to the police. `take` and `close` are kept beside
them, and those of the box are named by its stages."""

NOTE_MOST_CHARS = 2000
PAGE = 50


class Incidents:
    """tell     takes the name of an event and its data, from any thread (`Live.tell_soon`)
    calm     whether a box says nothing now, or that it is at stage 0 (`Live.calm`)

    Each method is one transaction, `noted` a part of it. UserError when the database refuses,
    Refused when the incident is in no state for it.
    """

    def __init__(
        self,
        database: Database,
        tell: Callable[[str, Incident], None] = lambda event, data: None,
        calm: Callable[[str], bool] = lambda box: False,
    ) -> None:
        self._transaction = database.transaction
        self._reading = database.reading
        self._tell = tell
        self._calm = calm

    # From the journals.

    def advance(self, box: str, since: int = 0, live: Mapping[int, bool] | None = None) -> bool:
        """Takes in what the store holds of a box without a gap; whether one goes on then.

        It may be called again and again: what is known stays as it is.

        since  up to this record all was taken in before, and raises no alarm now
        live   what the box said of records, where it is known
        """
        with self._transaction() as connection:
            told, goes_on = settling.settle(connection, box, since, live or {})
        for incident, alarm in told:
            self._tell("incident", incident | {"alarm": alarm})
        return goes_on

    # For people.

    def get(self, incident: int) -> Incident:
        """Its row, `interventions` in their order, and the box's `course`: the records of its
        stages, unpacked, each with the state of its chain. Refused when there is none."""
        with self._reading() as connection:
            found = _get(connection, incident)
            i = interventions.c
            done = connection.execute(
                sql.select(interventions).where(i.incident == incident).order_by(i.id)
            )
            following = connection.scalar(
                sql.select(sql.func.min(incidents.c.opened_seq)).where(
                    incidents.c.box == found["box"],
                    incidents.c.opened_seq > found["opened_seq"],
                )
            )
            return found | {
                "interventions": [dict(row._mapping) for row in done],
                "course": _course(connection, found["box"], found["opened_seq"], following),
            }

    def list(
        self, *, box: str | None = None, wanting: bool = False, before: int | None = None
    ) -> list[Incident]:
        """The latest PAGE, newest first; those of a box, those that want a person, those with a
        number below `before`."""
        c = incidents.c
        query = sql.select(incidents).order_by(c.id.desc()).limit(PAGE)
        if box is not None:
            query = query.where(c.box == box)
        if wanting:
            query = query.where(c.live, c.closed_s.is_(None))
        if before is not None:
            query = query.where(c.id < before)
        with self._reading() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def take(
        self,
        incident: int,
        person: int,
        instead_of: int | None = None,
        noted: Noted = unnoted,
    ) -> Incident:
        """`person` takes it: a free one, or that of `instead_of`, who had it until now."""

        def step(connection: sql.Connection, found: Incident) -> Incident:
            if not found["live"]:
                raise Refused("history", f"incident {incident}: is history; nobody need take it")
            _must_be_open(found)
            if found["taken_by"] != instead_of:
                raise Refused(
                    "taken", f"incident {incident}: someone else has it now; look at it again"
                )
            _note(connection, incident, "take", person)
            return {"taken_by": person, "taken_s": _now_s()}

        return self._change(incident, step, noted)

    def intervene(
        self,
        incident: int,
        person: int,
        kind: str,
        note: str = "",
        outcome: str = "",
        noted: Noted = unnoted,
    ) -> Incident:
        """Notes what `person` did, one of BY_PEOPLE; all but a note only who has taken it."""

        def step(connection: sql.Connection, found: Incident) -> Incident:
            if kind not in BY_PEOPLE:
                raise Refused("kind", f"{kind}: is none of {', '.join(BY_PEOPLE)}")
            if kind == "note":
                if not note.strip():
                    raise Refused("empty", f"incident {incident}: the note is empty; write one")
            else:
                _must_be_open(found)
                _must_have(found, person)
            _note(connection, incident, kind, person, note, outcome)
            return {}

        return self._change(incident, step, noted, note, outcome)

    def close(self, incident: int, person: int, outcome: str, noted: Noted = unnoted) -> Incident:
        """Ends the work of people on it, with what came of it, once the box is calm or silent."""

        def step(connection: sql.Connection, found: Incident) -> Incident:
            _must_be_open(found)
            if found["live"]:
                _must_have(found, person)
            if not outcome.strip():
                raise Refused("empty", f"incident {incident}: has no outcome; say what came of it")
            if found["calmed_s"] is None and not self._calm(found["box"]):
                raise Refused(
                    "loud", f"incident {incident}: still goes on; close it when the box is calm"
                )
            _note(connection, incident, "close", person, outcome=outcome)
            return {"closed_by": person, "closed_s": _now_s(), "outcome": outcome}

        return self._change(incident, step, noted, outcome)

    def _change(
        self,
        incident: int,
        step: Callable[[sql.Connection, Incident], Incident],
        noted: Noted,
        *texts: str,
    ) -> Incident:
        """Takes the step from one state to the next as a whole, and tells it."""
        if any(len(text) > NOTE_MOST_CHARS for text in texts):
            raise Refused("long", f"text: has more than {NOTE_MOST_CHARS} characters; shorten it")
        with self._transaction() as connection:
            found = _get(connection, incident, for_update=True)
            values = step(connection, found)
            if values:
                connection.execute(
                    sql.update(incidents).where(incidents.c.id == incident).values(values)
                )
            noted(connection)
        changed = found | values
        self._tell("incident", changed | {"alarm": False})
        return changed


def _must_be_open(incident: Incident) -> None:
    if incident["closed_s"] is not None:
        raise Refused("closed", f"incident {incident['id']}: is closed; add a note instead")


def _must_have(incident: Incident, person: int) -> None:
    if incident["taken_by"] != person:
        raise Refused(
            "not-yours", f"incident {incident['id']}: is not taken by you; take it first"
        )


def _now_s() -> int:
    return int(time.time())


def _get(connection: sql.Connection, incident: int, *, for_update: bool = False) -> Incident:
    query = sql.select(incidents).where(incidents.c.id == incident)
    row = connection.execute(query.with_for_update() if for_update else query).first()
    if row is None:
        raise Refused("unknown", f"incident {incident}: there is none; see the list of incidents")
    return dict(row._mapping)


def _note(
    connection: sql.Connection,
    incident: int,
    kind: str,
    person: int,
    note: str = "",
    outcome: str = "",
) -> None:
    connection.execute(
        sql.insert(interventions).values(
            incident=incident,
            at_s=_now_s(),
            kind=kind,
            person=person,
            note=note,
            outcome=outcome,
        )
    )


def _course(
    connection: sql.Connection, box: str, first: int, before: int | None
) -> list[dict[str, Any]]:
    c = records.c
    query = sql.select(c.data, c.unix_s, c.clock, c.chain).where(
        events, c.box == box, c.kind == "stage", c.seq >= first, settling.readable
    )
    if before is not None:
        query = query.where(c.seq < before)
    return [
        evidence.unpack(row.data) | {"time": row.unix_s, "clock": row.clock, "chain": row.chain}
        for row in connection.execute(query.order_by(c.seq))
    ]
