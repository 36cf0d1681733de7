"""From an officer's click to the light: a virtual box, whose radio brings it to the station."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition

from filled import zone_in_hour
from host.station_parts import SECRET
from noisewarden.virtual import flash
from noisewarden.virtual.supervisor import Event, VirtualBox
from served import Visitor
from system.boxes import RESTED_MAIN, install, tones, until

BOX = "with-a-lamp"
ON_S, OFF_S = 5, 6
"""A little more than the relay's shortest."""
NOON_H = 12
"""The lamp has hours."""
LEVEL_DB = 60
WITHIN_S = 10


class Lamp:
    """`lit_s`: seconds from the request until the relay closes, each time."""

    def __init__(self) -> None:
        self._on_at: float | None = None
        self._changed = Condition()

    def hear(self, event: Event) -> None:
        if event["event"] == "relay":
            with self._changed:
                self._on_at = time.monotonic() if event["on"] else None
                self._changed.notify_all()

    def lit_s(self, visitor: Visitor, times: int) -> list[float]:
        """Asked for by the API."""
        took = []
        wish = {"action": "spotlight_on", "arguments": {"seconds": ON_S}}
        for _ in range(times):
            time.sleep(OFF_S)
            began = time.monotonic()
            visitor.post(f"/api/v1/boxes/{BOX}/commands", json=wish).raise_for_status()
            with self._changed:
                assert self._changed.wait_for(lambda: self._on_at, WITHIN_S), "no light"
                assert self._on_at
                took.append(self._on_at - began)
                self._changed.wait_for(lambda: self._on_at is None, ON_S + WITHIN_S)
        return took


@contextmanager
def on_a_pole(folder: Path, visitor: Visitor, ca: bytes, port: int) -> Iterator[Lamp]:
    """A box that the station hears."""
    (folder / BOX).mkdir()
    config = {"box": BOX, "zone": zone_in_hour(NOON_H)}
    board = install(folder / BOX, RESTED_MAIN, config=config)
    flash.provision(folder / BOX / "flash", SECRET, ca, port)
    lamp, sound, now_s = Lamp(), tones((60, LEVEL_DB)), int(time.time())

    def heard() -> bool:
        reading = visitor.get(f"/api/v1/boxes/{BOX}").json()["reading"]
        return reading is not None and reading["laeq"] is not None

    with VirtualBox(folder / BOX, sound, board=board, unix_s=now_s, on_event=lamp.hear):
        until(heard, lambda: f"{BOX} is not heard", 60)
        yield lamp
