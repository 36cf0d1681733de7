"""Three ways to run the text of kernels.py over frames; each gives results of all blocks, then
state."""

import functools
import subprocess
import tempfile
from pathlib import Path

import checked
import machine_code
import numpy as np
from noisewarden.acoustics.overflow import BLOCK_FRAMES
from noisewarden.paths import FIRMWARE
from noisewarden.virtual.chip import interpreter

KERNELS = FIRMWARE / "noisebox" / "kernels.py"
ON_PC = Path(__file__).with_name("on_pc.py")

kernels = checked.load(KERNELS)
compiled = functools.cache(machine_code.compile_functions)


def on_pc(
    frames: np.ndarray, filters: tuple[int, ...], folder: Path = KERNELS.parent
) -> np.ndarray:
    """By MicroPython on this PC, with the kernels.py in `folder`."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "frames"
        file.write_bytes(frames.tobytes())
        command = [interpreter(), ON_PC, folder, file]
        run = subprocess.run([*command, *map(str, filters)], stdout=subprocess.PIPE, check=True)
    return np.frombuffer(run.stdout, np.int32)


def on_chip(
    chip: machine_code.Chip, frames: np.ndarray, filters: tuple[int, ...], source: Path = KERNELS
) -> np.ndarray:
    """By the machine code of `source` for `chip`, under qemu."""
    weigh, _ = compiled(source, chip.arch)
    blocks = len(frames) // (2 * BLOCK_FRAMES)
    arguments = (
        *(0, 0, machine_code.Buffer(frames.tobytes(), step=BLOCK_FRAMES * 8), BLOCK_FRAMES),
        machine_code.Buffer(np.array(filters, np.int32).tobytes()),
        machine_code.Buffer(bytes(kernels.STATES * 4)),
        machine_code.Buffer(bytes(blocks * kernels.RESULTS * 4), step=kernels.RESULTS * 4),
    )
    _, _, state, results = machine_code.run(chip, weigh, arguments, calls=blocks)
    return np.frombuffer(results + state, np.int32)


def in_checked_python(
    frames: np.ndarray, filters: tuple[int, ...], source: Path = KERNELS
) -> np.ndarray:
    """By Python; raises checked.Overflow at an operation that leaves 32 bits."""
    text, words = checked.load(source), frames.tolist()
    state, result, results = [0] * kernels.STATES, [0] * kernels.RESULTS, []
    for start in range(0, len(words), 2 * BLOCK_FRAMES):
        text.weigh(
            *(checked.Int32(0), checked.Int32(0), checked.Pointer(words, start)),
            *(checked.Int32(BLOCK_FRAMES), checked.Pointer(list(filters))),
            *(checked.Pointer(state), checked.Pointer(result)),
        )
        results += result
    return np.array(results + state, np.int32)
