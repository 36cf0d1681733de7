"""The sounds of a calibration as files, for whatever plays them through a loudspeaker.

pink-noise.wav    20 Hz to 20 kHz, −3 dB an octave, random: equal energy in each octave
low-noise.wav     lines 1 Hz apart from 143 to 178 Hz, the third-octave band of 160 Hz, of equal
                  amplitude: each second has the same energy, which random noise so narrow has not

Mono, 48 kHz, 16 bits, longer than a level takes and without a seam when played over and over.
"""

from pathlib import Path

import numpy as np
import soundfile

from noisewarden.errors import UserError

RATE_HZ = 48_000
SECONDS = 90
"""A level takes 70 s."""

PINK_HZ = (20, 20_000)
LOW_HZ = (143, 178)

PEAK = 0.89
"""Of full scale, −1 dB: converters overshoot between samples."""

_SEED = 160
"""The same files everywhere, so that two benches hear the same."""


def pink() -> np.ndarray:
    """SECONDS of pink noise; float samples, ±1 is full scale."""
    return _noise(SECONDS, PINK_HZ, -0.5)


def low() -> np.ndarray:
    """SECONDS of the low sound, each like the other."""
    return np.tile(_noise(1, LOW_HZ, 0), SECONDS)


def write(folder: Path) -> list[Path]:
    """Writes both files, replacing older ones. UserError when they cannot be written."""
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, samples in (("pink-noise.wav", pink()), ("low-noise.wav", low())):
            soundfile.write(folder / name, samples, RATE_HZ, "PCM_16")
            written.append(folder / name)
    except (OSError, soundfile.SoundFileError) as error:
        raise UserError(f"{folder}: cannot be written ({error}); name another folder") from None
    return written


def _noise(seconds: int, band_hz: tuple[int, int], exponent: float) -> np.ndarray:
    """Lines 1/`seconds` apart of random phase, amplitude by the frequency to `exponent`."""
    count = seconds * RATE_HZ
    hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    within = (hz >= band_hz[0]) & (hz <= band_hz[1])
    phases = 2j * np.pi * np.random.default_rng(_SEED).random(np.count_nonzero(within))
    spectrum = np.zeros(len(hz), complex)
    spectrum[within] = hz[within] ** exponent * np.exp(phases)
    samples = np.fft.irfft(spectrum, count)
    return samples * (PEAK / np.abs(samples).max())
