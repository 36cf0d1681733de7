"""Tools of technicians that halt in the middle of their work, where a test wants it."""

import os
import signal
from pathlib import Path

import pytest

HALTING = """
import os, sys
order = os.path.join(os.path.dirname(__file__), "order")

def obey():
    if os.path.exists(order):
        with open(order) as file:
            path, sign = file.read().splitlines()
        if os.path.exists(path):
            os.remove(order)
            os.kill(os.getpid(), int(sign))

if "-m" in sys.orig_argv:
    import serial
    write = serial.Serial.write
    serial.Serial.write = lambda port, data: obey() or write(port, data)
"""
"""A sitecustomize.py: before a tool says more to the box, it looks whether it is to halt."""


def halt_at(
    path: Path, sign: signal.Signals, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A tool gets this signal, SIGKILL or SIGSTOP, when the box has begun to write the file `path`
    and has nothing of it yet. Returns a file in `folder` that is gone from then on.

    Whoever looked from outside could come too late.
    """
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(HALTING)
    order = folder / "order"
    order.write_text(f"{path}\n{int(sign)}")
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    return order
