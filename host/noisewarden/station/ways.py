"""The ways to a box: the broker, a USB cable. Whoever wants to tell it something need not know."""

from typing import Any, Protocol

Again = list[tuple[int, int]]
"""Ranges of records, first and last, that should come again."""


class Unreachable(Exception):
    """It could not be sent now; it may be tried again."""


class Way(Protocol):
    """Both raise Unreachable; UserError when the station's own database refuses."""

    async def command(self, box: str, body: dict[str, Any]) -> None:
        """Sends a command, of which `body` has all that the box acts by."""
        ...

    async def acknowledge(self, box: str, boot: int | None, seq: int, again: Again) -> None:
        """All up to `seq` is on disk; some should come again. `boot` is the box's start that this
        is meant for, None while the box has not told."""
        ...


class Ways:
    """Which way a box was heard last."""

    def __init__(self) -> None:
        self._last: dict[str, Way] = {}

    def heard(self, box: str, way: Way) -> None:
        self._last[box] = way

    def gone(self, way: Way) -> None:
        self._last = {box: last for box, last in self._last.items() if last is not way}

    def to(self, box: str) -> Way:
        """Unreachable when nothing was heard of it."""
        if box not in self._last:
            raise Unreachable(f"{box}: was not heard yet")
        return self._last[box]
