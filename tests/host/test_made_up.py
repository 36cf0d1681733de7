"""The boxes of the screenshots: levels that are made up, and what the firmware makes of them."""

import sys
from pathlib import Path

import numpy as np
from noisewarden.firmware import evidence, wire

sys.path.append(str(Path(__file__).resolve().parents[2] / "docs"))
from made_up import MadeUpBox, louder, street

SECRET = bytes(range(32))
EVENING_S = 1_780_315_200
"""Monday 2026-06-01, 20:00 in the zone CST-8."""


def test_what_is_loud_is_recorded_as_a_box_does():
    levels = street(((0, 60), (24, 60)), 20, 240, seed=1)
    louder(levels, 60, 40, 75)
    levels[180:] = np.nan
    box = MadeUpBox(SECRET, {"box": "b", "zone": "CST-8"}, seed=1)
    box.start(EVENING_S)
    box.live(levels)
    key = wire.Key(wire.derive(SECRET, "journal"))
    assert list(evidence.breaks(key, box.journal)) == []
    made = [evidence.unpack(entry[1]) for entry in box.journal]
    assert [record["kind"] for record in made if record["kind"] != "minute"][:3] == [
        "boot",
        "stage",
        "stage",
    ]
    assert [r["stage"] for r in made if r["kind"] == "stage"] == [1, 2, 1, 0]
    loud = [reading["spotlight"] for reading in box.readings].index(True)
    assert 84 <= loud <= 90  # 20 s after the reminder
    assert box.readings[179]["shown"].isdigit() and box.readings[181]["shown"] == "--"
    minutes = [record for record in made if record["kind"] == "minute"]
    assert [record["valid_s"] for record in minutes] == [60, 60, 60, 0]
    assert minutes[1]["laeq"] > 72 and minutes[3]["laeq"] is None
