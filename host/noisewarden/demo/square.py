"""The simulated square: where its boxes hang, and what each hears there."""

import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from noisewarden.virtual import sources
from noisewarden.virtual.scenes import SCENES
from noisewarden.virtual.sources import Source

EVENING_H = 20

_BEGINS_S = 25
"""The scene of the square is over the limit half a minute later, and may light the lamp at 60 s,
when that has rested since its start."""
_LATER_S = 41
"""So much further is the square at each next district, so that a city is not loud at once."""


@dataclass(frozen=True)
class Position:
    """hears  scenes by name, and how much louder (dB) than in the middle of each"""

    box: str
    place: str
    hears: dict[str, float]


# Three times as far from the dancers is 10 dB less; a house between costs as much again.
POSITIONS = (
    Position("square-east", "Square, beside the dancers", {"square": 0.0}),
    Position("square-west", "Square, three times as far", {"square": -9.5}),
    Position("mill-street", "Mill Street, behind the houses", {"night": 12.0, "square": -22.0}),
)


@dataclass(frozen=True)
class Hung:
    """A box of the demo: its id, the name of its place, what it hears."""

    box: str
    place: str
    source: Source


def hang(count: int, wav: Path | None) -> list[Hung]:
    """So many boxes, POSITIONS over and over, each round a district of its own; the last hears
    the recording `wav`, over and over. UserError for one that cannot be measured."""
    hung = []
    for number in range(count):
        district, place = divmod(number, len(POSITIONS))
        position = POSITIONS[place]
        box, name = position.box, position.place
        if district:
            box, name = f"{box}-{district + 1}", f"{name}, district {district + 1}"
        sound = sources.mixture(name, position.hears, _BEGINS_S + _LATER_S * district)
        hung.append(Hung(box, name, sound))
    if wav:
        recording = sources.recording(wav, loop=True)
        hung[-1] = Hung(hung[-1].box, f"Beside {wav.name}"[:60], recording)
    return hung


def rehearse() -> None:
    """Makes the sounds of all scenes in the background: the station starts in the meantime."""

    def make() -> None:
        for name in dict.fromkeys(name for position in POSITIONS for name in position.hears):
            SCENES[name].prepare()

    threading.Thread(target=make, daemon=True).start()


def evening_zone(now: datetime) -> str:
    """The zone in which it is eight in the evening at `now` (UTC): lamps may be lit then."""
    east_min = (EVENING_H * 60 - now.hour * 60 - now.minute + 720) % 1440 - 720
    return f"DEMO{'-' if east_min >= 0 else '+'}{abs(east_min) // 60}:{abs(east_min) % 60:02}"
