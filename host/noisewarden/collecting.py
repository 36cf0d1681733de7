"""Collecting from a box on USB: its records into a store, in order, none lost and none twice.

The box sends what follows the number that it is told, in order (docs/protocol.md, "Collecting
records over serial"). So a host goes back to what it holds and asks again whenever something is
missing, and a line that is lost or damaged costs time, never a record.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from noisewarden.boxclock import BoxClock, Reading
from noisewarden.chain import Keys
from noisewarden.console import ANSWER_WITHIN_S, Console
from noisewarden.errors import UserError
from noisewarden.firmware import evidence
from noisewarden.store import Entry, Store

ASK_AGAIN_AFTER_S = 2.0
TRIES = 3

_BATCH = 16
"""Records that the box sends for one ack."""
_REMIND_AFTER_S = 10.0
"""The box forgets what it was asked when it restarts."""
_STEP_S = 0.2
_TOLD_WITHIN_S = 1.0


class Collector:
    """One box's records on their way from console to store.

    keys  gives the `wire.Key`s of a box's journal, none when nobody here has them

    box       its id, known after `attach`, as is
    expected  how many records are to come, None when the box does not tell
    new, known, corrupt, readings   counts: records that were not in the store and that were,
              messages that were records and came damaged, readings seen

    UserError when there is no box, or it stops to answer; what was collected stays in the store.
    """

    def __init__(
        self, console: Console, store: Store, keys: Callable[[str], Keys] = lambda box: ()
    ) -> None:
        self.box = ""
        self.expected: int | None = None
        self.new = self.known = self.corrupt = self.readings = 0
        self._console = console
        self._clock = BoxClock(console)
        self._store = store
        self._keys_of = keys
        self._keys: Keys = ()
        self._on_reading: Callable[[Reading], None] = lambda reading: None
        self._last: int | None = None
        self._position = 0  # all up to here has come
        self._pending: list[tuple[Entry, int]] = []
        self._newest = False  # the box has nothing after it
        self._probing = False
        self._doubted: Entry | None = None
        self._taken: Entry | None = None  # the last
        self._asked_again = False
        self._tries = 0
        self._trouble = ""
        self._asked_at = self._heard_at = 0.0

    def attach(self) -> None:
        """Finds the box by its first message, and asks for its records."""
        message = self._console.meet()
        self.box = message[0]
        self._keys = self._keys_of(self.box)
        if self._keys:
            self._store.verify(self.box, *self._keys)
        # The last record that is here comes once more: is it still the same journal?
        held = self._store.held(self.box)
        self._probing = held > 0
        self._heard_at = time.monotonic()
        self._start_after(held - 1 if self._probing else 0)
        self._hear(*message[1:])
        deadline = time.monotonic() + _TOLD_WITHIN_S
        while self._last is None and self._taken is None and time.monotonic() < deadline:
            self._step()
        if self._last is not None:
            self.expected = max(self._last - held, 0)

    def collect(self, on_progress: Callable[[int], None] = lambda count: None) -> None:
        """Until the box has no more on its flash. `on_progress` gets how many more were stored."""
        with self._keeping():
            while not (self._newest and self._clock.settled()):
                before = self.new
                self._step()
                on_progress(self.new - before)

    def follow(self, on_reading: Callable[[Reading], None], seconds: float | None = None) -> None:
        """Goes on with new records, for `seconds` or for ever, and hands on each `reading`."""
        self._on_reading = on_reading
        until = float("inf") if seconds is None else time.monotonic() + seconds
        with self._keeping():
            while time.monotonic() < until:
                self._step()

    def summary(self) -> dict[str, Any]:
        """What came, and how the box's records now stand in the store."""
        return {
            "box": self.box,
            "new": self.new,
            "known": self.known,
            "gaps": [vars(gap) for gap in self._store.gaps(self.box)],
            "chain": self._store.chain(self.box),
            "conflicts": self._store.conflicts(self.box),
            "corrupt": self.corrupt + self._console.corrupt,
            "readings": self.readings,
            "clock": self._clock.found,
        }

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        """Whatever ends the work, what has come is committed."""
        try:
            yield
        except UserError as error:
            self._commit()
            raise UserError(f"{error}; {self.new} new records were collected and stay") from None
        finally:
            self._commit()

    def _step(self) -> None:
        message = self._console.receive(_STEP_S)
        now = time.monotonic()
        if message and message[0] == self.box:
            self._heard_at = now
            self._hear(*message[1:])
        elif now - self._heard_at > ANSWER_WITHIN_S:
            raise UserError(f"{self._console.port}: {self.box} fell silent; reset the box")
        waited_s = now - self._asked_at
        if not self._newest and waited_s > ASK_AGAIN_AFTER_S:
            self._try_again()
        elif waited_s > _REMIND_AFTER_S:
            self._ask()

    def _hear(self, name: str, payload: dict[str, Any]) -> None:
        match name, payload:
            case "reading", _:
                self.readings += 1
                self._clock.judge(self.box, payload)
                self._on_reading(payload)
            case "state", {"records": [int(), int() as last]}:
                self._last = last
            case "record", _:
                self._take(payload)

    # Records.

    def _start_after(self, seq: int) -> None:
        self._position = seq
        self._newest = False
        self._tries = 0
        self._ask()

    def _ask(self) -> None:
        """Acknowledges what is committed, which asks for what follows it."""
        self._commit()
        self._console.send(self.box, "ack", {"seq": self._position})
        self._asked_at = time.monotonic()

    def _ask_again(self) -> None:
        """At once, but once: what was on its way still arrives, and is out of order too."""
        if not self._asked_again:
            self._asked_again = True
            self._ask()

    def _try_again(self) -> None:
        # A box that says nothing at all may be restarting, which is no answer.
        if self._heard_at > self._asked_at:
            self._tries += 1
        if self._tries < TRIES:
            self._ask()
        elif self._trouble:
            raise UserError(
                f"{self._console.port}: what follows record {self._position} of {self.box} "
                f"cannot be read ({self._trouble}); try another cable, or a newer noisewarden"
            )
        elif self._probing:
            # A journal that has fewer records than came of it began anew.
            self._probing = False
            self._start_after(0)
        else:
            raise UserError(
                f"{self._console.port}: {self.box} sends nothing after record {self._position}; "
                "its flash is damaged, or it does not hear: check the cable, reset the box"
            )

    def _take(self, payload: dict[str, Any]) -> None:
        try:
            entry = evidence.entry(payload)
            after = payload.get("after")
            if not isinstance(after, int) or not 0 <= after < entry[0]:
                raise ValueError("record: after is no number before its own")
        except ValueError as error:
            self.corrupt += 1
            self._trouble = str(error)
            self._ask_again()
            return
        seq = entry[0]
        if seq <= self._position:
            return
        if after > self._position:
            self._ask_again()
            return
        if self._doubtful(entry):
            self.corrupt += 1
            self._ask_again()
            return
        self._position = seq
        self._taken = entry
        self._last = payload.get("newest")
        self._newest = self._last == seq
        self._asked_again = False
        self._tries = 0
        self._trouble = ""
        self._asked_at = time.monotonic()
        self._pending.append((entry, after))
        self._clock.note(entry[1])
        if self._probing:
            self._compare()
        elif self._newest or len(self._pending) >= _BATCH:
            self._ask()

    def _compare(self) -> None:
        """The record that is here already has come again."""
        self._probing = False
        arrival = self._pending.pop()
        result = self._store.intake(self.box, [arrival], *self._keys)
        self.new += result.new
        if result.conflicts:
            self._start_after(0)
        else:
            self._ask()

    def _doubtful(self, entry: Entry) -> bool:
        """Whether a record that breaks the chain should come again: the wire may have done it.

        The same bytes twice stand so on the flash: they are kept, and the store marks them. After
        another broken one nothing is concluded: the key may be that of another box.
        """
        if not self._keys or self._taken is None or entry == self._doubted:
            return False
        pair = self._taken, entry
        if not all(list(evidence.breaks(key, pair)) == [entry[0]] for key in self._keys):
            return False
        self._doubted = entry
        return True

    def _commit(self) -> None:
        if self._pending:
            batch, self._pending = self._pending, []
            result = self._store.intake(self.box, batch, *self._keys)
            self.new += result.new
            self.known += result.known
