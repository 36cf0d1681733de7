"""Courses of levels for the policy, and a watch over what the relay did, for several tests."""

from noisebox.policy import Policy

STAGES = {
    "window_s": 10,
    "over_at_least_s": 5,
    "spotlight_after_s": 20,
    "referral_after_s": 120,
    "reminders": 5,
    "reminders_within_s": 600,
    "margin_db": 1,
    "clear_after_s": 10,
    "incident_after_s": 600,
    "hold_s": 10,
}
"""The figures of DESIGN 4.3."""


class Course:
    """A policy fed second by second. The first second is number 1. `changes` are to STAGES.

    stages, lamp, incidents   what changed: (second, stage), (second, wanted), (second, what)
    """

    def __init__(self, **changes):
        self.policy = Policy(dict(STAGES, **changes))
        self.second = 0
        self.stages = []
        self.lamp = []
        self.incidents = []

    def play(self, seconds, laeq, limit=70, mask=0):
        """`seconds` of one level, or of several in turn when `laeq` is a tuple."""
        for index in range(seconds):
            level = laeq[index % len(laeq)] if isinstance(laeq, tuple) else laeq
            self.skip(1)
            lamp = self.policy.lamp
            self.policy.step(self.second, level, limit, mask)
            if self.policy.changed:
                self.stages.append((self.second, self.policy.stage))
            if self.policy.lamp != lamp:
                self.lamp.append((self.second, self.policy.lamp))
            if self.policy.incident != (len(self.incidents) % 2 == 1):
                what = "opened" if self.policy.incident else "ended"
                self.incidents.append((self.second, what))
        return self

    def skip(self, seconds):
        """Seconds of which the policy hears nothing at all."""
        self.second += seconds
        return self


class LampWatch:
    """Looks at the relay from outside, on a clock that no reset stops, and knows only the limits.

    Raises AssertionError at a breach of: on for at least 5 s, off for at least 5 s, on for at most
    120 s between rests of 60 s, on for at most 1800 s in any hour.

    burns   (from, to) in ms
    """

    def __init__(self):
        self.burns = []
        self._lit_since_ms = None
        self._forgotten = 0

    def see(self, now_ms, on, excused=False):
        """The relay is `on` from `now_ms`; `excused`: it may go out before its 5 s are over."""
        if on and self._lit_since_ms is None:
            self._lit_since_ms = now_ms
            if self.burns:
                pause_ms = now_ms - self.burns[-1][1]
                assert pause_ms >= 5_000, "off for {} ms only".format(pause_ms)
        elif not on and self._lit_since_ms is not None:
            length_ms = now_ms - self._lit_since_ms
            assert excused or length_ms >= 5_000, "on for {} ms only".format(length_ms)
            self.burns.append((self._lit_since_ms, now_ms))
            self._lit_since_ms = None

    def lose_power(self):
        """The box cannot know of burns before this; a rest is still owed for them."""
        self._forgotten = len(self.burns)

    def _burnt_ms(self, from_ms, to_ms):
        return sum(
            max(0, min(end, to_ms) - max(start, from_ms))
            for start, end in self.burns[self._forgotten :]
        )

    def finish(self):
        """Looks at the whole course; the lamp must be out."""
        since_rest_ms = 0
        last_end_ms = None
        for start, end in self.burns:
            if last_end_ms is not None and start - last_end_ms >= 60_000:
                since_rest_ms = 0
            since_rest_ms += end - start
            assert since_rest_ms <= 120_000, "{} ms without a rest".format(since_rest_ms)
            last_end_ms = end
        # The busiest hour starts with a burn or ends with one.
        for start, end in self.burns[self._forgotten :]:
            for hour_ms in (start, end - 3_600_000):
                burnt_ms = self._burnt_ms(hour_ms, hour_ms + 3_600_000)
                assert burnt_ms <= 1_800_000, "{} ms in an hour".format(burnt_ms)
