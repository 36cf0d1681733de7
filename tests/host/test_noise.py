"""The noise files of a calibration have the spectrum, the steadiness and the length they state."""

from pathlib import Path

import numpy as np
import pytest
import reference_meter
import soundfile
from noisewarden.bench import noise
from noisewarden.bench.calibration import acceptance, procedure
from noisewarden.errors import UserError


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("noise") / "new"
    found = {}
    for path in noise.write(folder):
        samples, rate = soundfile.read(path)
        assert rate == 48_000 and samples.ndim == 1
        found[path.name] = samples
    return found


def c_minus_a(samples: np.ndarray) -> float:
    a, c = (reference_meter.leq(reference_meter.weigh(samples, name)) for name in "AC")
    return c - a


def wander(samples: np.ndarray) -> float:
    seconds = reference_meter.weigh(samples, "A").reshape(-1, noise.RATE_HZ)
    return procedure.wander(reference_meter.leq(second) for second in seconds)


def test_both_last_longer_than_a_level_below_full_scale(files):
    assert set(files) == {"pink-noise.wav", "low-noise.wav"}
    for samples in files.values():
        assert len(samples) == noise.SECONDS * noise.RATE_HZ
        assert noise.SECONDS > procedure.SETTLE_S + procedure.MEASURE_S
        assert np.abs(samples).max() == pytest.approx(noise.PEAK, abs=1e-4)
        # Played over and over: the step over the seam is like any other.
        assert abs(samples[0] - samples[-1]) <= np.abs(np.diff(samples)).max()


def test_pink_noise_has_equal_energy_in_each_third_of_an_octave(files):
    samples = files["pink-noise.wav"]
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / noise.RATE_HZ)
    centres = 1000 * 2 ** (np.arange(-15, 13) / 3)  # 31.5 Hz to 16 kHz
    bands = [
        power[(hz >= centre * 2 ** (-1 / 6)) & (hz < centre * 2 ** (1 / 6))].sum()
        for centre in centres
    ]
    levels = 10 * np.log10(bands)
    assert np.abs(levels - levels.mean()).max() < 0.1
    outside = power[(hz < noise.PINK_HZ[0]) | (hz > noise.PINK_HZ[1])].sum()
    assert 10 * np.log10(outside / power.sum()) < -60


def test_pink_noise_never_comes_again(files):
    samples = files["pink-noise.wav"]
    second = samples[: noise.RATE_HZ]
    length = len(samples) + len(second)
    spectra = np.fft.rfft(samples, length), np.fft.rfft(second, length)
    likeness = np.fft.irfft(spectra[0] * np.conj(spectra[1]), length) / np.sum(second**2)
    assert likeness[0] == pytest.approx(1)
    assert np.abs(likeness[noise.RATE_HZ : len(samples) - noise.RATE_HZ]).max() < 0.3


def test_they_are_steady_enough_to_be_measured(files):
    assert wander(files["pink-noise.wav"]) < procedure.WANDER_DB / 2
    assert wander(files["low-noise.wav"]) < 0.05


def test_they_prove_the_weighting_of_a_meter(files):
    pink, low = (c_minus_a(files[name]) for name in ("pink-noise.wav", "low-noise.wav"))
    assert pink == pytest.approx(1.8, abs=0.3)
    assert low == pytest.approx(13.2, abs=0.5)
    assert low - pink > acceptance.LOW_SOUND_DB


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file: cannot be written .*; name another folder"):
        noise.write(tmp_path / "file")
