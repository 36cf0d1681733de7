"""The designed coefficients: their curves, their safety and the generated file."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from noisewarden.acoustics import generate
from noisewarden.acoustics.design import (
    FLAT,
    MAX_RESIDUAL_DB,
    SHELF_BOUNDS,
    equalisation,
    equalisation_db,
    fit_weighting,
    responses_db,
)
from noisewarden.acoustics.overflow import BLOCK_FRAMES, INT32, worst_cases
from noisewarden.acoustics.weighting import a_weighting, c_weighting
from noisewarden.errors import UserError
from noisewarden.paths import FIRMWARE

TABLE_3 = json.loads(
    (Path(__file__).parents[1] / "data/iec61672.json").read_text(encoding="utf-8")
)["table3_frequency_weighting"]["rows"]

WEIGHTING = fit_weighting()
EXACT = {"A": a_weighting, "C": c_weighting, "Z": lambda hz: np.zeros_like(hz)}


@pytest.mark.parametrize(("letter", "curve"), [("A", a_weighting), ("C", c_weighting)])
def test_exact_curves_round_to_table_3(letter, curve):
    for row in TABLE_3:
        assert float(curve(row["exact_hz"])) == pytest.approx(row[letter], abs=0.0501), row


@pytest.mark.parametrize("letter", "ACZ")
def test_curves_are_within_a_tenth_of_a_db(letter):
    hz = np.geomspace(20, 16_000, 1000)
    deviation = responses_db(WEIGHTING, hz)[letter] - EXACT[letter](hz)
    assert np.max(np.abs(deviation)) <= 0.1


@pytest.mark.parametrize("letter", "ACZ")
@pytest.mark.parametrize("row", TABLE_3, ids=lambda row: str(row["nominal_hz"]))
def test_curves_are_class_1(row, letter):
    deviation = responses_db(WEIGHTING, [row["exact_hz"]])[letter][0] - row[letter]
    limits = row["class1"]
    assert deviation <= limits["upper"]
    assert limits["lower"] is None or deviation >= limits["lower"]


def test_generated_file_is_what_the_design_gives():
    assert generate.TARGET.read_text(encoding="utf-8") == generate.text()


def test_nothing_overflows_for_any_permitted_equalisation():
    random = np.random.default_rng(1)
    inside = [
        [int(random.integers(low, high, endpoint=True)) for low, high in SHELF_BOUNDS]
        for _ in range(20)
    ]
    for shelves in [list(FLAT), *itertools.product(*SHELF_BOUNDS), *inside]:
        for name, magnitude in worst_cases(WEIGHTING, shelves).items():
            assert magnitude < INT32, (name, shelves)


def test_the_proof_covers_the_kernel():
    """Every product of the kernel's loop and every state has its worst case."""
    text = (FIRMWARE / "noisebox/kernels.py").read_text(encoding="utf-8")
    assert f"BLOCK_FRAMES = const({BLOCK_FRAMES})" in text
    loop = text[text.index("while count:") : text.index("state[0] = dc")]
    proven = worst_cases(WEIGHTING, FLAT)
    names = " ".join(proven)
    states = re.findall(r"^    state\[\d+\] = (\w+)$", text, re.MULTILINE)
    for state in (state for state in states if not state.startswith("rest")):
        assert state in proven
    products = set(re.findall(r"\* (\w+)", loop)) - {"t"}
    assert products
    for coefficient in products:
        assert f"* {coefficient}" in names
    for total in set(re.findall(r"([zca]_(?:high|cross|low)) = ", text)) - {"z_low = z_cross"}:
        assert total in proven


def test_a_flat_microphone_needs_no_equalisation():
    hz = np.geomspace(10, 20_000, 50)
    assert equalisation([]) == list(FLAT)
    assert np.max(np.abs(equalisation_db(FLAT, hz))) == pytest.approx(0, abs=1e-9)


def test_equalisation_undoes_a_response():
    """A microphone with a vent at 30 Hz and a resonance above 20 kHz."""
    hz = np.geomspace(20, 16_000, 40)
    vent_db = -10 * np.log10(1 + (30 / hz) ** 2)
    resonance_db = -20 * np.log10(1 - (hz / 40_000) ** 2)
    response_db = vent_db + resonance_db
    shelves = equalisation(np.column_stack([hz, response_db]).tolist())
    for value, (lowest, highest) in zip(shelves, SHELF_BOUNDS, strict=True):
        assert lowest <= value <= highest
    left_db = response_db + equalisation_db(shelves, hz)
    left_db -= np.interp(1000, hz, left_db)
    assert np.max(np.abs(left_db)) < 0.5 < np.max(np.abs(response_db))


def test_a_response_beyond_the_shelves_is_refused():
    with pytest.raises(UserError, match="microphone response: two shelves leave"):
        equalisation([[100, 0], [1000, 0], [4000, -4 * MAX_RESIDUAL_DB], [8000, 0]])
