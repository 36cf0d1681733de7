"""Incidents: who has them, what was done, what came of it."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, model_validator

from noisewarden.station.incidents import NOTE_MOST_CHARS
from noisewarden.station.web import languages
from noisewarden.station.web.problems import answers
from noisewarden.station.web.routes.shapes import BOX_PATTERN, Number, Strict
from noisewarden.station.web.security import Officer, TheStation, Viewer, by

router = APIRouter(tags=["incidents"])

ZIP = "application/zip"
_NOTE = "incident.who.note"

Text = Annotated[str, Field(max_length=NOTE_MOST_CHARS, pattern=r"^[^\x00]*$")]


class IncidentOut(BaseModel):
    """Times are Unix seconds, null for what has not happened, or when nobody knows.

    calmed_s  since when the box is at stage 0 again; ended_s when that had lasted
    stage     the highest
    live      it was told while it lasted; else it is history, and wants nobody
    taken_by, closed_by  people (/people/names)
    """

    id: int
    box: str
    opened_seq: int
    opened_s: int | None
    calmed_s: int | None
    ended_s: int | None
    stage: int
    live: bool
    taken_by: int | None
    taken_s: int | None
    closed_by: int | None
    closed_s: int | None
    outcome: str


class InterventionOut(BaseModel):
    """`kind` is a stage for the box's own (`seq` is its record's), else what `person` did."""

    at_s: int | None
    kind: str
    person: int | None
    seq: int | None
    note: str
    outcome: str


class WholeIncidentOut(IncidentOut):
    """`course`: the box's records of its stages, each with the state of its chain."""

    interventions: list[InterventionOut]
    course: list[dict[str, Any]]


class Step(Strict):
    """One of the two. `instead_of`: the person who has had it, null for nobody yet."""

    take: bool = False
    instead_of: Annotated[int | None, Field(ge=1, lt=2**31)] = None
    outcome: Text | None = None

    @model_validator(mode="after")
    def one_step(self) -> "Step":
        if self.take == (self.outcome is not None):
            raise ValueError('is either {"take": true} or {"outcome": "…"}, which closes it')
        return self


class NewIntervention(Strict):
    """`kind`: note, dissuade, mediate, deal_with or hand_over (to the police)."""

    kind: Annotated[str, Field(max_length=16)]
    note: Text = ""
    outcome: Text = ""


@router.get("/incidents", responses=answers(401, 403, 422))
def incidents(
    station: TheStation,
    found: Viewer,
    box: Annotated[str | None, Query(pattern=BOX_PATTERN)] = None,
    wanting: bool = False,
    before: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
) -> list[IncidentOut]:
    """The latest, newest first: of a box; those that want a person; those before a number."""
    listed = station.incidents.list(box=box, wanting=wanting, before=before)
    return [IncidentOut(**incident) for incident in listed]


@router.get("/incidents/{incident}", responses=answers(401, 403, 404, 422))
def incident(station: TheStation, found: Viewer, incident: Number) -> WholeIncidentOut:
    return WholeIncidentOut(**station.incidents.get(incident))


@router.patch("/incidents/{incident}", responses=answers(401, 403, 404, 409, 422))
def step(
    request: Request, station: TheStation, found: Officer, incident: Number, given: Step
) -> IncidentOut:
    """Takes it, by name; or closes it, with what came of it."""
    action = "take incident" if given.outcome is None else "close incident"
    note, who = station.audit.note, by(request, found)
    noted = partial(note, who, action, str(incident), given.outcome or "")
    if given.outcome is None:
        changed = station.incidents.take(incident, found.person, given.instead_of, noted)
    else:
        changed = station.incidents.close(incident, found.person, given.outcome, noted)
    return IncidentOut(**changed)


@router.post(
    "/incidents/{incident}/interventions",
    status_code=201,
    responses=answers(401, 403, 404, 409, 422),
)
def intervene(
    request: Request,
    station: TheStation,
    found: Officer,
    incident: Number,
    given: NewIntervention,
) -> WholeIncidentOut:
    """Notes what was done; all but a note, whoever has taken the incident."""
    note, who = station.audit.note, by(request, found)
    noted = partial(note, who, "intervene", str(incident), given.kind)
    station.incidents.intervene(
        incident, found.person, given.kind, given.note, given.outcome, noted
    )
    return WholeIncidentOut(**station.incidents.get(incident))


@router.get(
    "/incidents/{incident}/case",
    responses=answers(401, 403, 404, 422) | {200: {"content": {ZIP: {}}}},
    response_class=Response,
)
def case(request: Request, station: TheStation, found: Officer, incident: Number) -> Response:
    """All that the station has of it as one ZIP: levels, records as they came, who did what, and
    the state of the chain. The audit log keeps who took it, and its SHA-256."""
    notes = [languages.WORDS[language][_NOTE] for language in languages.LANGUAGES]
    made = station.cases.make(incident, found.person, notes)
    station.audit.note(by(request, found), "download case", str(incident), made.sha256)
    headers = {"Content-Disposition": f'attachment; filename="{made.name}"'}
    return Response(made.content, media_type=ZIP, headers=headers)
