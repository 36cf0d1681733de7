"""How much faster than real time: the box's meter, a plain one on MicroPython, one in numpy."""

import json
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

import numpy as np
import sound
from fastest import fastest_s
from noisewarden.acoustics.weighting import POLE_1_HZ, POLE_2_HZ, POLE_3_HZ, POLE_4_HZ
from noisewarden.virtual.chip import interpreter
from noisewarden.virtual.replay import Replay, virtual_board
from on_micropython import FIRMWARE_TESTS, micropython_environment
from scipy.signal import bilinear_zpk, sosfilt, zpk2sos

SECONDS = 60
PLAIN_SECONDS = 2
ROUNDS = 3


def _a_sections() -> np.ndarray:
    """A-weighting as anyone would get it: the bilinear transform, no care for 10 kHz and above."""
    poles = (
        -2 * np.pi * np.array([POLE_1_HZ, POLE_1_HZ, POLE_2_HZ, POLE_3_HZ, POLE_4_HZ, POLE_4_HZ])
    )
    gain = (2 * np.pi * POLE_4_HZ) ** 2 * 10 ** (2.0 / 20)
    return zpk2sos(*bilinear_zpk(np.zeros(4), poles, gain, sound.RATE))


def _numpy_meter(frames: np.ndarray, sections: np.ndarray) -> None:
    """A energy, C-like energy, F: what the box computes, in double precision."""
    samples = frames[::2] / 2147483648.0
    weighted = sosfilt(sections, samples)
    np.mean(weighted**2)
    np.mean(sosfilt(sections[:2], samples) ** 2)
    remains = np.exp(-1 / (0.125 * sound.RATE))
    sosfilt([[1 - remains, 0, 0, 1, -remains, 0]], weighted**2)


def _micropython(script: Path, *arguments: str) -> None:
    subprocess.run(
        [interpreter(), "-X", "heapsize=4M", script, *arguments],
        env=micropython_environment(),
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _replay(frames: np.ndarray) -> None:
    """The whole box: meter, stages, matrix, journal, and each second's row."""
    blocks = np.split(frames.reshape(-1, 2), SECONDS)
    for _ in Replay(blocks, virtual_board(), {}, datetime(2026, 6, 1, 20)):
        pass


def measure() -> dict[str, float]:
    """Seconds of sound per second of the PC, process start taken off, for each meter."""
    sections = _a_sections()
    frames = sound.frames(sound.noise(75, SECONDS * sound.RATE))
    driver = FIRMWARE_TESTS / "meter_driver.py"
    plain = Path(__file__).with_name("plain_meter.py")
    coefficients = json.dumps(sections.tolist())
    with tempfile.TemporaryDirectory() as folder:
        whole, short, one = (Path(folder) / name for name in ("whole", "short", "one"))
        frames.tofile(whole)
        frames[: 2 * PLAIN_SECONDS * sound.RATE].tofile(short)
        frames[:2000].tofile(one)
        ours = fastest_s(lambda: _micropython(driver, str(whole)), ROUNDS)
        ours -= fastest_s(lambda: _micropython(driver, str(one)), ROUNDS)
        slow = fastest_s(lambda: _micropython(plain, str(short), coefficients), ROUNDS)
        slow -= fastest_s(lambda: _micropython(plain, str(one), coefficients), ROUNDS)
    double = fastest_s(lambda: _numpy_meter(frames, sections), ROUNDS)
    return {
        "the box's meter on MicroPython": SECONDS / ours,
        "a plain Python meter on MicroPython": PLAIN_SECONDS / slow,
        "a float64 meter in numpy and scipy": SECONDS / double,
        "the whole box in replay": SECONDS / fastest_s(lambda: _replay(frames), ROUNDS),
    }


def main() -> None:
    factors = measure()
    for name, factor in factors.items():
        print(f"real time: {name}: {factor:.3g} times real time")
    ours, plain, double, replay = factors.values()
    print(f"real time: the box is {ours / plain:.0f} times the plain one")
    print(f"real time: the box is {ours / double:.2f} times the numpy one")
    print(f"real time: an hour of recording replays in {3600 / replay:.0f} s")


if __name__ == "__main__":
    main()
