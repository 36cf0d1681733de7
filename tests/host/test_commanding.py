"""Commands from afar: asked, sent, and what the box answers, early, late or never."""

import asyncio
import time

import pytest
from host.fakebox import BOX, START_S, Journal
from host.station_parts import OTHER, PATIENCE_S, STATE, Station, reading, station
from noisewarden.database import Database
from noisewarden.errors import UserError
from noisewarden.station.commanding import WITHIN_S
from noisewarden.station.intake import ANSWERS_MOST, OFF_FOR_S
from noisewarden.station.refusals import Refused
from noisewarden.station.requests import ACTIONS

ANN = 7


@pytest.fixture
def parts(tmp_path):
    with station(tmp_path) as made:
        yield made


def listening(parts):
    """The box was just heard."""
    parts.hear("reading", reading())


async def settle(parts):
    """Lets the commander do all that it can now."""
    for _ in range(3):
        await parts.commander.step()
        while parts.commander._sending:
            await asyncio.sleep(0.001)


async def taken(parts):
    """Lets what was heard reach the database."""
    while parts.intake._tasks:
        await asyncio.sleep(0.001)


def run(work):
    return asyncio.run(work)


def refuse():
    raise UserError("the database refuses")


def status(parts, command):
    return parts.commander.get(command)["status"]


def test_one_that_is_to_be_the_only_one_of_its_kind_is(parts):
    def ask():
        return parts.commander.ask(BOX, "set_config", {"config": {"box": BOX}}, ANN, sole=True)

    async def work():
        listening(parts)
        asked = await asyncio.gather(*(ask() for _ in range(8)), return_exceptions=True)
        (command,) = [each for each in asked if isinstance(each, str)]
        refused = [each.code for each in asked if isinstance(each, Refused)]
        assert refused == 7 * ["under-way"]
        await parts.commander.ask(BOX, "identify", {"seconds": 5}, ANN)
        await parts.commander.answered(BOX, command, True, "")
        await ask()

    run(work())


def test_a_command_is_asked_sent_and_done(parts):
    async def work():
        listening(parts)
        command = await parts.commander.ask(BOX, "spotlight_on", {"seconds": 20}, ANN)
        assert status(parts, command) == "asked"
        await settle(parts)
        assert status(parts, command) == "sent"
        [(box, body)] = parts.line.commands
        asked = parts.commander.get(command)
        assert box == BOX and body == {
            "id": command,
            "counter": 1,
            "action": "spotlight_on",
            "seconds": 20,
            "by": "station",
            "expires": asked["asked_s"] + WITHIN_S,
        }
        parts.hear("result", {"id": command, "outcome": "done", "detail": "lit"})
        await taken(parts)
        return parts.commander.get(command)

    done = run(work())
    assert (done["status"], done["detail"], done["asked_by"]) == ("done", "lit", ANN)
    assert done["sent_s"] and done["answered_s"] and done["arguments"] == {"seconds": 20}
    assert [data["status"] for event, data in parts.told] == ["asked", "sent", "done"]


def test_the_box_is_told_who_asks(parts):
    with parts.database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO people (id, name, role, created_s) VALUES (7, '王芳', 'officer', 0)"
        )

    async def work():
        listening(parts)
        await parts.commander.ask(BOX, "self_test", {}, ANN)
        await settle(parts)

    run(work())
    assert parts.line.commands[0][1]["by"] == "王芳"


def test_a_box_that_comes_back_in_time_still_gets_it(parts):
    async def work():
        command = await parts.commander.ask(BOX, "identify", {"seconds": 5}, ANN)
        await settle(parts)
        assert parts.line.commands == []
        parts.clock += WITHIN_S - 1
        listening(parts)
        await settle(parts)
        return command

    assert status(parts, run(work())) == "sent"


def test_a_box_that_answers_without_end_is_not_kept_in_mind(parts):
    async def work():
        listening(parts)
        command = await parts.commander.ask(BOX, "self_test", {}, ANN)
        await settle(parts)
        for n in range(2 * ANSWERS_MOST):
            parts.hear("result", {"id": str(n), "outcome": "done", "detail": ""})
        assert len(parts.intake._tasks) == ANSWERS_MOST == parts.intake.counts["dropped"]
        await taken(parts)
        parts.hear("result", {"id": command, "outcome": "done", "detail": ""})
        await taken(parts)
        return command

    assert status(parts, run(work())) == "done"


@pytest.mark.parametrize(
    ("listens", "detail"),
    [(True, "the box did not answer"), (False, "the box has no connection")],
)
def test_what_is_not_answered_in_time_times_out_and_a_late_answer_counts(parts, listens, detail):
    async def work():
        if listens:
            listening(parts)
        command = await parts.commander.ask(BOX, "self_test", {}, ANN)
        await settle(parts)
        parts.clock += WITHIN_S + 1
        await settle(parts)
        out = parts.commander.get(command)
        listening(parts)
        await settle(parts)
        assert len(parts.line.commands) == listens  # too late is never sent
        assert await parts.commander.answered(BOX, command, False, "expired 2 s ago")
        assert not await parts.commander.answered(BOX, command, True, "again")
        return out, parts.commander.get(command)

    out, late = run(work())
    assert (out["status"], out["detail"]) == ("timed_out", detail)
    assert (late["status"], late["detail"]) == ("refused", "expired 2 s ago")


def test_a_line_that_is_cut_is_tried_again(parts):
    async def work():
        listening(parts)
        parts.line.cut = True
        command = await parts.commander.ask(BOX, "spotlight_off", {}, ANN)
        await settle(parts)
        assert status(parts, command) == "asked"
        parts.line.cut = False
        await settle(parts)
        return command

    assert status(parts, run(work())) == "sent"


def test_an_answer_of_another_box_does_not_count(parts):
    async def work():
        listening(parts)
        command = await parts.commander.ask(BOX, "self_test", {}, ANN)
        await settle(parts)
        assert not await parts.commander.answered(OTHER, command, True, "")
        assert not await parts.commander.answered(BOX, "made-up", True, "")
        assert status(parts, command) == "sent"
        parts.clock += WITHIN_S + 1
        await settle(parts)
        return command

    assert status(parts, run(work())) == "timed_out"


def test_an_answer_that_comes_as_its_time_runs_out_stops_nothing(parts):
    async def work():
        listening(parts)
        late, other = [await parts.commander.ask(BOX, "self_test", {}, ANN) for _ in range(2)]
        await settle(parts)
        parts.clock += WITHIN_S + 1
        answer = asyncio.ensure_future(parts.commander.answered(BOX, other, True, ""))
        await asyncio.sleep(0)
        await parts.commander.step()
        await answer
        await settle(parts)
        return late, other

    late, other = run(work())
    assert (status(parts, late), status(parts, other)) == ("timed_out", "done")


def test_a_database_that_refuses_for_a_while_keeps_no_command_waiting(parts, monkeypatch):
    async def work():
        listening(parts)
        command = await parts.commander.ask(BOX, "self_test", {}, ANN)
        await settle(parts)
        parts.clock += WITHIN_S + 1
        with monkeypatch.context() as away:
            away.setattr(parts.commander, "_transaction", refuse)
            await settle(parts)
        assert status(parts, command) == "sent"
        await settle(parts)
        return command

    assert status(parts, run(work())) == "timed_out"


def test_what_stands_in_the_database_as_asked_is_sent(parts, monkeypatch):
    """One that refuses right after the row was made must not leave it without an end."""

    async def work():
        listening(parts)
        with monkeypatch.context() as away:
            away.setattr(parts.commander, "_reading", refuse)
            command = await parts.commander.ask(BOX, "self_test", {}, None)
        await settle(parts)
        return command

    assert status(parts, run(work())) == "sent"


@pytest.mark.parametrize("arrived", [True, False])
def test_what_is_sent_again_has_the_counter_that_it_had(parts, arrived):
    """Only by that is it had once: a box that restarted has forgotten which ids it answered."""

    async def work():
        listening(parts)
        parts.line.cut = not arrived
        parts.line.confirms = False
        await parts.commander.ask(BOX, "reboot", {}, ANN)
        await settle(parts)
        parts.line.cut, parts.line.confirms = False, True
        await settle(parts)
        await parts.commander.ask(BOX, "reboot", {}, ANN)
        await settle(parts)

    run(work())
    counters = [body["counter"] for _, body in parts.line.commands]
    assert list(dict.fromkeys(counters)) == [1, 2]
    assert (counters.count(1) > 1) is arrived and counters.count(2) == 1


def test_the_boxs_journal_answers_when_its_message_was_lost(parts):
    async def work():
        listening(parts)
        command = await parts.commander.ask(BOX, "spotlight_on", {"seconds": 20}, ANN)
        await settle(parts)
        journal = Journal()
        journal.add(
            "command",
            unix_s=START_S,
            id=command,
            action="spotlight_on",
            by="station",
            outcome="refused: the relay must rest",
        )
        await parts.take(list(journal))
        await taken(parts)
        return parts.commander.get(command)

    found = run(work())
    assert (found["status"], found["detail"]) == ("refused", "the relay must rest")


def test_commands_of_a_box_leave_in_the_order_in_which_they_were_asked(parts):
    async def work():
        asked = [
            await parts.commander.ask(BOX, "show", {"text": str(n), "seconds": 5}, ANN)
            for n in range(5)
        ]
        listening(parts)
        await settle(parts)
        return asked

    asked = run(work())
    assert [body["id"] for _, body in parts.line.commands] == asked
    assert {row["id"] for row in parts.commander.recent(BOX)} == set(asked)


def test_what_was_asked_outlives_the_station(parts, tmp_path):
    async def before():
        return await parts.commander.ask(BOX, "reboot", {}, ANN)

    command = run(before())

    async def after(again):
        again.hear("reading", reading())
        await settle(again)
        return again.line.commands

    with Database.in_folder(tmp_path) as database:
        [(_, body)] = run(after(Station(database)))
    assert body["id"] == command


def test_the_time_that_is_set_is_that_of_sending_and_does_not_expire(parts, monkeypatch):
    async def work():
        await parts.commander.ask(BOX, "set_time", {"time": START_S}, None)
        listening(parts)
        monkeypatch.setattr("noisewarden.station.commanding.time.time", lambda: START_S + 5.6)
        await settle(parts)

    run(work())
    [(_, body)] = parts.line.commands
    assert (body["time"], body["action"]) == (START_S + 6, "set_time") and "expires" not in body


@pytest.mark.parametrize(
    ("state", "of_reading", "asked"),
    [
        (STATE | {"clock": 0}, None, 1),
        (STATE, {"time": None}, 1),
        (STATE, {"time": START_S}, 1),
        (STATE, {}, 0),
    ],
    ids=["unset", "without time", "off", "right"],
)
def test_a_clock_that_is_unset_or_off_is_set_once(parts, state, of_reading, asked):
    async def work():
        parts.hear("state", state)
        for _ in range(3):
            if of_reading is not None:
                parts.clock += OFF_FOR_S / 2
                parts.hear("reading", reading(**of_reading))
        await taken(parts)
        await settle(parts)

    run(work())
    assert [body["action"] for _, body in parts.line.commands] == ["set_time"] * asked


def test_a_box_that_has_started_again_gets_the_time_again(parts):
    async def work():
        for boot in (1, 1, 2):
            parts.hear("state", STATE | {"clock": 0, "boot": boot})
        await taken(parts)
        await settle(parts)

    run(work())
    assert [body["action"] for _, body in parts.line.commands] == ["set_time"] * 2


def test_readings_that_are_late_for_a_moment_set_no_clock(parts):
    async def work():
        for late_s in (60, 0, 60, 60, 0, 60):
            parts.clock += OFF_FOR_S / 2
            parts.hear("reading", reading(time=int(time.time()) - 1 - late_s))
        await taken(parts)
        await settle(parts)

    run(work())
    assert parts.line.commands == []


@pytest.mark.parametrize(
    ("action", "arguments", "words"),
    [
        ("format_flash", {}, "is none of"),
        ("spotlight_on", {}, "seconds must be a whole number from 1 to 120"),
        ("spotlight_on", {"seconds": 121}, "1 to 120"),
        ("show", {"text": "x" * 65, "seconds": 5}, "1 to 64 characters"),
        ("show", {"text": "x", "seconds": True}, "whole number"),
        ("set_config", {"config": []}, "must be an object"),
        ("set_config", {"config": {"box": BOX, "colour": 1}}, "colour"),
        ("set_config", {"config": {"box": OTHER}}, "over USB alone"),
        ("self_test", {"counter": 1}, "no arguments"),
        ("show", {"text": "x", "seconds": 5, "more": "x" * 4000}, "bytes"),
        ("identify", {"seconds": 5, "more": ["\ud800"]}, "half a character"),
    ],
)
def test_what_the_box_would_refuse_is_refused_at_once(parts, action, arguments, words):
    with pytest.raises(Refused, match=words) as refusal:
        run(parts.commander.ask(BOX, action, arguments, ANN))
    assert "\n" not in str(refusal.value)
    assert parts.commander.recent(BOX) == []


@pytest.mark.parametrize("turns", range(5))
def test_it_ends_though_something_is_asked_at_that_moment(parts, turns):
    async def work():
        task = asyncio.create_task(parts.commander.run())
        await asyncio.sleep(0.01)
        parts.commander._wake.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
        assert done

    run(work())


def test_nobody_commands_a_box_that_is_not_admitted(parts):
    parts.register.revoke(OTHER)
    for box in (OTHER, "nowhere"):
        with pytest.raises(Refused, match="no such box is admitted"):
            run(parts.commander.ask(box, "self_test", {}, ANN))


def test_the_actions_are_those_of_the_boxs_own_table():
    from noisewarden.firmware import commands as box_commands

    class Box:
        def __getattr__(self, name):
            return lambda *arguments: name

    rules = box_commands.Commands(Box(), Box())
    fields = {"seconds": 5, "text": "x", "config": {}, "time": 1}
    for number, action in enumerate(ACTIONS):
        assert rules.run({"id": number, "action": action, **fields})["outcome"] == "done"


def test_a_database_that_refuses_is_told_to_who_asks(parts, monkeypatch):
    def full(*_):
        raise UserError("station.sqlite: the disk is full; make room")

    monkeypatch.setattr(parts.commander, "_add", full)
    with pytest.raises(UserError, match="make room"):
        run(parts.commander.ask(BOX, "self_test", {}, ANN))
