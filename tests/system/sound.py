"""Test signals for a microphone of −26 dBFS at 94 dB, so that a full-scale sine is 120 dB.

A signal is a float64 array at 48 kHz, ±1 being full scale. Times are in samples where they decide
where a block or a second of the meter ends.
"""

import numpy as np

RATE = 48_000
BLOCK = 480
FULL_SCALE_SINE_DB = 120.0


def amplitude(level_db: float) -> float:
    """Peak of the sine whose level is `level_db`."""
    return 10 ** ((level_db - FULL_SCALE_SINE_DB) / 20)


def sine(hz: float, level_db: float, samples: int, delay: float = 0.0) -> np.ndarray:
    """A sine that crosses zero upwards `delay` samples after its start."""
    return amplitude(level_db) * np.sin(2 * np.pi * hz / RATE * (np.arange(samples) - delay))


def cycles(hz: float, level_db: float, count: float, delay: float = 0.0) -> np.ndarray:
    """`count` cycles, which may be halves, begun at a zero crossing, of a sine of `level_db`.

    They begin `delay` (below 1) samples after the start of the array, and silence is where they
    are not.
    """
    length = count * RATE / hz
    samples = int(np.ceil(length + delay))
    time = np.arange(samples) - delay
    return sine(hz, level_db, samples, delay) * ((time >= 0) & (time < length))


def noise(level_db: float, samples: int, seed: int = 1) -> np.ndarray:
    """White noise with the mean square of a sine of `level_db`."""
    rms = amplitude(level_db) / np.sqrt(2)
    return np.random.default_rng(seed).normal(0.0, rms, samples)


def placed(event: np.ndarray, at: int, ground: np.ndarray) -> np.ndarray:
    """`ground` with `event` added from sample `at` on."""
    signal = ground.copy()
    signal[at : at + len(event)] += event
    return signal


def frames(left: np.ndarray) -> np.ndarray:
    """Interleaved int32 words as I2S delivers them: 24 bits left-justified, the right slot
    silent."""
    words = np.clip(np.round(left * (1 << 23)), -(1 << 23), (1 << 23) - 1).astype(np.int32)
    stereo = np.zeros(2 * len(words), np.int32)
    stereo[::2] = words << 8
    return stereo
