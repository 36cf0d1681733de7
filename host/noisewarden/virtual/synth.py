"""Sounds of a street, synthesised: each a loop of samples that repeats without a seam.

Every function takes a random generator and gives one loop, of any amplitude; `scenes` brings it to
its level. The loops have lengths without a common divisor, so that a mixture does not repeat soon.
"""

import numpy as np

from noisewarden.virtual.sound import RATE_HZ, Samples

_PENTATONIC = (0, 2, 4, 7, 9, 12, 14, 16)
_METAL_RATIOS = (1.0, 1.47, 2.09, 2.56, 3.41)


def _seconds(count: float) -> np.ndarray:
    return np.arange(round(count * RATE_HZ)) / RATE_HZ


def _put(loop: Samples, at_s: float, sound: Samples, gain: float = 1.0) -> None:
    """Adds a sound to a loop from a moment on; what passes the end goes on at the beginning."""
    places = (round(at_s * RATE_HZ) + np.arange(len(sound))) % len(loop)
    loop[places] += gain * sound


def shaped_noise(
    rng: np.random.Generator, seconds: float, low_hz: float, high_hz: float, slope_db: float
) -> Samples:
    """Noise from `low_hz` to `high_hz`, soft edges; `slope_db` per octave of the density."""
    n = round(seconds * RATE_HZ)
    hz = np.fft.rfftfreq(n, 1 / RATE_HZ)
    hz[0] = hz[1]
    shape = (
        hz ** (slope_db / 20 / np.log10(2))
        / np.sqrt(1 + (low_hz / hz) ** 4)
        / np.sqrt(1 + (hz / high_hz) ** 4)
    )
    spectrum = shape * np.exp(2j * np.pi * rng.random(len(hz)))
    return np.fft.irfft(spectrum, n)


def _tone(hz: float, seconds: float, harmonics: int, decay_s: float) -> Samples:
    """A plucked tone: harmonics that fall as 1/n and die the sooner the higher they are."""
    t = _seconds(seconds)
    tone = np.zeros_like(t)
    for n in range(1, harmonics + 1):
        tone += np.sin(2 * np.pi * hz * n * t) / n * np.exp(-t * n**0.5 / decay_s)
    return np.minimum(t / 0.005, 1) * tone


def _kick() -> Samples:
    t = _seconds(0.25)
    return np.sin(2 * np.pi * (50 * t + 3 * (1 - np.exp(-t / 0.03)))) * np.exp(-t / 0.08)


def dance(rng: np.random.Generator, beats_a_minute: float, root_hz: float) -> Samples:
    """Eight bars of square dance music: drums, bass and a pentatonic melody through a loud box."""
    beat_s = 60 / beats_a_minute
    loop = np.zeros(round(32 * beat_s * RATE_HZ))
    snare = shaped_noise(rng, 0.15, 800, 9_000, 0) * np.exp(-_seconds(0.15) / 0.05)
    hat = shaped_noise(rng, 0.05, 6_000, 15_000, 0) * np.exp(-_seconds(0.05) / 0.015)
    snare, hat, kick = (sound / np.abs(sound).max() for sound in (snare, hat, _kick()))
    degree = 3
    for beat in range(32):
        at_s = beat * beat_s
        _put(loop, at_s, snare if beat % 2 else kick, 0.5 if beat % 2 else 1.0)
        for eighth in (0, 0.5):
            _put(loop, at_s + eighth * beat_s, hat, 0.2)
        bass_hz = root_hz / 2 * 2 ** ((0, 0, 7, 5)[beat // 4 % 4] / 12)
        _put(loop, at_s, _tone(bass_hz, beat_s, 6, 0.4), 0.5)
        for part in (0, 0.5) if rng.random() < 0.6 else (0,):
            degree = int(np.clip(degree + rng.integers(-2, 3), 0, len(_PENTATONIC) - 1))
            note_hz = 2 * root_hz * 2 ** (_PENTATONIC[degree] / 12)
            _put(loop, at_s + part * beat_s, _tone(note_hz, 1.5 * beat_s, 9, 0.5), 0.35)
    return np.tanh(loop)


def babble(rng: np.random.Generator, seconds: float, talkers: int) -> Samples:
    """People talking over each other: voiced syllables, some four a second each, with pauses."""
    loop = np.zeros(round(seconds * RATE_HZ))
    for _ in range(talkers):
        pitch_hz, at_s = rng.uniform(100, 240), rng.uniform(0, 1)
        while at_s < seconds:
            length_s = rng.uniform(0.12, 0.3)
            t = _seconds(length_s)
            glide = 2 * np.pi * pitch_hz * (t + rng.uniform(-0.3, 0.3) * t**2)
            formants = rng.uniform((300, 900, 2300), (800, 1900, 3000))
            voice = np.zeros_like(t)
            for n in range(1, int(3_500 / pitch_hz)):
                near = np.exp(-(((n * pitch_hz - formants) / 250) ** 2)) @ (1.0, 0.5, 0.25)
                voice += (near + 0.02) * np.sin(n * glide)
            _put(loop, at_s, voice * np.sin(np.pi * t / length_s) ** 0.7)
            at_s += length_s * (rng.uniform(4, 8) if rng.random() < 0.12 else 1.05)
    return loop


def footsteps(rng: np.random.Generator, seconds: float, a_second: float) -> Samples:
    """Shoes on stone."""
    loop = np.zeros(round(seconds * RATE_HZ))
    for _ in range(round(seconds * a_second)):
        step = shaped_noise(rng, 0.08, 150, rng.uniform(800, 3_000), -3)
        step *= np.exp(-_seconds(0.08) / 0.015) / np.abs(step).max()
        _put(loop, rng.uniform(0, seconds), step, rng.uniform(0.3, 1))
    return loop


def crickets(rng: np.random.Generator, seconds: float) -> Samples:
    """Chirps of three pulses near 4.5 kHz."""
    loop = np.zeros(round(seconds * RATE_HZ))
    t = _seconds(0.015)
    for _ in range(4):
        hz, every_s = rng.uniform(4_200, 4_900), rng.uniform(0.5, 0.9)
        pulse = np.sin(2 * np.pi * hz * t) * np.sin(np.pi * t / 0.015) ** 2
        for at_s in np.arange(rng.uniform(0, every_s), seconds, every_s):
            for n in range(3):
                _put(loop, at_s + n * 0.03, pulse)
    return loop


def engine(rng: np.random.Generator, seconds: float, hz: float) -> Samples:
    """A diesel generator: the harmonics of its firing rate, and its fan."""
    t = _seconds(seconds)
    turn = 2 * np.pi * round(hz * seconds) / seconds * t
    hum = np.zeros_like(t)
    for n in range(1, 30):
        hum += np.sin(n * turn + rng.uniform(0, 7)) / n**0.7
    fan = shaped_noise(rng, seconds, 200, 3_000, -3)
    return hum + fan / np.std(fan)


def jackhammer(rng: np.random.Generator, seconds: float) -> Samples:
    """A breaker at work: twenty blows a second on concrete."""
    loop = np.zeros(round(seconds * RATE_HZ))
    t = _seconds(0.06)
    for n in range(round(seconds * 20)):
        crack = shaped_noise(rng, 0.06, 400, 7_000, -1)
        crack *= np.exp(-t / 0.008) / np.abs(crack).max()
        blow = crack + 0.6 * np.sin(2 * np.pi * 95 * t) * np.exp(-t / 0.02)
        _put(loop, (n + rng.uniform(-0.1, 0.1)) / 20 % seconds, blow, rng.uniform(0.7, 1))
    return loop


def clangs(rng: np.random.Generator, seconds: float, count: int) -> Samples:
    """Steel dropped on steel now and then."""
    loop = np.zeros(round(seconds * RATE_HZ))
    t = _seconds(1.0)
    for _ in range(count):
        base_hz = rng.uniform(350, 900)
        ring = np.zeros_like(t)
        for ratio in _METAL_RATIOS:
            ring += np.sin(2 * np.pi * base_hz * ratio * t) * np.exp(-t * ratio / 0.25)
        _put(loop, rng.uniform(0, seconds), ring, rng.uniform(0.3, 1))
    return loop


def drops(rng: np.random.Generator, seconds: float, a_second: float) -> Samples:
    """Rain on a thin housing: short ringing knocks, a few of them hard."""
    loop = np.zeros(round(seconds * RATE_HZ))
    t = _seconds(0.02)
    for _ in range(round(seconds * a_second)):
        knock = np.sin(2 * np.pi * rng.uniform(900, 5_000) * t) * np.exp(
            -t / rng.uniform(0.001, 0.004)
        )
        _put(loop, rng.uniform(0, seconds), knock, rng.lognormal(0, 0.8))
    return loop


def gusts(rng: np.random.Generator, seconds: float) -> Samples:
    """Wind at the microphone: noise below some 60 Hz that swells and sinks."""
    slow = shaped_noise(rng, seconds, 0.05, 0.3, 0)
    swell = 1 + np.clip(slow / np.std(slow), -1.5, 1.5) / 2
    return shaped_noise(rng, seconds, 4, 60, -4) * swell
