"""The calibration of a box: what counts, until when, and that no power cut leaves half of one."""

import json

import check
from noisebox import calibration
from smallflash import Files, PowerCut, told

CALIBRATION = {
    "offset_db": -1.37,
    "uncertainty_db": 0.41,
    "date": "2026-03-02",
    "expires": "2027-03-01",
    "meter": "class 1, no. 4711",
    "certificate": "C-2026-001",
    "by": "technician 2",
}


def calibrated(**changes):
    written = dict(CALIBRATION)
    written.update(changes)
    flash = Files()
    flash.content["calibration.json"] = json.dumps(written).encode()
    return calibration.load(flash, "calibration.json")


def test_a_calibration_holds_to_the_end_of_its_last_day():
    # date -u -d 2027-03-02 +%s
    assert calibrated() == (-1.37, 1803945600, "", [])
    assert calibrated(date="2023-03-01", expires="2024-02-29")[1] == 1709251200


def test_a_box_without_a_calibration_has_none():
    assert calibration.load(Files(), "calibration.json") == (0.0, None, "", [])


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
        assert told(calibration.load(flash, "calibration.json")[3], key + ": is missing")


def test_a_torn_calibration_does_not_count():
    data = json.dumps(CALIBRATION).encode()
    for length in range(len(data)):
        flash = Files()
        flash.content["calibration.json"] = data[:length]
        offset_db, until, _, problems = calibration.load(flash, "calibration.json")
        assert (offset_db, until) == (0.0, 0) and told(problems, "calibration.json: not valid")


VOID = {"offset_db": -1.37, "void": "drift 1.8 dB"}


def saved(flash, written):
    return calibration.save(flash, "calibration.json", written)


def test_a_void_calibration_keeps_its_offset_and_ends_at_once():
    flash = Files()
    assert saved(flash, VOID) == []
    assert calibration.load(flash, "calibration.json") == (-1.37, 0, "drift 1.8 dB", [])
    assert saved(flash, CALIBRATION) == []
    assert calibration.load(flash, "calibration.json") == (-1.37, 1803945600, "", [])


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
            _, _, void, problems = calibration.load(flash, "calibration.json")
            assert problems == [] and void in ("", VOID["void"])
            operations += 1
        else:
            break
    assert operations == 3


check.run(globals())
