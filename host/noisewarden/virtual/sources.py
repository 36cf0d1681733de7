"""What a virtual box can be given to hear: a recording, a scene, a live pipe."""

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from noisewarden.errors import UserError
from noisewarden.virtual import sound
from noisewarden.virtual.scenes import SCENES


@dataclass(frozen=True)
class Source:
    """Samples to be heard once. `ends` is False for those that go on for ever."""

    name: str
    samples: Iterator[sound.Samples]
    ends: bool

    def frames(self) -> Iterator[sound.Frame]:
        return sound.frames(self.samples)


def recording(path: Path, loop: bool = False) -> Source:
    """A WAV file, over and over with `loop`. UserError for one that cannot be measured."""
    once = sound.wav(path)
    if not loop:
        return Source(path.name, once, ends=True)
    rounds = (sound.wav(path) for _ in itertools.count())
    return Source(path.name, itertools.chain.from_iterable(rounds), ends=False)


def joined(name: str, paths: list[Path]) -> Source:
    """Recordings one after the other, over and over, a quiet room for a moment between them."""
    rng = np.random.default_rng(1)
    room = rng.standard_normal(sound.RATE_HZ // 4) * sound.amplitude(40)

    def play() -> Iterator[sound.Samples]:
        while True:
            for path in paths:
                yield from sound.wav(path)
                yield room

    return Source(name, play(), ends=False)


def scene(name: str, seconds: float | None = None) -> Source:
    """A synthesised scene, over and over without `seconds`. UserError for an unknown one."""
    if name not in SCENES:
        raise UserError(f"scene {name}: there is none of this name; known are {', '.join(SCENES)}")
    return Source(name, SCENES[name].samples(seconds), ends=seconds is not None)


def mixture(name: str, parts: dict[str, float], start_s: float = 0) -> Source:
    """Scenes heard at once, from a moment on, over and over: each by its name, so many dB louder
    than it is."""

    def play() -> Iterator[sound.Samples]:
        heard = [SCENES[scene].samples(start_s=start_s) for scene in parts]
        gains = np.array([10 ** (gain_db / 20) for gain_db in parts.values()])
        for blocks in zip(*heard, strict=True):
            yield gains @ np.stack(blocks)

    return Source(name, play(), ends=False)


def standard_input(bits: int) -> Source:
    """Raw little-endian stereo PCM at 48 kHz from standard input, until it ends."""
    return Source("standard input", sound.live(sys.stdin.buffer, bits=bits), ends=True)
