"""A box, second by second: levels in; lamp, number, message and record out, in this order.

The order is the promise of DESIGN 4.1: lamp and number first, then what takes time. Everything
that touches the world is handed in.
"""

from array import array

from micropython import const

from noisebox import flags as flag
from noisebox import wire
from noisebox.commands import Refused
from noisebox.policy import STOPS, Policy, whole
from noisebox.schedule import minute_of, within
from noisebox.spotlight import Spotlight

AROUND_S = const(20)
"""LAeq,1s that a change of stage takes along into its record, the second itself included."""

FAULT_AGAIN_S = const(600)
"""The same fault is recorded once in so long: a loose wire must not wear out the flash."""
_FAULTS = const(8)

_JITTER_MS = const(500)
_CLOCK_SET_MS = const(20_000)
"""Longer than a box stands still: the watchdog would have reset it."""

_IDENTIFY = const(0)
"""The message that is no text."""


def _rounded(level_db):
    return None if level_db is None else round(level_db, 2)


class Box:
    """config         whole configuration (`config.merged`); zone and schedule are its `rules`
    clock, journal, display   as their rooms make them
    ledger         of the lamp, from before a reset; kept up to date
    outside        light(on), draw(buffer), publish(name, payload), keep_ledger(), flushed()

    calibrated_until  to be set: unix time at which the calibration ends, 0 for none
    lamp              is the spotlight lit?
    reading           the payload last published
    """

    def __init__(self, config, zone, schedule, clock, journal, display, ledger, outside):
        self._clock = clock
        self._journal = journal
        self._display = display
        self._outside = outside
        self._spotlight = Spotlight(ledger)
        self._around = array("H", [wire.NO_TENTHS] * AROUND_S)
        self._stages = None
        self._seconds = 0
        self._unix_s = 0
        self._stage = self._highest_stage = 0
        self._permitted = False
        self._faults = []
        self._message = None
        self._message_until_ms = 0
        self._compared_until_ms = 0
        self._minute_flags = 0
        self.calibrated_until = 0
        self.lamp = False
        self.reading = {}
        self.configure(config, zone, schedule)

    def configure(self, config, zone, schedule):
        """Takes a new configuration.

        An incident goes on unless the numbers of the stages change: then the stage begins at 0
        again, and the next second records that.
        """
        self._zone = zone
        self._schedule = schedule
        if self._stages != config["stages"]:
            self._stages = config["stages"]
            self._policy = Policy(self._stages)
        lamp, shown = config["spotlight"], config["display"]
        self._lamp_hours = minute_of(lamp["from"]), minute_of(lamp["to"])
        self._night_hours = minute_of(shown["night_from"]), minute_of(shown["night_to"])
        self._mode = shown["mode"]
        self._brightness = shown["brightness"], shown["night_brightness"]
        self._display.show_limit = shown["show_limit"]

    def second(self, second, minute, told=False):
        """One second of the meter, and its minute when one has just ended, else None.

        told   a `silence` has stood for it already: it only completes the minute
        """
        if not told:
            self._step(second.laeq, second.flags, second)
        if minute:
            self._record_minute(minute)
        self._flush_if_due()

    def silence(self):
        """A second has passed in which the microphone delivered nothing at all."""
        self._step(None, flag.DEAD | flag.LOST, None)
        self._flush_if_due()

    def _step(self, laeq, mask, levels):
        now_ms = self._clock.uptime_ms()
        unix_s = self._date(self._clock.unix_ms(), laeq is not None)
        minute = None
        limit = self._schedule.highest()
        if unix_s is None:
            mask |= flag.CLOCK
        else:
            local = self._zone.local(unix_s)
            minute = local[4]
            limit = self._schedule.limit(local)
        compared = now_ms < self._compared_until_ms
        if compared or (unix_s or 1) >= self.calibrated_until:
            mask |= flag.UNCALIBRATED
        policy = self._policy
        policy.step(self._seconds, None if compared else laeq, limit, mask)
        self._seconds += 1
        self._minute_flags |= mask
        self._highest_stage = max(self._highest_stage, policy.stage)
        self._permitted = (
            laeq is not None
            and not mask & STOPS
            and minute is not None
            and within(*self._lamp_hours, minute)
        )
        self._switch_lamp(now_ms)
        self._draw(now_ms, laeq, limit, mask, minute)
        self._publish_reading(unix_s, laeq, limit, mask, levels)
        self._remember(laeq)
        if policy.stage != self._stage:
            self._record_stage(limit, mask)
        if mask & (flag.DEAD | flag.SLOT):
            self.fault(
                "microphone: " + ("no signal" if mask & flag.DEAD else "data in the other slot")
            )

    def _date(self, end_ms, has_level):
        """When the second that ended at `end_ms` began, in s; None when the time is unknown.

        Seconds follow each other, and so do their dates, also those that are made up after a
        stall. Only a second with a level that lies apart from its date by more than jitter shows
        that they went astray; and a clock that was set.
        """
        if end_ms is None:
            return None
        following_s = self._unix_s + 1
        apart_ms = end_ms - 1000 - 1000 * following_s
        late = apart_ms < -_JITTER_MS or apart_ms >= 1000 + _JITTER_MS
        if (has_level and late) or abs(apart_ms) > _CLOCK_SET_MS:
            following_s = (end_ms - 1000) // 1000
        self._unix_s = following_s
        return following_s

    def _switch_lamp(self, now_ms):
        lamp = self._spotlight.step(now_ms, self._policy.lamp, self._permitted)
        if lamp != self.lamp:
            self.lamp = lamp
            self._outside.light(lamp)
        self._outside.keep_ledger()

    def _draw(self, now_ms, laeq, limit, mask, minute):
        display = self._display
        night = minute is not None and within(*self._night_hours, minute)
        display.brightness = self._brightness[night]
        if self._message is not None:
            if now_ms < self._message_until_ms:
                return
            self._message = None
        level = None if laeq is None else whole(laeq)
        overload = bool(mask & flag.OVERLOAD) and level is not None
        if self._mode == "number":
            display.show_number(level, limit, overload)
        elif self._mode == "bar":
            display.show_bar(level, limit, overload)
        else:
            display.off()
        self._outside.draw(display.buffer)

    def animate(self, step):
        """Draws the message that stands in for the number; False when there is none."""
        if self._message is None:
            return False
        if self._message == _IDENTIFY:
            self._display.identify(step)
        else:
            self._display.show_text(self._message, step)
        self._outside.draw(self._display.buffer)
        return True

    def _publish_reading(self, unix_s, laeq, limit, mask, levels):
        has_level = laeq is not None
        self.reading = {
            "n": self._seconds - 1,
            "time": unix_s,
            "laeq": _rounded(laeq),
            "lceq": _rounded(levels.lceq) if has_level else None,
            "lafmax": _rounded(levels.lafmax) if has_level else None,
            "lasmax": _rounded(levels.lasmax) if has_level else None,
            "lcpeak": _rounded(levels.lcpeak) if has_level else None,
            "limit": limit,
            "stage": self._policy.stage,
            "incident": self._policy.incident,
            "shown": self._display.shown,
            "colour": self._display.colour,
            "spotlight": self.lamp,
            "flags": flag.names(mask),
        }
        self._outside.publish("reading", self.reading)

    # Records.

    def _remember(self, laeq):
        around = self._around
        for n in range(AROUND_S - 1):
            around[n] = around[n + 1]
        around[AROUND_S - 1] = wire.tenths(laeq)

    def _record(self, kind, body):
        clock = self._clock
        self._journal.append(kind, body, clock.uptime_ms(), clock.unix(), clock.quality)

    def record(self, kind, **fields):
        """Puts a record into the journal; fields as in docs/protocol.md."""
        self._record(kind, wire.pack(kind, **fields))

    def _record_stage(self, limit, mask):
        before, self._stage = self._stage, self._policy.stage
        self.record(
            "stage",
            previous=before,
            stage=self._stage,
            flags=mask,
            limit=limit,
            laeq10=self._policy.laeq10,
            around=self._around,
        )

    def _record_minute(self, minute):
        self.record(
            "minute",
            valid_s=minute.valid_s,
            flags=minute.flags | self._minute_flags,
            limit=self.reading["limit"],
            stage=self._highest_stage,
            laeq=minute.laeq,
            lafmax=minute.lafmax,
            lafmin=minute.lafmin,
            lcpeak=minute.lcpeak,
            l10=minute.l10,
            l50=minute.l50,
            l90=minute.l90,
            seconds=minute.seconds,
        )
        self._highest_stage = self._policy.stage
        self._minute_flags = 0

    def fault(self, text):
        """Records that something failed, once in FAULT_AGAIN_S for the same text."""
        now_s = self._seconds
        recent = [fault for fault in self._faults if now_s - fault[1] < FAULT_AGAIN_S]
        if all(known != text for known, _ in recent):
            recent.append((text, now_s))
            self.record("fault", text=text)
        self._faults = recent[-_FAULTS:]

    def _flush_if_due(self):
        now_ms = self._clock.uptime_ms()
        if self._journal.due(now_ms):
            self._journal.flush(now_ms)
            self._outside.flushed()

    # What `commands` asks for.

    def spotlight_on(self, seconds):
        if not self.lamp:
            refusal = self._spotlight.obstacle(self._permitted)
            if refusal:
                raise Refused("the spotlight may not light now: " + refusal)
        now_ms = self._clock.uptime_ms()
        self._spotlight.ask(now_ms, seconds)
        self._switch_lamp(now_ms)

    def spotlight_off(self):
        self._spotlight.ask_off()
        self._switch_lamp(self._clock.uptime_ms())

    def compare(self, seconds):
        """For so long the sound is that of a technician who holds the box beside a reference: its
        seconds are `uncalibrated` and move no stage. 0 ends it.

        The record of the command is flushed, and every minute with it. So no flush is due for
        four minutes, and none costs samples of the comparison.
        """
        self._compared_until_ms = self._clock.uptime_ms() + 1000 * seconds
        self._policy = Policy(self._stages)

    def show_text(self, text, seconds):
        self._interpose(text, seconds)

    def identify(self, seconds):
        self._interpose(_IDENTIFY, seconds)

    def _interpose(self, message, seconds):
        self._message = message
        self._message_until_ms = self._clock.uptime_ms() + 1000 * seconds
        self.animate(0)
