"""`noisewarden demo`: the whole system without a board."""

import os
import signal
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from noisewarden.commands import options
from noisewarden.demo import view
from noisewarden.demo.boxes import Box, DemoBox
from noisewarden.demo.crowd import Crowd
from noisewarden.demo.door import Door
from noisewarden.demo.square import hang, rehearse
from noisewarden.demo.station import DemoStation
from noisewarden.virtual import chip
from noisewarden.virtual.replay import virtual_board

MOST_BOXES = 1000
REAL_A_CORE = 8
"""A virtual box with its sound takes 4 % of a core; the browser and others want some too."""
REAL_MOST = 16
"""This process plays all of their sounds, and Python gives it one core."""
_LOOK_S = 0.25


@click.command(short_help="A square without a board: boxes, their station, its pages.")
@click.option(
    "--boxes",
    type=options.Whole(1, MOST_BOXES),
    default=3,
    show_default=True,
    metavar="N",
    help="How many boxes. What this computer cannot run in real time is simulated, and marked.",
)
@click.option(
    "--seconds",
    type=options.Number(min=1),
    metavar="S",
    help="How long; without it until Ctrl-C.",
)
@click.option("--wav", type=click.Path(path_type=Path), metavar="FILE", help="Your recording.")
@click.option("--no-browser", is_flag=True, help="Open no browser; the link works all the same.")
@options.sensitivity
def command(
    boxes: int,
    seconds: float | None,
    wav: Path | None,
    no_browser: bool,
    sensitivity: float | None,
) -> None:
    """A square without a board: boxes, their station, and its pages in your browser.

    It is evening there, whatever time it is here, since lamps stay dark at night. Two dance groups
    raise each other. The box beside them turns red after half a minute; a reminder comes, the
    spotlight, a referral. One that hangs three times as far off hears the same and stays green,
    one behind the houses hears crickets. With --wav the last box hears your recording instead.

    Each box runs the real firmware on sound in real time and speaks MQTT over TLS to the real
    station. All of it is on this computer, and gone when it ends.

    \b
    noisewarden demo
    noisewarden demo --wav street.wav --seconds 60
    noisewarden demo --boxes 50
    """
    chip.interpreter()
    board = virtual_board(sensitivity_dbfs=sensitivity)
    real = min(boxes, REAL_MOST, REAL_A_CORE * (os.cpu_count() or 1))
    hung = hang(real, wav)
    click.echo("A square at eight in the evening; its station starts.")
    rehearse()
    console = Console(highlight=False)
    with _stoppable() as folder, ExitStack() as stack:
        station = stack.enter_context(DemoStation(folder / "station"))
        door = stack.enter_context(Door(station.url, station.log_in))
        hanging = [DemoBox(each, board, folder, station) for each in hung]
        shown: list[Box] = [*hanging]
        if crowd := boxes - real:
            shown += stack.enter_context(Crowd(crowd, station)).boxes
        look = (view.Terminal if console.is_terminal else view.Lines)(shown, door)
        for box in hanging:
            stack.enter_context(box)
        stack.enter_context(look.shown(console))
        if not no_browser:
            _open(door.url)
        end = time.monotonic() + (seconds or float("inf"))
        while time.monotonic() < end:
            seen = station.look([box.name for box in shown])
            for box in shown:
                box.take(seen[box.name])
            look.changed()
            time.sleep(_LOOK_S)
    for box in shown:
        if box.changes or len(shown) <= view.PANELS_MOST:
            console.print(view.result(box), soft_wrap=True)
    console.print(view.total(shown), soft_wrap=True)


@contextmanager
def _stoppable() -> Iterator[Path]:
    """A folder for as long as the demo lasts.

    The first Ctrl-C, SIGTERM or closing of the terminal ends the demo; no other disturbs it while
    it clears up, and none while the folder is made or removed.
    """
    signs = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if os.name == "posix" else [])]
    early: list[int] = []

    def answer(how: Any) -> dict[int, Any]:
        return {sign: signal.signal(sign, how) for sign in signs}

    def stop(*_: object) -> None:
        answer(signal.SIG_IGN)
        raise KeyboardInterrupt

    before = answer(lambda sign, _: early.append(sign))
    try:
        with tempfile.TemporaryDirectory(prefix="noisewarden-demo-") as made:
            try:
                answer(stop)
                if early:
                    raise KeyboardInterrupt
                yield Path(made)
            finally:
                answer(signal.SIG_IGN)
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


def _open(url: str) -> None:
    """In the person's browser; not in one of the terminal, which is taken."""
    graphical = {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & os.environ.keys()
    if graphical or not sys.platform.startswith("linux"):
        webbrowser.open(url)
