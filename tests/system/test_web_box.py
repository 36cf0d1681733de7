"""What the pages of one box ask of the API: spans, gaps, journal, configuration."""

import math

import pytest
from host.fakebox import BOX, KEY, MINUTE, Journal
from host.station_parts import Line, add_stage, arrivals
from noisewarden.firmware import config as settings
from served import Served
from system.boxes import until
from system.days import DAY_S, OFF_FROM_H, OFF_TO_H, WIND_H, a_day

API = "/api/v1"
SUNDAY = "2026-06-07"
MIDNIGHT_S = 1_780_761_600
"""00:00 of that day in Chongqing."""
PLACE = "Bagu square, east"


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    with Served(tmp_path_factory.mktemp("station")) as served:
        served.administrator()
        served.account("Vera", "viewer")
        served.account("Oscar", "officer")
        served.account("Tess", "technician")
        served.add_box(BOX, PLACE)
        served.store.intake(BOX, arrivals(a_day(MIDNIGHT_S)), KEY)
        yield served


@pytest.fixture(scope="module")
def ask(station):
    """Asks as an officer; (status, what was said)."""
    with station.visitor("Oscar") as visitor:

        def asked(method, path, box=BOX, **options):
            answer = visitor.request(method, f"{API}/boxes/{box}/{path}", **options)
            return answer.status_code, answer.json()

        yield asked


@pytest.fixture
def get(ask):
    def got(path, **params):
        status, said = ask("GET", path, params=params)
        assert status == 200, said
        return said

    return got


PERIOD = {"from": MIDNIGHT_S, "to": MIDNIGHT_S + DAY_S}


# Levels.


def test_a_day_is_that_of_the_place(get):
    span = get("span", date=SUNDAY)
    assert (span["from_s"], span["to_s"]) == (MIDNIGHT_S, MIDNIGHT_S + DAY_S)
    assert (span["previous"], span["following"]) == ("2026-06-06", "2026-06-08")
    nights = [hour["hour"] for hour in span["hours"] if not hour["day"]]
    assert nights == [*range(6), 22, 23]
    week = get("span", date=SUNDAY, span="week")
    assert (week["first"], week["last"]) == ("2026-06-01", SUNDAY)
    there = get("span", date=SUNDAY, zone="EST5EDT,M3.2.0,M11.1.0")
    assert there["from_s"] == MIDNIGHT_S + 12 * 3600


def test_the_zone_is_that_which_the_box_tells(station, get):
    assert get("statistics", **PERIOD)["zone"] == "CST-8"
    box = "far-away"
    station.add_box(box, "a pole")
    station.soon(station.live.take_state, box, {"zone": "JST-9"})
    with station.visitor("Vera") as viewer:
        params = {"date": SUNDAY}
        until(
            lambda: (
                viewer.get(f"{API}/boxes/{box}/span", params=params).json()["from_s"]
                == MIDNIGHT_S - 3600
            ),
            lambda: "the state is late",
        )


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"date": "yesterday"}, "query.date"),
        ({"date": "1999-12-31"}, "query.date"),
        ({"date": "2099-01-01"}, "query.date"),
        ({"span": "decade"}, "query.span"),
    ],
)
def test_a_span_that_is_none_is_refused(ask, params, field):
    status, said = ask("GET", "span", params=params)
    assert status == 422 and said["detail"].startswith(f"{field}: ")


def test_a_gap_says_why(get):
    (gap,) = get("gaps", **PERIOD)
    assert gap == {
        "from_s": MIDNIGHT_S + 3600 * OFF_FROM_H,
        "to_s": MIDNIGHT_S + 3600 * OFF_TO_H,
        "why": "off",
    }


def test_hours_and_days_come_to_something_or_to_nothing(get):
    hours = get("hours", **PERIOD)
    assert len(hours) == 24
    assert hours[OFF_FROM_H]["laeq"] is None and hours[OFF_FROM_H]["valid_s"] == 0
    assert hours[WIND_H]["marked_min"]["wind"] == 60
    loud = 10 * math.log10((10 * 10**7.5 + 50 * 10**6.0) / 60)
    assert hours[20]["laeq"] == pytest.approx(loud, abs=0.02)
    (day,) = get("days", **PERIOD)
    assert day["date"] == SUNDAY and day["night"]["laeq"] == 60.0
    assert day["whole"]["valid_share"] == pytest.approx(22 / 24, abs=0.001)


def test_today_is_that_of_each_boxs_place(station, monkeypatch):
    noon_s = MIDNIGHT_S + 9 * DAY_S + DAY_S // 2  # in either place it is far from midnight
    monkeypatch.setattr(station.station.levels, "_now", lambda: noon_s)
    zones = {"today-here": "CST-8", "today-there": "BEN12"}
    with station.visitor("Vera") as viewer:
        for box, zone in zones.items():
            made = Journal()
            made.add("minute", unix_s=noon_s, **MINUTE)
            station.add_box(box, "a pole")
            station.store.intake(box, arrivals(made), KEY)
            station.soon(station.live.take_state, box, {"zone": zone})

        def today(**params):
            found = viewer.get(f"{API}/today", params=params).json()
            return {each.pop("box"): each for each in found}

        until(lambda: len(today()) == 2, lambda: f"{today()}")
        assert {box: each["zone"] for box, each in today().items()} == zones
        # A minute is not enough of a day for a level.
        assert today()["today-here"]["laeq"] is None
        assert today(zone="JST-9")["today-there"]["zone"] == "JST-9"
        refused = viewer.get(f"{API}/today", params={"zone": "Chongqing"})
        assert refused.status_code == 422 and "Chongqing" in refused.json()["detail"]


def test_the_names_of_flags_come_with_the_minutes(get):
    minutes = get("minutes", **PERIOD)
    at = minutes["columns"]["from_s"].index(MIDNIGHT_S + WIND_H * 3600)
    bits = minutes["columns"]["flags"][at]
    told = [name for bit, name in enumerate(minutes["flag_names"]) if bits >> bit & 1]
    assert told == ["wind"]


# The journal.


def test_records_are_paged_from_the_newest(get):
    seen = []
    while page := get("records", kind="all", **({"before": seen[-1]} if seen else {})):
        assert len(page) <= 50
        seen += [record["seq"] for record in page]
    assert seen == list(range(len(seen), 0, -1))


def test_records_of_a_kind_say_what_is_in_them(get):
    (calibration,) = get("records", kind="calibration")
    assert calibration["fields"]["certificate"] == "118" and calibration["chain"] == "verified"
    assert [record["kind"] for record in get("records", kind="events")] == ["calibration", "boot"]
    minute = get("records", kind="minute")[0]
    assert (minute["fields"]["flags"], minute["clock"]) == ([], "set")


def test_a_record_that_is_spoilt_is_shown_and_marked(station):
    box = "spoilt"
    station.add_box(box, "a pole")
    made = Journal()
    for _ in range(6):
        add_stage(made, 1, at_s=60, unix_s=MIDNIGHT_S)
    seq, data, mac, previous = made[2]
    made[2] = (seq, data[:-1] + b"\xff", mac, previous)
    del made[4]
    station.store.intake(box, arrivals(made), KEY)
    with station.visitor("Vera") as viewer:
        records = viewer.get(f"{API}/boxes/{box}/records").json()
        whole = viewer.get(f"{API}/boxes/{box}/chain").json()
    assert [record["chain"] for record in records if record["seq"] == 3] == ["broken"]
    assert (whole["broken"], whole["gaps"]) == (1, [{"first": 5, "last": 5, "gone": False}])


# The configuration.


def tell_config(station, config, box=BOX):
    """The box says that it goes by this one."""
    digest = None if config is None else settings.digest(settings.merged(config))
    station.soon(station.live.take_state, box, {"config": digest})
    until(
        lambda: station.live.box(box)["state"].get("config") == digest, lambda: "the state is late"
    )


@pytest.fixture
def box(station, request):
    """A box of this test's own, which listens; its Line keeps what comes there."""
    name = request.node.name.replace("_", "-")[-32:].lower()
    station.add_box(name, PLACE)
    line = Line()
    station.soon(station.ways.heard, name, line)
    station.hear(name)
    return name, line


def configuration(ask, box):
    return ask("GET", "configuration", box)[1]


def test_a_configuration_is_known_by_its_digest(station, ask, box):
    name, line = box
    own = {"box": name, "place": PLACE}
    assert not configuration(ask, name)["certain"]
    tell_config(station, own, name)
    default = configuration(ask, name)
    assert default["certain"] and default["config"] == settings.merged(own)

    config = default["config"] | {"stages": default["config"]["stages"] | {"margin_db": 2}}
    with station.visitor("Tess") as technician:
        command = technician.post(
            f"{API}/boxes/{name}/commands",
            json={"action": "set_config", "arguments": {"config": config}},
        ).json()
    until(lambda: line.commands, lambda: "not sent")
    assert configuration(ask, name)["config"] == default["config"]  # it was not carried out yet
    station.run(station.commander.answered(name, command["id"], True, ""))
    assert configuration(ask, name)["config"] == default["config"]  # nor has it said so
    tell_config(station, config, name)
    told = configuration(ask, name)
    assert told["certain"] and told["config"] == config and told["command"] == command["id"]

    tell_config(station, config | {"place": "by a cable"}, name)
    told = configuration(ask, name)
    assert (told["certain"], told["command"]) == (False, command["id"])


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"stages": {"window_s": 0}}, "stages.window_s"),
        ({"zone": "Chongqing"}, "zone"),
        ({"zzz": 1}, "zzz"),
        (
            {"schedule": {"rows": [{"days": "1", "from": "6", "to": "22:00", "limit": 70}]}},
            "schedule.rows[0].from",
        ),
        (
            {"schedule": {"rows": [{"days": "1", "from": "06:00", "to": "22:00", "limit": 70}]}},
            "schedule.rows",
        ),
        ({}, None),
    ],
)
def test_problems_stand_beside_their_fields(ask, config, field):
    status, problems = ask("POST", "configuration/problems", json={"config": config})
    assert status == 200
    assert [problem["field"] for problem in problems] == ([field] if field else [])
    assert all(problem["text"] for problem in problems)


def test_half_a_character_is_no_configuration(ask):
    body = {
        "content": rb'{"config": {"\ud800": 1}}',
        "headers": {"Content-Type": "application/json"},
    }
    status, said = ask("POST", "configuration/problems", **body)
    assert status == 422 and "half a character" in said["detail"]


def test_what_a_limit_would_have_done(ask):
    def tried(limit):
        rows = [{"days": "1234567", "from": "00:00", "to": "00:00", "limit": limit}]
        config = {"schedule": {"rows": rows, "exceptions": []}}
        return ask("POST", "what-if", params=PERIOD, json={"config": config})

    status, strict = tried(70)
    assert status == 200 and strict["incidents"] == 1 and strict["referrals"] >= 1
    assert 590 < strict["over_s"] < 610 and strict["seconds"] == 22 * 3600
    assert tried(75)[1]["over_s"] == 0
    assert tried(20)[0] == 422
    three = {"from": MIDNIGHT_S, "to": MIDNIGHT_S + 3 * DAY_S}
    assert ask("POST", "what-if", params=three, json={"config": {}})[1]["code"] == "too-long"


def test_a_limit_for_a_while_needs_a_configuration_that_is_known(ask, box):
    status, said = ask("POST", "temporary-limit", box[0], json={"limit": 75, "minutes": 30})
    assert (status, said["code"]) == (409, "config-unknown")


def test_an_officer_sets_a_limit_for_a_while_and_ends_it(station, ask, box):
    name, line = box
    tell_config(station, {"box": name, "place": PLACE}, name)
    assert ask("DELETE", "temporary-limit", name)[1]["code"] == "no-temporary-limit"
    status, command = ask("POST", "temporary-limit", name, json={"limit": 75, "minutes": 30})
    assert (status, command["action"]) == (202, "set_config")
    assert command["status"] in ("asked", "sent")
    again = ask("POST", "temporary-limit", name, json={"limit": 80, "minutes": 30})
    assert again[1]["code"] == "under-way"
    until(lambda: line.commands, lambda: "not sent")
    config = line.commands[0][1]["config"]
    assert [row["limit"] for row in config["schedule"]["exceptions"]] == [75]
    assert config | {"schedule": None} == settings.merged({"box": name, "place": PLACE}) | {
        "schedule": None
    }
    entry = station.audit.entries()[0]
    assert (entry.person, entry.action, entry.about) == ("Oscar", "command", name)

    station.run(station.commander.answered(name, command["id"], True, ""))
    tell_config(station, config, name)
    (holds,) = configuration(ask, name)["temporary"]
    assert holds["limit"] == 75 and holds["to"] != holds["from"]
    assert ask("DELETE", "temporary-limit", name)[0] == 202
    until(lambda: len(line.commands) == 2, lambda: "not sent")
    assert line.commands[1][1]["config"]["schedule"]["exceptions"] == []


@pytest.mark.parametrize(
    "given", [{"limit": 75, "minutes": 0}, {"limit": 75, "minutes": 721}, {"limit": 20}]
)
def test_a_limit_that_is_none_is_refused(ask, given):
    assert ask("POST", "temporary-limit", json=given)[0] == 422


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("span", {}),
        ("gaps", PERIOD),
        ("hours", PERIOD),
        ("days", PERIOD),
        ("records", {}),
        ("chain", {}),
        ("configuration", {}),
    ],
)
def test_a_box_that_is_not_there_has_none_of_it(ask, path, params):
    status, said = ask("GET", path, "nowhere", params=params)
    assert (status, said["code"]) == (404, "unknown-box")
