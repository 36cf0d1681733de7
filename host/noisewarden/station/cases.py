"""All that the station has of an incident as one file: for whoever judges it without the station.

A ZIP with the levels and records around the incident, what was done and by whom, and how far the
chain of the journal holds. The records are in it as they came, so that whoever has the journal key
can check each mac anew (docs/protocol.md).
"""

import base64
import csv
import hashlib
import io
import json
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import sqlalchemy as sql

from noisewarden import __version__, missing, records_csv
from noisewarden.database import Database
from noisewarden.firmware import evidence
from noisewarden.records_csv import iso
from noisewarden.register import Register
from noisewarden.schema import (
    BROKEN,
    CLOCK,
    UNVERIFIED,
    VERIFIED,
    conflicts,
    events,
    records,
    states,
)
from noisewarden.station import local_time, minutes, minutes_csv
from noisewarden.station.courses import CLEAR_S
from noisewarden.station.incidents import Incident, Incidents
from noisewarden.station.people import People

BEFORE_S = 300
AFTER_S = CLEAR_S
"""So long before an incident, and after it grew calm, belongs to its case."""
MOST_S = 2 * 86_400
"""A case ends so long after it began, though the incident went on; then it says so."""

_README = """\
case.json     the incident, who did what and when, the chain, the records as they came (base64)
              事件、处置经过、证据链状态，以及原始记录（base64）
seconds.csv   LAeq,1s in dB; empty for a second without a level    每秒 LAeq,1s，无声级者留空
minutes.csv   the minutes of the box                               每分钟声级
records.csv   every record of the box's journal, read              箱子日志的全部记录
sha256.txt    SHA-256 of these files                               以上文件的 SHA-256

"""
_CUT = """\
The incident goes on after the end of this case (period in case.json).
本案卷截止时事件尚未结束（见 case.json 中的 period）。
"""


@dataclass(frozen=True)
class Case:
    """`name` of the file; `content` its bytes; `sha256` of them in hex."""

    name: str
    content: bytes
    sha256: str


class Cases:
    """now  unix time

    UserError when the database refuses, Refused when there is no such incident.
    """

    def __init__(
        self,
        database: Database,
        incidents: Incidents,
        register: Register,
        people: People,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._incidents = incidents
        self._register = register
        self._people = people
        self._now = now

    def make(self, incident: int, by: int, notes: Sequence[str]) -> Case:
        """The case of an incident as it is now; `whole` when it reaches to where that had ended.

        by     the person who wants it
        notes  what its reader must know, a line in each language
        """
        found = self._incidents.get(incident)
        box = found["box"]
        names = self._people.names()
        period, whole = self._period(found)
        with self._database.reading() as connection:
            zone_text = _zone(connection, box)
            rows = _rows(connection, found, period)
            seconds = minutes.stretches(connection, box, *period) if period else []
            query = minutes.within(box, *period) if period else None
            whole_minutes = minutes.rolled_up(connection, query) if query is not None else []
            calibration = _calibration(connection, box, found["opened_seq"])
            chain = _chain(connection, box, rows)
        place = local_time.zone(zone_text)
        told = {
            "notes": list(notes),
            "made": {
                "at": iso(int(self._now())),
                "by": names.get(by, str(by)),
                "station": __version__,
            },
            "incident": _told(found, names),
            "box": self._box(box) | {"zone": zone_text},
            "period": period and {"from": iso(period[0]), "to": iso(period[1]), "whole": whole},
            "calibration": calibration,
            "interventions": [_told(done, names) for done in found["interventions"]],
            "chain": chain,
            "records": [_as_it_came(row) for row in rows],
        }
        files = {
            "case.json": json.dumps(told, indent=1, ensure_ascii=False),
            "seconds.csv": _csv(_write_seconds, seconds, place),
            "minutes.csv": _csv(minutes_csv.write, box, whole_minutes, zone_text),
            "records.csv": _csv(records_csv.write_records, rows),
            "README.txt": "\n".join((_README, *notes, "", "" if whole else _CUT)),
        }
        content = _zip(files, self._now())
        name = f"incident-{incident}-{box}.zip"
        return Case(name, content, hashlib.sha256(content).hexdigest())

    def _period(self, found: Incident) -> tuple[tuple[int, int] | None, bool]:
        """What belongs to the case, None while nobody knows when the incident was; and whether
        that reaches to where the incident had ended."""
        if found["opened_s"] is None:
            return None, True
        from_s = found["opened_s"] - BEFORE_S
        calm_s = found["calmed_s"]
        end_s = None if calm_s is None else calm_s + AFTER_S
        to_s = int(self._now()) if end_s is None else end_s
        to_s = max(min(to_s, from_s + MOST_S), from_s + 1)
        return (from_s, to_s), end_s is not None and end_s <= to_s

    def _box(self, box: str) -> dict[str, Any]:
        known = self._register.get(box)
        return {"box": box} | (
            {"place": known.place, "board": known.board, "serial": known.serial} if known else {}
        )


def _zone(connection: sql.Connection, box: str) -> str:
    state = connection.scalar(sql.select(states.c.state).where(states.c.box == box))
    return local_time.of_box(json.loads(state) if state else {})


def _rows(
    connection: sql.Connection, found: Incident, period: tuple[int, int] | None
) -> Sequence[sql.Row[Any]]:
    """The records of a case, in the order of their numbers: none between two of them is left
    out."""
    c = records.c
    own = [record["seq"] for record in found["course"]]
    edges = sql.select(sql.func.min(c.seq), sql.func.max(c.seq)).where(c.box == found["box"])
    numbers = [found["opened_seq"], *own]
    if period:
        within = edges.where(c.unix_s > period[0], c.unix_s <= period[1])
        numbers += [seq for seq in connection.execute(within).one() if seq is not None]
    query = sql.select(records).where(
        c.box == found["box"], c.seq.between(min(numbers), max(numbers))
    )
    return connection.execute(query.order_by(c.seq)).all()


def _chain(connection: sql.Connection, box: str, rows: Sequence[sql.Row[Any]]) -> dict[str, Any]:
    """How far the journal can be trusted from the first record of a case to its last.

    missing    ranges of numbers that are not here; `gone` when the box has signed that they are
    unlinked   numbers whose previous mac is not that of the record before
    conflicts  numbers under which another record came too
    """
    states = Counter(row.chain for row in rows)
    unlinked = [
        row.seq
        for before, row in pairwise(rows)
        if row.seq == before.seq + 1 and row.previous != before.mac
    ]
    c = conflicts.c
    first, last = (rows[0].seq, rows[-1].seq) if rows else (0, 0)
    lost = missing.between(connection, box, first, last) if rows else []
    others = sql.select(c.seq).where(c.box == box, c.seq.between(first, last)).order_by(c.seq)
    return {
        "first": first,
        "last": last,
        **{state: states[state] for state in (VERIFIED, BROKEN, UNVERIFIED)},
        "missing": [vars(gap) for gap in lost],
        "unlinked": unlinked,
        "conflicts": list(connection.scalars(others)),
    }


def _calibration(connection: sql.Connection, box: str, opened_seq: int) -> dict[str, Any] | None:
    """What the box had last been calibrated with when it began, None when no record says."""
    c = records.c
    query = (
        sql.select(c.data, c.chain)
        .where(events, c.box == box, c.kind == "calibration", c.seq < opened_seq)
        .order_by(c.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    try:
        return evidence.unpack(row.data) | {"chain": row.chain}
    except ValueError as error:
        return {"unreadable": str(error), "chain": row.chain}


def _told(row: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    """A row with times and names in the place of numbers; its course stands among the records."""
    told = {}
    for name, value in row.items():
        if name in ("course", "interventions"):
            continue
        if name.endswith("_s"):
            told[name.removesuffix("_s")] = iso(value) or None
        elif name in ("person", "taken_by", "closed_by"):
            told[name] = None if value is None else names.get(value, str(value))
        else:
            told[name] = value
    return told


def _as_it_came(row: sql.Row[Any]) -> dict[str, Any]:
    bytes_ = {name: getattr(row, name) for name in ("data", "mac", "previous")}
    return {
        "seq": row.seq,
        "after": row.after,
        "kind": row.kind,
        "time": iso(row.unix_s) or None,
        "clock": CLOCK[row.clock],
        "received": iso(row.received_s),
        "chain": row.chain,
        **{name: base64.b64encode(value).decode() for name, value in bytes_.items()},
    }


def _csv(write: Callable[..., None], *arguments: Any) -> str:
    file = io.StringIO(newline="")
    write(file, *arguments)
    return "\ufeff" + file.getvalue()  # for spreadsheets, which need to be told that it is UTF-8


def _write_seconds(file: Any, stretches: list[minutes.Stretch], place: Any) -> None:
    writer = csv.writer(file)
    writer.writerow(("time_local", "time_utc", "laeq"))
    for stretch in stretches:
        for second, level in enumerate(stretch.levels, stretch.from_s):
            writer.writerow((local_time.iso(place, second), iso(second), level))


def _zip(files: dict[str, str], now_s: float) -> bytes:
    contents = {name: text.encode() for name, text in files.items()}
    sums = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in contents.items()]
    contents["sha256.txt"] = "".join(sums).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name, time.gmtime(now_s)[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return out.getvalue()
