"""The box second by second, a real journal on a real file system, the rest of the world faked."""

import check
from flashdisk import Files, FlashDisk
from noisebox import config, evidence, flags, wire
from noisebox.box import AROUND_S, FAULT_AGAIN_S, Box
from noisebox.clock import Clock
from noisebox.commands import Refused
from noisebox.display import Display
from noisebox.journal import Journal
from noisebox.meter import Second
from noisebox.spotlight import RESTED
from noisebox.statistics import Minute

EVENING_UNIX_S = 1_780_315_200
"""Monday 2026-06-01, 20:00 in the zone CST-8."""
FOR_EVER = 0xFFFFFFFF

MATRIX = {
    "width": 32,
    "height": 8,
    "first": "top-left",
    "lines": "columns",
    "serpentine": True,
    "rotation": 0,
    "colours": "GRB",
    "channel_ma": 12,
    "idle_ma": 1,
    "budget_ma": 1200,
}

REMINDED_AT_S = 4
LIT_AT_S = 24
"""From the first second of loud sound: the fifth over second, and 20 s later (DESIGN 4.3)."""


class Street:
    """A box and what goes on around it. `log` has in order what it did to the world.

    unix_s   its clock says that when the first second begins; None: nobody told it.
    """

    def __init__(self, unix_s=EVENING_UNIX_S, until=FOR_EVER, **written):
        self.now_ms = 0
        self.log = []
        self.readings = []
        disk = FlashDisk(64)
        self._files = Files(disk, fresh=True)
        self._open_file = self._files.open
        self._files.open = self._open
        self.clock = Clock(lambda: self.now_ms, lambda late, early: late - early)
        if unix_s is not None:
            self.clock.set(unix_s)
        self.journal = Journal(self._files, "journal", wire.Key(bytes(32)))
        self.display = Display(MATRIX)
        whole = config.merged(written)
        self.box = Box(
            whole,
            *config.rules(whole),
            self.clock,
            self.journal,
            self.display,
            bytearray(RESTED),
            self,
        )
        self.box.calibrated_until = until
        self.minute = Minute()
        self._second = Second()

    def configure(self, **written):
        whole = config.merged(written)
        self.box.configure(whole, *config.rules(whole))

    def _open(self, path, mode):
        if mode != "rb":
            self.log.append("flash")
        return self._open_file(path, mode)

    # What the box asks of the world.

    def light(self, on):
        self.log.append("lit" if on else "dark")

    def draw(self, buffer):
        self.log.append("draw")
        self.drawn = bytes(buffer)

    def publish(self, name, payload):
        self.log.append(name)
        self.readings.append(dict(payload))

    def keep_ledger(self):
        pass

    def flushed(self):
        self.log.append("flushed")

    # What the world does.

    def play(self, seconds, laeq, mask=0, told=False):
        """`seconds` of a level; returns their readings."""
        second = self._second
        for _ in range(seconds):
            self.now_ms += 1000
            second.clear()
            second.n += 1
            second.flags = mask
            second.valid = 48_000
            if laeq is not None:
                second.laeq, second.lceq, second.lzeq = laeq, laeq + 3, laeq + 4
                second.lafmax, second.lafmin = laeq + 1.256, laeq - 2
                second.lasmax, second.lcpeak = laeq + 0.5, laeq + 20
                for tenth in range(10):
                    second.laf[tenth] = laeq
            done = self.minute.add(second)
            self.box.second(second, self.minute if done else None, told)
        return self.readings[-seconds:]

    def stall(self, seconds):
        """`seconds` in which the microphone delivers nothing."""
        for _ in range(seconds):
            self.now_ms += 1000
            self.box.silence()
        return self.readings[-seconds:]

    def records(self, kind):
        found = [evidence.unpack(entry[1]) for entry in self.journal.read(1, 1000)]
        return [record for record in found if record["kind"] == kind]


def column(readings, name):
    return [reading[name] for reading in readings]


def first(readings, name, value):
    return column(readings, name).index(value)


# Levels in, lamp and number out.


def test_within_a_second_the_lamp_comes_first_and_the_flash_last():
    street = Street()
    street.play(LIT_AT_S, 80)
    street.log.clear()
    street.play(1, 80)
    assert street.log == ["lit", "draw", "reading", "flash", "flushed"]


def test_a_reading_tells_what_was_measured_and_shown():
    street = Street()
    reading = street.play(1, 69.504)[0]
    assert reading == {
        "n": 0,
        "time": EVENING_UNIX_S,
        "laeq": 69.5,
        "lceq": 72.5,
        "lafmax": 70.76,
        "lasmax": 70.0,
        "lcpeak": 89.5,
        "limit": 70,
        "stage": 0,
        "incident": False,
        "shown": "70",
        "colour": "green",
        "spotlight": False,
        "flags": [],
    }
    assert street.play(1, 70.5)[0]["colour"] == "red"
    assert any(street.drawn)


def test_seconds_are_numbered_and_dated_by_their_start_without_a_gap():
    street = Street()
    readings = street.play(3, 60) + street.stall(2) + street.play(2, 60)
    assert column(readings, "n") == list(range(7))
    assert column(readings, "time") == [EVENING_UNIX_S + n for n in range(7)]


def test_a_second_that_ends_where_the_clock_turns_has_a_date_of_its_own():
    street = Street()
    readings = []
    for early_ms in (0, 3, 0, 0, 4, 1, 0):
        street.now_ms -= early_ms
        readings += street.play(1, 60)
        street.now_ms += early_ms
    assert column(readings, "time") == [EVENING_UNIX_S + n for n in range(7)]
    street.clock.set(EVENING_UNIX_S)
    assert street.play(1, 60)[0]["time"] == EVENING_UNIX_S


def test_stages_and_lamp_come_to_the_second():
    readings = Street().play(130, 80)
    assert first(readings, "stage", 1) == REMINDED_AT_S
    assert first(readings, "stage", 2) == first(readings, "spotlight", True) == LIT_AT_S
    assert first(readings, "stage", 3) == REMINDED_AT_S + 120


def test_the_lamp_goes_out_with_the_level():
    for what in (
        lambda street: street.stall(1),
        lambda street: street.play(1, None, flags.SLOT),
        lambda street: street.play(1, 80, flags.WIND),
    ):
        street = Street()
        assert street.play(40, 80)[-1]["spotlight"]
        what(street)
        assert not street.box.lamp


def test_a_microphone_that_stalls_shows_dashes_and_loses_its_stage_after_the_hold():
    street = Street()
    street.play(10, 80)
    readings = street.stall(12)
    for reading in readings:
        assert (reading["shown"], reading["colour"]) == ("--", "off")
        assert reading["flags"] == ["dead", "lost"]
        assert not any(reading[name] for name in ("laeq", "lceq", "lafmax", "lasmax", "lcpeak"))
    assert column(readings, "stage") == [1] * 10 + [0] * 2


def test_seconds_that_were_told_as_silences_only_complete_the_minute():
    street = Street()
    street.play(50, 60)
    street.stall(4)
    street.play(4, None, flags.LOST, told=True)
    assert len(street.readings) == 54
    street.play(6, 60)
    assert column(street.readings, "n") == list(range(60))
    street.journal.flush(street.now_ms)
    assert street.records("minute")[0]["valid_s"] == 56


def test_clipped_seconds_show_hi_in_red():
    reading = Street().play(1, 118, flags.OVERLOAD)[0]
    assert (reading["shown"], reading["colour"]) == ("HI", "red")
    assert reading["flags"] == ["overload"]


def test_a_box_without_time_takes_the_highest_limit_and_lights_no_lamp():
    street = Street(unix_s=None)
    readings = street.play(60, 80)
    assert set(column(readings, "limit")) == {70}
    assert set(column(readings, "time")) == {None}
    assert all(reading["flags"] == ["clock"] for reading in readings)
    assert max(column(readings, "stage")) == 1
    assert not any(column(readings, "spotlight"))
    street.clock.set(EVENING_UNIX_S)
    readings = street.play(30, 80)
    assert readings[0]["flags"] == []
    assert any(column(readings, "spotlight"))


def test_a_box_that_was_never_calibrated_stops_at_the_reminder():
    readings = Street(until=0).play(60, 80)
    assert all(reading["flags"] == ["uncalibrated"] for reading in readings)
    assert max(column(readings, "stage")) == 1
    assert not any(column(readings, "spotlight"))


def test_a_calibration_ends_to_the_second():
    readings = Street(until=EVENING_UNIX_S + 30).play(60, 80)
    assert first(readings, "flags", ["uncalibrated"]) == 30
    assert column(readings, "spotlight") == [False] * LIT_AT_S + [True] * 6 + [False] * 30


def test_at_ten_the_limit_falls_the_lamp_goes_out_and_the_matrix_dims():
    street = Street(unix_s=EVENING_UNIX_S + 7200 - 40)
    readings = street.play(40, 80)
    assert readings[-1]["spotlight"] and set(column(readings, "limit")) == {70}
    assert street.display.brightness == 100
    day = max(street.drawn)
    readings = street.play(10, 80)
    assert set(column(readings, "limit")) == {55}
    assert not any(column(readings, "spotlight"))
    assert readings[0]["time"] == EVENING_UNIX_S + 7200
    assert street.display.brightness == 25
    assert max(street.drawn) < day / 3


def test_the_modes_of_the_display():
    assert Street(display={"mode": "bar"}).play(1, 66)[0]["shown"] == ""
    street = Street(display={"mode": "off"})
    assert street.play(1, 66)[0]["colour"] == "off"
    assert not any(street.drawn)


# Beside a reference.


def compared(street, seconds):
    """What the app does with the command."""
    street.box.compare(seconds)
    street.box.record("command", id="1", action="compare", by="usb", outcome="done")


def test_a_box_beside_a_reference_acts_on_nothing_and_says_so():
    street = Street()
    street.play(LIT_AT_S + 1, 80)
    compared(street, 60)
    readings = street.play(60, 85)
    # Time is counted to the end of a second.
    assert all(reading["flags"] == ["uncalibrated"] for reading in readings[:59])
    assert set(column(readings, "stage")) == {0}
    assert not any(column(readings, "spotlight")) and not any(column(readings, "incident"))
    assert readings[10]["shown"] == "85"
    assert first(street.play(40, 80), "stage", 1) == REMINDED_AT_S - 1
    compared(street, 60)
    street.box.compare(0)
    assert street.play(1, 80)[0]["flags"] == []


def test_no_flush_disturbs_a_comparison():
    street = Street()
    street.play(235, 60)
    compared(street, 90)
    street.play(1, 60)
    street.log.clear()
    street.play(89, 85)
    assert "flash" not in street.log


# Records.


def test_a_minute_record_is_the_meters_minute():
    street = Street()
    street.play(10, None, flags.WARMUP)
    street.play(30, 64)
    street.play(20, 80)
    assert street.records("minute") == []
    street.journal.flush(street.now_ms)
    (record,) = street.records("minute")
    assert record["time"] == EVENING_UNIX_S + 60
    minute = street.minute
    assert (record["valid_s"], record["flags"]) == (50, flags.WARMUP)
    assert (record["limit"], record["stage"]) == (70, 1)
    for name in ("laeq", "lafmax", "lafmin", "lcpeak", "l10", "l50", "l90"):
        assert abs(record[name] - getattr(minute, name)) <= 0.0501, name
    assert record["seconds"] == [None] * 10 + [64.0] * 30 + [80.0] * 20


def test_a_minute_has_the_flags_of_all_its_seconds():
    street = Street(until=EVENING_UNIX_S + 90)
    street.play(180, 60, flags.OVERLOAD)
    street.journal.flush(street.now_ms)
    both = flags.OVERLOAD | flags.UNCALIBRATED
    assert column(street.records("minute"), "flags") == [flags.OVERLOAD, both, both]


def test_a_minute_waits_for_its_flush_and_a_stage_does_not():
    street = Street()
    street.play(239, 60)
    assert street.journal.last_flushed_seq == 0
    street.play(62, 60)
    assert len(street.records("minute")) == 5
    street.play(5, 90)
    assert len(street.records("stage")) == 1


def test_a_stage_record_takes_the_seconds_before_along():
    street = Street()
    street.play(10, 60)
    street.play(2, None, flags.SLOT)
    street.play(5, 90)
    (record,) = street.records("stage")
    assert (record["previous"], record["stage"], record["limit"]) == (0, 1, 70)
    assert len(record["around"]) == AROUND_S
    assert record["around"][-17:] == [60.0] * 10 + [None] * 2 + [90.0] * 5
    assert record["around"][:-17] == [None] * 3


def test_a_fault_is_recorded_once_in_ten_minutes():
    street = Street()
    street.stall(FAULT_AGAIN_S)
    assert column(street.records("fault"), "text") == ["microphone: no signal"]
    street.stall(1)
    street.play(2, None, flags.SLOT)
    texts = column(street.records("fault"), "text")
    assert texts[1:] == ["microphone: no signal", "microphone: data in the other slot"]


def test_many_faults_in_turn_do_not_wear_out_the_flash():
    street = Street()
    for _ in range(20):
        for number in range(8):
            street.box.fault("fault {}".format(number))
    street.play(1, 60)
    assert len(street.records("fault")) == 8


# Commands.


def test_a_message_stands_in_for_the_number_until_its_time_is_over():
    street = Street()
    street.play(1, 60)
    number = street.drawn
    street.box.show_text("QUIET", 3)
    message = street.drawn
    assert message != number
    street.log.clear()
    readings = street.play(2, 60)
    assert "draw" not in street.log
    assert column(readings, "shown") == ["QUIET"] * 2
    assert street.box.animate(1)
    assert street.play(1, 60)[0]["shown"] == "60"
    assert street.drawn != message
    assert not street.box.animate(2)


def test_identify_moves_and_ends():
    street = Street()
    street.play(1, 60)
    street.box.identify(2)
    before = street.drawn
    assert street.box.animate(1) and street.drawn != before
    assert street.play(2, 60)[-1]["shown"] == "60"


def refusal(street):
    return str(check.raises(Refused, street.box.spotlight_on, 30))


def test_a_person_lights_the_lamp_for_a_while():
    street = Street()
    street.play(6, 60)
    street.box.spotlight_on(30)
    assert street.log[-1] == "lit"
    readings = street.play(40, 60)
    assert column(readings, "spotlight") == [True] * 29 + [False] * 11
    street.box.spotlight_on(30)
    street.play(6, 60)
    street.box.spotlight_off()
    assert not street.box.lamp


def test_the_lamp_is_refused_with_its_reason():
    street = Street()
    assert "not permitted" in refusal(street)  # no second yet
    street.play(6, None, flags.DEAD)
    assert "not permitted" in refusal(street)
    night = Street(unix_s=EVENING_UNIX_S + 3 * 3600)
    night.play(6, 60)
    assert "not permitted" in refusal(night)
    burnt = Street()
    burnt.play(6, 60)
    burnt.box.spotlight_on(120)
    burnt.play(121, 60)
    assert "resting" in refusal(burnt)


def test_a_new_config_in_an_incident_keeps_its_stage():
    street = Street()
    street.play(LIT_AT_S + 1, 80)
    street.configure(display={"mode": "bar"}, place="north gate")
    reading = street.play(1, 80)[0]
    assert (reading["stage"], reading["spotlight"], reading["shown"]) == (2, True, "")
    street.configure(
        schedule={"rows": [{"days": "1234567", "from": "00:00", "to": "00:00", "limit": 85}]}
    )
    reading = street.play(1, 80)[0]
    assert reading["limit"] == 85
    assert column(street.play(6, 80), "spotlight")[-1] is False


def test_new_numbers_of_the_stages_begin_anew_and_the_records_say_so():
    street = Street()
    street.play(LIT_AT_S + 1, 80)
    street.configure(stages={"spotlight_after_s": 5})
    readings = street.play(12, 80)
    assert first(readings, "stage", 1) == REMINDED_AT_S
    assert first(readings, "stage", 2) == REMINDED_AT_S + 5
    changes = [(record["previous"], record["stage"]) for record in street.records("stage")]
    assert changes == [(0, 1), (1, 2), (2, 0), (0, 1), (1, 2)]


check.run(globals())
