"""Ctrl-C as a chip takes it, for MicroPython on a PC.

A chip raises KeyboardInterrupt between two byte codes. MicroPython for PCs jumps out of whatever
it does at the moment, and a garbage collection that is left so keeps the heap locked: the next
object is refused, and soon the interpreter ends. A collection makes no system call. So the process
is held for a moment, and interrupted when it is in one.

Where there is no /proc to tell, it is interrupted at once.
"""

import re
import signal
import subprocess
import time
from pathlib import Path

_HELD_WITHIN_S = 0.1


def code_runs(pid: int) -> bool:
    """Whether MicroPython runs code; else it is at a prompt, where SIGINT would end it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return bool(caught and int(caught.group(1), 16) >> (signal.SIGINT - 1) & 1)


def interrupt(process: "subprocess.Popen[bytes]", whatever_it_does: bool = False) -> bool:
    """Raises KeyboardInterrupt in the code that runs; False when it had better be tried again."""
    process.send_signal(signal.SIGSTOP)
    try:
        if ready := whatever_it_does or _in_system_call(process.pid):
            process.send_signal(signal.SIGINT)
        return ready
    finally:
        process.send_signal(signal.SIGCONT)


def _in_system_call(pid: int) -> bool:
    """Of a process that is about to be held."""
    try:
        deadline = time.monotonic() + _HELD_WITHIN_S
        while "State:\tT" not in Path(f"/proc/{pid}/status").read_text():
            if time.monotonic() > deadline:
                return False
        # Its number and more, the number being -1 outside of one: proc_pid_syscall(5).
        return not Path(f"/proc/{pid}/syscall").read_text().startswith("-1 ")
    except OSError:
        return True
