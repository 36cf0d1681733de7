"""Scenes for a box that has no street: loops of sound, each held to a course of levels.

A scene is written in levels as a meter would read them, so it is true in dB for the virtual
microphone (see `sound`), whatever its sounds are made of.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count

import numpy as np

from noisewarden.acoustics.weighting import a_weighting, c_weighting
from noisewarden.virtual import synth
from noisewarden.virtual.sound import BLOCK_SAMPLES, RATE_HZ, Samples, amplitude

Course = tuple[tuple[float, float], ...]
"""(second, level in dB): straight lines between these points, held before and after."""


@dataclass(frozen=True)
class Layer:
    """One sound; `course` is of LAeq, or LCeq where `weighting` is C."""

    make: Callable[[np.random.Generator], Samples]
    course: Course
    weighting: str = "A"


@dataclass(frozen=True)
class Scene:
    """`seconds` is one run of it, `laeq` the range in dB in which the LAeq of that run lies."""

    name: str
    description: str
    seconds: int
    laeq: tuple[float, float]
    layers: tuple[Layer, ...]

    def prepare(self, seed: int = 1) -> None:
        """Makes its sounds, which takes a second or two: the first `samples` would do it else."""
        with _making:
            _loops(self, seed)

    def samples(
        self, seconds: float | None = None, seed: int = 1, start_s: float = 0
    ) -> Iterator[Samples]:
        """Blocks of mono samples at 48 kHz, over and over for None; the same for the same seed."""
        self.prepare(seed)
        loops = _loops(self, seed)
        start = round(start_s * RATE_HZ)
        end = None if seconds is None else round(seconds * RATE_HZ)
        for block in count():
            first = block * BLOCK_SAMPLES
            size = BLOCK_SAMPLES if end is None else min(BLOCK_SAMPLES, end - first)
            if size <= 0:
                return
            places = start + first + np.arange(size)
            t = places / RATE_HZ % self.seconds
            mixture = np.zeros(size)
            for layer, loop in zip(self.layers, loops, strict=True):
                course = np.array(layer.course)
                level_db = np.interp(t, course[:, 0], course[:, 1])
                mixture += loop[places % len(loop)] * 10 ** (level_db / 20)
            yield mixture


_making = threading.Lock()
"""Made once, however many boxes begin to hear a scene at once."""


@cache
def _loops(scene: Scene, seed: int) -> list[Samples]:
    return [
        _at_0_db(layer.make(np.random.default_rng((seed, n))), layer.weighting)
        for n, layer in enumerate(scene.layers)
    ]


def _at_0_db(loop: Samples, weighting: str) -> Samples:
    """The loop at a weighted level of 0 dB over its length, without anything below 5 Hz."""
    spectrum = np.fft.rfft(loop)
    hz = np.fft.rfftfreq(len(loop), 1 / RATE_HZ)
    spectrum[hz < 5] = 0
    weights_db = {"A": a_weighting, "C": c_weighting}[weighting](np.maximum(hz, 5))
    # Parseval over the one-sided spectrum: the mean square of the weighted loop.
    mean_square = 2 * np.sum(np.abs(spectrum * 10 ** (weights_db / 20)) ** 2) / len(loop) ** 2
    return np.fft.irfft(spectrum, len(loop)) * amplitude(0) / np.sqrt(mean_square)


def _group(*steps: tuple[float, float]) -> Course:
    """Someone turns a knob at these seconds: two seconds later it has the new level."""
    points = [steps[0]]
    for at_s, level_db in steps[1:]:
        points += [(at_s, points[-1][1]), (at_s + 2, level_db)]
    return tuple(points)


def _passing(floor_db: float, *cars: tuple[float, float]) -> Course:
    """Cars that pass at these seconds with these highest levels, over a floor."""
    points = []
    for at_s, level_db in cars:
        points += [(at_s - 8, floor_db), (at_s, level_db), (at_s + 8, floor_db)]
    return tuple(points)


def _bursts(level_db: float, pause_db: float, *spans: tuple[float, float]) -> Course:
    points = []
    for start_s, end_s in spans:
        points += [
            (start_s - 0.2, pause_db),
            (start_s, level_db),
            (end_s, level_db),
            (end_s + 0.2, pause_db),
        ]
    return tuple(points)


SQUARE = Scene(
    "square",
    "a square at evening: two dance groups raise each other over the limit, then give in",
    300,
    (73.5, 76.5),
    (
        Layer(lambda rng: synth.babble(rng, 8, 8), ((0, 60),)),
        Layer(lambda rng: synth.footsteps(rng, 11, 12), ((0, 54),)),
        Layer(
            lambda rng: synth.dance(rng, 118, 196.0),
            _group((0, 62), (30, 66), (70, 71), (110, 74), (225, 66), (245, 62)),
        ),
        Layer(
            lambda rng: synth.dance(rng, 126, 220.0),
            _group((0, 58), (15, 64), (50, 68), (90, 73), (130, 76), (235, 63), (250, 60)),
        ),
    ),
)

NIGHT = Scene(
    "night",
    "a quiet night: the town far away, crickets, a few cars",
    120,
    (41.0, 45.0),
    (
        Layer(lambda rng: synth.shaped_noise(rng, 13, 40, 900, -4), ((0, 38),)),
        Layer(lambda rng: synth.crickets(rng, 11), ((0, 33),)),
        Layer(
            lambda rng: synth.shaped_noise(rng, 7, 60, 1_600, -2),
            _passing(20, (22, 52), (61, 48), (97, 54)),
        ),
    ),
)

BUILDING = Scene(
    "building",
    "a building site: a generator all the time, a breaker in bursts, steel on steel",
    120,
    (78.0, 82.0),
    (
        Layer(lambda rng: synth.engine(rng, 11, 25), ((0, 68),)),
        Layer(
            lambda rng: synth.jackhammer(rng, 7),
            _bursts(84, 30, (8, 20), (31, 38), (52, 71), (90, 101)),
        ),
        Layer(lambda rng: synth.clangs(rng, 29, 12), ((0, 70),)),
    ),
)

RAIN = Scene(
    "rain",
    "rain drums on the housing, gusts shake the microphone",
    90,
    (54.0, 57.0),
    (
        Layer(lambda rng: synth.drops(rng, 7, 220), ((0, 47), (20, 53), (60, 54), (90, 47))),
        Layer(lambda rng: synth.shaped_noise(rng, 11, 500, 9_000, 0), ((0, 46),)),
        Layer(
            lambda rng: synth.gusts(rng, 19),
            ((0, 62), (25, 66), (35, 84), (60, 84), (70, 64)),
            weighting="C",
        ),
    ),
)

SCENES = {scene.name: scene for scene in (SQUARE, NIGHT, BUILDING, RAIN)}
