"""The integers of the kernels as levels, against the contracts of DESIGN 4.1 and the reference
meter."""

import numpy as np
import pytest
import reference_meter
import signals
from noisewarden.acoustics.overflow import BLOCK_FRAMES
from noisewarden.firmware import coefficients
from runs import kernels, on_pc

FILTERS = (*coefficients.WEIGHTING, *coefficients.FLAT)
FULL_SCALE_SINE_DB = 120.0
BLOCKS_A_LEVEL = 40
GAINS_DB = {"A": coefficients.A_GAIN_DB, "C": coefficients.C_GAIN_DB, "Z": 0.0}
ENERGIES = {"A": kernels.ENERGY_A, "C": kernels.ENERGY_C, "Z": kernels.ENERGY_Z}


def blocks(samples: np.ndarray) -> np.ndarray:
    """Results of `weigh`, a row a block; the filters start at rest."""
    words = on_pc(signals.stereo(samples), FILTERS)[: -kernels.STATES]
    return words.reshape(-1, kernels.RESULTS).astype(float)


def level_db(rows: np.ndarray, weighting: str) -> float:
    """Level of the mean energy of blocks."""
    low, cross, high = np.mean(rows, axis=0)[ENERGIES[weighting] :][:3]
    mean = (low + cross * 2**12 + high * 2**22) / BLOCK_FRAMES
    reference_db = FULL_SCALE_SINE_DB - coefficients.FULL_SCALE_SINE_DB
    return 10 * np.log10(max(mean, 1e-9)) + reference_db + GAINS_DB[weighting]


def sine(hz: float, level: float, count: int) -> np.ndarray:
    amplitude = 10 ** ((level - FULL_SCALE_SINE_DB) / 20) * (1 << 23)
    samples = np.round(amplitude * np.sin(2 * np.pi * hz * np.arange(count) / 48_000))
    return np.clip(samples, signals.LOWEST, signals.HIGHEST)


@pytest.mark.parametrize("weighting", "ACZ")
def test_a_full_scale_sine_is_120_db(weighting):
    assert level_db(blocks(sine(1000, 120, 48_000))[50:], weighting) == pytest.approx(
        120, abs=0.005
    )


@pytest.mark.parametrize("weighting", "ACZ")
@pytest.mark.parametrize("hz", [1000, 997])
def test_linearity(hz, weighting):
    levels = np.arange(25.0, 120.0)
    sound = [sine(hz, level, BLOCKS_A_LEVEL * BLOCK_FRAMES) for level in levels]
    rows = blocks(np.concatenate(sound)).reshape(len(levels), BLOCKS_A_LEVEL, -1)
    measured = np.array([level_db(row[BLOCKS_A_LEVEL // 4 :], weighting) for row in rows])
    deviation = measured - levels - (measured[94 - 25] - 94)
    assert np.max(np.abs(deviation)) <= 0.1


@pytest.mark.parametrize("offset", [0, 300_000])
@pytest.mark.parametrize("name", ["silence", "one bit of noise"])
def test_self_noise(name, offset):
    rows = blocks(signals.SIGNALS[name]() + offset)
    assert level_db(rows[90:], "A") <= 10


def noise(name: str) -> np.ndarray:
    random = np.random.default_rng(5).standard_normal(signals.FRAMES)
    match name:
        case "speech-like":
            return signals.SIGNALS[name]()
        case "pink":
            spectrum = np.fft.rfft(random) / np.sqrt(np.arange(signals.FRAMES // 2 + 1) + 20)
            return np.round(np.fft.irfft(spectrum) * 1e6)
        case "white to 16 kHz":
            spectrum = np.fft.rfft(random) * (np.fft.rfftfreq(signals.FRAMES) < 1 / 3)
            return np.round(np.fft.irfft(spectrum) * 1e5)
        case "quiet 4 kHz in noise of 10 dB":
            tone_and_noise = sine(4000, 25, signals.FRAMES) + random * 18.8
            return np.round(tone_and_noise)
    raise ValueError(name)


@pytest.mark.parametrize("weighting", "ACZ")
@pytest.mark.parametrize(
    "name", ["speech-like", "pink", "white to 16 kHz", "quiet 4 kHz in noise of 10 dB"]
)
def test_noise_reads_as_on_the_reference_meter(name, weighting):
    samples = noise(name)
    reference = reference_meter.weigh(samples / (1 << 23), weighting)
    measured_db = level_db(blocks(samples), weighting)
    assert measured_db == pytest.approx(reference_meter.leq(reference), abs=0.1)


@pytest.mark.parametrize("name", ["speech-like", "pink"])
def test_c_peak_reads_as_on_the_reference_meter(name):
    samples = noise(name)
    rows = blocks(samples)
    peak = max(np.max(rows[:, kernels.PEAK_HIGH]), -np.min(rows[:, kernels.PEAK_LOW]))
    reference_db = FULL_SCALE_SINE_DB - coefficients.FULL_SCALE_SINE_DB
    peak_db = 20 * np.log10(peak) + GAINS_DB["C"] + reference_db
    reference = reference_meter.weigh(samples / (1 << 23), "C")
    assert peak_db == pytest.approx(reference_meter.peak(reference), abs=0.2)
