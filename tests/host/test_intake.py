"""The door: what counts gets in once and in order, what does not is counted, nothing stops it."""

import asyncio
import json
import math
import time
from contextlib import suppress

import pytest
from host.fakebox import BOX, KEY, OTHER_KEY, START_S, Journal, journal
from host.station_parts import (
    OTHER,
    PATIENCE_S,
    READING,
    STATE,
    add_boot,
    add_stage,
    admit,
    payloads,
    reading,
    station,
    until,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from noisewarden.errors import UserError
from noisewarden.firmware import upload, wire
from noisewarden.station import committing, intake, messages
from noisewarden.station.uploads import AGAIN_MOST, AGAIN_RECORDS_MOST, again
from noisewarden.store import Gap


@pytest.fixture
def parts(tmp_path):
    with station(tmp_path) as made:
        yield made


def run(work):
    return asyncio.run(work)


def told_state(made, **changes):
    return STATE | {"records": [1, len(made)]} | changes


# Acknowledged means on disk.


def test_records_are_committed_together_and_then_acknowledged(parts):
    made, others = journal(9), journal(5, key=KEY)

    async def work():
        parts.hear("state", told_state(made))
        for payload in payloads(made):
            parts.hear("record", payload)
        for payload in payloads(others):
            parts.hear("record", payload, box=OTHER)
        assert parts.line.acks == [] and parts.entries() == []
        await parts.step()

    run(work())
    assert parts.entries() == made and parts.entries(OTHER) == others
    assert parts.line.acks == [(BOX, 1, 10, [(10, 10)]), (OTHER, None, 6, [])]
    counts = parts.intake.committer.counts
    assert (counts["commits"], counts["new"], counts["acks"]) == (1, 16, 2)
    assert parts.store.chain(BOX) == {"verified": 10, "broken": 0, "unverified": 0}


def test_a_box_that_says_where_it_stands_hears_where_to_go_on(parts):
    made = journal(9)

    async def work():
        parts.hear("state", told_state(made))
        await parts.step()
        await parts.take(made[:4])
        parts.hear("state", told_state(made, boot=2))
        await parts.step()

    run(work())
    # The last record that is here comes again, and proves that the journal is still the same.
    assert parts.line.acks == [(BOX, 1, 0, []), (BOX, 1, 4, []), (BOX, 2, 4, [(4, 4)])]


def test_a_gap_is_asked_for_again_at_intervals_until_it_is_filled(parts):
    made = journal(19)

    async def work():
        parts.hear("state", told_state(made))
        await parts.take(made[:3])
        await parts.take([*made[5:7], *made[9:]])
        for _ in range(3):
            await parts.step()
            parts.clock += committing.AGAIN_AFTER_S
        asked = [ranges for *_, ranges in parts.line.acks]
        await parts.take(made[3:5])
        parts.clock += committing.AGAIN_AFTER_S
        await parts.step()
        await parts.take(made[7:9])
        parts.clock += 10 * committing.AGAIN_AFTER_S
        await parts.step()
        return asked

    asked = run(work())
    gaps = [(4, 5), (8, 9)]
    assert [ranges for ranges in asked if ranges] == [[(3, 3)], gaps, gaps]
    assert [(seq, ranges) for _, _, seq, ranges in parts.line.acks][len(asked) :] == [
        (7, [(8, 9)]),
        (7, [(8, 9)]),
        (20, []),
    ]
    assert parts.entries() == made


def forge(entry):
    seq, data, _, previous = entry
    return seq, data[:-1] + bytes((data[-1] ^ 1,)), bytes(32), previous


@pytest.mark.parametrize("seq", [5, (1 << 32) - 1])
def test_a_forged_record_is_not_acknowledged_nor_asked_for(parts, seq):
    other = Journal(wire.Key(bytes(32)), first=seq)
    other.add("fault", unix_s=START_S, text="made up")

    async def work():
        await parts.take(journal(3))
        parts.hear("record", wire.record_message(other[0], 4, seq, live=True))
        await parts.step()
        parts.clock += 2 * committing.AGAIN_AFTER_S
        await parts.step()

    run(work())
    assert parts.line.acks == [(BOX, None, 4, [])] * 2


def test_a_record_that_was_held_back_is_asked_for_and_takes_the_place_of_the_forged(parts):
    made = journal(9)

    async def work():
        await parts.take([*made[:4], forge(made[4]), *made[5:]])
        assert parts.line.acks[-1][2] == 10  # or a damaged flash would stop the box for ever
        for _ in range(2):
            parts.hear("state", told_state(made))
            await parts.step()
            await parts.take([])
        asked = [ranges for *_, ranges in parts.line.acks if ranges]
        await parts.take([*made[4:6], made[9]])
        parts.hear("state", told_state(made))
        await parts.step()
        return asked

    assert run(work()) == [[(10, 10), (5, 5), (6, 6)]] * 2
    assert parts.line.acks[-1] == (BOX, 1, 10, [(10, 10)]) and parts.live.troubles == {}
    assert parts.entries() == made and parts.store.conflicts(BOX) == [5]


def test_of_many_broken_records_some_are_asked_for_each_time(parts):
    made = journal(39)
    spoilt = [forge(entry) if entry[0] % 4 == 2 else entry for entry in made]

    async def work():
        await parts.take(spoilt)
        for _ in range(4):
            parts.hear("state", told_state(made, records=[9, 40]))
            await parts.step()

    run(work())
    asked = [[first for first, _ in ranges[1:]] for *_, ranges in parts.line.acks if ranges]
    broken = [doubt.first for doubt in parts.store.doubts(BOX, 9, 100)]
    assert len(broken) == 16 and max(map(len, asked)) == AGAIN_MOST - 1
    assert asked == [broken[:7], broken[7:14], broken[14:], broken[:7]]


def test_a_journal_that_the_flash_damaged_comes_in_whole_through_the_window_of_a_box(parts):
    """The box's own upload, which waits 16 records ahead of what is acknowledged."""
    made = journal(79)
    made[30:40] = [forge(entry) for entry in made[30:40]]
    box = upload.Upload()

    async def work():
        parts.hear("state", told_state(made))
        await parts.step()
        for _ in range(20):
            *_, seq, ranges = parts.line.acks[-1]
            box.ack(seq, [list(pair) for pair in ranges], 0)
            sent = []
            while (at := box.next(len(made))) is not None:
                sent.append(made[at - 1])
                box.sent(at, at)
            if sent:
                await parts.take(sent)

    run(work())
    assert parts.line.acks[-1][2] == 80 and parts.entries() == made


def test_what_is_asked_for_at_a_time_has_an_end():
    many = [Gap(10 * n, 10 * n, gone=False) for n in range(1, 20)]
    assert again(many) == [(10 * n, 10 * n) for n in range(1, AGAIN_MOST + 1)]
    assert again([Gap(5, 5000, gone=False)]) == [(5, 4 + AGAIN_RECORDS_MOST)]


@pytest.mark.parametrize(("key", "ends"), [(KEY, True), (OTHER_KEY, False)])
def test_a_journal_that_began_anew_is_kept_acknowledged_and_told(parts, key, ends):
    """Until the box's own key has signed what follows the last record of the journal before."""
    first, anew = journal(9), journal(29, key=key, timeless=3)

    async def work():
        parts.hear("state", told_state(first))
        await parts.take(first)
        # It is longer already, so only the record that comes again gives it away.
        parts.hear("state", told_state(anew))
        await parts.step()
        await parts.take(anew[9:10])
        assert "began anew" in parts.live.troubles[f"journal of {BOX}"]
        parts.hear("state", told_state(anew))
        await parts.step()
        seen = parts.line.acks[-1]
        await parts.take(anew[:8])
        assert parts.line.acks[-1][2] == 8
        await parts.take(anew[8:])
        return seen

    assert run(work()) == (BOX, 1, 0, [])
    assert parts.line.acks[-1][2] == 30 and (parts.live.troubles == {}) == ends
    assert parts.entries()[:10] == first and parts.store.conflicts(BOX) == list(range(1, 11))


def test_a_shorter_journal_began_anew(parts):
    async def work():
        await parts.take(journal(9))
        parts.hear("state", told_state([1, 2, 3]))
        await parts.step()
        await parts.take(journal(2, key=OTHER_KEY))

    run(work())
    assert [seq for _, _, seq, _ in parts.line.acks] == [10, 0, 3]


def test_a_disk_that_is_full_is_told_and_loses_nothing(parts, monkeypatch):
    made = journal(9)
    monkeypatch.setattr(committing, "TRY_AGAIN_AFTER_S", 0.05)
    take, full = parts.store.intake_many, True

    def intake_many(batches):
        if full:
            raise UserError("station.sqlite: the disk is full; make room")
        return take(batches)

    monkeypatch.setattr(parts.store, "intake_many", intake_many)

    async def work():
        nonlocal full
        task = asyncio.create_task(parts.intake.run())
        for payload in payloads(made[:5]):
            parts.hear("record", payload)
        await until(lambda: parts.live.troubles, lambda: "nobody is told")
        assert "make room" in parts.live.troubles["store"] and parts.line.acks == []
        for payload in payloads(made[5:]):
            parts.hear("record", payload)
        full = False
        await until(
            lambda: parts.line.acks and parts.line.acks[-1][2] == 10 and not parts.live.troubles,
            lambda: f"{parts.line.acks} {parts.live.troubles}",
        )
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(work())
    assert parts.live.troubles == {} and parts.entries() == made
    assert parts.line.acks[-1][2] == 10 and parts.intake.committer.pending == 0


def test_more_than_there_is_room_for_comes_again(parts, monkeypatch):
    made = journal(19)
    monkeypatch.setattr(committing, "PENDING_MOST", 8)

    async def work():
        await parts.take(made)
        assert parts.line.acks[-1][2] == 8
        await parts.take(made[8:16])
        await parts.take(made[16:])

    run(work())
    assert parts.intake.committer.counts["dropped"] == 12 and parts.entries() == made


def test_records_on_which_the_store_stumbles_do_not_stop_the_others(parts, monkeypatch):
    take = parts.store.intake_many

    def intake_many(batches):
        if OTHER in batches:
            raise RuntimeError("a defect")
        return take(batches)

    monkeypatch.setattr(parts.store, "intake_many", intake_many)

    async def work():
        for payload in payloads(journal(3)):
            parts.hear("record", payload, box=OTHER)
        await parts.take(journal(3))

    run(work())
    assert [box for box, *_ in parts.line.acks] == [BOX]
    assert parts.intake.committer.counts["failed"] == 1 and parts.intake.committer.pending == 0


def test_a_live_record_of_a_stage_becomes_an_alarm_although_a_gap_held_it_up(parts, monkeypatch):
    monkeypatch.setattr("noisewarden.taking.time.time", lambda: START_S + 10)
    made = Journal()
    for second in range(3):
        made.add("fault", uptime_ms=second, unix_s=START_S, text="x")
    add_stage(made, 1, at_s=10, unix_s=START_S + 10)

    async def work():
        await parts.take([*made[:2], made[3]])
        assert parts.incidents.list() == []
        await parts.take(made[2:3], live=False)

    run(work())
    [(event, data)] = parts.told
    assert event == "incident" and data["alarm"] and data["opened_seq"] == 4


def test_the_jumping_clock_of_the_laptop_changes_no_record_and_no_ack(parts, monkeypatch):
    made = journal(9)
    times = iter([START_S, 0, 4e9, START_S - 86_400, 2e9] * 100)
    monkeypatch.setattr("time.time", lambda: next(times))

    async def work():
        for at in range(0, 10, 2):
            parts.hear("reading", READING)
            await parts.take(made[at : at + 2])

    run(work())
    assert [seq for _, _, seq, _ in parts.line.acks] == [2, 4, 6, 8, 10]
    assert parts.entries() == made


# Who is heard.


def test_a_box_that_is_registered_while_it_speaks_is_heard_from_its_first_word(parts, monkeypatch):
    monkeypatch.setattr(intake, "KNOW_AGAIN_AFTER_S", 0.05)
    made = journal(3)

    async def work():
        task = asyncio.create_task(parts.intake.run())
        parts.hear("state", told_state(made), box="new-03")
        for payload in payloads(made):
            parts.hear("record", payload, box="new-03")
        parts.hear("reading", reading(), box="stranger")
        admit(parts.register, "new-03")
        await until(lambda: parts.entries("new-03") == made, lambda: parts.entries("new-03"))
        parts.register.revoke("new-03")
        await until(lambda: not parts.intake.knows("new-03"), lambda: "it is still heard")
        parts.hear("reading", reading(), box="new-03")
        await until(lambda: parts.intake.counts["unknown"] == 2, lambda: parts.intake.counts)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(work())
    assert parts.entries("new-03") == made
    assert parts.intake.counts["unknown"] == 2 and parts.live.boxes() == ["new-03"]
    assert parts.live.box("new-03")["reading"] is None


def test_a_box_that_is_revoked_is_offline_though_its_will_does_not_come(parts, monkeypatch):
    monkeypatch.setattr(intake, "KNOW_AGAIN_AFTER_S", 0.05)

    async def work():
        task = asyncio.create_task(parts.intake.run())
        for box in (BOX, OTHER):
            parts.hear("reading", reading(), box=box)
        parts.register.revoke(OTHER)
        await until(lambda: not parts.live.box(OTHER)["online"], lambda: "it is still online")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(work())
    assert parts.live.box(BOX)["online"] and not parts.live.box(OTHER)["online"]


def test_strangers_find_an_end(parts):
    for number in range(intake.STRANGERS_MOST + 5):
        parts.hear("reading", READING, box=f"stranger-{number}")
    assert parts.intake.counts["unknown"] == 5 and parts.live.boxes() == []


def test_what_the_broker_had_kept_is_no_sign_of_life(parts):
    async def work():
        parts.hear("state", STATE, retained=True)
        parts.hear("reading", READING, retained=True)
        parts.hear("result", {"id": "x", "outcome": "done", "detail": ""}, retained=True)
        await parts.step()

    run(work())
    assert parts.live.silent(BOX) and parts.live.box(BOX)["state"] == STATE
    assert parts.intake.counts["damaged"] == 2
    assert parts.line.acks == [(BOX, 1, 0, [])]


# What does not count.

BAD = [
    ("reading", READING | {"laeq": "71"}),
    ("reading", READING | {"laeq": True}),
    ("reading", READING | {"laeq": 1e300}),
    ("reading", READING | {"stage": 4}),
    ("reading", READING | {"flags": ["<script>"]}),
    ("reading", READING | {"flags": [["dead"]]}),
    ("reading", READING | {"colour": "blue"}),
    ("reading", READING | {"shown": "x" * 200}),
    ("reading", READING | {"n": -1}),
    ("reading", [READING]),
    ("reading", b'{"laeq": NaN}'),
    ("reading", b'{"laeq": 1e999}'),
    ("reading", b"[" * 5000),
    ("reading", b"\xff"),
    ("reading", json.dumps(READING | {"more": "x" * 9000}).encode()),
    ("state", STATE | {"boot": None}),
    ("state", STATE | {"records": [1]}),
    ("state", STATE | {"records": [1, -1]}),
    ("availability", b"onlin"),
    ("result", {"id": 5, "outcome": "done", "detail": ""}),
    ("result", {"id": "x", "outcome": "maybe", "detail": ""}),
    ("ack", {"seq": 1}),
    ("reading/x", READING),
]


@pytest.mark.parametrize(("name", "payload"), BAD)
def test_a_damaged_payload_is_counted_and_goes_no_further(parts, name, payload):
    parts.hear(name, payload)
    assert parts.intake.counts == {"damaged": 1}
    assert parts.live.boxes() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": 2},
        {"seq": True},
        {"after": 1},
        {"after": -1},
        {"live": 1},
        {"data": "!!"},
        {"mac": "AAAA"},
        {"previous": None},
    ],
)
def test_a_damaged_record_is_counted_and_not_acknowledged(parts, changes):
    async def work():
        parts.hear("record", payloads(journal(0))[0] | changes)
        await parts.step()

    run(work())
    assert parts.intake.counts == {"damaged": 1} and parts.line.acks == []


def test_what_a_newer_box_says_of_itself_is_kept_as_far_as_it_is_short():
    more = {
        "signal": -61.5,
        "uplink": {"dropped": 0, "deep": {"a": 1}},
        "long": "x" * 200,
        "many": list(range(50)),
        "nothing": math.nan,
    }
    kept = messages.state(STATE | more)
    assert kept == STATE | {"signal": -61.5, "uplink": {"dropped": 0}}


JUNK = (None, True, -1, 1 << 70, 1e308, math.nan, "", "\ud800", "x" * 300, [], [[]], {}, {"a": {}})
GOOD = {
    "reading": READING,
    "state": STATE,
    "record": payloads(journal(0))[0],
    "result": {"id": "x", "outcome": "done", "detail": ""},
}


@st.composite
def spoilt(draw):
    """A message that is right but for one thing; or no message at all."""
    box = draw(st.sampled_from([BOX, OTHER, "stranger", "BAD BOX", ""]))
    name = draw(st.sampled_from([*messages.NAMES, "ack", ""]))
    good = GOOD.get(name, {})
    data = json.dumps(good | {draw(st.sampled_from([*good, "x"])): draw(st.sampled_from(JUNK))})
    data, at, how = data.encode(), draw(st.integers(0, 400)), draw(st.integers(0, 258))
    if how == 258:
        data = draw(st.binary(max_size=60))
    elif how == 257:
        data = data[:at]
    elif how < 256 and at < len(data):
        data = data[:at] + bytes((how,)) + data[at + 1 :]
    return f"noisewarden/{box}/{name}", data, draw(st.booleans())


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(many=st.lists(spoilt(), min_size=250, max_size=250))
def test_ten_thousand_bad_payloads_leave_it_serving(parts, many):
    async def work():
        for topic, data, retained in many:
            parts.intake.hear_topic(parts.line, topic, data, retained)
        parts.hear("reading", reading())
        await parts.step()
        parts.live.step()
        await asyncio.sleep(0.01)

    run(work())
    assert parts.live.box(BOX)["reading"]["laeq"] == 71.25
    assert parts.intake.counts["failed"] == 0 and parts.intake.committer.counts["failed"] == 0
    for box in parts.live.boxes():
        json.dumps(parts.live.box(box), allow_nan=False)


def test_the_names_of_filters():
    assert intake.filters() == [wire.topic("+", name) for name in messages.NAMES]
    assert intake.filters(shared=True, records_only=True) == [
        "$share/intake/noisewarden/+/record",
        "noisewarden/+/state",
    ]


def stumbling(error):
    def stumble(*_):
        raise error

    return stumble


def test_an_alarm_is_not_lost_when_the_database_refuses_for_a_moment(parts, monkeypatch):
    now_s = int(time.time())
    made = Journal()
    add_boot(made, unix_s=now_s - 100, boot=1)
    add_stage(made, 1, at_s=90, unix_s=now_s - 10)

    async def work():
        with monkeypatch.context() as away:
            away.setattr(parts.incidents, "advance", stumbling(UserError("the disk is full")))
            with pytest.raises(UserError):
                await parts.take(list(made))
        await parts.step()

    asyncio.run(work())
    assert [data["alarm"] for event, data in parts.told if event == "incident"] == [True]


def test_what_is_on_disk_is_acknowledged_though_nobody_can_look_what_is_missing(
    parts, monkeypatch
):
    """A database that goes away right after a commit, and comes back."""
    now_s = int(time.time())
    made = Journal()
    add_boot(made, unix_s=now_s - 100, boot=1)
    add_stage(made, 1, at_s=90, unix_s=now_s - 10)

    async def work():
        parts.hear("state", told_state(made))
        for box in (BOX, OTHER):
            for payload in payloads(made):
                parts.hear("record", payload, box=box)
        with monkeypatch.context() as away:
            away.setattr(parts.store, "doubts", stumbling(UserError("start the database")))
            with suppress(UserError):
                await parts.step()
        await parts.step()

    asyncio.run(work())
    assert [(box, seq) for box, _, seq, _ in parts.line.acks] == [(BOX, 2), (OTHER, 2)]
    alarms = [data["box"] for event, data in parts.told if event == "incident" and data["alarm"]]
    assert alarms == [BOX, OTHER]


def test_incidents_that_stumble_over_one_box_do_not_stop_the_others(parts, monkeypatch):
    monkeypatch.setattr(parts.incidents, "advance", stumbling(IndexError("a stage 9")))
    asyncio.run(parts.take(journal(5)))
    assert parts.store.held(BOX) == 6 and parts.intake.committer.counts["failed"] == 1


def test_a_quiet_box_takes_no_memory(parts):
    async def work():
        await parts.take(journal(200))
        await parts.take(journal(400)[201:])

    asyncio.run(work())
    assert len(parts.intake.committer._boxes[BOX].upload._live) < 5


def test_what_waited_of_a_box_that_is_revoked_is_counted_off_once(parts):
    async def work():
        for payload in payloads(journal(5)):
            parts.hear("record", payload)
        step = asyncio.ensure_future(parts.step())
        await asyncio.sleep(0.001)
        parts.intake.committer.admit(set(), {})
        await step

    asyncio.run(work())
    assert parts.intake.committer.pending == 0


def test_a_made_up_record_answers_no_command(parts):
    async def work():
        parts.hear("state", STATE)
        command = await parts.commander.ask(BOX, "self_test", {}, None)
        made = Journal()
        made.add(
            "command", unix_s=START_S, id=command, action="self_test", by="x", outcome="done: "
        )
        seq, data, mac, previous = made[0]
        await parts.take([(seq, data, bytes(len(mac)), previous)])
        await asyncio.sleep(0.1)
        return command

    assert parts.commander.get(asyncio.run(work()))["status"] == "asked"


@pytest.mark.parametrize("turns", range(5))
def test_it_ends_though_something_comes_at_that_moment(parts, turns):
    async def work():
        task = asyncio.create_task(parts.intake.run())
        await asyncio.sleep(0.01)
        parts.hear("state", STATE)
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
        assert done

    asyncio.run(work())
