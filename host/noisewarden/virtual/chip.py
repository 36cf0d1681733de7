"""Starts MicroPython on the PC as the chip of a virtual box (DESIGN 5)."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO

from noisewarden.errors import UserError
from noisewarden.paths import FAKES

PWRON_RESET, HARD_RESET, WDT_RESET, SOFT_RESET = 1, 2, 3, 5
"""Reset causes, numbered as in `machine`."""

_START = "__import__('start').run(globals())"


def interpreter() -> Path:
    """The `micropython` beside this Python, or the first on the PATH."""
    beside = Path(sys.executable).with_name("micropython")
    found = beside if beside.exists() else shutil.which("micropython")
    if not found:
        raise UserError(
            "micropython: not found, so there is no virtual box; "
            "install MicroPython 1.27 or newer for this system and put it on the PATH"
        )
    return Path(found)


def unique_id(name: str) -> str:
    """Six bytes in hex for `machine.unique_id()`, the same for the same name."""
    return (b"\x02" + hashlib.sha256(name.encode()).digest()[:5]).hex()


def start(
    flash: Path,
    *,
    sound: int | None,
    events: int,
    rtc: int | None = None,
    air: int | None = None,
    cause: int = PWRON_RESET,
    main: bool = True,
    fast: bool = False,
    unix_s: int | None = None,
    pins: str = "",
    heap: str = "2M",
    stderr: int | IO[bytes] = subprocess.STDOUT,
) -> subprocess.Popen[bytes]:
    """A running chip; its serial line is the process's stdin and stdout.

    `sound`, `events`, `rtc` and `air` are file descriptors that the chip inherits; these, `cause`,
    `unix_s` and `pins` are explained in `fakes/_chip.py`. `main` is False for a start into the raw
    REPL. `heap` is the size of the Python heap as `-X heapsize` takes it.
    """
    wiring = {
        "MICROPYPATH": f"{FAKES}:{FAKES.parent}:.frozen",
        "TZ": "UTC",
        "NOISEBOX_FLASH": str(flash.resolve()),
        "NOISEBOX_EVENTS": str(events),
        "NOISEBOX_RESET": str(cause),
        "NOISEBOX_ID": unique_id(flash.resolve().parent.name),
        "NOISEBOX_PINS": pins,
        "NOISEBOX_MAIN": str(int(main)),
        "NOISEBOX_FAST": str(int(fast)),
    }
    for name, value in (("SOUND", sound), ("RTC", rtc), ("AIR", air), ("TIME", unix_s)):
        if value is not None:
            wiring[f"NOISEBOX_{name}"] = str(value)
    prompt = [] if fast else ["-i"]
    return subprocess.Popen(
        [interpreter(), "-X", f"heapsize={heap}", *prompt, "-c", _START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        bufsize=0,
        env=os.environ | wiring,
        pass_fds=[fd for fd in (sound, events, rtc, air) if fd is not None],
        start_new_session=True,
    )
