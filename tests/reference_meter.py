"""A sound level meter in double precision, to compare the box with.

It shares nothing with the box: the weightings are the analogue filters of IEC 61672-1:2013 annex
E, applied by Fourier transform, so without the limits of a digital filter up to 20 kHz; the
averages run sample by sample. Signals are float64 arrays at 48 kHz; ±1 is full scale, and a
full-scale sine has `FULL_SCALE_SINE_DB`.
"""

import numpy as np
from noisewarden.acoustics.weighting import POLE_1_HZ, POLE_2_HZ, POLE_3_HZ, POLE_4_HZ
from numpy.typing import ArrayLike
from scipy.signal import lfilter, resample

RATE_HZ = 48_000
FULL_SCALE_SINE_DB = 120.0
F_S, S_S = 0.125, 1.0
SETTLE = 2 * RATE_HZ
"""Silence after the signal, so that the transform's end does not meet its start."""
PEAK_OVERSAMPLING = 8


def _transfer(weighting: str, hz: np.ndarray) -> np.ndarray:
    s = 1j * hz
    if weighting == "Z":
        return (hz > 0).astype(complex)
    response = s**2 / (s + POLE_1_HZ) ** 2 / (s + POLE_4_HZ) ** 2
    if weighting == "A":
        response = response * s**2 / (s + POLE_2_HZ) / (s + POLE_3_HZ)
    return response


def weigh(signal: np.ndarray, weighting: str) -> np.ndarray:
    """`signal` through the filter "A", "C" or "Z" (Z: without its mean), which starts at rest."""
    length = len(signal) + SETTLE
    hz = np.fft.rfftfreq(length, 1 / RATE_HZ)
    gain = 1 / np.abs(_transfer(weighting, np.array([1000.0])))
    spectrum = np.fft.rfft(signal, length) * _transfer(weighting, hz) * gain
    return np.fft.irfft(spectrum, length)[: len(signal)]


def level_db(mean_square: ArrayLike) -> np.ndarray:
    return 10 * np.log10(np.maximum(np.asarray(mean_square), 1e-30)) + 3.0103 + FULL_SCALE_SINE_DB


def average(weighted: np.ndarray, time_constant_s: float) -> np.ndarray:
    """Exponential average of the square, level in dB after each sample: F or S."""
    remains = np.exp(-1 / (time_constant_s * RATE_HZ))
    return level_db(np.asarray(lfilter([1 - remains], [1, -remains], weighted**2)))


def leq(weighted: np.ndarray) -> float:
    """Level of the mean square of the whole, dB."""
    return float(level_db(np.mean(weighted**2)))


def exposure(weighted: np.ndarray) -> float:
    """LE: level of the integral of the square over time, re 1 s, dB."""
    return float(level_db(np.sum(weighted**2) / RATE_HZ))


def peak(weighted: np.ndarray) -> float:
    """Level of the largest magnitude, between the samples too, dB."""
    fine = np.asarray(resample(weighted, len(weighted) * PEAK_OVERSAMPLING))
    return float(level_db(np.max(np.abs(fine)) ** 2))
