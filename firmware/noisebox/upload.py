"""Which record goes to the station next: in order, a few ahead of its acknowledgements."""

from micropython import const

WINDOW = const(16)
"""Records that may be under way: a second of batching at the station costs no time, and a link
that breaks costs no more than these sent twice."""

ASK_AGAIN_MS = const(30_000)
"""After so long without an acknowledgement the box says where it stands, and asks."""


class Upload:
    """Times are milliseconds of uptime. Nothing is sent before the station says where to resume.

    held   the station has all up to here on disk, as far as the box knows
    """

    def __init__(self):
        self.held = 0
        self._sent = 0
        self._again = []
        self._asking = True
        self._heard_ms = 0

    def ask(self, now_ms):
        """The box has just told its state: the next acknowledgement says where to go on."""
        self._asking = True
        self._heard_ms = now_ms

    def ack(self, seq, again, now_ms):
        """The station holds all up to `seq`, and asks for each [first, last] of `again`."""
        if self._asking:
            self.held = self._sent = seq
        else:
            # An older one, which comes late or is played again, takes nothing back.
            self.held = max(self.held, seq)
            self._sent = max(self._sent, seq)
        if again:
            self._again = again
        self._asking = False
        self._heard_ms = now_ms

    def next(self, newest):
        """From which number on the next record is to be read, None when none is due."""
        if self._asking:
            return None
        if self._again:
            return self._again[0][0]
        if self._sent >= newest or self._sent - self.held >= WINDOW:
            return None
        return self._sent + 1

    def sent(self, asked, seq):
        """The record that `next` asked for was `seq`; numbers between are gone for ever."""
        if self._again:
            if seq < self._again[0][1]:
                self._again[0][0] = seq + 1
            else:
                del self._again[0]
        elif asked == self._sent + 1:
            self._sent = seq

    def silent(self, now_ms):
        """Whether the station owes an answer for so long that it must be asked again."""
        owing = self._asking or self._sent > self.held
        return owing and now_ms - self._heard_ms >= ASK_AGAIN_MS
