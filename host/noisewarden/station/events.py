"""What happens, for readers that cannot hold each other up, however slow one of them is."""

import asyncio
import json
from collections import deque
from typing import NamedTuple

BEHIND_MOST = 256
"""Events that a slow reader may be behind."""


class Event(NamedTuple):
    """`event`: readings, state, incident, command, health or lost; `data`: JSON, one object.

    readings  {"readings": [{"box", "reading", "reason"}…]}; of a silent box `reading` is null
    state     as `Live.box`
    incident  as `incidents.Incident`, and {"alarm"}: whether someone is to be called
    command   as `commanding.Command`
    health    {"troubles": {what: why}}
    lost      {"events"}: so many were too much for this reader, who had better look anew
    """

    event: str
    data: str


class Reader:
    """An async iterator of events; the oldest go when it is too slow, and it is told."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._lost = 0
        self._wake = asyncio.Event()

    def put(self, event: Event) -> None:
        if len(self._events) >= BEHIND_MOST:
            self._events.popleft()
            self._lost += 1
        self._events.append(event)
        self._wake.set()

    def __aiter__(self) -> "Reader":
        return self

    async def __anext__(self) -> Event:
        """It can be cancelled, by a timeout say, and nothing is lost by that."""
        while not self._events:
            self._wake.clear()
            await self._wake.wait()
        if self._lost:
            lost, self._lost = self._lost, 0
            return Event("lost", json.dumps({"events": lost}))
        return self._events.popleft()
