"""`noisewarden demo`: boxes without boards, and the host that collects from them."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import click
from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from noisewarden.commands import options
from noisewarden.demo import DemoBox
from noisewarden.stages import STAGES
from noisewarden.virtual import sources
from noisewarden.virtual.replay import virtual_board
from noisewarden.virtual.scenes import SCENES
from noisewarden.virtual.sources import Source

SPOKEN = Path("/usr/share/sounds/alsa")
"""Where Debian's alsa-utils keeps recordings of a speaker."""
MOST_BOXES = 8
_COLOURS = {"green": "bold green", "red": "bold red", "off": "dim"}
_STAGE_STYLES = ("green", "yellow", "bold yellow", "bold red")


@click.command()
@click.option(
    "--boxes",
    type=click.IntRange(1, MOST_BOXES),
    default=2,
    show_default=True,
    help="How many boxes.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=150,
    show_default=True,
    help="How long it plays.",
)
@click.option("--wav", type=click.Path(path_type=Path), metavar="FILE", help="Your recording.")
@click.option(
    "--no-browser", is_flag=True, help="Stay in the terminal (as it does so far anyway)."
)
@options.sensitivity
def command(
    boxes: int, seconds: float, wav: Path | None, no_browser: bool, sensitivity: float | None
) -> None:
    """Boxes without boards: sound in; number, lamp, stages and collected records out.

    The first box hears a square at evening, where two dance groups raise each other: a reminder
    comes after a minute, the spotlight 20 s later. The second hears a recording: yours with --wav,
    else the voices that Debian's alsa-utils brings, else a quiet night. It is evening there,
    whatever time it is here, since lamps stay dark at night.

    \b
    noisewarden demo
    noisewarden demo --wav street.wav --seconds 60
    """
    board = virtual_board(sensitivity_dbfs=sensitivity)
    heard = _sources(boxes, wav)
    console = Console(highlight=False)
    view = _Live(console) if console.is_terminal else _Lines()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="noisewarden-demo-")))
        shown = [
            DemoBox(f"square-{number:02}", source, board, folder, view.changed)
            for number, source in enumerate(heard, 1)
        ]
        for box in shown:
            stack.enter_context(box)
        stack.enter_context(view.of(shown, seconds))
        end = time.monotonic() + seconds
        while time.monotonic() < end and not any(box.failure for box in shown):
            time.sleep(0.2)
    for box in shown:
        console.print(_result(box), soft_wrap=True)


def _sources(boxes: int, wav: Path | None) -> list[Source]:
    spoken = sorted(SPOKEN.glob("*_*.wav"))
    if wav:
        second = sources.recording(wav, loop=True)
    elif spoken:
        second = sources.joined("voices, recorded", spoken)
    else:
        second = sources.scene("night")
    scenes = [sources.scene(name) for name in SCENES]
    heard = [scenes[0], second, *scenes[1:]]
    # A recording of one's own comes first when there is but one box.
    if wav and boxes == 1:
        return [second]
    return [heard[n] if n < len(heard) else scenes[n % len(scenes)] for n in range(boxes)]


def _panel(box: DemoBox) -> Panel:
    reading = box.reading
    lines = [box.screen.text()]
    if reading:
        level = reading["laeq"]
        lines.append(
            Text.assemble(
                "LAeq,1s ",
                ("  --" if level is None else f"{level:5.1f}", _COLOURS[reading["colour"]]),
                f" dB  limit {reading['limit']}",
            )
        )
        lines.append(
            Text.assemble(
                "stage ",
                (STAGES[reading["stage"]], _STAGE_STYLES[reading["stage"]]),
                ("  " + " ".join(reading["flags"]), "yellow"),
            )
        )
    lines.append(_collected(box))
    lines += [Text(change, style="dim") for change in box.changes[-4:]]
    return Panel(Group(*lines), title=box.name, subtitle=box.source.name, width=44)


def _collected(box: DemoBox) -> Text:
    if box.failure:
        return Text(box.failure, style="red")
    if not box.collected:
        return Text("waiting for records", style="dim")
    chain = ", ".join(
        f"{count} {state}" for state, count in box.collected["chain"].items() if count
    )
    return Text(f"records collected: {chain or 'none yet'}", style="cyan")


def _result(box: DemoBox) -> str:
    stages = "; ".join(change.strip() for change in box.changes) or "no change of stage"
    return (
        f"{box.name} ({box.source.name}): {stages}. {_collected(box)}. "
        f"{box.lost_frames} frames lost."
    )


class _Live:
    """All boxes side by side, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._boxes: list[DemoBox] = []
        self._end = 0.0
        self._live = Live(console=console, refresh_per_second=8, get_renderable=self._draw)

    def changed(self, box: DemoBox) -> None:
        """The next redraw shows it."""

    def of(self, boxes: list[DemoBox], seconds: float) -> Live:
        self._boxes = boxes
        self._end = time.monotonic() + seconds
        return self._live

    def _draw(self) -> Group:
        left_s = max(0, self._end - time.monotonic())
        ports = ", ".join(box.port for box in self._boxes)
        return Group(
            Columns([_panel(box) for box in self._boxes]),
            Text(f"{left_s:.0f} s left, Ctrl-C ends it. Ports: {ports}", style="dim"),
        )


class _Lines:
    """Without a terminal: a line for each change of stage or lamp, and every tenth second."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[int, bool, int]] = {}

    def changed(self, box: DemoBox) -> None:
        reading = box.reading
        if not reading:
            return
        now = (reading["stage"], box.screen.lamp, reading["n"] // 10)
        if self._told.get(box.name) == now:
            return
        self._told[box.name] = now
        level = reading["laeq"]
        click.echo(
            f"{box.name} {reading['n']:4} s  shows {reading['shown']:>3} {reading['colour']:5} "
            f"LAeq {'--' if level is None else f'{level:.1f}':>5}  {STAGES[reading['stage']]:9} "
            f"lamp {'lit ' if box.screen.lamp else 'dark'}  {_collected(box)}"
        )

    def of(self, boxes: list[DemoBox], seconds: float) -> ExitStack:
        click.echo(f"{len(boxes)} boxes for {seconds:.0f} s; Ctrl-C ends it")
        return ExitStack()
