import json

import check
from noisebox.commands import Commands, Refused


class Box:
    """Notes what it was asked; the lamp refuses."""

    def __init__(self):
        self.asked = []

    def spotlight_on(self, seconds):
        raise Refused("resting")

    def self_test(self):
        return "microphone ok"

    def __getattr__(self, name):
        return lambda *arguments: self.asked.append((name, arguments))


def run(*commands):
    box = Box()
    console = Commands(box, box)
    return box, [console.run(command) for command in commands]


def test_each_command_is_answered_once():
    show = {"id": 7, "action": "show", "text": "QUIET", "seconds": 5}
    box, results = run(show, show)
    assert results == [{"id": 7, "outcome": "done", "detail": ""}, None]
    assert box.asked == [("show_text", ("QUIET", 5))]


def test_what_belongs_to_a_calibration_is_handed_on():
    box, results = run(
        {"id": 1, "action": "compare", "seconds": 0},
        {"id": 2, "action": "set_calibration", "calibration": {"offset_db": 1}},
        {"id": 3, "action": "void_calibration", "reason": "drift 1.8 dB"},
    )
    assert [result["outcome"] for result in results] == ["done"] * 3
    assert box.asked == [
        ("compare", (0,)),
        ("set_calibration", ({"offset_db": 1},)),
        ("void_calibration", ("drift 1.8 dB",)),
    ]


def test_a_refusal_says_why():
    _, results = run({"id": "a", "action": "spotlight_on", "seconds": 30})
    assert results == [{"id": "a", "outcome": "refused", "detail": "resting"}]


def test_a_command_that_finds_no_memory_is_refused():
    class Full(Box):
        def self_test(self):
            raise MemoryError

    result = Commands(Full(), Full()).run({"id": "a", "action": "self_test"})
    assert (result["outcome"], result["detail"]) == ("refused", "too little memory")


def test_a_command_that_is_nested_too_deep_is_refused():
    deep = json.loads("[" * 2000 + "]" * 2000)
    _, results = run({"id": "a", "action": deep})
    assert (results[0]["outcome"], results[0]["detail"]) == ("refused", "too little memory")


def test_a_detail_is_passed_on():
    _, results = run({"id": "a", "action": "self_test"})
    assert results[0]["detail"] == "microphone ok"


def test_wrong_commands_are_refused_and_do_nothing():
    wrong = (
        {},
        {"id": 1},
        {"id": True, "action": "self_test"},
        {"id": "x" * 41, "action": "self_test"},
        {"id": 2, "action": "dance"},
        {"id": 3, "action": "show", "text": "", "seconds": 5},
        {"id": 4, "action": "show", "text": "A" * 65, "seconds": 5},
        {"id": 5, "action": "show", "text": 5, "seconds": 5},
        {"id": 6, "action": "show", "text": "A", "seconds": 0},
        {"id": 7, "action": "show", "text": "A", "seconds": 5.0},
        {"id": 8, "action": "spotlight_on", "seconds": 121},
        {"id": 9, "action": "spotlight_on"},
        {"id": 10, "action": "set_time", "time": -1},
        {"id": 11, "action": "set_config", "config": [1]},
        {"id": 12, "action": "compare", "seconds": 601},
        {"id": 13, "action": "set_calibration", "calibration": "none"},
        {"id": 14, "action": "void_calibration", "reason": ""},
    )
    box, results = run(*wrong)
    assert [result["outcome"] for result in results] == ["refused"] * len(wrong)
    assert box.asked == []


def test_old_ids_are_forgotten_in_order():
    box = Box()
    console = Commands(box, box)
    for identity in range(17):
        console.run({"id": identity, "action": "self_test"})
    assert console.run({"id": 16, "action": "self_test"}) is None
    assert console.run({"id": 0, "action": "self_test"})["outcome"] == "done"


check.run(globals())
