"""The configuration: what is told to be wrong, and that no file whatever stops a box."""

import json

import check
from noisebox import config

PATH = "config.json"
LAST = PATH + config.LAST_GOOD
GOOD = {
    "box": "bagu-east-01",
    "place": "八古广场",
    "stages": {"referral_after_s": 180},
    "schedule": {"rows": [{"days": "1234567", "from": "06:00", "to": "06:00", "limit": 65}]},
    "display": {"mode": "bar"},
}
CALIBRATION = {
    "offset_db": -1.37,
    "uncertainty_db": 0.41,
    "date": "2026-03-02",
    "expires": "2027-03-01",
    "meter": "class 1, no. 4711",
    "certificate": "C-2026-001",
    "by": "technician 2",
}


class PowerCut(Exception):
    pass


class File:
    def __init__(self, files, path, data):
        self._files, self._path = files, path
        self._data = data

    def seek(self, offset, whence=0):
        return len(self._data) if whence == 2 else offset

    def read(self, size):
        return self._data[:size]

    def write(self, data):
        self._files.content[self._path] = data[: len(data) // 2]
        self._files.spend()
        self._files.content[self._path] = data

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


class Files:
    """A flash in memory that can run out of power after some operations, or of space."""

    def __init__(self, **content):
        self.content = content
        self.operations_left = None
        self.full = False

    def spend(self):
        if self.operations_left is not None:
            if not self.operations_left:
                raise PowerCut
            self.operations_left -= 1

    def open(self, path, mode):
        if mode == "rb":
            if path not in self.content:
                raise OSError(2)
            return File(self, path, self.content[path])
        if self.full:
            raise OSError(28)
        self.spend()
        self.content[path] = b""
        return File(self, path, b"")

    def rename(self, old, new):
        self.spend()
        self.content[new] = self.content.pop(old)


def files(written=None, last=None):
    made = Files()
    for path, data in ((PATH, written), (LAST, last)):
        if data is not None:
            made.content[path] = data if isinstance(data, bytes) else json.dumps(data).encode()
    return made


def told(problems, *fragments):
    """Is there one line for each fragment, and no other?"""
    return len(problems) == len(fragments) and all(
        any(fragment in problem for problem in problems) for fragment in fragments
    )


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


def calibrated(**changes):
    written = dict(CALIBRATION)
    written.update(changes)
    flash = Files()
    flash.content["calibration.json"] = json.dumps(written).encode()
    return config.calibration(flash, "calibration.json")


def test_a_calibration_holds_to_the_end_of_its_last_day():
    # date -u -d 2027-03-02 +%s
    assert calibrated() == (-1.37, 1803945600, "", [])
    assert calibrated(date="2023-03-01", expires="2024-02-29")[1] == 1709251200


def test_a_box_without_a_calibration_has_none():
    assert config.calibration(Files(), "calibration.json") == (0.0, None, "", [])


def test_a_bad_calibration_does_not_count():
    for changes, fragment in (
        ({"offset_db": 16}, "offset_db: 16 is not a number from -15 to 15 dB"),
        ({"offset_db": "1"}, "offset_db: '1'"),
        ({"offset_db": True}, "offset_db: True"),
        ({"date": "2026-02-29"}, "date: "),
        ({"expires": "tomorrow"}, "expires: "),
        ({"by": 7}, "by: 7 is not a text"),
        ({"uncertainty_db": -0.1}, "uncertainty_db: -0.1 is not a number from 0 to 15 dB"),
        ({"expires": "2026-03-01"}, "expires: is before date"),
        ({"temperature": 21}, "temperature: unknown key"),
        ({"void": 7}, "void: 7 is not a text"),
    ):
        offset_db, until, void, problems = calibrated(**changes)
        assert (offset_db, until, void) == (0.0, 0, ""), changes
        assert any(fragment in problem for problem in problems), changes
        assert len(problems) == 1 or "void" in changes
    for key in CALIBRATION:
        flash = Files()
        torn = {name: value for name, value in CALIBRATION.items() if name != key}
        flash.content["calibration.json"] = json.dumps(torn).encode()
        assert told(config.calibration(flash, "calibration.json")[3], key + ": is missing")


def test_a_torn_calibration_does_not_count():
    data = json.dumps(CALIBRATION).encode()
    for length in range(len(data)):
        flash = Files()
        flash.content["calibration.json"] = data[:length]
        offset_db, until, _, problems = config.calibration(flash, "calibration.json")
        assert (offset_db, until) == (0.0, 0) and told(problems, "calibration.json: not valid")


VOID = {"offset_db": -1.37, "void": "drift 1.8 dB"}


def saved(flash, written):
    return config.save_calibration(flash, "calibration.json", written)


def test_a_void_calibration_keeps_its_offset_and_ends_at_once():
    flash = Files()
    assert saved(flash, VOID) == []
    assert config.calibration(flash, "calibration.json") == (-1.37, 0, "drift 1.8 dB", [])
    assert saved(flash, CALIBRATION) == []
    assert config.calibration(flash, "calibration.json") == (-1.37, 1803945600, "", [])


def test_a_bad_calibration_is_not_written():
    flash = Files()
    saved(flash, CALIBRATION)
    before = dict(flash.content)
    for written in ({}, {1: 2}, [], dict(CALIBRATION, offset_db=16), dict(VOID, void="x" * 61)):
        assert saved(flash, written), written
    flash.full = True
    assert told(saved(flash, VOID), "not written")
    assert flash.content == before


def test_a_calibration_that_a_power_cut_interrupts_is_the_old_or_the_new_one():
    operations = 0
    while True:
        flash = Files()
        saved(flash, CALIBRATION)
        flash.operations_left = operations
        try:
            saved(flash, VOID)
        except PowerCut:
            _, _, void, problems = config.calibration(flash, "calibration.json")
            assert problems == [] and void in ("", VOID["void"])
            operations += 1
        else:
            break
    assert operations == 3


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
