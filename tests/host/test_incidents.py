"""Incidents: the same records always make the same ones, and people act on them by name."""

import random

import pytest
from host.fakebox import BOX, KEY, START_S, Journal
from host.plans import plans_of
from host.station_parts import add_boot, add_minute, add_stage, arrivals, reading, station
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from noisewarden.station import settling
from noisewarden.station.courses import CLEAR_S
from noisewarden.station.refusals import Refused

ANN, BO = 7, 8


@pytest.fixture
def parts(tmp_path):
    with station(tmp_path) as made:
        yield made


@pytest.fixture
def now(monkeypatch):
    """Records come as they are made, by the store's clock too."""
    clock = Moment(START_S)
    monkeypatch.setattr("noisewarden.taking.time.time", lambda: clock.now_s)
    return clock


class Moment:
    def __init__(self, now_s: float) -> None:
        self.now_s = now_s


class Telling:
    """A box that writes its journal and gives each record to the station at once.

    `late_s`: how long the records are under way.
    """

    def __init__(self, parts, now, late_s: float = 0) -> None:
        self.journal = Journal()
        self._parts, self._now, self._late_s = parts, now, late_s
        add_boot(self.journal, unix_s=START_S, boot=1)
        self._give(live=True)

    def stage(self, stage: int, at_s: float, *, boot: int = 1, live: bool = True) -> None:
        add_stage(self.journal, stage, at_s=at_s, unix_s=START_S + int(at_s), boot=boot)
        self._give(live)

    def minute(self, at_s: float) -> None:
        add_minute(self.journal, at_s=at_s, unix_s=START_S + int(at_s))
        self._give(live=True)

    def boot(self, at_s: float, boot: int) -> None:
        add_boot(self.journal, unix_s=START_S + int(at_s), boot=boot)
        self._give(live=True)

    def _give(self, live: bool) -> None:
        seq, data, *_ = self.journal[-1]
        unix_s = int.from_bytes(data[16:20], "little")
        self._now.now_s = unix_s + self._late_s
        self._parts.store.intake(BOX, arrivals(self.journal[-1:]), KEY)
        self._parts.incidents.advance(BOX, seq - 1, {seq: live})


def alarms(parts):
    return [data["stage"] for event, data in parts.told if event == "incident" and data["alarm"]]


def only(parts):
    [incident] = parts.incidents.list()
    return parts.incidents.get(incident["id"])


def test_an_incident_from_reminder_to_end(parts, now):
    box = Telling(parts, now)
    for stage, at_s in ((1, 10), (2, 30), (3, 130), (2, 200), (1, 210), (0, 220)):
        box.stage(stage, at_s)
    found = only(parts)
    assert (found["opened_seq"], found["opened_s"]) == (2, START_S + 10)
    assert (found["stage"], found["live"]) == (3, True)
    assert (found["calmed_s"], found["ended_s"]) == (START_S + 220, None)
    assert [(i["kind"], i["seq"], i["at_s"] - START_S) for i in found["interventions"]] == [
        ("reminder", 2, 10),
        ("spotlight", 3, 30),
        ("referral", 4, 130),
    ]
    assert [record["stage"] for record in found["course"]] == [1, 2, 3, 2, 1, 0]
    assert found["course"][0]["laeq10"] == 72.5 and found["course"][0]["chain"] == "verified"
    box.minute(220 + CLEAR_S - 1)
    assert only(parts)["ended_s"] is None
    box.minute(220 + CLEAR_S)
    assert only(parts)["ended_s"] == START_S + 220 + CLEAR_S
    assert alarms(parts) == [1, 2, 3]


def test_loud_again_within_ten_minutes_is_the_same_incident_and_later_another(parts, now):
    box = Telling(parts, now)
    for stage, at_s in ((1, 10), (0, 20), (1, 19 + CLEAR_S), (0, 700), (1, 700 + CLEAR_S)):
        box.stage(stage, at_s)
    newer, older = parts.incidents.list()
    assert (older["opened_seq"], older["ended_s"]) == (2, START_S + 700 + CLEAR_S)
    assert (newer["opened_seq"], newer["calmed_s"]) == (6, None)
    # A second reminder is no change of the highest stage, so nobody is called twice.
    assert alarms(parts) == [1, 1]
    assert len(parts.incidents.get(older["id"])["interventions"]) == 2
    assert [record["seq"] for record in parts.incidents.get(older["id"])["course"]] == [2, 3, 4, 5]


def test_a_start_calms_what_went_on(parts, now):
    box = Telling(parts, now)
    box.stage(2, 10)
    box.boot(60, boot=2)
    assert only(parts)["calmed_s"] == START_S + 60
    box.stage(1, 60 + CLEAR_S, boot=2)
    newer, older = parts.incidents.list()
    assert older["ended_s"] == START_S + 60 + CLEAR_S and newer["calmed_s"] is None


def test_a_clock_that_was_years_ahead_keeps_no_incident_open(parts, now):
    box = Telling(parts, now)
    ahead_s = 4 * 365 * 86_400
    for stage, at_s in ((1, 10), (0, 20)):
        add_stage(box.journal, stage, at_s=at_s, unix_s=START_S + ahead_s + at_s)
        box._give(live=True)
    box.boot(60, boot=2)
    assert only(parts)["ended_s"] == only(parts)["calmed_s"] + CLEAR_S
    box.stage(1, 70, boot=2)
    newer, older = parts.incidents.list()
    assert older["ended_s"] and newer["opened_s"] == START_S + 70


@pytest.mark.parametrize(
    ("late_s", "said_live", "live"),
    [(0, True, True), (60, True, True), (61, True, False), (0, False, False)],
)
def test_what_comes_late_is_history_and_calls_nobody(parts, now, late_s, said_live, live):
    box = Telling(parts, now, late_s)
    box.stage(3, 10, live=said_live)
    assert only(parts)["live"] is live
    assert alarms(parts) == [3] * live
    assert len(parts.incidents.list(wanting=True)) == live


def test_history_that_goes_on_becomes_live_with_one_alarm(parts, now):
    box = Telling(parts, now, late_s=600)
    box.stage(1, 10)
    box.stage(2, 30)
    box._late_s = 0
    box.stage(1, 50)
    box.stage(0, 70)
    assert only(parts)["live"] and alarms(parts) == [2]


def test_what_was_not_taken_in_before_a_crash_is_at_the_next_start(parts, now):
    box = Telling(parts, now)
    add_stage(box.journal, 1, at_s=10, unix_s=START_S + 10)
    parts.store.intake(BOX, arrivals(box.journal[-1:]), KEY)
    for _ in range(2):
        parts.incidents.advance(BOX)
    assert only(parts)["live"] and alarms(parts) == [1]


@pytest.mark.parametrize("body", [bytes((1, 9, 0, 0, 70)) + b"\xff" * 10, b"\x01\x00"])
def test_a_stage_that_none_can_be_neither_calms_nor_stops_anything(parts, now, body):
    """Whoever holds a box, or a broker, may write any body: here a stage 9, and one too short."""
    box = Telling(parts, now)
    box.stage(2, 10)
    box.journal.add_body("stage", body, 1, 20_000, START_S + 20)
    box._give(live=True)
    box.minute(20 + CLEAR_S)
    found = only(parts)
    assert (found["stage"], found["calmed_s"], found["ended_s"]) == (2, None, None)
    assert [record["seq"] for record in found["course"]] == [2]
    box.stage(0, 700)
    assert only(parts)["calmed_s"] == START_S + 700


def test_an_incident_whose_first_record_was_made_up_ends(parts, now):
    """A broker may put one in the place of a true record, which is asked for again."""
    journal, forged = Journal(), Journal()
    for made in (journal, forged):
        add_boot(made, unix_s=START_S, boot=1)
    add_stage(forged, 1, at_s=10, unix_s=START_S + 10)
    for minute in range(1, 4):
        add_minute(journal, at_s=60 * minute, unix_s=START_S + 60 * minute)
    seq, data, mac, previous = forged[-1]
    made_up = (seq, data, bytes(len(mac)), previous)
    parts.store.intake(BOX, arrivals([journal[0], made_up, *journal[2:]]), KEY)
    parts.incidents.advance(BOX)
    assert only(parts)["opened_seq"] == seq and only(parts)["ended_s"] is None
    parts.store.intake(BOX, arrivals(journal), KEY)
    parts.incidents.advance(BOX)
    assert (only(parts)["calmed_s"], only(parts)["ended_s"]) == (START_S + 10, START_S + 10)


def test_times_that_are_resolved_later_are_put_right(parts, now):
    journal = Journal()
    add_boot(journal, unix_s=None, boot=1)
    add_stage(journal, 1, at_s=10, unix_s=None)
    add_stage(journal, 0, at_s=20, unix_s=None)
    parts.store.intake(BOX, arrivals(journal), KEY)
    parts.incidents.advance(BOX)
    found = only(parts)
    assert (found["opened_s"], found["calmed_s"], found["live"]) == (None, None, False)
    add_minute(journal, at_s=60, unix_s=START_S + 60)
    parts.store.intake(BOX, arrivals(journal[-1:]), KEY)
    parts.incidents.advance(BOX)
    found = only(parts)
    assert (found["opened_s"], found["calmed_s"]) == (START_S + 10, START_S + 20)
    assert found["interventions"][0]["at_s"] == START_S + 10


# Whatever the order.

STEPS = st.lists(
    st.tuples(
        st.sampled_from([1, 20, 200, CLEAR_S - 1, CLEAR_S, 2000]),
        st.sampled_from(["0", "1", "2", "3", "minute", "boot", "boot without time"]),
    ),
    min_size=1,
    max_size=25,
)


def journal_of(steps):
    journal = Journal()
    boot, started_s, now_s, knows = 1, 0, 0, True
    add_boot(journal, unix_s=START_S, boot=1)
    for after_s, what in steps:
        now_s += after_s
        unix_s = START_S + now_s if knows else None
        if what.startswith("boot"):
            boot, started_s, knows = boot + 1, now_s, what == "boot"
            add_boot(journal, unix_s=START_S + now_s if knows else None, boot=boot)
        elif what == "minute":
            knows = True  # the station has set the clock
            add_minute(journal, at_s=now_s - started_s, unix_s=START_S + now_s, boot=boot)
        else:
            add_stage(journal, int(what), at_s=now_s - started_s, unix_s=unix_s, boot=boot)
    return journal


def summary(parts):
    """All that the journal says, without the numbers of rows."""
    found = []
    for incident in reversed(parts.incidents.list()):
        whole = parts.incidents.get(incident["id"])
        by_box = [(i["kind"], i["seq"], i["at_s"]) for i in whole["interventions"]]
        names = ("opened_seq", "opened_s", "calmed_s", "ended_s", "stage")
        found.append(([whole[name] for name in names], sorted(by_box, key=lambda i: i[1])))
    return sorted(found)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, chance=st.integers(0, 1 << 32))
def test_order_and_repetition_do_not_matter(tmp_path_factory, steps, chance):
    journal = journal_of(steps)
    with station(tmp_path_factory.mktemp("whole")) as parts:
        parts.store.intake(BOX, arrivals(journal), KEY)
        parts.incidents.advance(BOX)
        whole = summary(parts)
    told = arrivals(journal) * 2
    dice = random.Random(chance)
    dice.shuffle(told)
    with station(tmp_path_factory.mktemp("parts")) as parts:
        while told:
            part = told[: dice.randint(1, 6)]
            del told[: len(part)]
            parts.store.intake(BOX, part, KEY)
            parts.incidents.advance(BOX, dice.randint(0, len(journal)))
        assert summary(parts) == whole


# People.


@pytest.fixture
def loud(parts, now):
    """A live incident that goes on; its box, and its number."""
    parts.live.take_availability(BOX, True)
    box = Telling(parts, now)
    box.stage(1, 10)
    return box, only(parts)["id"]


def refused(code, work, *arguments, **named):
    with pytest.raises(Refused) as refusal:
        work(*arguments, **named)
    assert refusal.value.code == code and "\n" not in str(refusal.value)


def test_who_takes_it_is_named_and_another_must_say_from_whom(parts, loud):
    _, number = loud
    taken = parts.incidents.take(number, ANN)
    assert taken["taken_by"] == ANN and taken["taken_s"] > 0
    refused("taken", parts.incidents.take, number, BO)
    refused("not-yours", parts.incidents.intervene, number, BO, "dissuade")
    assert parts.incidents.take(number, BO, instead_of=ANN)["taken_by"] == BO
    kinds = [(i["kind"], i["person"]) for i in only(parts)["interventions"]]
    assert kinds == [("reminder", None), ("take", ANN), ("take", BO)]


def test_the_work_of_a_person_on_an_incident(parts, loud):
    box, number = loud
    act = parts.incidents
    refused("not-yours", act.intervene, number, ANN, "mediate")
    act.take(number, ANN)
    act.intervene(number, ANN, "dissuade", "asked the dancers", "they turned it down")
    act.intervene(number, BO, "note", "I heard it too")
    refused("kind", act.intervene, number, ANN, "shout")
    refused("empty", act.intervene, number, ANN, "note")
    refused("empty", act.intervene, number, ANN, "note", "  ")
    refused("long", act.intervene, number, ANN, "note", "x" * 2001)
    refused("loud", act.close, number, ANN, "calm again")
    box.stage(0, 60)
    refused("not-yours", act.close, number, BO, "calm again")
    refused("empty", act.close, number, ANN, "  ")
    assert act.close(number, ANN, "calm again")["closed_by"] == ANN
    for work, arguments in (
        (act.close, (number, ANN, "again")),
        (act.take, (number, BO, ANN)),
        (act.intervene, (number, ANN, "hand_over")),
    ):
        refused("closed", work, *arguments)
    act.intervene(number, BO, "note", "for the file")
    assert act.list(wanting=True) == []
    refused("unknown", act.get, 99)


def test_a_box_that_fell_silent_does_not_keep_an_incident_open(parts, loud):
    _, number = loud
    parts.incidents.take(number, ANN)
    refused("loud", parts.incidents.close, number, ANN, "cable cut")
    parts.live.take_availability(BOX, False)
    assert parts.incidents.close(number, ANN, "cable cut")["outcome"] == "cable cut"


def test_a_box_that_says_it_is_calm_does_not_keep_an_incident_open(parts, loud):
    """The record that would say so may never come: its flash was erased, say."""
    _, number = loud
    parts.incidents.take(number, ANN)
    parts.live.take_reading(BOX, reading(stage=1))
    refused("loud", parts.incidents.close, number, ANN, "they left")
    parts.live.take_reading(BOX, reading(stage=0, n=13))
    assert parts.incidents.close(number, ANN, "they left")["outcome"] == "they left"


def test_what_was_closed_stays_so_when_the_station_starts_again(parts, loud):
    """Nor does another process open it, which has not had a record of this box yet."""
    box, number = loud
    parts.incidents.take(number, ANN)
    box.stage(0, 60)
    parts.incidents.close(number, ANN, "calm again")
    parts.incidents.advance(BOX)
    assert only(parts)["closed_by"] == ANN and alarms(parts) == [1]


def test_loud_again_after_it_was_closed_calls_someone_again(parts, loud):
    box, number = loud
    parts.incidents.take(number, ANN)
    box.stage(0, 60)
    parts.incidents.close(number, ANN, "calm again")
    box.stage(1, 120)
    found = only(parts)
    assert (found["taken_by"], found["closed_s"], found["outcome"]) == (None, None, "")
    assert alarms(parts) == [1, 1]
    closed = [i for i in found["interventions"] if i["kind"] == "close"]
    assert [(i["person"], i["outcome"]) for i in closed] == [(ANN, "calm again")]


def test_history_wants_nobody_but_may_be_noted_and_closed(parts, now):
    box = Telling(parts, now, late_s=settling.LIVE_S + 1)
    box.stage(1, 10)
    box.stage(0, 20)
    number = only(parts)["id"]
    refused("history", parts.incidents.take, number, ANN)
    parts.incidents.intervene(number, ANN, "note", "seen")
    parts.incidents.close(number, ANN, "history")
    assert [i["kind"] for i in only(parts)["interventions"]] == ["reminder", "note", "close"]


def test_what_people_do_is_told_and_is_no_alarm(parts, loud):
    _, number = loud
    parts.told.clear()
    parts.incidents.take(number, ANN)
    [(event, data)] = parts.told
    assert event == "incident" and data["taken_by"] == ANN and not data["alarm"]


def test_no_minute_is_looked_at(parts, now):
    """A box may have a year of them, and a town may start again at once."""
    told = Telling(parts, now)
    told.stage(1, 60)
    with plans_of(parts.database) as plans:
        parts.incidents.advance(BOX)
        (incident,) = parts.incidents.list()
        parts.incidents.get(incident["id"])
    looked = [plan for plan in plans if "records" in plan]
    assert sum("records_of_events" in plan for plan in looked) == 2
    # And the newest record of all.
    assert sum("PRIMARY KEY (box=? AND seq<?)" in plan for plan in looked) == 1 == len(looked) - 2
