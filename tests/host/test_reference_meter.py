"""The reference meter against the tables of IEC 61672-1:2013, with much less room than class 1."""

import json
from pathlib import Path

import numpy as np
import pytest
import reference_meter as meter

TABLES = json.loads((Path(__file__).parents[1] / "data/iec61672.json").read_text(encoding="utf-8"))
ROUNDING_DB = 0.051
"""The tables are rounded to 0.1 dB."""


def sine(hz: float, seconds: float) -> np.ndarray:
    return 0.1 * np.sin(2 * np.pi * hz * np.arange(round(seconds * meter.RATE_HZ)) / meter.RATE_HZ)


def in_silence(event: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros(meter.RATE_HZ // 2), event, np.zeros(meter.RATE_HZ)])


@pytest.mark.parametrize("weighting", "ACZ")
def test_frequency_weighting(weighting):
    for row in TABLES["table3_frequency_weighting"]["rows"]:
        steady = meter.weigh(sine(row["exact_hz"], 4), weighting)[meter.RATE_HZ :]
        # Whole cycles only.
        cycle = meter.RATE_HZ / row["exact_hz"]
        steady = steady[: round(len(steady) // cycle * cycle)]
        assert meter.leq(steady) - 100 == pytest.approx(row[weighting], abs=ROUNDING_DB), row


@pytest.mark.parametrize(
    ("rows", "measure"),
    [
        ("LAFmax_minus_LA", lambda burst: np.max(meter.average(burst, meter.F_S))),
        ("LASmax_minus_LA", lambda burst: np.max(meter.average(burst, meter.S_S))),
        ("LAE_minus_LA", meter.exposure),
    ],
)
def test_tonebursts(rows, measure):
    steady_db = meter.leq(meter.weigh(sine(4000, 2), "A")[meter.RATE_HZ :])
    for row in TABLES["table4_toneburst_4khz"][rows]:
        burst = meter.weigh(in_silence(sine(4000, row["duration_ms"] / 1000)), "A")
        # The filter's own transient counts in bursts of a few cycles.
        assert measure(burst) - steady_db == pytest.approx(row["ref_db"], abs=0.15), row


def test_c_peak():
    for row in TABLES["table5_c_peak"]["rows"]:
        parts = {
            "one cycle": (1, 1),
            "positive half cycle": (0.5, 1),
            "negative half cycle": (0.5, -1),
        }
        cycles, sign = parts[row["signal"]]
        event = sign * sine(row["hz"], cycles / row["hz"])
        steady_db = meter.leq(meter.weigh(sine(row["hz"], 3), "C")[meter.RATE_HZ :])
        peak_db = meter.peak(meter.weigh(in_silence(event), "C"))
        assert peak_db - steady_db == pytest.approx(row["ref_db"], abs=0.3), row


@pytest.mark.parametrize(("time_constant_s", "letter"), [(meter.F_S, "F"), (meter.S_S, "S")])
def test_decay(time_constant_s, letter):
    sound = np.concatenate([sine(4000, 2), np.zeros(meter.RATE_HZ)])
    course_db = meter.average(meter.weigh(sound, "A"), time_constant_s)
    rate = course_db[int(2.2 * meter.RATE_HZ)] - course_db[int(2.3 * meter.RATE_HZ)]
    design = TABLES["time_weighting"]["design_decay_db_per_s"][letter]
    assert rate / 0.1 == pytest.approx(design, abs=0.06)
