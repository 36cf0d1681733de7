"""What the compiled firmware keeps on the Python heap, and the least heap that it runs in.

On the PC objects are twice the size of the chip's, and the fakes of the chip are on it too.
"""

import tempfile
from pathlib import Path

import sound
from noisewarden.virtual import flash
from noisewarden.virtual.fast import BoxStopped, run_fast
from noisewarden.virtual.replay import virtual_board

SECONDS = 75
"""A minute record and a flush are in it."""
STEP_KB = 2
MOST_KB = 256

_MAIN = """
import gc
from noisebox import start
def tell(second, reading):
    used = gc.mem_alloc()
    gc.collect()
    print("heap", second.n, reading["laeq"] is not None, used, gc.mem_alloc())
start.main(tell)
"""


def _run(folder: Path, heap_kb: int) -> list[list[str]]:
    """What `tell` printed in each second; [] when the box did not get through all of them."""
    frames = sound.frames(sound.noise(75, SECONDS * sound.RATE)).reshape(-1, 2)
    blocks = (frames[at : at + sound.RATE] for at in range(0, len(frames), sound.RATE))
    board = virtual_board()
    flash.fill(folder, board, {}, compiled=True)
    (folder / "main.py").write_text(_MAIN)
    try:
        lines = list(run_fast(folder, blocks, unix_s=1_780_000_000, heap=f"{heap_kb}K"))
    except (BoxStopped, BrokenPipeError):
        return []
    seconds = [line.split() for line in lines if line.startswith("heap ")]
    right = [row[2] for row in seconds] == ["False"] + ["True"] * (SECONDS - 1)
    return seconds if right and not any("Error" in line for line in lines) else []


def measure() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        flash_folder = Path(folder) / "flash"
        steady = _run(flash_folder, 2048)
        enough, little = MOST_KB, 0
        while enough - little > STEP_KB:
            middle = (enough + little) // 2
            if _run(flash_folder, middle):
                enough = middle
            else:
                little = middle
    kept = [int(row[4]) for row in steady]
    used = [int(row[3]) for row in steady]
    return {
        "KB kept after a collection": kept[-1] / 1024,
        "KB that it grew in the last minute": (kept[-1] - kept[10]) / 1024,
        "KB used between two collections a second apart": (used[-1] - kept[-2]) / 1024,
        "KB of heap that are enough": enough,
    }


def main() -> None:
    for name, figure in measure().items():
        print(f"heap: {name}: {figure:.1f}")


if __name__ == "__main__":
    main()
