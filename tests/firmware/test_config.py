"""The configuration: what is told to be wrong, and that no file whatever stops a box."""

import json

import check
from noisebox import config
from smallflash import Files, PowerCut, told

PATH = "config.json"
LAST = PATH + config.LAST_GOOD
GOOD = {
    "box": "bagu-east-01",
    "place": "八古广场",
    "stages": {"referral_after_s": 180},
    "schedule": {"rows": [{"days": "1234567", "from": "06:00", "to": "06:00", "limit": 65}]},
    "display": {"mode": "bar"},
}


def files(written=None, last=None):
    made = Files()
    for path, data in ((PATH, written), (LAST, last)):
        if data is not None:
            made.content[path] = data if isinstance(data, bytes) else json.dumps(data).encode()
    return made


def test_the_defaults_are_those_of_the_design():
    whole, problems = config.load(files(), PATH)
    assert problems == [] and whole == config.merged({})
    assert config.problems(whole) == []
    assert whole["zone"] == "CST-8" and whole["box"] == "box"
    assert [row["limit"] for row in whole["schedule"]["rows"]] == [70, 55]
    assert whole["schedule"]["exceptions"] == []
    stages = whole["stages"]
    assert (stages["spotlight_after_s"], stages["referral_after_s"]) == (20, 120)
    assert (stages["reminders"], stages["reminders_within_s"]) == (5, 600)
    assert (whole["spotlight"]["from"], whole["spotlight"]["to"]) == ("06:00", "22:00")
    assert whole["display"]["brightness"] == 100 and whole["display"]["show_limit"] is True


def test_what_is_written_wins_and_the_rest_is_default():
    whole, problems = config.load(files(GOOD), PATH)
    assert problems == []
    assert whole["place"] == "八古广场" and whole["zone"] == "CST-8"
    assert whole["stages"]["referral_after_s"] == 180 and whole["stages"]["window_s"] == 10
    assert len(whole["schedule"]["rows"]) == 1 and whole["schedule"]["exceptions"] == []
    assert whole["display"]["mode"] == "bar" and whole["display"]["night_from"] == "22:00"


def test_defaults_are_made_anew_each_time():
    config.merged({})["schedule"]["rows"][0]["limit"] = 99
    assert config.merged({})["schedule"]["rows"][0]["limit"] == 70


def test_each_wrong_key_is_named():
    for written, fragment in (
        ({"bix": "a"}, "bix: unknown key"),
        ({"stages": {"windows_s": 3}}, "stages.windows_s: unknown key"),
        ({"box": "Bagu East"}, "box: 'Bagu East' is not 1 to 32 of a-z, 0-9 and -"),
        ({"box": ""}, "box: ''"),
        ({"box": "a" * 33}, "box: "),
        ({"box": 7}, "box: 7 is not"),
        ({"place": None}, "place: None is not a text"),
        ({"place": "x" * 61}, "place: "),
        ({"zone": "Asia/Chongqing"}, "zone: "),
        ({"zone": 8}, "zone: "),
        ({"stages": {"window_s": 0}}, "stages.window_s: 0 is not a whole number from 1 to 60"),
        ({"stages": {"window_s": 10.0}}, "stages.window_s: 10.0 is not"),
        ({"stages": {"reminders": True}}, "stages.reminders: True is not"),
        ({"stages": {"hold_s": "10"}}, "stages.hold_s: '10' is not"),
        ({"stages": [1]}, "stages: is not an object"),
        ({"stages": {"over_at_least_s": 11}}, "stages.over_at_least_s: 11 is more than window_s"),
        ({"stages": {"spotlight_after_s": 121}}, "stages.spotlight_after_s: 121 is more than"),
        ({"spotlight": {"from": "24:00"}}, "spotlight.from: "),
        ({"spotlight": {"to": 22}}, "spotlight.to: "),
        (
            {"display": {"mode": "numbers"}},
            "display.mode: 'numbers' is not one of number, bar, off",
        ),
        ({"display": {"brightness": 101}}, "display.brightness: 101"),
        ({"display": {"show_limit": 1}}, "display.show_limit: 1 is not true or false"),
        ({"display": {"mode": {"a": 1}}}, "display.mode: a list or object is not"),
        ({"schedule": {"rows": []}}, "schedule.rows"),
        ({"schedule": 70}, "schedule: "),
        ([], "is not an object"),
    ):
        problems = config.problems(written)
        assert told(problems, fragment), (written, problems)
        assert "\n" not in problems[0]


def test_all_wrong_keys_are_named_at_once():
    written = {"box": "A", "color": 1, "stages": {"window_s": -1, "clear_after_s": "x"}}
    written["schedule"] = {"rows": [{"days": "8", "from": "06:00", "to": "06:00", "limit": 65}]}
    assert told(
        config.problems(written),
        "box: ",
        "color: ",
        "stages.window_s: ",
        "stages.clear_after_s: ",
        "schedule.rows[0].days: ",
    )


def test_a_file_torn_at_any_byte_gives_way_to_the_last_good_one():
    data = json.dumps(GOOD).encode()
    last = {"box": "bagu-east-01", "place": "before"}
    for length in range(len(data)):
        flash = files(data[:length], last)
        whole, problems = config.load(flash, PATH)
        assert whole == config.merged(last), length
        assert told(problems, "not valid JSON", "the last good copy holds"), (length, problems)
        assert flash.content[LAST] == json.dumps(last).encode()


def test_without_a_good_file_the_defaults_hold():
    data = json.dumps(GOOD).encode()
    for length in range(len(data)):
        whole, problems = config.load(files(data[:length], data[: length // 2]), PATH)
        assert whole == config.merged({}), length
        assert told(problems, PATH + ": not valid", LAST + ": not valid", "the defaults hold")


def test_a_file_with_any_byte_spoilt_never_stops_the_box():
    data = json.dumps(GOOD).encode()
    for place in range(len(data)):
        for spoilt in (0x00, 0xFF, ord("["), ord("{"), ord('"'), ord(","), ord("9")):
            torn = bytearray(data)
            torn[place] = spoilt
            whole, _ = config.load(files(bytes(torn), data), PATH)
            assert config.problems(whole) == [], (place, spoilt)


def test_a_file_that_is_no_configuration_never_stops_the_box():
    for written in (
        b"null",
        b"7",
        b'"text"',
        b"[]",
        b'{1: 2, "a": 3}',
        b'{"stages": {1: 2}}',
        b'{"schedule": {1: 2, "a": 1}}',
        b'{"box": ' + b"[" * 4000 + b"]" * 4000 + b"}",
        b'{"zone": ' + b"[" * 4000 + b"]" * 4000 + b"}",
        b'{"box": "' + b"a" * 9000 + b'"}',
    ):
        whole, problems = config.load(files(written, GOOD), PATH)
        assert whole == config.merged(GOOD) and problems, written[:20]


def test_a_good_file_becomes_the_last_good_one():
    flash = files(GOOD, {"place": "before"})
    config.load(flash, PATH)
    assert flash.content[LAST] == flash.content[PATH]
    flash.content[PATH] = b"{"
    assert config.load(flash, PATH)[0] == config.merged(GOOD)


def test_a_full_flash_does_not_keep_a_good_file_from_being_used():
    flash = files(GOOD)
    flash.full = True
    whole, problems = config.load(flash, PATH)
    assert whole == config.merged(GOOD) and told(problems, "not written")
    assert told(config.save(flash, PATH, GOOD), "not written")


def test_saving_a_bad_configuration_writes_nothing():
    flash = files(GOOD)
    before = dict(flash.content)
    assert told(config.save(flash, PATH, {"box": "A"}), "box: ")
    assert told(config.save(flash, PATH, {"place": "x" * 9000}), "place: ")
    assert flash.content == before


def test_saving_survives_a_power_cut_at_any_operation():
    new = {"box": "bagu-east-01", "place": "after"}
    operations = 0
    seen = []
    while True:
        flash = files(GOOD, GOOD)
        flash.operations_left = operations
        try:
            assert config.save(flash, PATH, new) == []
        except PowerCut:
            flash.operations_left = None
            whole, problems = config.load(flash, PATH)
            assert problems == []
            assert whole in (config.merged(GOOD), config.merged(new)), operations
            seen.append(whole == config.merged(new))
            operations += 1
        else:
            break
    assert operations == 6 and seen == sorted(seen) and any(seen)
    assert config.load(flash, PATH) == (config.merged(new), [])


def test_a_digest_is_the_same_whatever_the_order_of_keys():
    whole = config.merged({"box": "b", "place": "八股广场"})
    backwards = {key: whole[key] for key in reversed(sorted(whole))}
    assert config.digest(backwards) == config.digest(whole)
    assert config.digest(config.merged({"box": "c"})) != config.digest(config.merged({"box": "b"}))
    # Of the same configuration, by CPython.
    assert config.digest({"a": {"b": 1, "c": [True, "x"]}}) == (
        "f920683e4860aa16de7aa549ce2790dd7154191521fdd3b93253038cb802941e"
    )


check.run(globals())
