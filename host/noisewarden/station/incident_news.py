"""What other processes make of incidents, told here as what this one makes of them.

Several processes take in records on one database, and one of them has the pages: an alarm must
ring there whoever took in the record. It is found in the database, which all of them share.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import sqlalchemy as sql

from noisewarden.database import Database
from noisewarden.errors import UserError
from noisewarden.schema import incidents, interventions, records
from noisewarden.station.settling import LIVE_S, Incident

LOOK_EVERY_S = 0.5


class IncidentNews:
    """tell  takes the name of an event and its data, from any thread"""

    def __init__(self, database: Database, tell: Callable[[str, Incident], None]) -> None:
        self._reading = database.reading
        self._tell = tell
        self._known: dict[int, Incident] = {}
        self._knowing = threading.Lock()

    def told(self, event: str, incident: Incident) -> None:
        """This process has changed it: passes that on, and has it no news any more. An alarm that
        a look has found meanwhile rings no second time."""
        row = {name: value for name, value in incident.items() if name != "alarm"}
        with self._knowing:
            found = self._known.get(row["id"]) == row
            self._known[row["id"]] = row
        self._tell(event, incident | {"alarm": incident["alarm"] and not found})

    async def run(self) -> None:
        """Tells what others change from now on, until cancelled."""
        began = False
        while True:
            try:
                news = await asyncio.to_thread(self._look)
            except UserError:
                pass  # who writes tells it where people see it
            else:
                for incident in news if began else ():
                    self._tell("incident", incident)
                began = True
            await asyncio.sleep(LOOK_EVERY_S)

    def _look(self) -> list[Incident]:
        """Those that are not as they were known, each with whether it is an `alarm`."""
        c = incidents.c
        wanting = sql.and_(c.live, c.closed_s.is_(None))
        known = dict(self._known)
        query = sql.select(incidents).where(sql.or_(c.ended_s.is_(None), wanting, c.id.in_(known)))
        news = []
        with self._reading() as connection:
            for found in connection.execute(query.order_by(c.id)).all():
                row = dict(found._mapping)
                before = known.get(row["id"])
                alarm = row != before and _is_alarm(connection, before, row)
                with self._knowing:
                    if self._known.get(row["id"]) is not before:
                        continue  # told here since; the next look compares with that
                    if row != before:
                        news.append(row | {"alarm": alarm})
                        self._known[row["id"]] = row
                    elif row["ended_s"] is not None and (row["closed_s"] or not row["live"]):
                        del self._known[row["id"]]  # what can still change is found without it
        return news


def _is_alarm(connection: sql.Connection, before: Incident | None, now: Incident) -> bool:
    """As `settling` has it: it came live, or got louder by a record that did."""
    if before is None or not before["live"]:
        return now["live"] and now["closed_s"] is None
    reopened = before["closed_s"] is not None and now["closed_s"] is None
    if now["stage"] <= before["stage"] and not reopened:
        return False
    i, r = interventions.c, records.c
    late_s: Any = connection.scalar(
        sql.select(r.received_s - r.unix_s)
        .join_from(interventions, records, i.seq == r.seq)
        .where(i.incident == now["id"], r.box == now["box"])
        .order_by(i.seq.desc())
        .limit(1)
    )
    return late_s is not None and late_s <= LIVE_S
