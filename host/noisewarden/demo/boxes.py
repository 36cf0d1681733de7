"""A box of the demo: a virtual box on its pole, which knows the station as a real one does."""

import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from noisewarden.demo.square import Hung, evening_zone
from noisewarden.demo.station import DemoStation, Seen
from noisewarden.stages import STAGES
from noisewarden.virtual import chip, flash
from noisewarden.virtual.screen import Screen
from noisewarden.virtual.supervisor import Event, VirtualBox


class Box:
    """What can be told of any box.

    seen     what the station has of it, None before the first look
    changes  its changes of stage as the station heard of them, newest last: texts
    """

    def __init__(self, name: str, place: str) -> None:
        self.name = name
        self.place = place
        self.seen: Seen | None = None
        self.changes: list[str] = []
        self.stage = 0

    @property
    def reading(self) -> dict[str, Any] | None:
        """Its last, while that is true."""
        return self.seen.reading if self.seen else None

    @property
    def records(self) -> str:
        """How many the station has on disk, by the state of their chain."""
        counts = self.seen.records if self.seen else {}
        return ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "none"

    def take(self, seen: Seen) -> None:
        """Notes what the station has now."""
        self.seen = seen
        reading = seen.reading
        if reading and reading["stage"] != self.stage:
            level = reading["laeq"]
            self.changes.append(
                f"{reading['n']:4} s  {STAGES[self.stage]} → {STAGES[reading['stage']]}"
                + (f"  at {level:.1f} dB" if level is not None else "")
            )
            self.stage = reading["stage"]


class DemoBox(Box):
    """A context manager: it hangs and measures from its entry to its exit.

    screen   what its matrix and lamp show
    """

    def __init__(
        self, hung: Hung, board: dict[str, Any], folder: Path, station: DemoStation
    ) -> None:
        super().__init__(hung.box, hung.place)
        self.screen = Screen(board)
        secret = secrets.token_bytes(32)
        files = folder / hung.box / "flash"
        zone = evening_zone(datetime.now(UTC))
        flash.fill(files, board, {"box": hung.box, "place": hung.place, "zone": zone})
        flash.provision(files, secret, station.ca, station.port)
        station.register(hung.box, secret, hung.place, chip.unique_id(hung.box))
        self._box = VirtualBox(
            files.parent,
            hung.source.frames(),
            board=board,
            unix_s=int(time.time()),
            on_event=self._take_event,
        )

    def __enter__(self) -> "DemoBox":
        self._box.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._box.__exit__()

    @property
    def lost_samples(self) -> int:
        """Because this computer was too busy: a real box loses none."""
        return self._box.feeder.dropped

    def _take_event(self, event: Event) -> None:
        self.screen.take(event)
