"""What a box of one board holds after a deploy: its files, and the manifest that names them.

The box reads the manifest with `firmware/update.py`, which explains it.
"""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from noisewarden import boards
from noisewarden.compile import compile_firmware
from noisewarden.paths import FIRMWARE

MANIFEST = "manifest"
FIRST = ("update.py", "boot.py")
"""From the moment that these two are there, a start ends an update that was begun."""

Files = dict[str, bytes]
"""Content by path on the box."""


def bundle(board: dict[str, Any]) -> Files:
    """The files of a box of this board (as `boards.load` gives it), without the manifest.

    UserError when one does not compile.
    """
    with tempfile.TemporaryDirectory(prefix="noisewarden-") as folder:
        compiled = compile_firmware(board["arch"], Path(folder))
        rooms = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in compiled}
    sources = {path.name: path.read_bytes() for path in sorted(FIRMWARE.glob("*.py"))}
    return sources | rooms | {"board.json": json.dumps(boards.for_box(board)).encode()}


def digests(files: Files) -> dict[str, str]:
    """SHA-256 by path."""
    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}


def manifest(files: Files) -> bytes:
    """The manifest of these files; equal files give equal bytes."""
    order = [path for path in FIRST if path in files]
    order += sorted(files.keys() - set(order))
    known = digests(files)
    lines = "".join(f"{known[path]}  {path}\n" for path in order).encode()
    return lines + hashlib.sha256(lines).hexdigest().encode() + b"\n"
