"""Microphone samples (24 bits, 48 kHz) that go where a kernel could go wrong."""

from collections.abc import Callable

import numpy as np
from noisewarden.acoustics.design import DC_POLE, Weighting, delay, high_pass, low_pass

FRAMES = 48_000
HIGHEST, LOWEST = (1 << 23) - 1, -(1 << 23)

_n = np.arange(FRAMES)


def square(period: int) -> np.ndarray:
    return np.where(_n % period < period // 2, HIGHEST, LOWEST)


def _sine(hz: float, amplitude: float) -> np.ndarray:
    return np.round(amplitude * np.sin(2 * np.pi * hz * _n / 48_000))


def _speech_like() -> np.ndarray:
    """Noise that falls by 6 dB an octave in syllables of 0.2 s with pauses."""
    noise = np.cumsum(np.random.default_rng(1).standard_normal(FRAMES))
    noise = np.diff(noise, prepend=0) + 0.1 * (
        noise - np.convolve(noise, np.ones(99) / 99, "same")
    )
    syllables = np.maximum(0, np.sin(2 * np.pi * 2.5 * _n / 48_000)) ** 2
    return np.round(noise * syllables / np.max(np.abs(noise)) * HIGHEST)


def _random(values: np.ndarray) -> np.ndarray:
    return np.random.default_rng(2).choice(values, FRAMES)


def worst(transfer: np.ndarray) -> np.ndarray:
    """The full-scale signal whose last sample drives the output of `transfer` as far as it
    goes."""
    response = np.fft.irfft(transfer, FRAMES)
    return np.where(response[::-1] >= 0, HIGHEST, LOWEST)


def worst_for_states(weighting: Weighting) -> dict[str, np.ndarray]:
    """For each state of the weighting filters the signal that drives it furthest."""
    z1 = delay(np.fft.rfftfreq(FRAMES, 1 / 48_000))
    low_1, low_2, zero, pole_1, pole_3, pole_4 = weighting.kappas()
    chain = high_pass(DC_POLE, z1) * low_pass(low_1, z1) * low_pass(low_2, z1)
    chain = chain * (1 - zero * (1 - z1))
    signals = {}
    for name, kappa in (
        ("high_1", pole_1),
        ("high_2", pole_1),
        ("high_3", pole_3),
        ("high_4", pole_4),
    ):
        signals[name] = worst(chain * low_pass(kappa, z1))
        chain = chain * high_pass(kappa, z1)
    return signals | {"A output": worst(chain)}


SIGNALS: dict[str, Callable[[], np.ndarray]] = {
    "silence": lambda: np.zeros(FRAMES),
    "one bit of noise": lambda: _random(np.array([-1, 0])),
    "highest": lambda: np.full(FRAMES, HIGHEST),
    "lowest": lambda: np.full(FRAMES, LOWEST),
    "lowest to highest": lambda: np.where(_n < 28_800, LOWEST, HIGHEST),
    **{
        f"square {period}": lambda period=period: square(period)
        for period in (2, 4, 6, 16, 48, 128, 480, 1100, 2400, 4800, 19_200)
    },
    "full-scale sine": lambda: _sine(1000, HIGHEST),
    "sine of 25 dB": lambda: _sine(997, 149.2),
    "random extremes": lambda: _random(
        np.array([HIGHEST, LOWEST, 0, -1, 1, HIGHEST - 1, LOWEST + 1])
    ),
    "white noise": lambda: np.random.default_rng(3).integers(
        LOWEST, HIGHEST, FRAMES, endpoint=True
    ),
    "speech-like": _speech_like,
}


def stereo(samples: np.ndarray, right: np.ndarray | int = 0) -> np.ndarray:
    """Interleaved 32-bit words, left-justified as I2S delivers them."""
    words = np.zeros(2 * len(samples), np.int32)
    words[0::2] = samples.astype(np.int64) << 8
    words[1::2] = right << 8
    return words
