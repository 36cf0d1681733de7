"""Brings the table of incidents to what the journals say, whatever people have done meanwhile."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sql

from noisewarden.schema import boxes, events, incidents, interventions, records
from noisewarden.stages import STAGES
from noisewarden.station.courses import Change, Course, Moment, courses

LIVE_S = 60
"""An older record raises no alarm and sends nobody out."""

KINDS = ("stage", "boot")

readable = (records.c.kind == "boot") | records.c.stage.between(0, len(STAGES) - 1)
"""Whoever holds a box may write any body: one that names no stage tells nothing."""

_UNSETTLED_MOST = 8
"""Incidents of a box that a new record may still change: times resolved, ends found."""

Incident = dict[str, Any]
"""The columns of its row."""


def settle(
    connection: sql.Connection, box: str, since: int, live: Mapping[int, bool]
) -> tuple[list[tuple[Incident, bool]], bool]:
    """(the incidents that changed, each with whether it is an alarm; whether one goes on)."""
    # The row is held until the end: another process may take in the same box.
    held = connection.scalar(sql.select(boxes.c.held).where(boxes.c.box == box).with_for_update())
    if not held:
        return [], False
    newest = (
        sql.select(incidents)
        .where(incidents.c.box == box)
        .order_by(incidents.c.opened_seq.desc())
        .limit(_UNSETTLED_MOST)
        .with_for_update()  # somebody may be closing one
    )
    known = {row.opened_seq: dict(row._mapping) for row in connection.execute(newest)}
    unsettled = [
        seq for seq, row in known.items() if row["ended_s"] is None or row["opened_s"] is None
    ]
    first = min(unsettled, default=max(known, default=0))
    c = records.c
    rows = connection.execute(
        sql.select(c.seq, c.boot, c.uptime_ms, c.unix_s, c.stage, c.received_s)
        .where(events, c.box == box, c.kind.in_(KINDS), c.seq.between(first, held), readable)
        .order_by(c.seq)
    )
    changes = [_change(row, live.get(row.seq)) for row in rows]
    last = connection.execute(
        sql.select(c.seq, c.boot, c.uptime_ms, c.unix_s)
        .where(c.box == box, c.seq <= held)
        .order_by(c.seq.desc())
        .limit(1)
    ).one()
    found = list(courses(changes, Moment(*last)))
    told = [
        _settle(connection, box, known.pop(course.opened.seq, None), course, since)
        for course in found
    ]
    told += [_end(connection, row) for seq, row in known.items() if seq >= first]
    return [change for change in told if change], bool(found) and not found[-1].ended


def _change(row: Any, said_live: bool | None) -> Change:
    """`said_live`: what the box said, None when it is not known any more."""
    if row.unix_s is None:
        live = bool(said_live)
    else:
        live = said_live is not False and row.received_s - row.unix_s <= LIVE_S
    return Change(row.seq, row.boot, row.uptime_ms, row.unix_s, row.stage or 0, live)


def _settle(
    connection: sql.Connection, box: str, known: Incident | None, course: Course, since: int
) -> tuple[Incident, bool] | None:
    """Brings an incident's row to what the journal says; None when it says nothing new."""
    came_live = [change for change in course.loud if change.live and change.seq > since]
    values = {
        "opened_s": course.opened.unix_s,
        "calmed_s": course.calmed_s,
        "ended_s": course.ended_s,
        "stage": course.stage,
        "live": bool(came_live) or bool(known and known["live"]),
    }
    if known is None:
        new = values | {"box": box, "opened_seq": course.opened.seq, "outcome": ""}
        row = connection.execute(sql.insert(incidents).values(new).returning(incidents)).one()
        _note_rises(connection, box, row.id, course)
        return dict(row._mapping), bool(came_live)
    new = _note_rises(connection, box, known["id"], course)
    rises = [rise for rise in new if rise in came_live]
    alarm = bool(came_live) and not known["live"]
    alarm |= any(change.stage > known["stage"] for change in rises)
    if rises and known["closed_s"] is not None:
        # Loud again before it had ended: whoever closed it stands among the interventions.
        alarm = True
        values |= {"taken_by": None, "taken_s": None, "closed_by": None, "closed_s": None}
        values["outcome"] = ""
    return _change_row(connection, known, values, alarm)


def _end(connection: sql.Connection, known: Incident) -> tuple[Incident, bool] | None:
    """That of an incident which the journal does not tell any more: a true record stands where a
    made-up one had opened it, or it is part of the one before since a time was resolved."""
    if known["ended_s"] is not None:
        return None
    values = {"calmed_s": known["opened_s"], "ended_s": known["opened_s"]}
    return _change_row(connection, known, values, alarm=False)


def _change_row(
    connection: sql.Connection, known: Incident, values: dict[str, Any], alarm: bool
) -> tuple[Incident, bool] | None:
    changed = known | values
    if changed == known:
        return None
    connection.execute(sql.update(incidents).where(incidents.c.id == known["id"]).values(values))
    return changed, alarm


def _note_rises(
    connection: sql.Connection, box: str, incident: int, course: Course
) -> list[Change]:
    """The box's own interventions, each once: its reminder, its lamp, its call for an officer.
    Those that nobody had noted before, in this process or in another.

    When a time was resolved, one may belong to another incident than was thought.
    """
    i = interventions.c
    there = {
        row.seq: row
        for row in connection.execute(
            sql.select(i.id, i.seq, i.incident, i.at_s)
            .join_from(interventions, incidents)
            .where(incidents.c.box == box, i.seq.in_([rise.seq for rise in course.rises]))
        )
    }
    new = []
    for rise in course.rises:
        known = there.get(rise.seq)
        own = {"incident": incident, "at_s": rise.unix_s}
        if known is None:
            own |= {"kind": STAGES[rise.stage], "seq": rise.seq, "note": "", "outcome": ""}
            connection.execute(sql.insert(interventions).values(own))
            new.append(rise)
        elif (known.incident, known.at_s) != (incident, rise.unix_s):
            connection.execute(sql.update(interventions).where(i.id == known.id).values(own))
    return new
