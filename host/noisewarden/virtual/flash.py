"""The flash of a virtual box: a folder with the files that `deploy` would put on a board."""

import json
import platform
import shutil
from pathlib import Path
from typing import Any

from noisewarden.compile import ENTRY_FILES, compile_firmware
from noisewarden.errors import UserError
from noisewarden.firmware import uplink
from noisewarden.paths import FIRMWARE


def fill(
    flash: Path,
    board: dict[str, Any],
    config: dict[str, Any] | None = None,
    *,
    compiled: bool = False,
) -> None:
    """Puts the firmware and board.json there; config.json too when it is given.

    What the box itself wrote (journal, calibration, its config) stays. `compiled` takes `.mpy`, as
    a board does, instead of the source. UserError when it cannot be compiled for this PC.
    """
    flash.mkdir(parents=True, exist_ok=True)
    for deployed in ("noisebox", "next"):
        shutil.rmtree(flash / deployed, ignore_errors=True)
    (flash / "manifest").unlink(missing_ok=True)
    if compiled:
        if platform.machine() != "x86_64":
            raise UserError(
                f"compiled firmware: mpy-cross makes no native code for {platform.machine()}; "
                "run the box from source"
            )
        compile_firmware("x64", flash)
    else:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(FIRMWARE / "noisebox", flash / "noisebox", ignore=ignore)
    for name in ENTRY_FILES:
        shutil.copy(FIRMWARE / name, flash / name)
    _write(flash / "board.json", board)
    if config is not None:
        _write(flash / "config.json", config)


def provision(flash: Path, secret: bytes, ca: bytes | None = None, port: int = 0) -> None:
    """What `provision` would bring: the secret, and with `ca` (DER) the way to a station on this
    PC, whose broker listens on `port`; without it the box is on USB alone.
    """
    (flash / uplink.SECRET).write_bytes(secret)
    if ca is not None:
        (flash / uplink.CA).write_bytes(ca)
        way = {"ssid": "virtual", "password": "", "station": "127.0.0.1", "port": port}
        _write(flash / uplink.NETWORK, way)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
