"""Records onto the disk, then acknowledged, then taken into the incidents: in this order always.

Whatever has come from any box within a moment is one transaction, in a thread, so that the loop
never waits for the disk.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from noisewarden.errors import UserError
from noisewarden.station.incidents import Incidents
from noisewarden.station.messages import Arrival, Payload
from noisewarden.station.uploads import AGAIN_MOST, DOUBTS_MOST, Upload, again
from noisewarden.station.ways import Again, Unreachable, Way
from noisewarden.store import Batch, Intake, Store

GATHER_S = 0.05
"""What comes within so long is one transaction."""
PENDING_MOST = 5000
"""Records in memory. What comes beyond is dropped, and comes again: it is not acknowledged."""
AGAIN_AFTER_S = 2.0
"""So long a gap may be records that another way or process is bringing."""
TRY_AGAIN_AFTER_S = 2.0

_log = logging.getLogger(__name__)


@dataclass
class _Box:
    keys: Sequence[Any]
    upload: Upload = field(default_factory=Upload)
    way: Way | None = None
    arrivals: list[Arrival] = field(default_factory=list)
    owed: bool = False
    unsettled: bool = True
    ask_at: float | None = None
    ranges: Again = field(default_factory=list)
    unsent: bool = False


class Committer:
    """counts     what became of records, by name
    trouble    takes the name of what fails and why, "" when it is over
    committed  takes a box and what of it is on disk now

    It belongs to one event loop.
    """

    def __init__(
        self,
        store: Store,
        incidents: Incidents,
        *,
        trouble: Callable[[str, str], None] = lambda what, why: None,
        committed: Callable[[str, Sequence[Arrival]], None] = lambda box, arrivals: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.pending = 0
        self._store = store
        self._incidents = incidents
        self._trouble = trouble
        self._committed = committed
        self._monotonic = monotonic
        self._boxes: dict[str, _Box] = {}
        self._wake = asyncio.Event()
        self._acks: dict[str, asyncio.Task[None]] = {}
        self._thread = ThreadPoolExecutor(1, "commit")

    def admit(self, boxes: Set[str], changed: Mapping[str, Sequence[Any]]) -> None:
        """These boxes and no others; `changed`: keys of journals that are new."""
        for box in self._boxes.keys() - boxes:
            self.pending -= len(self._boxes.pop(box).arrivals)
        for box, keys in changed.items():
            self._boxes.setdefault(box, _Box(keys)).keys = keys

    def add(self, box: str, arrival: Arrival, way: Way) -> None:
        if self.pending >= PENDING_MOST:
            self.counts["dropped"] += 1
            return
        self.pending += 1
        self._boxes[box].arrivals.append(arrival)
        self.owe(box, way)

    def told(self, box: str, state: Payload, way: Way) -> None:
        """A box says where it stands, and waits to hear where to go on."""
        self._boxes[box].upload.told(state)
        self.owe(box, way)

    def owe(self, box: str, way: Way) -> None:
        """It is to get an acknowledgement, this way."""
        known = self._boxes[box]
        known.way = way
        known.owed = True
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled; what is not on disk by then comes again."""
        try:
            while True:
                # `wait_for` of Python 3.11 may forget that it was cancelled (cpython #86296).
                with suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN_AFTER_S / 2):
                        await self._wake.wait()
                    await asyncio.sleep(GATHER_S)
                self._wake.clear()
                try:
                    await self.step()
                except UserError as error:
                    # Full, perhaps. What came is kept, not acknowledged, and tried again.
                    self._trouble("store", str(error))
                    await asyncio.sleep(TRY_AGAIN_AFTER_S)
                    self._wake.set()
                else:
                    self._trouble("store", "")
        finally:
            self._thread.shutdown()

    async def step(self) -> None:
        """Commits what has come, and answers those to whom an acknowledgement is owed."""
        late = [known for known in self._boxes.values() if self._is_late(known)]
        for known in late:
            known.owed = True
        owed = {box: known for box, known in self._boxes.items() if known.owed}
        if not owed:
            await self._settle_all()
            return
        taken = {box: tuple(known.arrivals) for box, known in owed.items()}
        batches = {
            box: Batch([(arrival.entry, arrival.after) for arrival in taken[box]], known.keys)
            for box, known in owed.items()
        }
        began = self._monotonic()
        results = await self._in_thread(self._commit, batches)
        self.counts["commits"] += 1
        self.counts["commit_ms"] += round(1000 * (self._monotonic() - began))
        for box, known in owed.items():
            # More may have come while the disk was at work, and is owed next time.
            del known.arrivals[: len(taken[box])]
            if self._boxes.get(box) is known:  # else it was revoked, with all that waited
                self.pending -= len(taken[box])
            known.owed = bool(known.arrivals)
        for box, result in results.items():
            known = owed[box]
            known.upload.took(taken[box], result)
            try:
                ranges = await self._to_ask_for(box, known, known in late)
            except UserError:
                ranges = []  # it is on disk all the same; what is missing is asked for again
            self._acknowledge(box, known, ranges[:AGAIN_MOST])
            self._note(box, known, result)
            self._committed(box, [each for each in taken[box] if each.entry not in result.broken])
        await self._settle_all()

    async def _to_ask_for(self, box: str, known: _Box, late: bool) -> Again:
        ranges = known.upload.probe()
        if ranges:
            since = known.upload.doubts_from
            doubts = await self._in_thread(self._store.doubts, box, since, DOUBTS_MOST)
            ranges += known.upload.doubted(doubts)
        if late:
            ranges += again(await self._in_thread(self._store.missing, box))
        return ranges

    async def _settle_all(self) -> None:
        """Also those that the database refused a moment ago."""
        for box, known in list(self._boxes.items()):
            await self._settle(box, known)

    def _is_late(self, known: _Box) -> bool:
        """Whether a gap has lasted; each time so long anew."""
        now = self._monotonic()
        if not known.upload.behind:
            known.ask_at = None
        elif known.ask_at is None:
            known.ask_at = now + AGAIN_AFTER_S
        elif now >= known.ask_at:
            known.ask_at = now + AGAIN_AFTER_S
            return True
        return False

    def _commit(self, batches: Mapping[str, Batch]) -> dict[str, Intake]:
        """What of it is on disk; a batch that the store stumbles on must not stop the others."""
        try:
            return self._store.intake_many(batches)
        except UserError:
            raise
        except Exception:
            _log.exception("records of %s", ", ".join(batches))
        if len(batches) == 1:
            self.counts["failed"] += 1
            return {}
        results: dict[str, Intake] = {}
        for box, batch in batches.items():
            results |= self._commit({box: batch})
        return results

    def _acknowledge(self, box: str, known: _Box, ranges: Again) -> None:
        known.ranges = ranges or known.ranges
        known.unsent = True
        if known.way and box not in self._acks:
            self._acks[box] = asyncio.create_task(self._send(known.way, box, known))

    async def _send(self, way: Way, box: str, known: _Box) -> None:
        """One under way at a time for each box: what comes meanwhile is in the next."""
        try:
            while known.unsent:
                ranges, known.ranges, known.unsent = known.ranges, [], False
                upload = known.upload
                await way.acknowledge(box, upload.boot, upload.acknowledged, ranges)
                self.counts["acks"] += 1
        except (Unreachable, UserError):
            self.counts["acks_failed"] += 1  # the box asks when it hears nothing
        finally:
            del self._acks[box]

    def _note(self, box: str, known: _Box, result: Intake) -> None:
        for name in ("new", "known", "conflicts"):
            self.counts[name] += getattr(result, name)
        why = "began anew under numbers that are here already; give the box a new id"
        self._trouble(f"journal of {box}", why if known.upload.anew else "")

    async def _settle(self, box: str, known: _Box) -> None:
        if known.upload.news(known.unsettled):
            since, live = known.upload.unsettled()
            try:
                known.unsettled = await self._in_thread(self._incidents.advance, box, since, live)
            except UserError:
                raise
            except Exception:  # one box must not stop all others
                self.counts["failed"] += 1
                _log.exception("incidents of %s", box)
            known.upload.settle(live)

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """One after the other: the order of commits is that of arrival."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, *arguments)
