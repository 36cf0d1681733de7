"""What the compiled firmware keeps on the Python heap, and the least heap that it runs in.

On USB alone, and with its station: over WiFi and TLS to a real broker it sends all its records,
obeys commands and answers them. On the PC objects are twice the size of the chip's, and the fakes
of the chip are on it too: what they hold before the firmware is loaded is told apart.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import sound
from noisewarden.paths import FAKES
from noisewarden.virtual import chip, flash
from noisewarden.virtual.fast import BoxStopped, run_fast
from noisewarden.virtual.replay import virtual_board
from system.test_uplink import live_heap_with_a_station

SECONDS = 75
"""A minute record and a flush are in it."""
STEP_KB = 2
MOST_KB = 256
AMPLE_KB = 2048

_NOTHING_ELSE = """
import asyncio, asyncio.event, asyncio.funcs, asyncio.lock, asyncio.stream, gc
gc.collect()
print("heap", gc.mem_alloc())
"""
"""What is in use without the firmware, but with the rooms of asyncio that it uses."""

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


def _fakes_bytes(fast: bool) -> int:
    """What the fakes of the chip hold, with or without their virtual time."""

    def used(program: str, **environment: str) -> int:
        run = subprocess.run(
            [chip.interpreter(), "-c", program],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return int(run.stdout.split()[1])

    path = f"{FAKES}:{FAKES.parent}:.frozen"
    faked = used(f"import start{_NOTHING_ELSE}", MICROPYPATH=path, NOISEBOX_FAST=str(int(fast)))
    return faked - used(_NOTHING_ELSE, MICROPYPATH=".frozen")


def _linked(heap_kb: int) -> list[int]:
    """Bytes in use with a station; [] when the box did not get through its work."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return live_heap_with_a_station(Path(folder), f"{heap_kb}K")
        except (AssertionError, OSError):
            return []


def _enough(works: Callable[[int], object], least_kb: int) -> int:
    """The least heap in KB, from `least_kb` on, in which it works."""
    enough, little = MOST_KB, least_kb
    while enough - little > STEP_KB:
        middle = (enough + little) // 2
        if works(middle):
            enough = middle
        else:
            little = middle
    return enough


def measure() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        flash_folder = Path(folder) / "flash"
        kept = [int(row[4]) for row in _run(flash_folder, AMPLE_KB)]
        enough = _enough(lambda kb: _run(flash_folder, kb), kept[-1] // 1024)
    linked = _linked(AMPLE_KB)
    return {
        "KB that the fakes hold in virtual time, as on USB here": _fakes_bytes(True) / 1024,
        "KB that the fakes hold in real time, as with a station": _fakes_bytes(False) / 1024,
        "KB kept after a collection": kept[-1] / 1024,
        "KB that it grew in the last minute": (kept[-1] - kept[10]) / 1024,
        "KB of heap that are enough": enough,
        "KB kept with a station": linked[-1] / 1024,
        "KB of heap that are enough with a station": _enough(_linked, linked[-1] // 1024),
    }


def main() -> None:
    for name, figure in measure().items():
        print(f"heap: {name}: {figure:.1f}")


if __name__ == "__main__":
    main()
