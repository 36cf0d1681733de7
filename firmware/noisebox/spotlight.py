"""The limits of the spotlight's relay, whoever wants it lit (DESIGN 4.4).

    on at least 5 s, off at least 5 s
    on at most 120 s between two rests of 60 s, however short the pauses in between
    on at most 1800 s in any 3600 s

What it must remember over a reset is a ledger of bytes, kept in RTC memory: a watchdog or panic
reset then neither gives new time to burn nor cuts a rest short. A reset is taken to last no time.
"""

from micropython import const

ON_S = const(5)
OFF_S = const(5)
_BURN_S = const(120)
_REST_S = const(60)
_BUDGET_S = const(1800)
_LATE_S = const(2)
"""The app steps each second; the limits hold when a step is late by as much again (a flush)."""
UNSEEN_S = const(25)
"""What a lamp may burn from the last step of a box that hangs to the watchdog's reset."""
_LONGEST_ASK_S = const(120)

# Places in the ledger: what is known of the lamp, seconds burnt since its last rest, which minute
# is the current one, then the lamp seconds of that minute and of the 60 before it.
_LAMP = const(0)
_BURNT = const(1)
_MINUTE = const(2)
_MINUTES = const(3)
_COUNT = const(61)

_DARK = const(1)
_LIT = const(2)

LEDGER_BYTES = const(3 + 61)
RESTED = bytes((1,)) + bytes(LEDGER_BYTES - 1)
"""The ledger of a lamp that is known not to have burnt for an hour."""


class Spotlight:
    """Decides when the relay may be on.

    ledger   bytearray of LEDGER_BYTES from before the reset, kept up to date by each `step`. All
             zero (the power was gone) means an unknown past: nothing burnt in the last hour, but a
             rest comes first.
    """

    def __init__(self, ledger):
        self.ledger = ledger
        self._minutes = memoryview(ledger)[_MINUTES:]
        if ledger[_LAMP] == _LIT:
            self._spend(UNSEEN_S)
        if ledger[_LAMP] != _DARK or ledger[_BURNT]:
            ledger[_BURNT] = _BURN_S
        ledger[_LAMP] = _DARK
        self._now_ms = None
        self._state_ms = 0
        self._minute_ms = 0
        self._paid_ms = 0
        self._asked_until_ms = None
        self._silenced = False

    def ask(self, now_ms, seconds):
        """A person wants it on for `seconds` from now, 1–120, under the same limits.

        ValueError for another duration.
        """
        if not isinstance(seconds, int) or not 1 <= seconds <= _LONGEST_ASK_S:
            raise ValueError(
                "{!r} is not a duration in s, 1 to {}".format(seconds, _LONGEST_ASK_S)
            )
        self._asked_until_ms = now_ms + 1000 * seconds

    def ask_off(self):
        """A person wants it off: ends what was asked, and the policy's wish until that ends."""
        self._asked_until_ms = None
        self._silenced = True

    def step(self, now_ms, wished, permitted):
        """Shall the relay be on until the next step?

        now_ms      uptime, never back.
        wished      does the policy want it lit?
        permitted   False without a level, outside the permitted hours and under a stop: dark at
                    once, even before its 5 s.
        """
        elapsed_ms = 0 if self._now_ms is None else now_ms - self._now_ms
        self._now_ms = now_ms
        self._pass(elapsed_ms)
        wanted = self._wanted(now_ms, wished)
        lit = self.ledger[_LAMP] == _LIT
        if lit:
            stays = wanted or self._state_ms < 1000 * ON_S
            shall = permitted and stays and self._room_s() >= _LATE_S
        else:
            shall = wanted and not self.obstacle(permitted)
        if shall != lit:
            self.ledger[_LAMP] = _LIT if shall else _DARK
            self._state_ms = 0
            self._paid_ms = 0
        return bool(shall)

    def obstacle(self, permitted):
        """What keeps a dark lamp dark, as of the last step: "not permitted", "resting", "hour used
        up", "switching" (off for less than 5 s); "" for nothing. Once lit it must have its 5 s.
        """
        if not permitted:
            return "not permitted"
        if _BURN_S - self.ledger[_BURNT] < ON_S + _LATE_S:
            return "resting"
        if self._room_s() < ON_S + _LATE_S:
            return "hour used up"
        if self._state_ms < 1000 * OFF_S:
            return "switching"
        return ""

    def _pass(self, elapsed_ms):
        """Books the time since the last step."""
        self._state_ms = min(self._state_ms + elapsed_ms, 1000 * _REST_S)
        self._minute_ms += elapsed_ms
        turns = min(self._minute_ms // 60000, _COUNT)
        self._minute_ms %= 60000
        for _ in range(turns):
            self.ledger[_MINUTE] = (self.ledger[_MINUTE] + 1) % _COUNT
            self._minutes[self.ledger[_MINUTE]] = 0
        if self.ledger[_LAMP] == _LIT:
            # A second begun is booked whole, in the minute that remembers it longest.
            self._paid_ms -= elapsed_ms
            seconds = -(self._paid_ms // 1000) if self._paid_ms < 0 else 0
            self._paid_ms += 1000 * seconds
            self._spend(seconds)
            self.ledger[_BURNT] = min(self.ledger[_BURNT] + seconds, 255)
        elif self._state_ms >= 1000 * _REST_S:
            self.ledger[_BURNT] = 0

    def _spend(self, seconds):
        minute = self.ledger[_MINUTE]
        self._minutes[minute] = min(self._minutes[minute] + seconds, 255)

    def _wanted(self, now_ms, wished):
        if self._asked_until_ms is not None and now_ms >= self._asked_until_ms:
            self._asked_until_ms = None
        if not wished:
            self._silenced = False
        return self._asked_until_ms is not None or wished and not self._silenced

    def _room_s(self):
        """Seconds that it may burn from now on."""
        return min(_BURN_S - self.ledger[_BURNT], _BUDGET_S - sum(self._minutes))
