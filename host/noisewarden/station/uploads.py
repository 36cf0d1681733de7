"""Where the upload of a box's journal stands, and what an acknowledgement may say of it.

A box whose flash was erased begins a journal anew, under numbers that the store has already. Its
records are kept beside the first ones, as conflicts; so they are on disk and are acknowledged, by
a count of their own.
"""

from collections.abc import Iterable, Mapping, Sequence

from noisewarden.firmware import wire
from noisewarden.station.messages import Arrival, Payload
from noisewarden.station.settling import KINDS
from noisewarden.station.ways import Again
from noisewarden.store import Gap, Intake

AGAIN_MOST = 8
AGAIN_RECORDS_MOST = 64
"""Asked for at a time, so that a bad link does not carry the same records over and over."""
DOUBTS_MOST = AGAIN_MOST - 1


class Upload:
    """boot    of the box's present start, None while it has not told
    held    the store has all that the box has up to here
    anew    whether the journal began anew
    """

    def __init__(self) -> None:
        self.boot: int | None = None
        self.held = 0
        self.anew = False
        self._highest = 0
        self._position = 0
        self._reached = 0  # as far, with broken records behind it
        self._former = 0  # the last number of the journal before
        self._first = self._oldest = 0
        self._doubted = 0
        self._probe: int | None = None
        self._settled = 0
        self._news = 0
        self._live: dict[int, bool] = {}

    def told(self, state: Payload) -> None:
        """The box says which start this is and, now and not by an old message, where it stands."""
        self.boot = state["boot"]
        if "records" in state:
            self._first, newest = state["records"]
            self._oldest = self._first
            if self.held > newest:
                self._begin_anew()

    def took(self, arrivals: Sequence[Arrival], result: Intake) -> None:
        """These are on disk now."""
        self.held = result.held
        for arrival in arrivals:
            seq = arrival.seq
            broken = arrival.entry in result.broken
            if not broken:
                self._highest = max(self._highest, seq)
            if seq > self._settled and wire.header(arrival.entry[1])[0] in KINDS:
                self._live[seq] = arrival.live
                self._news = max(self._news, seq)
            if seq == self._probe and not broken:
                self._probe = None
                if result.conflicts:
                    self._begin_anew()
            if not self.anew:
                continue
            if not broken:
                if arrival.after <= self._reached < seq:
                    self._position = self._reached = seq
            elif seq == self._reached + 1:
                self._reached = seq
        if self.held >= self._position > self._former:
            self.anew = False

    def _begin_anew(self) -> None:
        if not self.anew:
            self.anew = True
            self._position = self._reached = 0
            self._former = self.held

    @property
    def behind(self) -> bool:
        """Whether the store has records above a gap."""
        return self._highest > self.held and not self.anew

    @property
    def acknowledged(self) -> int:
        return self._position if self.anew else self.held

    def probe(self) -> Again:
        """Once after `told`: the last record that is here, by which the box shows that its journal
        is still the same."""
        first, self._first = self._first, 0
        if self.anew or not 1 <= first <= self.held:
            return []
        self._probe = self.held
        return [(self.held, self.held)]

    @property
    def doubts_from(self) -> int:
        """Beside a probe the box is asked for what it may have better, from this number on."""
        return max(self._oldest, self._doubted + 1)

    def doubted(self, doubts: Sequence[Gap]) -> Again:
        """These, at most DOUBTS_MOST; next time those behind them, and at the end the first
        once more."""
        ranges = again(doubts)
        whole = len(doubts) < DOUBTS_MOST and (not doubts or ranges[-1][1] == doubts[-1].last)
        self._doubted = 0 if whole else ranges[-1][1]
        return ranges

    # What the incidents have not taken in yet.

    def news(self, unsettled: bool) -> bool:
        """Whether they should; `unsettled`: one is open, so that any record may end it."""
        return self.held > self._settled and (unsettled or self._news > self._settled)

    def unsettled(self) -> tuple[int, Mapping[int, bool]]:
        """(up to where they have, what the box said of the records since: did each come live)."""
        return self._settled, {s: live for s, live in self._live.items() if s <= self.held}

    def settle(self, live: Mapping[int, bool]) -> None:
        """They have taken in what `unsettled` told, on disk."""
        self._settled = self.held
        for seq in live:
            del self._live[seq]


def again(missing: Iterable[Gap]) -> Again:
    """The first ranges of what a box can still fill."""
    ranges: Again = []
    left = AGAIN_RECORDS_MOST
    for gap in missing:
        last = min(gap.last, gap.first + left - 1)
        ranges.append((gap.first, last))
        left -= last - gap.first + 1
        if not left or len(ranges) == AGAIN_MOST:
            break
    return ranges
