"""What the API says of levels, commands and incidents, over real HTTP."""

import csv
import io
import time
from datetime import UTC, datetime

import pytest
from host.fakebox import BOX, KEY, MINUTE, START_S, Journal, journal
from host.station_parts import Line, add_minute, add_stage, arrivals
from served import ADMIN, Served
from system.boxes import until

API = "/api/v1"
MINUTES = 90
PERIOD = {"from": START_S, "to": START_S + 60 * MINUTES + 1}


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    with Served(tmp_path_factory.mktemp("station")) as served:
        served.administrator()
        served.account("Oscar", "officer")
        served.account("Olga", "officer")
        served.account("Tess", "technician")
        served.add_box(BOX, "Bagu square, east")
        served.store.intake(BOX, arrivals(journal(MINUTES)), KEY)
        yield served


@pytest.fixture
def officer(station):
    with station.visitor("Oscar") as visitor:
        yield visitor


# Levels.


def test_minutes_are_columns_of_one_length(officer):
    answer = officer.get(f"{API}/boxes/{BOX}/minutes", params=PERIOD).json()
    columns = answer["columns"]
    assert {len(column) for column in columns.values()} == {MINUTES}
    assert columns["from_s"] == [START_S + 60 * n for n in range(MINUTES)]
    assert set(columns["laeq"]) == {MINUTE["laeq"]} and set(columns["chain"]) == {"verified"}


def test_a_time_is_unix_seconds_or_a_date_with_its_zone(officer):
    def asked(first, last):
        params = {"from": first, "to": last}
        return officer.get(f"{API}/boxes/{BOX}/minutes", params=params)

    first, last = (datetime.fromtimestamp(PERIOD[key], UTC) for key in ("from", "to"))
    assert asked(first.isoformat(), last.isoformat()).json() == asked(*PERIOD.values()).json()
    for wrong in ("2026-06-01T20:00:00", "yesterday", "-1", "99999999999999999999", "1e400"):
        refused = asked(wrong, PERIOD["to"])
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid"), wrong
        assert refused.json()["detail"].startswith("query.from: ")


@pytest.mark.parametrize(
    ("path", "params", "words"),
    [
        ("minutes", {"from": START_S, "to": START_S - 60}, "swap the two"),
        ("minutes", {"from": START_S, "to": START_S + 32 * 86400}, "31 days"),
        ("seconds", {"from": START_S, "to": START_S + 8 * 86400}, "7 days"),
        ("statistics", {"from": START_S, "to": START_S + 400 * 86400}, "366 days"),
        ("statistics", PERIOD | {"zone": "Chongqing"}, "zone"),
    ],
)
def test_a_period_that_makes_no_sense_is_refused_with_its_cure(officer, path, params, words):
    refused = officer.get(f"{API}/boxes/{BOX}/{path}", params=params)
    assert refused.status_code == 422 and words in refused.json()["detail"]


def test_a_box_that_is_not_there_has_no_levels(officer):
    refused = officer.get(f"{API}/boxes/other/minutes", params=PERIOD)
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown-box")


def test_minutes_come_as_csv_for_a_spreadsheet(officer):
    answer = officer.get(
        f"{API}/boxes/{BOX}/minutes", params=PERIOD, headers={"Accept": "text/csv"}
    )
    assert answer.headers["content-type"].startswith("text/csv")
    assert f"{BOX}-minutes.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == MINUTES and rows[0]["laeq"] == "61.2"
    assert rows[0]["from_local"].endswith("+08:00")


def test_seconds_are_stretches_and_csv(officer):
    path = f"{API}/boxes/{BOX}/seconds"
    (stretch,) = officer.get(path, params=PERIOD).json()
    assert stretch["from_s"] == START_S
    assert stretch["levels"][:60] == [61.2] * 59 + [None]
    answer = officer.get(path, params=PERIOD, headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == len(stretch["levels"])
    assert (rows[0]["laeq"], rows[59]["laeq"]) == ("61.2", "")


def test_a_week_may_have_the_hour_that_ends_a_summer(officer):
    week = {"from": START_S, "to": START_S + 7 * 86_400 + 3600}
    (stretch,) = officer.get(f"{API}/boxes/{BOX}/seconds", params=week).json()
    assert len(stretch["levels"]) == 60 * MINUTES


def test_statistics_say_how_much_they_rest_on(officer):
    path = f"{API}/boxes/{BOX}/statistics"
    whole = officer.get(path, params=PERIOD).json()["whole"]
    assert (whole["laeq"], whole["l90"], whole["valid_s"]) == (61.2, 61.2, 59 * MINUTES)
    too_little = officer.get(path, params=PERIOD | {"to": START_S + 10 * 86400}).json()
    assert too_little["whole"]["laeq"] is None and too_little["least_valid_share"] == 0.75


# Commands.


def wait_for_status(visitor, command: str, status: str) -> dict:
    found = {}

    def came() -> bool:
        found.update(visitor.get(f"{API}/commands/{command}").json())
        return found["status"] == status

    until(came, lambda: f"{found}")
    return found


def test_a_command_is_asked_sent_and_done_and_says_by_whom(station, officer):
    line = Line()
    station.soon(station.ways.heard, BOX, line)
    station.hear(BOX)
    given = {"action": "spotlight_on", "arguments": {"seconds": 30}}
    asked = officer.post(f"{API}/boxes/{BOX}/commands", json=given)
    assert asked.status_code == 202
    command = asked.json()
    names = officer.get(f"{API}/people/names").json()
    assert names[str(command["asked_by"])] == "Oscar"
    wait_for_status(officer, command["id"], "sent")
    ((box, body),) = line.commands
    assert (box, body["action"], body["seconds"]) == (BOX, "spotlight_on", 30)
    station.run(station.commander.answered(BOX, command["id"], True, "lit"))
    assert wait_for_status(officer, command["id"], "done")["detail"] == "lit"
    assert officer.get(f"{API}/boxes/{BOX}/commands").json()[0]["id"] == command["id"]
    entry = station.audit.entries()[0]
    assert (entry.person, entry.action, entry.about) == ("Oscar", "command", BOX)
    assert '{"seconds": 30}' in entry.detail


def test_a_command_to_a_box_that_does_not_listen_is_timed_out(station, officer):
    station.add_box("asleep", "depot")
    given = {"action": "identify", "arguments": {"seconds": 5}, "within_s": 1}
    command = officer.post(f"{API}/boxes/asleep/commands", json=given).json()
    assert command["status"] == "asked"
    assert wait_for_status(officer, command["id"], "timed_out")["detail"]


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"action": "spotlight_on", "arguments": {"seconds": 9999}}, 422, "arguments"),
        ({"action": "spotlight_on", "arguments": {"counter": 1}}, 422, "arguments"),
        ({"action": "show", "arguments": {"text": "", "seconds": 5}}, 422, "arguments"),
        ({"action": "spotlight_off", "within_s": 0}, 422, "invalid"),
        ({"action": "spotlight_off", "more": 1}, 422, "invalid"),
        ({"action": "reboot"}, 403, "forbidden"),
        ({"action": "set_config", "arguments": {"config": {}}}, 403, "forbidden"),
        ({"action": "explode"}, 403, "forbidden"),
    ],
)
def test_what_may_not_be_asked_is_refused(officer, given, status, code):
    refused = officer.post(f"{API}/boxes/{BOX}/commands", json=given)
    assert (refused.status_code, refused.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("commands", '{"action": "show", "arguments": {"text": "x", "seconds": 5, "more": %s}}'),
        ("configuration/problems", '{"config": {"more": %s}}'),
    ],
)
@pytest.mark.parametrize("depth", [10, 300, 900])
def test_what_nobody_could_read_back_is_not_kept(officer, path, given, depth):
    answer = officer.post(
        f"{API}/boxes/{BOX}/{path}",
        content=given % ("[" * depth + "1" + "]" * depth),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert officer.get(f"{API}/boxes/{BOX}/commands").status_code == 200


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_number_that_is_none_goes_to_no_box_and_no_page(officer, number):
    arguments = f'{{"text": "x", "seconds": 5, "more": {number}}}'
    answer = officer.post(
        f"{API}/boxes/{BOX}/commands",
        content=f'{{"action": "show", "arguments": {arguments}}}',
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "arguments")


def test_a_technician_may_restart_a_box(station):
    with station.visitor("Tess") as technician:
        asked = technician.post(f"{API}/boxes/{BOX}/commands", json={"action": "reboot"})
    assert asked.status_code == 202


# Incidents.


LOUD = "jiefang-east-01"


def test_an_incident_is_taken_worked_on_and_closed(station, officer):
    station.add_box(LOUD, "Jiefang square, east")
    made = Journal()
    now_s = int(time.time())
    opened = add_stage(made, 1, at_s=60, unix_s=now_s - 30)
    add_stage(made, 2, at_s=80, unix_s=now_s - 10)
    station.store.intake(LOUD, arrivals(made))
    station.incidents.advance(LOUD, 0, {opened: True})
    (found,) = officer.get(f"{API}/incidents", params={"box": LOUD, "wanting": True}).json()
    path = f"{API}/incidents/{found['id']}"
    assert (found["live"], found["stage"], found["taken_by"]) == (True, 2, None)
    work = {"kind": "dissuade", "note": "spoke to the group at the fountain"}
    early = officer.post(f"{path}/interventions", json=work)
    assert (early.status_code, early.json()["code"]) == (409, "not-yours")
    taken = officer.patch(path, json={"take": True}).json()
    assert officer.get(f"{API}/people/names").json()[str(taken["taken_by"])] == "Oscar"
    with station.visitor("Olga") as other:
        assert other.patch(path, json={"take": True}).json()["code"] == "taken"
    done = officer.post(f"{path}/interventions", json=work).json()
    assert [each["kind"] for each in done["interventions"]][-2:] == ["take", "dissuade"]
    station.hear(LOUD, laeq=76.0, stage=2)
    until(lambda: not station.live.silent(LOUD), lambda: "not heard")
    loud = officer.patch(path, json={"outcome": "went home"})
    assert (loud.status_code, loud.json()["code"]) == (409, "loud")
    add_stage(made, 0, at_s=100, unix_s=int(time.time()))
    add_minute(made, at_s=120, unix_s=int(time.time()) + 20)
    station.store.intake(LOUD, arrivals(made))
    station.incidents.advance(LOUD)
    closed = officer.patch(path, json={"outcome": "went home"}).json()
    assert (closed["outcome"], closed["closed_by"]) == ("went home", taken["taken_by"])
    whole = officer.get(path).json()
    assert [record["stage"] for record in whole["course"]] == [1, 2, 0]
    about = [entry for entry in station.audit.entries() if entry.about == str(found["id"])]
    assert [entry.action for entry in about] == ["close incident", "intervene", "take incident"]


@pytest.mark.parametrize(
    "step", [{}, {"take": True, "outcome": "x"}, {"outcome": None}, {"stage": 0}]
)
def test_a_step_is_one_of_two(officer, step):
    assert officer.patch(f"{API}/incidents/1", json=step).status_code == 422


# The register.


def test_a_stolen_box_is_revoked(station):
    station.add_box("stolen", "a pole")
    with station.visitor("Tess") as technician:
        assert technician.delete(f"{API}/register/stolen").status_code == 204
        listed = {box["box"]: box for box in technician.get(f"{API}/register").json()}
        assert listed["stolen"]["revoked_s"] and not listed[BOX]["revoked_s"]
        assert not any("key" in name or "password" in name for name in listed["stolen"])
        assert technician.get(f"{API}/boxes/stolen").json()["revoked"]
    assert station.audit.entries()[0].action == "revoke box"


def test_an_administrator_may_all_of_it(station):
    with station.visitor(ADMIN) as chief:
        assert chief.get(f"{API}/register").status_code == 200
        given = {"action": "self_test"}
        assert chief.post(f"{API}/boxes/{BOX}/commands", json=given).status_code == 202
