"""The kernels on MicroPython: what each result says. Levels and machine code: tests/machine."""

from array import array
from math import log10, pi, sin

import check
from noisebox import coefficients, kernels

HIGHEST = 0x7FFFFF
LOWEST = -0x800000
SILENCE = 0


class Chain:
    def __init__(self):
        self.filters = array("i", coefficients.WEIGHTING + coefficients.FLAT)
        self.state = array("i", [0] * kernels.STATES)
        self.result = array("i", [0] * kernels.RESULTS)

    def block(self, samples, right=SILENCE):
        frames = stereo(samples, right)
        kernels.weigh(0, 0, frames, len(samples), self.filters, self.state, self.result)
        return self.result

    def level(self, at):
        """dB re a full-scale sine."""
        energy = self.result[at] + (self.result[at + 1] << 12) + (self.result[at + 2] << 22)
        mean = energy / kernels.BLOCK_FRAMES
        return 10 * log10(mean) - coefficients.FULL_SCALE_SINE_DB if mean else -200


def stereo(samples, right):
    frames = array("i", [right << 8] * (2 * len(samples)))
    for at, sample in enumerate(samples):
        frames[2 * at] = sample << 8
    return frames


def sine(amplitude, start=0, count=kernels.BLOCK_FRAMES, hz=1000):
    return [round(amplitude * sin(2 * pi * hz / 48000 * (start + at))) for at in range(count)]


def moved(samples, right=SILENCE):
    signs = array("i", [-1] * kernels.SIGNS)
    kernels.survey(stereo(samples, right), len(samples), signs)
    return tuple(signs)


def test_full_scale_sine_is_the_reference_of_all_three():
    chain = Chain()
    for number in range(60):
        chain.block(sine(HIGHEST, number * 480))
    assert abs(chain.level(kernels.ENERGY_Z)) < 0.01
    assert abs(chain.level(kernels.ENERGY_C) + coefficients.C_GAIN_DB) < 0.01
    assert abs(chain.level(kernels.ENERGY_A) + coefficients.A_GAIN_DB) < 0.01


def test_peaks_are_those_of_the_c_weighted_sample_of_both_signs():
    chain = Chain()
    for number in range(60):
        chain.block(sine(HIGHEST // 2, number * 480))
    for peak in (chain.result[kernels.PEAK_HIGH], -chain.result[kernels.PEAK_LOW]):
        level = 20 * log10(peak) + coefficients.C_GAIN_DB - coefficients.FULL_SCALE_SINE_DB
        assert abs(level - (3.01 - 6.02)) < 0.02


def test_the_other_slot_is_not_heard():
    chain = Chain()
    for _ in range(20):
        chain.block([SILENCE] * 480, right=HIGHEST)
    assert chain.level(kernels.ENERGY_A) < -120


def test_clipped_samples_are_counted_on_both_sides_at_15_bits():
    for sample, count in (
        (HIGHEST, 3),
        (LOWEST, 3),
        (0x7FFF00, 3),
        (-0x7FFFFF, 3),
        (0x7FFE00, 0),
        (-0x7FFE00, 0),
    ):
        result = Chain().block([SILENCE] * 100 + [sample] * 3 + [SILENCE] * 100)
        assert result[kernels.CLIPPED] == count, (sample, result[kernels.CLIPPED])


def test_dc_is_told_and_taken_away():
    for offset in (-400_000, 400_000, HIGHEST, LOWEST):
        chain = Chain()
        for _ in range(200):
            chain.block([offset] * 480)
        # In 2^-19 of full scale, 24-bit samples being in 2^-23.
        assert abs(chain.result[kernels.DC] - offset / 16) < 4
        assert chain.level(kernels.ENERGY_Z) < -115


def test_blocks_may_be_cut_anywhere():
    sound = sine(3_000_000, count=480, hz=997)
    whole = Chain()
    whole.block(sound)
    cut = Chain()
    energies = [0] * 9
    for start, end in ((0, 1), (1, 200), (200, 200), (200, 480)):
        result = cut.block(sound[start:end])
        for at in range(9):
            energies[at] += result[at]
    assert list(whole.state) == list(cut.state)
    assert energies == list(whole.result[:9])


def test_a_block_of_extremes_fits_its_sums():
    """Sums that overflow on a chip would be seen on a PC as numbers beyond 32 bits."""
    chain = Chain()
    for _ in range(50):
        chain.block([HIGHEST, HIGHEST, LOWEST, LOWEST] * 120)
    for at in (kernels.ENERGY_Z, kernels.ENERGY_C, kernels.ENERGY_A):
        assert -30 < chain.level(at) < 3.02
        assert chain.result[at] >= 0 and chain.result[at + 2] >= 0


def test_survey_tells_a_constant_line():
    assert moved([SILENCE] * 480) == (0, 0)
    assert moved([LOWEST] * 480) == (0, 0)


def test_survey_tells_the_wrong_slot():
    right = stereo(sine(500_000), SILENCE)
    frames = array("i", [0] * 960)
    for at in range(480):
        frames[2 * at + 1] = right[2 * at]
    signs = array("i", [0] * kernels.SIGNS)
    kernels.survey(frames, 480, signs)
    assert signs[kernels.LEFT] == 0 and signs[kernels.RIGHT] != 0


def test_survey_tells_words_that_are_shifted():
    quiet = sine(20_000, hz=440)
    shifted = [(sample & 0xFFFFFF) >> 1 for sample in quiet]
    upright, _ = moved(quiet)
    late, _ = moved(shifted)
    assert upright >> 22 == 0b11
    assert late >> 22 == 0b01


def test_survey_tells_the_length_of_the_words():
    changes, _ = moved([sample >> 6 << 6 for sample in sine(500_000, hz=997)])
    assert changes & 0x7F == 0x40


def test_survey_is_not_fooled_by_tones():
    for hz in (100, 1000, 2000, 3000, 4000, 6000, 8000, 12000, 16000):
        changes, _ = moved(sine(1000, hz=hz, start=1))
        assert changes, hz


check.run(globals())
