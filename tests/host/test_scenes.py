"""The scenes are true in dB: measured here through the exact weightings, not through the box."""

from functools import cache
from itertools import islice

import numpy as np
import pytest
from noisewarden.acoustics.weighting import a_weighting, c_weighting
from noisewarden.virtual.scenes import SCENES
from noisewarden.virtual.sound import RATE_HZ, Samples

FULL_SCALE_DB = 94 + 26 + 10 * np.log10(2)
"""Level of a mean square of 1: a full-scale sine, 26 dB over 94 dB, has a half."""


@cache
def run(name: str) -> Samples:
    scene = SCENES[name]
    return np.concatenate(list(scene.samples(scene.seconds)))


def level(samples: Samples, weighting=a_weighting) -> float:
    spectrum = np.fft.rfft(samples)
    hz = np.maximum(np.fft.rfftfreq(len(samples), 1 / RATE_HZ), 1)
    weighted = np.abs(spectrum * 10 ** (weighting(hz) / 20)) ** 2
    return FULL_SCALE_DB + 10 * np.log10(2 * np.sum(weighted) / len(samples) ** 2)


def levels(name: str, seconds: int, weighting=a_weighting) -> np.ndarray:
    size = seconds * RATE_HZ
    samples = run(name)
    return np.array(
        [level(samples[at : at + size], weighting) for at in range(0, len(samples), size)]
    )


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_has_its_length_level_and_headroom(name: str) -> None:
    scene = SCENES[name]
    assert len(run(name)) == scene.seconds * RATE_HZ
    low_db, high_db = scene.laeq
    assert low_db < level(run(name)) < high_db
    assert high_db - low_db <= 4
    assert np.abs(run(name)).max() < 0.9
    assert scene.name == name
    assert len(scene.description.splitlines()) == 1


def test_the_square_goes_over_the_limit_for_long_and_comes_back() -> None:
    over = levels("square", 10) > 70.5
    assert not over[:4].any()
    assert over[7:23].all()
    assert not over[25:].any()


def test_the_night_stays_under_its_limit() -> None:
    night = levels("night", 1)
    assert night.max() < 55
    assert np.median(night) < 42


def test_the_building_site_has_pauses() -> None:
    site = levels("building", 1)
    assert np.percentile(site, 90) > 83
    assert np.percentile(site, 10) < 73


def test_the_rain_brings_gusts_that_tell_of_wind() -> None:
    excess = levels("rain", 1, c_weighting) - levels("rain", 1)
    assert np.mean(excess[36:59] > 20) > 0.8
    assert (excess[:20] < 20).all()


def test_the_same_seed_gives_the_same_samples() -> None:
    def start(seed: int) -> Samples:
        return next(SCENES["night"].samples(1, seed))

    assert np.array_equal(start(1), start(1))
    assert not np.array_equal(start(1), start(2))


def test_a_scene_without_end_begins_again() -> None:
    scene = SCENES["night"]
    blocks = islice(scene.samples(), 4 * scene.seconds, 4 * scene.seconds + 40)
    again = level(np.concatenate(list(blocks)))
    assert again == pytest.approx(level(run("night")[: 10 * RATE_HZ]), abs=0.5)
