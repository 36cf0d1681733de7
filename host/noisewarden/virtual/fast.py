"""A virtual box as fast as it can: no console, virtual time, the same firmware (DESIGN 5)."""

import json
import os
import tempfile
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from noisewarden.virtual import chip
from noisewarden.virtual.pipes import sound_pipe
from noisewarden.virtual.sound import Frames

Event = dict[str, Any]


class BoxStopped(Exception):
    """The firmware failed: the text is its last word in one line, a note holds the traceback."""


def run_fast(
    flash: Path,
    frames: Frames,
    *,
    unix_s: int | None = None,
    heap: str = "2M",
    on_event: Callable[[Event], None] = lambda event: None,
) -> Generator[str, None, None]:
    """Runs the flash folder's firmware over `frames`, yields each line that it prints.

    `unix_s` is what the box's clock says at power-on (unset without it). `on_event` gets pins and
    matrix as the fakes report them, from another thread. Ends a virtual second after the sound.
    BoxStopped when the firmware fails or resets; an error in `frames` is raised here.
    """
    sound, feed = sound_pipe(blocking=True)
    events, report = os.pipe()
    trouble: list[BaseException] = []
    with tempfile.TemporaryFile() as complaints:
        box = chip.start(
            flash,
            sound=sound,
            events=report,
            fast=True,
            unix_s=unix_s,
            heap=heap,
            stderr=complaints,
        )
        os.close(sound)
        os.close(report)

        def play() -> None:
            with open(feed, "wb", buffering=0) as pipe:
                try:
                    for block in frames:
                        _write_all(pipe, block.tobytes())
                except BrokenPipeError:
                    pass  # the box stopped: what it says on stderr is the cause
                except Exception as error:
                    trouble.append(error)

        def listen() -> None:
            with open(events, encoding="ascii") as lines:
                for line in lines:
                    event = json.loads(line)
                    if event["event"] == "reset":
                        trouble.append(BoxStopped(f"the box reset itself, cause {event['cause']}"))
                        box.kill()
                    on_event(event)

        threads = [threading.Thread(target=target, daemon=True) for target in (play, listen)]
        for thread in threads:
            thread.start()
        assert box.stdin and box.stdout
        try:
            with box.stdout as output:
                for line in output:
                    yield line.decode(errors="replace").rstrip("\r\n")
            failed = box.wait() != 0
        finally:
            box.kill()
            box.wait()
            box.stdin.close()
            for thread in threads:
                thread.join()
        if trouble:
            raise trouble[0]
        if failed:
            complaints.seek(0)
            traceback = complaints.read().decode(errors="replace").strip()
            stopped = BoxStopped(traceback.rpartition("\n")[2] or "MicroPython died")
            stopped.add_note(traceback)
            raise stopped


def _write_all(pipe: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[pipe.write(view) :]
