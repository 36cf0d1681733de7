"""What another limit would have done: a box's own rules over the seconds that it has measured.

The policy, schedule and lamp are the firmware's. What a minute record does not tell is left out:
marks of single seconds, so the answer is that of a calibrated box without wind or overload; and
levels finer than 0.1 dB, so a second at the very edge of a whole dB may count as one more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from noisewarden.errors import UserError
from noisewarden.firmware import config as settings
from noisewarden.firmware import policy, schedule, spotlight
from noisewarden.stages import STAGES
from noisewarden.station.minutes import Stretch


@dataclass
class Outcome:
    """seconds   with a level
    over_s    seconds over the limit as a stage counts them (LAeq,10s), lamp_s: lamp lit
    stage_s   seconds at each stage
    changes   (unix time when the second began, stage) of each change
    """

    seconds: int = 0
    over_s: int = 0
    lamp_s: int = 0
    reminders: int = 0
    referrals: int = 0
    incidents: int = 0
    stage_s: list[int] = field(default_factory=lambda: [0] * len(STAGES))
    changes: list[tuple[int, int]] = field(default_factory=list)


def what_if(stretches: Sequence[Stretch], config: dict[str, Any]) -> Outcome:
    """Of `Levels.seconds`, with a config as a box reads it. UserError when that is not good."""
    problems = settings.problems(config)
    if problems:
        raise UserError("; ".join(problems))
    box = _Box(settings.merged(config))
    for unix_s, laeq in _seconds(stretches):
        box.second(unix_s, laeq)
    return box.outcome


def _seconds(stretches: Sequence[Stretch]) -> Iterator[tuple[int, float | None]]:
    """Each once: a clock that was set back may have lived some twice."""
    heard_until_s = 0
    for stretch in stretches:
        for unix_s, laeq in enumerate(stretch.levels, stretch.from_s):
            if unix_s >= heard_until_s:
                heard_until_s = unix_s + 1
                yield unix_s, laeq


class _Box:
    """The part of `noisebox.box` that decides, without what it writes and draws."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.outcome = Outcome()
        self._zone, self._schedule = settings.rules(config)
        lamp = config["spotlight"]
        self._lamp_hours = schedule.minute_of(lamp["from"]), schedule.minute_of(lamp["to"])
        self._policy = policy.Policy(config["stages"])
        self._lamp = spotlight.Spotlight(bytearray(spotlight.RESTED))
        self._minute: int | None = None
        self._last_s: int | None = None

    def second(self, unix_s: int, laeq: float | None) -> None:
        if self._last_s is not None and unix_s > self._last_s + 1:
            self._light(self._last_s + 1, False, False)  # no level, no lamp
        self._last_s = unix_s
        if unix_s // 60 != self._minute:  # a schedule turns at whole minutes
            self._minute = unix_s // 60
            local = self._zone.local(unix_s)
            self._limit = self._schedule.limit(local)
            self._lamp_hour = schedule.within(*self._lamp_hours, local[4])
        rules, outcome = self._policy, self.outcome
        before, in_incident = rules.stage, rules.incident
        rules.step(unix_s, laeq, self._limit, 0)
        outcome.seconds += laeq is not None
        outcome.over_s += rules.over
        outcome.stage_s[rules.stage] += 1
        outcome.incidents += rules.incident and not in_incident
        outcome.lamp_s += self._light(unix_s, rules.lamp, laeq is not None and self._lamp_hour)
        if rules.changed:
            outcome.changes.append((unix_s, rules.stage))
            outcome.reminders += before == policy.WITHIN
            outcome.referrals += rules.stage == policy.REFERRAL

    def _light(self, unix_s: int, wished: bool, permitted: bool) -> bool:
        return self._lamp.step(1000 * unix_s, wished, permitted)
