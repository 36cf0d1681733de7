"""Collecting over a real serial port (a pty) from a scripted box, on wires of every quality."""

import csv
import errno
import io
import re
import time

import pytest
import serial
from host.fakebox import (
    BOX,
    KEY,
    OTHER_KEY,
    START_S,
    FakeBox,
    console_that_says,
    journal,
)
from noisewarden import boxclock, collecting, console, records_csv
from noisewarden.collecting import Collector
from noisewarden.console import Console
from noisewarden.database import Database
from noisewarden.errors import UserError
from noisewarden.store import Store
from served import make_reading


@pytest.fixture(autouse=True)
def in_haste(monkeypatch):
    monkeypatch.setattr(collecting, "ASK_AGAIN_AFTER_S", 0.4)


@pytest.fixture
def impatient(monkeypatch):
    """Of who waits for what never comes; this process itself may stand still for five seconds."""
    for module in (collecting, console):
        monkeypatch.setattr(module, "ANSWER_WITHIN_S", 6.0)


@pytest.fixture
def store():
    with Database.in_memory() as database:
        yield Store(database)


def collect(box, store, key=KEY):
    """What one collect came to, as its summary tells."""
    with Console(box.port) as console:
        collector = Collector(console, store, lambda box: (key,) if key else ())
        collector.attach()
        collector.collect()
        return collector.summary()


def entries(store):
    return [(row.seq, row.data, row.mac, row.previous) for row in store.records(BOX)]


def test_the_whole_journal_comes_and_then_only_what_is_new(store):
    made = journal(60)
    with FakeBox(made) as box:
        first = collect(box, store)
        assert first["box"] == BOX and (first["new"], first["known"]) == (61, 0)
        assert first["chain"] == {"verified": 61, "broken": 0, "unverified": 0}
        assert first["gaps"] == first["conflicts"] == []
        assert first["clock"] == "right" and first["readings"] > 0 and first["corrupt"] == 0
        assert entries(store) == made
        assert box.acks[:4] == [0, 16, 32, 48]
        assert collect(box, store)["new"] == 0
        for minute in range(61, 81):
            made.add("fault", uptime_ms=60_000 * minute, unix_s=START_S, text="x")
        assert collect(box, store)["new"] == 20
    assert entries(store) == made


def test_only_committed_records_are_acknowledged(store):
    held = []
    with FakeBox(journal(60)) as box:
        take, hear = store.intake, box._hear

        def intake(*arguments):
            result = take(*arguments)
            held.append(store.held(BOX))
            return result

        store.intake = intake
        box._hear = lambda line: (hear(line), box.acks and held.append(-box.acks[-1]))
        collect(box, store)
    on_disk = 0
    for step in held:
        on_disk = max(on_disk, step)
        assert -step <= on_disk


def every(n, spoil):
    return lambda line_number, line: spoil(line) if line_number % n == n - 2 else [line]


def flip(line, at=-120):
    """Another letter in the middle of the record: valid JSON, valid base64."""
    letter = b"A" if line[at : at + 1] != b"A" else b"B"
    return line[:at] + letter + line[at + 1 :]


@pytest.mark.parametrize(
    ("spoil", "damages"),
    [
        (every(5, lambda line: [line, line]), False),
        (every(7, lambda line: []), False),
        (every(6, lambda line: [line[:100] + line[101:]]), True),
        (every(6, lambda line: [b"\xff\xfe" + line[:-30]]), False),
        (every(9, lambda line: [line[:150]]), True),
        (every(5, lambda line: [b"noise warden: some other text", line, b"{"]), True),
        (every(8, lambda line: [line.replace(b'"after"', b'"aftet"')]), True),
        (every(11, lambda line: [b"x" * 10_000, line]), True),
        (every(13, lambda line: [flip(line)]), True),
    ],
    ids=["doubled", "lost", "a-byte-lost", "garbage", "cut", "text", "key", "flood", "flipped"],
)
def test_a_bad_wire_costs_time_and_no_record(store, spoil, damages):
    made = journal(50)
    with FakeBox(made, spoil=spoil) as box:
        summary = collect(box, store)
    assert entries(store) == made
    assert summary["new"] == 51 and summary["gaps"] == summary["conflicts"] == []
    assert summary["chain"]["verified"] == 51
    assert bool(summary["corrupt"]) == damages


def test_a_record_that_never_comes_whole_is_told(store):
    with (
        FakeBox(journal(9), spoil=lambda n, line: [line.replace(b'"seq": 6', b'"seq": 7')]) as box,
        pytest.raises(UserError, match=r"follows record 5 .*seq 7 is not that.*5 new records"),
    ):
        collect(box, store)
    assert store.held(BOX) == 5


def test_what_the_ring_gave_up_is_a_gap_that_stays(store):
    made = journal(60)
    made.add("overwritten", first=1, last=10)
    with FakeBox([*made[10:30], *made[40:]]) as box:
        summary = collect(box, store)
    assert summary["gaps"] == [
        {"first": 1, "last": 10, "gone": True},
        {"first": 31, "last": 40, "gone": False},  # nobody has signed that
    ]
    assert summary["new"] == 42 and summary["chain"]["verified"] == 42


def test_a_record_broken_on_the_flash_is_kept_and_marked(store):
    made = journal(40)
    for n in (0, 17, 18, 40):
        made[n] = made[n][0], made[n][1][:-1] + b"\x77", *made[n][2:]
    with FakeBox(made) as box:
        summary = collect(box, store)
    assert summary["chain"] == {"verified": 37, "broken": 4, "unverified": 0}
    assert entries(store) == made


def test_a_wrong_secret_shows_and_harms_nothing(store):
    with FakeBox(journal(40)) as box:
        assert collect(box, store, OTHER_KEY)["chain"]["broken"] == 41
        assert len(box.acks) < 8
        assert collect(box, store, key=None)["chain"]["broken"] == 41
        assert collect(box, store)["chain"] == {"verified": 41, "broken": 0, "unverified": 0}


@pytest.mark.parametrize("after_erasing", [3, 30])
def test_a_journal_that_began_anew_overwrites_nothing(store, after_erasing):
    made, anew = journal(20), journal(after_erasing, key=OTHER_KEY)
    with FakeBox(made) as box:
        collect(box, store)
    with FakeBox(anew) as box:
        summary = collect(box, store)
        again = collect(box, store)
    both = min(len(anew), len(made))
    assert summary["conflicts"] == again["conflicts"] == list(range(1, both + 1))
    assert summary["new"] == len(anew) - both and again["new"] == 0
    assert entries(store) == [*made, *anew[21:]]


def test_a_cable_pulled_in_the_middle_loses_nothing(store):
    made = journal(60)

    def pulled(n, line):
        if n == 40:
            box.pull()
        return [line]

    with (
        FakeBox(made, spoil=pulled) as box,
        pytest.raises(UserError, match=rf"{box.port}: the box is gone.*(\d\d) new records"),
    ):
        collect(box, store)
    held = store.held(BOX)
    assert 32 <= held <= 40
    assert entries(store) == made[:held]
    with FakeBox(made) as box:
        assert collect(box, store)["new"] == 61 - held
    assert entries(store) == made


def test_a_box_that_falls_silent_is_told(store, impatient):
    def hangs(n, line):
        if n == 20:
            time.sleep(7)
        return [line]

    with (
        FakeBox(journal(60), spoil=hangs) as box,
        pytest.raises(UserError, match=f"{BOX} fell silent.* 20 new records"),
    ):
        collect(box, store)
    assert store.held(BOX) == 20


def test_a_box_that_does_not_hear_is_not_taken_for_an_empty_one(store):
    with (
        FakeBox(journal(5), hears=False) as box,
        pytest.raises(UserError, match="sends nothing after record 0"),
    ):
        collect(box, store)


def test_a_clock_is_set_behind_a_long_journal_and_by_a_box_that_does_not_say(store, monkeypatch):
    monkeypatch.setattr(boxclock, "_SET_WITHIN_S", 6)
    with FakeBox(
        journal(99), ahead_s=None, spoil=lambda n, line: time.sleep(0.07) or [line]
    ) as box:
        assert collect(box, store)["clock"] == "was not set; set now"
    with FakeBox(journal(99), ahead_s=None) as box:
        box._set_clock = lambda command: None
        assert collect(box, store)["clock"].endswith("not set, since the box did not answer")


def test_a_clock_without_time_is_set_and_earlier_times_are_resolved(store):
    with FakeBox(journal(9, timeless=9), ahead_s=None) as box:
        summary = collect(box, store)
    assert summary["clock"] == "was not set; set now"
    rows = list(store.records(BOX))
    assert [row.clock for row in rows] == [3] * 10 + [2]
    # The journal of the scripted box sets its clock at 600 s of uptime.
    assert rows[-1].unix_s == pytest.approx(time.time(), abs=10)
    assert [rows[-1].unix_s - row.unix_s for row in rows[:-1]] == [600 - 60 * n for n in range(10)]


@pytest.mark.parametrize(
    ("ahead_s", "found"),
    [
        (0.9, "right"),
        (-0.9, "right"),
        (3700, r"was 370\d s ahead; set now"),
        (-90, r"was \d\d s behind; set now"),
    ],
)
def test_a_clock_is_set_when_it_is_off(store, ahead_s, found):
    with FakeBox(journal(3), ahead_s=ahead_s) as box:
        assert re.fullmatch(found, collect(box, store)["clock"])


def test_a_computer_without_time_sets_no_clock(store, monkeypatch):
    monkeypatch.setattr(boxclock, "_EARLIEST_S", time.time() + 9999)
    with FakeBox(journal(3), ahead_s=None) as box:
        assert "left so" in collect(box, store)["clock"]
        assert box.ahead_s is None


def test_following_brings_readings_and_new_records(store):
    made = journal(3)
    seen = []

    def see(reading):
        if not seen:
            made.add("fault", uptime_ms=1, unix_s=START_S, text="new")
        seen.append(reading)

    with FakeBox(made) as box, Console(box.port) as console:
        collector = Collector(console, store, lambda box: (KEY,))
        collector.attach()
        collector.collect()
        assert store.held(BOX) == 4
        collector.follow(see, seconds=8.0)
    assert len(seen) >= 5 and seen[0]["laeq"] == 71.25
    assert entries(store) == made and len(made) == 5


@pytest.mark.parametrize("text", ["=1+1", "+1", "@SUM(1)"])
def test_what_a_box_shows_is_no_formula_in_a_spreadsheet(text):
    file = io.StringIO()
    readings = records_csv.Readings(file)
    readings.write(BOX, make_reading(shown=text))
    readings.write(BOX, make_reading(None))
    first, second = csv.DictReader(io.StringIO(file.getvalue()))
    assert (first["shown"], second["shown"]) == (f"'{text}", "--")


def test_a_box_tells_how_much_is_to_come(store):
    made = journal(20)
    with FakeBox(made) as box, Console(box.port) as console:
        say = box._say
        box._say = lambda *reading: (say("state", {"records": [1, 21]}), say(*reading))
        collector = Collector(console, store, lambda box: (KEY,))
        collector.attach()
        assert collector.expected == 21


@pytest.mark.parametrize(
    ("text", "answer", "words"),
    [
        (b"", b"\r\n>>> ", "app does not run, its prompt answers; press Ctrl-D"),
        (b"MicroPython v1.28\r\n>>> ", b"", "app does not run"),
        (b"AT+OK\r\nwhat\x00 is this\r\n", b"", "no box there, only “what. is this”"),
        (
            b"noise warden: safe mode, the button was held; reset the box to start it\r\n",
            b"",
            "safe mode",
        ),
        (b"", b"", "nothing answers; is it the right port"),
        (b'{"topic": "weather/room/reading"}\r\n', b"", "no box there"),
    ],
)
def test_what_is_no_box_is_told_by_what_it_says(store, impatient, text, answer, words):
    with (
        console_that_says(text, answer) as port,
        Console(port) as console,
        pytest.raises(UserError, match=words.replace("(", r"\(")),
    ):
        Collector(console, store).attach()


def test_a_port_has_one_holder(store):
    with (
        FakeBox(journal(3)) as box,
        Console(box.port),
        pytest.raises(UserError, match=f"{box.port}: another program holds it; close"),
    ):
        Console(box.port)


@pytest.mark.parametrize(
    ("port", "words"),
    [
        ("/dev/ttyNOBOX7", "no such port; plug in the box"),
        ("/dev/null", "is no serial port"),
        ("/tmp", "is no serial port"),
    ],
)
def test_a_port_that_is_none_is_refused(port, words):
    with pytest.raises(UserError, match=f"{port}: {words}") as refusal:
        Console(port)
    assert "\n" not in str(refusal.value)


def test_a_port_without_permission_names_the_group(monkeypatch):
    def deny(*_, **__):
        raise serial.SerialException(errno.EACCES, "Permission denied")

    monkeypatch.setattr(serial, "Serial", deny)
    with pytest.raises(UserError, match="dialout"):
        Console("/dev/ttyUSB0")
