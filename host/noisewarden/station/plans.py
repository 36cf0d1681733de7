"""Plans of a place: a picture, and where on it the boxes stand.

A picture comes from somebody's computer, so nothing of it but its pixels is kept: it is decoded
and encoded anew. What a camera adds (where, when, whose) goes by that, and whatever is no picture.
"""

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sql
from PIL import Image, ImageOps

from noisewarden.database import Database, Noted, alone, unnoted
from noisewarden.schema import placements, plans
from noisewarden.station.refusals import Refused

FORMATS = ("PNG", "JPEG", "WEBP")
MEDIA_TYPE = "image/webp"
"""Of every picture as it is kept."""

PICTURE_MOST_BYTES = 10 * 1024 * 1024
PICTURE_MOST_PX = 50_000_000
SIDE_MOST_PX = 2400
"""A larger picture is made smaller: a page shows no more."""
PLANS_MOST = 50
NAME_MOST_CHARS = 60

_QUALITY = 82


@dataclass(frozen=True)
class Spot:
    """Fractions of the picture's width and height from its top left, 0 to 1."""

    box: str
    x: float
    y: float


@dataclass(frozen=True)
class Plan:
    """`boxes` in the order of their ids."""

    id: int
    name: str
    boxes: list[Spot]


class Plans:
    """Each method is one transaction, `noted` a part of it. UserError when the database refuses,
    Refused for what a person can cause."""

    def __init__(self, database: Database) -> None:
        self._transaction = database.transaction
        self._reading = database.reading
        self._decoding = threading.Lock()

    def all(self) -> list[Plan]:
        """In the order in which they were made, without their pictures."""
        p = plans.c
        with self._reading() as connection:
            spots: dict[int, list[Spot]] = {}
            for box, plan, x, y in connection.execute(
                sql.select(placements).order_by(placements.c.box)
            ):
                spots.setdefault(plan, []).append(Spot(box, x, y))
            rows = connection.execute(sql.select(p.id, p.name).order_by(p.id)).all()
        return [Plan(plan, name, spots.get(plan, [])) for plan, name in rows]

    def add(
        self,
        name: str,
        picture: bytes,
        noted: Callable[[int, sql.Connection], None] = unnoted,
    ) -> Plan:
        """Refused for what is no picture of FORMATS, or is too large; `noted` takes its number
        too."""
        with self._decoding:  # one at a time: each takes up to 200 MB for a moment
            content = _made_anew(picture)
        with self._transaction() as connection:
            count = connection.scalar(sql.select(sql.func.count()).select_from(plans)) or 0
            if count >= PLANS_MOST:
                raise Refused("plans", f"plans: there are {count} already; remove one first")
            new = sql.insert(plans).values(name=name, media_type=MEDIA_TYPE, picture=content)
            plan = connection.execute(new.returning(plans.c.id)).scalar_one()
            noted(plan, connection)
        return Plan(plan, name, [])

    def picture(self, plan: int) -> tuple[str, bytes]:
        """(media type, content)."""
        query = sql.select(plans.c.media_type, plans.c.picture).where(plans.c.id == plan)
        with self._reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise _unknown(plan)
        return row.media_type, row.picture

    def remove(self, plan: int, noted: Callable[[str, sql.Connection], None] = unnoted) -> None:
        """With it goes where its boxes stand; `noted` takes its name too."""
        with self._transaction() as connection:
            alone(connection, placements)
            connection.execute(sql.delete(placements).where(placements.c.plan == plan))
            gone = sql.delete(plans).where(plans.c.id == plan).returning(plans.c.name)
            name = connection.scalar(gone)
            if name is None:
                raise _unknown(plan)
            noted(name, connection)

    def place(self, plan: int, spot: Spot, noted: Noted = unnoted) -> None:
        """Where a box stands; on any other plan it stands no more."""
        with self._transaction() as connection:
            alone(connection, placements)
            if connection.scalar(sql.select(plans.c.id).where(plans.c.id == plan)) is None:
                raise _unknown(plan)
            connection.execute(sql.delete(placements).where(placements.c.box == spot.box))
            connection.execute(sql.insert(placements).values(plan=plan, **vars(spot)))
            noted(connection)

    def take_off(self, plan: int, box: str, noted: Noted = unnoted) -> None:
        """From a plan; of no effect when it does not stand there."""
        p = placements.c
        gone = sql.delete(placements).where(p.plan == plan, p.box == box)
        with self._transaction() as connection:
            if connection.execute(gone).rowcount:
                noted(connection)


def _made_anew(picture: bytes) -> bytes:
    try:
        with Image.open(io.BytesIO(picture), formats=FORMATS) as found:
            width, height = found.size
            if width * height > PICTURE_MOST_PX:
                raise Image.DecompressionBombError
            found.draft("RGB", (SIDE_MOST_PX, SIDE_MOST_PX))  # a large JPEG is read smaller
            seen = "RGBA" if found.has_transparency_data else "RGB"
            upright = ImageOps.exif_transpose(found).convert(seen)
    except Image.DecompressionBombError:
        raise Refused(
            "picture-size",
            f"picture: has over {PICTURE_MOST_PX // 1_000_000} million pixels; make it smaller",
        ) from None
    except Exception:  # of a damaged file Pillow raises many kinds
        raise Refused(
            "picture", "picture: is no PNG, JPEG or WebP, or is damaged; choose another"
        ) from None
    upright.thumbnail((SIDE_MOST_PX, SIDE_MOST_PX))
    # Without the copy the profile and notes of the file would go along.
    bare = Image.new(upright.mode, upright.size)
    bare.paste(upright)
    out = io.BytesIO()
    bare.save(out, "WEBP", quality=_QUALITY)
    return out.getvalue()


def _unknown(plan: int) -> Refused:
    return Refused("unknown", f"plan {plan}: there is none; see the list of plans")
