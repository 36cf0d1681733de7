"""Instructions a sample of the machine code of `noisebox.kernels`, weigh and survey together."""

import machine_code
import numpy as np
from machine_code import Buffer, Chip
from noisewarden.acoustics.design import FLAT, fit_weighting
from noisewarden.paths import FIRMWARE

KERNELS = FIRMWARE / "noisebox" / "kernels.py"
# Multiples of survey's stride, so that the difference of the two holds whole turns of its loop.
FEW, MORE = 170, 340


def _frames(samples: np.ndarray) -> bytes:
    words = np.zeros(2 * len(samples), np.int32)
    words[0::2] = samples.astype(np.int64) << 8
    return words.tobytes()


def _cost(chip: Chip, samples: np.ndarray) -> float:
    weigh, survey = machine_code.compile_functions(KERNELS, chip.arch)
    filters = np.array([*fit_weighting().integers(), *FLAT], np.int32).tobytes()
    scratch = bytes(64)

    def instructions(count: int) -> int:
        frames = Buffer(_frames(samples[:count]))
        arguments = (0, 0, frames, count, Buffer(filters), Buffer(scratch), Buffer(scratch))
        return machine_code.count_instructions(
            chip, weigh, arguments
        ) + machine_code.count_instructions(chip, survey, (frames, count, Buffer(scratch)))

    return (instructions(MORE) - instructions(FEW)) / (MORE - FEW)


def measure() -> dict[str, float]:
    """Instructions a sample for each arch: at 94 dB, and where every sample clips."""
    n = np.arange(MORE)
    sine = np.round(420_000 * np.sin(2 * np.pi * n / 48))
    square = np.where(n // 24 % 2, (1 << 23) - 1, -1 << 23)
    figures = {}
    for chip in machine_code.CHIPS:
        figures[chip.arch] = _cost(chip, sine)
        figures[f"{chip.arch}, all clipped"] = _cost(chip, square)
    return figures


def main() -> None:
    for name, instructions in measure().items():
        print(f"kernel, {name}: {instructions:.0f} instructions a sample")


if __name__ == "__main__":
    main()
