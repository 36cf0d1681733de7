"""From seconds of level to stages: reminder, spotlight, referral (DESIGN 4.3).

It counts seconds of uptime and knows no wall time, so setting the clock cannot disturb it.
"""

from array import array
from math import floor, log10

from micropython import const

from noisebox import flags

WITHIN = const(0)
REMINDER = const(1)
SPOTLIGHT = const(2)
REFERRAL = const(3)

STOPS = const(64 | 128 | 256)
"""WIND, UNCALIBRATED, CLOCK: with any of these nothing goes beyond the reminder."""

_NO_LEVEL = const(-32768)


def whole(level_db):
    """`level_db` in whole dB, half up, taken from the 0.01 dB in which levels are reported.

    So the number, the stage and the report agree, whatever the last bit of a float is.
    """
    return (floor(100 * level_db + 0.5) + 50) // 100


class Policy:
    """The stage of a box.

    stages   the section `stages` of the config, complete and valid.

    After each `step`:
    stage      WITHIN, REMINDER, SPOTLIGHT or REFERRAL
    changed    did this step change the stage?
    laeq10     LAeq,10s: energy mean of the valid seconds in the window, dB; None without a level
    over       was this second over?
    lamp       is the spotlight wanted?
    reminders  reminders within their window, counted up to those that bring the referral
    incident   is one going on: from leaving WITHIN until WITHIN has lasted long enough?
    """

    def __init__(self, stages):
        self._stages = stages
        self._wholes = array("h", [_NO_LEVEL] * stages["window_s"])
        self._energies = array("f", [0] * stages["window_s"])
        self._place = 0
        self._now_s = None
        self._silent_s = 0
        self._over_s = 0
        self._clear_s = 0
        self._reminded_s = []
        self._within_since_s = 0
        self.stage = WITHIN
        self.changed = False
        self.laeq10 = None
        self.over = False
        self.lamp = False
        self.reminders = 0
        self.incident = False

    def step(self, now_s, laeq, limit, mask):
        """One second more.

        now_s   uptime in whole seconds; seconds left out are seconds without a level.
        laeq    LAeq,1s in dB, None for no level.
        limit   the limit in force now, dB; the seconds already in the window are judged by it too.
        mask    `flags` of the second.
        """
        before = self.stage
        if self._now_s is not None:
            # More lost seconds than the stage holds change nothing further.
            forgotten_s = self._now_s + self._stages["hold_s"] + 2
            for second in range(self._now_s + 1, min(now_s, forgotten_s)):
                self._miss(second)
        self._now_s = now_s
        if laeq is None:
            self._miss(now_s)
        else:
            self._hear(now_s, laeq, limit, mask)
        if (
            self.incident
            and self.stage == WITHIN
            and now_s - self._within_since_s >= self._stages["incident_after_s"]
        ):
            self.incident = False
        self._forget_reminders(now_s)
        self.changed = self.stage != before

    def _miss(self, now_s):
        """No level: count and clear time stand still, and the stage holds for a while."""
        self._put(_NO_LEVEL, 0)
        self.laeq10 = None
        self.over = False
        self.lamp = False
        self._silent_s += 1
        if self._silent_s > self._stages["hold_s"]:
            for place in range(len(self._wholes)):
                self._wholes[place] = _NO_LEVEL
            if self.stage != WITHIN:
                self._go(WITHIN, now_s)

    def _hear(self, now_s, laeq, limit, mask):
        stages = self._stages
        own = whole(laeq)
        self._silent_s = 0
        self._put(own, 10 ** (laeq / 10))
        loud_s = self._average(limit)
        mean = whole(self.laeq10)
        stopped = mask & STOPS
        # A clipped second was louder than it says: no proof of quiet, and of noise only by itself.
        clipped = mask & flags.OVERLOAD
        enough = loud_s >= stages["over_at_least_s"]
        self.over = mean > limit and enough and not (clipped and own <= limit)
        if self.over:
            self._clear_s = 0
            self._rise(now_s, stopped)
        elif mean <= limit - stages["margin_db"] and not clipped:
            self._fall(now_s)
        else:
            self._clear_s = 0
        self.lamp = self.stage >= SPOTLIGHT and mean > limit and not stopped

    def _put(self, level, energy):
        self._wholes[self._place] = level
        self._energies[self._place] = energy
        self._place = (self._place + 1) % len(self._wholes)

    def _average(self, limit):
        """Sets `laeq10`; returns how many seconds of the window are over `limit` by themselves."""
        energy = 0.0
        valid_s = loud_s = 0
        for place, level in enumerate(self._wholes):
            if level != _NO_LEVEL:
                energy += self._energies[place]
                valid_s += 1
                if level > limit:
                    loud_s += 1
        self.laeq10 = 10 * log10(energy / valid_s)
        return loud_s

    def _rise(self, now_s, stopped):
        """An over second. The count starts at the reminder and advances by one each later one."""
        stages = self._stages
        if self.stage == WITHIN:
            self._over_s = 0
            self._go(REMINDER, now_s)
            if not stopped:
                self._remind(now_s)
        elif not stopped:
            self._over_s += 1
        if self._over_s >= stages["referral_after_s"]:
            self.stage = REFERRAL
        elif self._over_s >= stages["spotlight_after_s"]:
            self.stage = SPOTLIGHT

    def _remind(self, now_s):
        """Notes a reminder; the last of too many brings the referral at once."""
        most = self._stages["reminders"]
        self._reminded_s.append(now_s)
        if len(self._reminded_s) > most:
            self._reminded_s.pop(0)
        self._forget_reminders(now_s)
        if self.reminders == most:
            self._over_s = self._stages["referral_after_s"]

    def _forget_reminders(self, now_s):
        within_s = self._stages["reminders_within_s"]
        while self._reminded_s and now_s - self._reminded_s[0] > within_s:
            self._reminded_s.pop(0)
        self.reminders = len(self._reminded_s)

    def _fall(self, now_s):
        """A clear second; enough of them lead one stage down, and the count to its start."""
        self._clear_s += 1
        if self.stage != WITHIN and self._clear_s >= self._stages["clear_after_s"]:
            self._clear_s = 0
            self._go(self.stage - 1, now_s)
            self._over_s = self._stages["spotlight_after_s"] if self.stage == SPOTLIGHT else 0

    def _go(self, stage, now_s):
        if stage == WITHIN:
            self._within_since_s = now_s
        else:
            self.incident = True
        self.stage = stage
