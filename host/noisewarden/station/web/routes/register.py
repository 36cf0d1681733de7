"""Which boxes may speak to this station."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from noisewarden.mosquitto_password import PATTERN
from noisewarden.register import KEY_BYTES, Registration
from noisewarden.schema import register as table
from noisewarden.station.web.problems import Problem, answers
from noisewarden.station.web.routes.shapes import BOX_PATTERN, LINE, BoxId, Strict, check_known
from noisewarden.station.web.security import Technician, TheStation, by

router = APIRouter(prefix="/register", tags=["register"])

Key = Annotated[str, Field(pattern=rf"^[0-9a-f]{{{2 * KEY_BYTES}}}$")]


def _text(column: str) -> Any:
    kind: Any = table.c[column].type
    return Field(max_length=kind.length, pattern=LINE)


class Handover(Strict):
    """What `noisewarden provision --handover FILE` writes: the file as it is. It holds the keys
    that the station shares with a box, never the box's secret."""

    box: Annotated[str, Field(pattern=BOX_PATTERN)]
    place: Annotated[str, _text("place")]
    board: Annotated[str, _text("board")]
    serial: Annotated[str, _text("serial")]
    password_sha256: Key
    command_key: Key
    journal_key: Key
    mosquitto: Annotated[str, Field(pattern=PATTERN)] | None = None

    def entry(self) -> Registration:
        content: dict[str, Any] = self.model_dump()
        for name in ("password_sha256", "command_key", "journal_key"):
            content[name] = bytes.fromhex(content[name])
        return Registration(**content)


class RegisteredOut(BaseModel):
    """`serial` is that of the chip; `revoked_s`: since when it is not admitted, null if it is."""

    box: str
    place: str
    board: str
    serial: str
    added_s: int
    revoked_s: int | None


@router.get("", responses=answers(401, 403))
def registered(station: TheStation, found: Technician) -> list[RegisteredOut]:
    return [RegisteredOut(**vars(box)) for box in station.register.all()]


@router.post("", status_code=201, responses=answers(401, 403, 409, 422))
def admit(
    request: Request,
    station: TheStation,
    found: Technician,
    given: Handover,
    replace: bool = False,
) -> RegisteredOut:
    """Takes in a box that was provisioned elsewhere.

    `replace`: though its id is there, admitted or revoked. What that one sent stays, and is
    verified by its own key.
    """
    known = station.register.get(given.box)
    if known and not replace:
        raise Problem(
            409,
            "box-known",
            f"{given.box}: is in the register, as the box with serial {known.serial}; "
            "give the new one another id, or replace that one",
        )
    note, who = station.audit.note, by(request, found)
    noted = partial(note, who, "admit box", given.box, given.serial)
    station.register.add(given.entry(), replace=replace, noted=noted)
    added = station.register.get(given.box)
    return RegisteredOut(**vars(added))


@router.delete("/{box}", status_code=204, responses=answers(401, 403, 404, 422))
def revoke(request: Request, station: TheStation, found: Technician, box: BoxId) -> None:
    """Admits a box no more, as when it was stolen; what it sent stays. `provision`, or a handover
    with new keys, lets it in again."""
    check_known(station, box)
    note, who = station.audit.note, by(request, found)
    station.register.revoke(box, partial(note, who, "revoke box", box, ""))
