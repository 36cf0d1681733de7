"""The journal of a box, as evidence is looked through: records, their chain, what is missing."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from noisewarden.station import journals
from noisewarden.station.web.problems import answers
from noisewarden.station.web.routes.shapes import BoxId, check_known
from noisewarden.station.web.security import TheStation, Viewer

router = APIRouter(prefix="/boxes/{box}", tags=["journal"])

Choice = StrEnum("Choice", list(journals.CHOICES))


class RecordOut(BaseModel):
    """`fields`: what is in its body (docs/protocol.md), {} of one that is `unreadable`: why.

    unix_s  null while nobody knows its time; clock, how far it can be trusted: unset, kept, set,
            resolved
    chain   verified, broken or unverified
    """

    seq: int
    kind: str
    boot: int
    uptime_ms: int
    unix_s: int | None
    clock: str
    chain: str
    received_s: int
    fields: dict[str, Any]
    unreadable: str


class GapOut(BaseModel):
    """Numbers `first` to `last` are not here; `gone` when the box has them no more either."""

    first: int
    last: int
    gone: bool


class ChainOut(BaseModel):
    """held  all that the box has up to this number is here
    verified, broken, unverified  how many records are
    conflicts  numbers under which other records came than those that were there
    """

    held: int
    verified: int
    broken: int
    unverified: int
    gaps: list[GapOut]
    conflicts: list[int]


@router.get("/records", responses=answers(401, 403, 404, 422))
def records(
    station: TheStation,
    found: Viewer,
    box: BoxId,
    kind: Choice = Choice.all,  # type: ignore[attr-defined]
    before: Annotated[int | None, Query(ge=1, lt=2**32)] = None,
) -> list[RecordOut]:
    """Fifty at a time, the newest first: of a kind, of `all`, or `events`, which are all but
    minutes; those before number `before`."""
    check_known(station, box)
    read = journals.page(station.database, box, kind, before)
    return [RecordOut(**vars(record)) for record in read]


@router.get("/chain", responses=answers(401, 403, 404, 422))
def chain(station: TheStation, found: Viewer, box: BoxId) -> ChainOut:
    """Whether the journal is whole. It looks at each record's mark: seconds for years of them."""
    check_known(station, box)
    store = station.store
    return ChainOut(
        held=store.held(box),
        gaps=[GapOut(**vars(gap)) for gap in store.gaps(box)],
        conflicts=store.conflicts(box),
        **store.chain(box),
    )
