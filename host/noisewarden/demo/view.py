"""The demo in a terminal: what each box shows, and what the station has of it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import click
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from noisewarden.demo.boxes import DemoBox
from noisewarden.demo.door import Door
from noisewarden.stages import STAGES

PANELS_MOST = 8
"""More boxes get a line each."""

LOOK = (
    "Green numbers are within the limit. Two dance groups raise each other: red, then a reminder.",
    "Reminder: the number is red for all to see. 20 s of it, and the spotlight is lit.",
    "Spotlight. On the page, open the incident and take it; the case file begins there.",
    "Referral: two minutes over the limit. The page puts this box first, for an officer to go.",
)
"""What to look at, by the highest stage."""
TRY = "On the page of a box, light its lamp or send a text: it is on the matrix here in a second."

_COLOURS = {"green": "bold green", "red": "bold red", "off": "dim"}
_STAGE_STYLES = ("green", "yellow", "bold yellow", "bold red")
_PANEL_WIDTH = 40
_CHANGES = 3


def stage(box: DemoBox) -> int:
    """0 while nothing is heard of it."""
    return box.seen.reading["stage"] if box.seen and box.seen.reading else 0


def held(box: DemoBox) -> str:
    """What the station has of it on disk."""
    counts = box.seen.records if box.seen else {}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "none yet"


def _level(box: DemoBox) -> tuple[str, str]:
    """LAeq,1s, and its style."""
    reading = box.seen.reading if box.seen else None
    if not reading or reading["laeq"] is None:
        return "   --", "dim"
    return f"{reading['laeq']:5.1f}", _COLOURS[reading["colour"]]


def _panel(box: DemoBox) -> Panel:
    lines = [box.screen.text()]
    reading = box.seen.reading if box.seen else None
    if reading:
        lines.append(Text.assemble("LAeq,1s ", _level(box), f" dB  limit {reading['limit']}"))
        flags = "  " + " ".join(reading["flags"])
        lines.append(
            Text.assemble("stage ", (STAGES[stage(box)], _STAGE_STYLES[stage(box)]), flags)
        )
    else:
        lines.append(Text(box.seen.reason if box.seen else "starts", style="dim"))
        lines.append(Text())
    lines.append(Text(f"records at the station: {held(box)}", style="cyan"))
    return Panel(Group(*lines), title=box.name, subtitle=box.place[:34], width=_PANEL_WIDTH)


def _row(box: DemoBox) -> Text:
    return Text.assemble(
        f"{box.name:15} ",
        _level(box),
        " ",
        (f"{STAGES[stage(box)]:9}", _STAGE_STYLES[stage(box)]),
        ("☀" if box.screen.lamp else " ", "bold bright_yellow"),
    )


class Terminal:
    """All boxes, redrawn in place."""

    def __init__(self, console: Console, boxes: Sequence[DemoBox], door: Door) -> None:
        self._console = console
        self._boxes = boxes
        self._door = door

    def shown(self) -> AbstractContextManager[object]:
        return Live(console=self._console, refresh_per_second=8, get_renderable=self._draw)

    def changed(self) -> None:
        """The next redraw shows it."""

    def _draw(self) -> RenderableType:
        few = len(self._boxes) <= PANELS_MOST
        parts = [_panel(box) if few else _row(box) for box in self._boxes]
        heard = sum(1 for box in self._boxes if box.seen and box.seen.reading)
        records = sum(sum(box.seen.records.values()) for box in self._boxes if box.seen)
        lost = sum(box.lost_frames for box in self._boxes)
        changes = [f"{box.name} {change}" for box in self._boxes for change in box.changes]
        return Group(
            Text.assemble("page  ", (self._door.url, "bold underline"), "  (works once)"),
            Text(LOOK[max(map(stage, self._boxes))], style="bold"),
            Text(TRY),
            Columns(parts),
            Text(
                f"{heard} of {len(self._boxes)} boxes heard, {records} records on disk, "
                f"{lost} samples lost. Ctrl-C ends it.",
                style="dim",
            ),
            *(Text(change, style="dim") for change in changes[-_CHANGES:]),
        )


class Lines:
    """Without a terminal: a line for each change of stage or lamp, and every tenth second."""

    def __init__(self, boxes: Sequence[DemoBox], door: Door) -> None:
        self._boxes = boxes
        self._told: dict[str, tuple[int, bool, int]] = {}
        click.echo(f"page  {door.url}  (works once)")
        for line in (*LOOK, TRY):
            click.echo(f"      {line}")

    def shown(self) -> AbstractContextManager[object]:
        return nullcontext()

    def changed(self) -> None:
        for box in self._boxes:
            if box.seen and box.seen.reading:
                self._tell(box, box.seen.reading)

    def _tell(self, box: DemoBox, reading: dict) -> None:
        now = (reading["stage"], box.screen.lamp, reading["n"] // 10)
        if self._told.get(box.name) == now:
            return
        self._told[box.name] = now
        click.echo(
            f"{box.name} {reading['n']:4} s  shows {reading['shown']:>3} {reading['colour']:5} "
            f"LAeq {_level(box)[0]}  {STAGES[reading['stage']]:9} "
            f"lamp {'lit ' if box.screen.lamp else 'dark'}  records {held(box)}"
        )
