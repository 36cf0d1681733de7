"""Virtual boxes whose records are collected while they run: the system without a board."""

import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from noisewarden.collecting import Collector
from noisewarden.console import Console
from noisewarden.database import Database
from noisewarden.errors import UserError
from noisewarden.firmware import wire
from noisewarden.stages import STAGES
from noisewarden.store import Store
from noisewarden.virtual import flash
from noisewarden.virtual.screen import Screen
from noisewarden.virtual.sources import Source
from noisewarden.virtual.supervisor import VirtualBox

Reading = dict[str, Any]

EVENING_H = 20


def evening_zone(now: datetime) -> str:
    """The zone in which it is eight in the evening at `now` (UTC): lamps may be lit then."""
    east_min = (EVENING_H * 60 - now.hour * 60 - now.minute + 720) % 1440 - 720
    return f"DEMO{'-' if east_min >= 0 else '+'}{abs(east_min) // 60}:{abs(east_min) % 60:02}"


class DemoBox:
    """One virtual box and the host that collects from its port; a context manager.

    name       its id
    source     what it hears
    folder     where its flash and the collected records go
    on_change  called, from other threads, when anything below has changed

    screen     what matrix and lamp show
    reading    the last one, {} before the first
    changes    changes of stage, newest last: texts
    collected  the collector's summary, {} before the first record
    failure    why collecting ended, "" while it goes on
    """

    def __init__(
        self,
        name: str,
        source: Source,
        board: dict[str, Any],
        folder: Path,
        on_change: Callable[["DemoBox"], None],
    ) -> None:
        self.name = name
        self.source = source
        self.screen = Screen(board)
        self.reading: Reading = {}
        self.changes: list[str] = []
        self.collected: dict[str, Any] = {}
        self.failure = ""
        self._folder = folder / name
        self._on_change = on_change
        self._stop = threading.Event()
        secret = secrets.token_bytes(32)
        self._key = wire.Key(wire.derive(secret, "journal"))
        config = {"box": name, "place": source.name[:60], "zone": evening_zone(datetime.now(UTC))}
        flash.fill(self._folder / "flash", board, config)
        (self._folder / "flash" / "secret.bin").write_bytes(secret)
        self._box = VirtualBox(
            self._folder,
            source.frames(),
            board=board,
            unix_s=int(time.time()),
            on_event=self._take_event,
        )
        self._collecting = threading.Thread(target=self._collect, daemon=True)

    def __enter__(self) -> "DemoBox":
        self._box.__enter__()
        self._collecting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._collecting.join()
        self._box.__exit__()

    @property
    def port(self) -> str:
        return self._box.port

    @property
    def lost_frames(self) -> int:
        return self._box.feeder.dropped

    def _take_event(self, event: dict[str, Any]) -> None:
        if self.screen.take(event):
            self._on_change(self)

    def _take_reading(self, reading: Reading) -> None:
        before = self.reading.get("stage", 0)
        if reading["stage"] != before:
            level = reading["laeq"]
            self.changes.append(
                f"{reading['n']:4} s  {STAGES[before]} → {STAGES[reading['stage']]}"
                + (f"  at {level:.1f} dB" if level is not None else "")
            )
        self.reading = reading
        self._on_change(self)

    def _collect(self) -> None:
        try:
            with Console(self.port) as console, Database.in_folder(self._folder) as database:
                collector = Collector(console, Store(database), lambda box: (self._key,))
                collector.attach()
                while not self._stop.is_set():
                    collector.follow(self._take_reading, seconds=1.0)
                    self.collected = collector.summary()
        except UserError as error:
            self.failure = str(error)
            self._on_change(self)
