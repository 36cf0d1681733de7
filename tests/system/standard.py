"""Measures the meter of the box against IEC 61672-1:2013: kernels and meter on MicroPython, from
samples to levels, with the tables of tests/data/iec61672.json.

Each function measures one contract of DESIGN 4.1 and returns deviations in dB by name. Where the
standard has a tolerance that differs from row to row, `margin` is the least distance to a class 1
limit: negative outside.
"""

import json
import math
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import reference_meter as reference
from noisewarden.virtual.chip import interpreter
from numpy.typing import ArrayLike
from system.sound import BLOCK, RATE, cycles, frames, noise, placed, sine

TESTS = Path(__file__).resolve().parents[1]
TABLES = json.loads((TESTS / "data/iec61672.json").read_text())
RUN_TIMEOUT_S = 180
GROUND_DB = 6.0
"""Noise under single events, since a line with none would be a dead one."""

Row = dict[str, Any]


def measure(signals: Sequence[np.ndarray]) -> list[list[Row]]:
    """The seconds that the meter makes of each signal, switched on at the start of each."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for at, signal in enumerate(signals):
            paths.append(Path(folder, str(at)))
            frames(signal).tofile(paths[-1])
        run = subprocess.run(
            [
                interpreter(),
                TESTS / "firmware/meter_driver.py",
                *paths,
            ],
            env=os.environ | {"MICROPYPATH": f"{TESTS.parent / 'firmware'}:.frozen"},
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT_S,
        )
    if run.returncode:
        raise RuntimeError(run.stdout[-500:] + run.stderr)
    results: list[list[Row]] = [[]]
    for line in run.stdout.splitlines():
        row = json.loads(line)
        if row:
            results[-1].append(row)
        else:
            results.append([])
    return results[: len(signals)]


def energy_mean(levels: Sequence[float]) -> float:
    return float(10 * np.log10(np.mean(10 ** (np.asarray(levels) / 10))))


def energy_sum(levels: Sequence[float]) -> float:
    return energy_mean(levels) + 10 * math.log10(len(levels))


def margin(deviation: float, lower: float | None, upper: float) -> float:
    """Distance of a deviation to the nearer limit; None is no lower limit."""
    return min(upper - deviation, np.inf if lower is None else deviation - lower)


def worst(deviations: ArrayLike) -> float:
    return float(np.max(np.abs(deviations)))


def exact_weighting(hz: float) -> dict[str, float]:
    """A, C and Z in dB by the formulas of annex E."""
    poles = TABLES["annex_e_poles_hz"]
    f1, f2, f3, f4 = (poles[name] ** 2 for name in ("f1", "f2", "f3", "f4"))
    square = hz**2
    c = f4 * square / ((square + f1) * (square + f4))
    a = c * square / np.sqrt((square + f2) * (square + f3))
    return {
        "A": 20 * np.log10(a) - poles["A1000_db"],
        "C": 20 * np.log10(c) - poles["C1000_db"],
        "Z": 0.0,
    }


def frequency_weighting(level_db: float = 110.0, seconds: int = 5) -> dict[str, float]:
    """Table 3 from 10 Hz to 20 kHz, and the exact curves from 20 Hz to 16 kHz.

    Levels are absolute, so a wrong gain at 1 kHz shows too.
    """
    rows = TABLES["table3_frequency_weighting"]["rows"]
    results = measure([sine(row["exact_hz"], level_db, seconds * RATE) for row in rows])
    margins, exact = [], {name: [] for name in "ACZ"}
    for row, measured in zip(rows, results, strict=True):
        true = exact_weighting(row["exact_hz"])
        for name, key in (("A", "laeq"), ("C", "lceq"), ("Z", "lzeq")):
            response = energy_mean([second[key] for second in measured[1:]]) - level_db
            limits = row["class1"]
            margins.append(margin(response - row[name], limits["lower"], limits["upper"]))
            if 20 <= row["nominal_hz"] <= 16_000:
                exact[name].append(response - true[name])
    return {"margin": min(margins)} | {f"exact_{name}": worst(exact[name]) for name in "ACZ"}


def tonebursts(level_db: float = 110.0) -> dict[str, float]:
    """Table 4: bursts of 4 kHz, begun at several places in a block and across a second's end."""
    steady = measure([sine(4000, level_db, 3 * RATE)])[0][-1]["laeq"]
    table = TABLES["table4_toneburst_4khz"]
    starts = [RATE + 9600 + offset for offset in (0, 1, BLOCK // 4, BLOCK // 2, BLOCK - 6)]
    cases = []
    for row in table["LAFmax_minus_LA"]:
        burst = cycles(4000, level_db, row["duration_ms"] * 4)
        across = 2 * RATE - max(len(burst) // 2, 6)
        cases += [(row["duration_ms"], burst, start) for start in [*starts, across]]
    ground = noise(GROUND_DB, 4 * RATE)
    results = measure([placed(burst, start, ground) for _, burst, start in cases])
    least = {}
    for name in ("LAFmax_minus_LA", "LASmax_minus_LA", "LAE_minus_LA"):
        limits = {row["duration_ms"]: row for row in table[name]}
        margins = []
        for (duration_ms, _, _), measured in zip(cases, results, strict=True):
            if duration_ms not in limits:
                continue
            row = limits[duration_ms]
            seconds = measured[1:]
            level = {
                "LAFmax_minus_LA": max(second["lafmax"] for second in seconds),
                "LASmax_minus_LA": max(second["lasmax"] for second in seconds),
                "LAE_minus_LA": energy_sum([second["laeq"] for second in seconds]),
            }[name]
            deviation = level - steady - row["ref_db"]
            margins.append(margin(deviation, row["class1"]["lower"], row["class1"]["upper"]))
        least[f"margin_{name.split('_')[0]}"] = min(margins)
    return least


def c_peak(level_db: float = 105.0) -> dict[str, float]:
    """Table 5: single cycles and half cycles, begun at several places between two samples."""
    rows = TABLES["table5_c_peak"]["rows"]
    steady = measure([sine(row["hz"], level_db, 3 * RATE) for row in rows])
    ground = noise(GROUND_DB, 2 * RATE)
    cases = []
    for at, row in enumerate(rows):
        count = 1 if row["signal"] == "one cycle" else 0.5
        sign = -1 if row["signal"].startswith("negative") else 1
        for delay in (0, 0.25, 0.5, 0.75):
            event = sign * cycles(row["hz"], level_db, count, delay)
            cases.append((at, placed(event, RATE + 9600, ground)))
    results = measure([signal for _, signal in cases])
    margins = []
    for (at, _), measured in zip(cases, results, strict=True):
        row = rows[at]
        deviation = measured[1]["lcpeak"] - steady[at][-1]["lceq"] - row["ref_db"]
        margins.append(margin(deviation, -row["class1_pm"], row["class1_pm"]))
    return {"margin": min(margins)}


def decay(level_db: float = 110.0) -> dict[str, float]:
    """5.8.2: how fast F and S fall after a sound, dB/s; and how far off F rises at its start."""
    tone = sine(1000, level_db, 3 * RATE)
    ground = noise(GROUND_DB, 9 * RATE)
    stopped, started = measure([placed(tone, 0, ground), placed(tone, 5 * RATE, ground)])
    fast = np.array(stopped[3]["laf"])
    slow = np.array([second["lasmax"] for second in stopped[3:]])
    onset = np.array(started[5]["laf"]) - level_db
    exact = 10 * np.log10(1 - np.exp(-np.arange(1, 11) * 0.1 / 0.125))
    return {
        "f_slowest": float(np.min(fast[:-1] - fast[1:])) * 10,
        "f_fastest": float(np.max(fast[:-1] - fast[1:])) * 10,
        "s_slowest": float(np.min(slow[:-1] - slow[1:])),
        "s_fastest": float(np.max(slow[:-1] - slow[1:])),
        "f_onset": worst(onset - exact),
    }


def linearity(hz: float, lowest_db: int) -> dict[str, float]:
    """5.6: deviation of LAeq from `lowest_db` to 119 dB before weighting, in steps of 1 dB, and
    of the differences over 1 to 10 dB."""
    levels = np.arange(lowest_db, 120)
    tones = [sine(hz, float(level), 2 * RATE) for level in levels]
    measured = measure([np.concatenate(tones)])[0][1::2]
    true = levels + exact_weighting(hz)["A"]
    deviations = np.array([second["laeq"] for second in measured]) - true
    changes = [deviations[step:] - deviations[:-step] for step in range(1, 11)]
    return {"deviation": worst(deviations), "change": worst(np.concatenate(changes))}


def self_noise() -> dict[str, float]:
    """What the arithmetic makes by itself, dB(A): `alone`, of a line on which only the last of 24
    bits moves, and `added` to white noise of 12 to 24 dB."""
    silent = np.random.default_rng(2).integers(-1, 2, 4 * RATE) / (1 << 23)
    quiet = [noise(level, 9 * RATE) for level in range(12, 25, 2)]
    (alone, *measured) = measure([silent, *quiet])
    added = []
    for signal, seconds in zip(quiet, measured, strict=True):
        true = reference.leq(reference.weigh(signal, "A")[RATE:])
        level = energy_mean([second["laeq"] for second in seconds[1:]])
        added.append(10 * math.log10(abs(10 ** (level / 10) - 10 ** (true / 10))))
    return {"alone": max(second["laeq"] for second in alone[1:]), "added": max(added)}


def against_reference(level_db: float = 65.0, seconds: int = 20) -> dict[str, float]:
    """Noise that swells and fades as talk does, each second against the double-precision meter.

    The first ten seconds are not compared: the reference's S starts from silence.
    """
    swelling = 1 + 0.9 * np.sin(2 * np.pi * 2.3 * np.arange(seconds * RATE) / RATE)
    signal = noise(level_db, seconds * RATE) * swelling
    measured = measure([signal])[0]
    weighted = {name: reference.weigh(signal, name) for name in "ACZ"}
    fast, slow = (reference.average(weighted["A"], time_s) for time_s in (0.125, 1.0))
    deviations = {}
    for at in range(10, seconds):
        now = slice(at * RATE, (at + 1) * RATE)
        true = {
            "laeq": reference.leq(weighted["A"][now]),
            "lceq": reference.leq(weighted["C"][now]),
            "lzeq": reference.leq(weighted["Z"][now]),
            "lafmax": float(np.max(fast[now])),
            "lasmax": float(np.max(slow[now])),
            "lcpeak": reference.peak(weighted["C"][now]),
        }
        for name, level in true.items():
            deviations.setdefault(name, []).append(measured[at][name] - level)
    return {name: worst(row) for name, row in deviations.items()}


def agreement(level_db: float = 94.0) -> dict[str, float]:
    """5.5.9: C and Z against A at 1 kHz. 5.8.3: F and S against Leq on a steady tone."""
    second = measure([sine(1000, level_db, 3 * RATE)])[0][-1]
    return {
        "c_or_z_against_a": worst([second[key] - second["laeq"] for key in ("lceq", "lzeq")]),
        "f_against_leq": worst(second["lafmax"] - second["laeq"]),
        "s_against_leq": worst(second["lasmax"] - second["laeq"]),
        "laf_against_leq": worst(np.array(second["laf"]) - second["laeq"]),
    }


def overload(hz: float = 4000.0) -> dict[str, float]:
    """5.11.3: the level from which half cycles, one a second, are told as overload."""
    levels = np.arange(117.0, 123.0, 0.1)
    ground = noise(GROUND_DB, (len(levels) + 1) * RATE)
    first = {}
    for name, sign in (("positive", 1), ("negative", -1)):
        signal = ground
        for at, level in enumerate(levels, start=1):
            signal = placed(sign * cycles(hz, level, 0.5), at * RATE + 9600, signal)
        told = ["overload" in second["flags"] for second in measure([signal])[0][1:]]
        first[name] = float(levels[told.index(True)])
    return first | {"difference": abs(first["positive"] - first["negative"])}


CONTRACTS = {
    "frequency weighting (table 3)": frequency_weighting,
    "tonebursts (table 4)": tonebursts,
    "C-peak (table 5)": c_peak,
    "decay (5.8.2)": decay,
    "level linearity at 1 kHz (5.6)": lambda: linearity(1000.0, 25),
    "level linearity at 8 kHz (5.6)": lambda: linearity(8000.0, 36),
    "self-noise": self_noise,
    "agreement at 1 kHz (5.5.9, 5.8.3)": agreement,
    "overload of half cycles (5.11.3)": overload,
    "swelling noise against double precision": against_reference,
}
"""What `make bench` prints, by name."""
