"""The kernels as the chips' own machine code against the same text on the PC, bit for bit.

viper counts in 64 bits on a PC and in 32 on the chip, so that a PC hides every overflow.
"""

import checked
import machine_code
import numpy as np
import pytest
import signals
from benchmarks.kernel_cost import measure
from noisewarden.acoustics.design import FLAT, SHELF_BOUNDS, fit_weighting
from noisewarden.acoustics.overflow import BLOCK_FRAMES, worst_cases
from runs import KERNELS, compiled, in_checked_python, kernels, on_chip, on_pc

CONTRACT_INSTRUCTIONS = 480

WEIGHTING = fit_weighting()
FLAT_FILTERS = (*WEIGHTING.integers(), *FLAT)
STRONGEST_FILTERS = (*WEIGHTING.integers(), *(highest for _, highest in SHELF_BOUNDS))
HIGH_PASS_STATES = ("high_1", "high_2", "high_3", "high_4")
FIRST_HIGH_PASS = 5
"""Where they begin in `state`."""


@pytest.mark.parametrize("filters", [FLAT_FILTERS, STRONGEST_FILTERS], ids=["flat", "strongest"])
@pytest.mark.parametrize("name", signals.SIGNALS)
def test_same_bits_on_pc_and_chips(name, filters):
    frames = signals.stereo(signals.SIGNALS[name](), right=-12345)
    expected = on_pc(frames, filters)
    for chip in machine_code.CHIPS:
        np.testing.assert_array_equal(on_chip(chip, frames, filters), expected, chip.arch)


@pytest.mark.parametrize("name", ["lowest to highest", "highest to lowest"])
def test_no_overflow_in_the_dc_removal(name):
    samples = signals.SIGNALS["lowest to highest"]()
    frames = signals.stereo(samples if name == "lowest to highest" else -1 - samples)
    np.testing.assert_array_equal(
        in_checked_python(frames, STRONGEST_FILTERS), on_pc(frames, STRONGEST_FILTERS)
    )


@pytest.mark.parametrize("name", signals.worst_for_states(WEIGHTING))
def test_no_overflow_where_the_proof_sees_the_worst(name):
    frames = signals.stereo(signals.worst_for_states(WEIGHTING)[name])
    exact = in_checked_python(frames, FLAT_FILTERS)
    for chip in machine_code.CHIPS:
        np.testing.assert_array_equal(on_chip(chip, frames, FLAT_FILTERS), exact, chip.arch)
    if name in HIGH_PASS_STATES:
        states = exact[-kernels.STATES :][FIRST_HIGH_PASS:]
        state = abs(int(states[HIGH_PASS_STATES.index(name)]))
        bound = worst_cases(WEIGHTING, FLAT)[name]
        # Close to the bound: the proof is neither wrong nor idle.
        assert 0.85 * bound < state <= bound


@pytest.mark.parametrize("period", [1100, 4800])
def test_an_overflow_that_the_pc_hides_is_caught(period, tmp_path):
    text = KERNELS.read_text(encoding="utf-8")
    # 11 fraction bits instead of 10 in the states of the high-pass sections.
    for state in HIGH_PASS_STATES:
        text = text.replace(f"({state} >> 10)", f"({state} >> 11)")
    for shift in (8, 5, 2):
        text = text.replace(f">> {shift}) + high_", f">> {shift - 1}) + high_")
    broken = tmp_path / "kernels.py"
    broken.write_text(text, encoding="utf-8")
    frames = signals.stereo(signals.square(period))
    hidden = on_pc(frames, FLAT_FILTERS, tmp_path)
    for chip in machine_code.CHIPS:
        assert not np.array_equal(on_chip(chip, frames, FLAT_FILTERS, broken), hidden)
    with pytest.raises(checked.Overflow):
        in_checked_python(frames, FLAT_FILTERS, broken)


def test_survey_is_the_same_on_the_chips():
    noise = np.random.default_rng(4).integers(-1 << 23, 1 << 23, BLOCK_FRAMES)
    frames = signals.stereo(noise, right=noise[::-1] & 0xFF)
    expected = [0, 0]
    kernels.survey(
        *(checked.Pointer(frames.tolist()), checked.Int32(BLOCK_FRAMES)),
        checked.Pointer(expected),
    )
    assert expected == [0xFFFFFF, 0xFF]
    for chip in machine_code.CHIPS:
        _, survey = compiled(KERNELS, chip.arch)
        signs = machine_code.Buffer(bytes(kernels.SIGNS * 4))
        arguments = (machine_code.Buffer(frames.tobytes()), BLOCK_FRAMES, signs)
        *_, words = machine_code.run(chip, survey, arguments)
        assert np.frombuffer(words, np.int32).tolist() == expected


def test_cost_of_a_sample():
    for name, instructions in measure().items():
        assert 200 < instructions <= CONTRACT_INSTRUCTIONS, name
