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


class DemoBox:
    """A context manager: it hangs and measures from its entry to its exit.

    screen   what its matrix and lamp show
    seen     what the station has of it, None before the first look
    changes  its changes of stage as the station heard of them, newest last: texts
    """

    def __init__(
        self, hung: Hung, board: dict[str, Any], folder: Path, station: DemoStation
    ) -> None:
        self.name, self.place = hung.box, hung.place
        self.screen = Screen(board)
        self.seen: Seen | None = None
        self.changes: list[str] = []
        self._stage = 0
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
    def lost_frames(self) -> int:
        return self._box.feeder.dropped

    def _take_event(self, event: Event) -> None:
        self.screen.take(event)

    def take(self, seen: Seen) -> None:
        """Notes what the station has now."""
        self.seen = seen
        reading = seen.reading
        if reading and reading["stage"] != self._stage:
            level = reading["laeq"]
            self.changes.append(
                f"{reading['n']:4} s  {STAGES[self._stage]} → {STAGES[reading['stage']]}"
                + (f"  at {level:.1f} dB" if level is not None else "")
            )
            self._stage = reading["stage"]
