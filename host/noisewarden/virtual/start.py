"""Starts a virtual box on MicroPython as the chip would: boot.py, main.py, then the prompt.

Run by the host as `start.run(globals())` with the fakes on MICROPYPATH, and

    NOISEBOX_FLASH   the folder that the box sees as its whole file system
    NOISEBOX_MAIN=0  boot.py only: as on the chip after a soft reset from the raw REPL
"""

import asyncio  # noqa: F401
import os
import select  # noqa: F401
import sys
import time  # noqa: F401

import _chip
import esp32  # noqa: F401
import machine
import neopixel  # noqa: F401
import network  # noqa: F401
import vfs

_FILE = 0x8000


class _Flash(vfs.VfsPosix):
    """A folder of the host that answers as flash does, where VfsPosix falls short."""

    def __init__(self, folder):
        super().__init__(folder)
        self._here = "/"

    def chdir(self, path):
        super().chdir(path)
        self._here = self._absolute(path)

    def getcwd(self):
        return self._here

    def ilistdir(self, path):
        for name, kind, _ in super().ilistdir(path):
            whole = path + "/" + name if path else name
            yield (name, kind, 0, super().stat(whole)[6] if kind == _FILE else 0)

    def rename(self, old, new):
        # Of two absolute paths VfsPosix would keep the second only.
        super().chdir("/")
        try:
            super().rename(self._absolute(old)[1:], self._absolute(new)[1:])
        finally:
            super().chdir(self._here)

    def _absolute(self, path):
        parts = [] if path.startswith("/") else self._here.split("/")
        for part in path.split("/"):
            if part == "..":
                parts.pop()
            else:
                parts.append(part)
        return "/" + "/".join(part for part in parts if part not in ("", "."))


def _hide_the_host(folder):
    """The fakes are imported by now; from here on the box sees its own files alone."""
    flash = _Flash(folder)
    vfs.umount("/")
    vfs.mount(flash, "/")
    os.chdir("/")
    sys.path[:] = ["", ".frozen", "/lib"]


def _compiled(name):
    with open(name) as file:
        return compile(file.read(), name, "exec")


def _run(name, names):
    """Runs a script if it is there; False when it failed or was interrupted."""
    try:
        os.stat(name)
    except OSError:
        return True
    try:
        exec(_compiled(name), names)
    except SystemExit:
        if _chip.clock:
            raise
        _chip.reset(machine.SOFT_RESET)
    except BaseException as error:
        if _chip.clock:
            sys.print_exception(error, sys.stderr)
            sys.exit(1)
        sys.print_exception(error, sys.stdout)
        return False
    return True


def run(names):
    """`names` are the globals of the scripts, and of the prompt that follows."""
    main = os.getenv("NOISEBOX_MAIN") != "0"
    _hide_the_host(os.getenv("NOISEBOX_FLASH"))
    _chip.report("start")
    if _run("boot.py", names) and main:
        _run("main.py", names)
