"""What happens, to whoever looks: server-sent events, one stream a page."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from noisewarden.errors import UserError
from noisewarden.station.web.problems import Problem, answers
from noisewarden.station.web.security import TheStation, Viewer, visitor

router = APIRouter(tags=["boxes"])

STREAMS_MOST = 500
STREAMS_MOST_A_PERSON = 50
"""One a page, on all screens: whoever opens them without end keeps nobody else out."""
QUIET_S = 1.0
"""After so long without an event a comment goes out, which finds a reader that has gone."""
CHECK_S = 2.0
"""How long a stream may outlive its session; as often its reader is told that it still flows."""
RECONNECT_MS = 2000


class EventStream(StreamingResponse):
    media_type = "text/event-stream"


@router.get("/stream", responses=answers(401, 403, 503), response_class=EventStream)
async def stream(request: Request, station: TheStation, found: Viewer) -> StreamingResponse:
    """Server-sent events: readings, state, incident, command, health; lost when some were lost;
    beat every few seconds, whose absence shows a line that broke without a word.

    Look at /boxes after the stream is open, and again after `lost`: then nothing is missed.
    """
    streams: Counter[int] = request.app.state.streams
    if streams.total() >= STREAMS_MOST or streams[found.person] >= STREAMS_MOST_A_PERSON:
        raise Problem(503, "busy", "stream: too many pages are open; close some")
    return EventStream(_events(request, station, found.person))


def _is_out(request: Request) -> bool:
    """Whether the session is over; or nobody knows, since the database refuses."""
    try:
        return visitor(request) is None
    except UserError:
        return True


async def _events(request: Request, station: TheStation, person: int) -> AsyncIterator[str]:
    state = request.app.state
    state.streams[person] += 1
    try:
        async with station.live.subscribe() as reader:
            yield f"retry: {RECONNECT_MS}\n\n"
            checked = time.monotonic()
            while not state.ending:
                try:
                    event, data = await asyncio.wait_for(anext(reader), QUIET_S)
                    yield f"event: {event}\ndata: {data}\n\n"
                except TimeoutError:
                    yield ":\n\n"
                if time.monotonic() - checked > CHECK_S:
                    checked = time.monotonic()
                    if await run_in_threadpool(_is_out, request):
                        return
                    yield "event: beat\ndata: {}\n\n"
    finally:
        state.streams[person] -= 1
