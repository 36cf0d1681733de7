"""The demo in a terminal: what each box shows, and what the station has of it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from noisewarden.demo.boxes import Box, DemoBox
from noisewarden.demo.door import Door
from noisewarden.stages import STAGES

PANELS_MOST = 8
"""More boxes get a line each."""

LOOK = (
    "Green is within the limit. Two dance groups raise each other: red will come.",
    "Reminder: the number is red for all to see. 20 s of it, and the lamp is lit.",
    "Spotlight. On the page, take the incident; what you do goes into its file.",
    "Referral: two minutes over. The page puts this box first, for an officer.",
)
"""What to look at, by the highest stage."""
TRY = "On the page of a box, send a text or light the lamp: it is here in a second."

_COLOURS = {"green": "bold green", "red": "bold red", "off": "dim"}
_STAGE_STYLES = ("green", "yellow", "bold yellow", "bold red")
_PANEL_WIDTH = 36
_PLACE_CHARS = _PANEL_WIDTH - 6
_CHANGES = 3


def total(boxes: Sequence[Box]) -> str:
    """All of them in a line."""
    real = [box for box in boxes if isinstance(box, DemoBox)]
    heard = sum(box.reading is not None for box in boxes)
    records = [box.seen.records for box in boxes if box.seen]
    count = sum(sum(states.values()) for states in records)
    verified = sum(states["verified"] for states in records)
    simulated = len(boxes) - len(real)
    return (
        f"{len(boxes)} boxes"
        + (f" ({len(real)} run the firmware, {simulated} are simulated)" if simulated else "")
        + f", {heard} heard now. {count} records on the station's disk, {verified} verified. "
        + f"{sum(box.lost_samples for box in real)} samples lost."
    )


def result(box: Box) -> str:
    """What became of it, in a line."""
    stages = "; ".join(change.strip() for change in box.changes) or "no change of stage"
    return f"{box.name} ({box.place}): {stages}. Records at the station: {box.records}."


def _level(reading: dict[str, Any] | None) -> tuple[str, str]:
    """LAeq,1s, and its style."""
    if not reading or reading["laeq"] is None:
        return "   --", "dim"
    return f"{reading['laeq']:5.1f}", _COLOURS[reading["colour"]]


def _stage(box: Box) -> tuple[str, str]:
    return f"{STAGES[box.stage]:9}", _STAGE_STYLES[box.stage]


def _panel(box: DemoBox) -> Panel:
    reading = box.reading
    if reading:
        told = [
            Text.assemble("LAeq,1s ", _level(reading), f" dB  limit {reading['limit']}"),
            Text.assemble("stage ", _stage(box), (" ".join(reading["flags"]), "yellow")),
        ]
    else:
        told = [Text(box.seen.reason if box.seen else "starts", style="dim"), Text()]
    told.append(Text(f"records at the station: {box.records}", style="cyan"))
    return Panel(
        Group(box.screen.text(), *told),
        title=box.name,
        subtitle=box.place[:_PLACE_CHARS],
        width=_PANEL_WIDTH,
    )


def _row(box: Box) -> Text:
    lit = isinstance(box, DemoBox) and box.screen.lamp
    return Text.assemble(
        (f"{box.name:16}", "" if isinstance(box, DemoBox) else "dim"),
        _level(box.reading),
        " ",
        _stage(box),
        ("☀" if lit else " ", "bold bright_yellow"),
    )


class Terminal:
    """All boxes, redrawn in place."""

    def __init__(self, boxes: Sequence[Box], door: Door) -> None:
        self._boxes = boxes
        self._door = door

    def shown(self, console: Console) -> AbstractContextManager[object]:
        return Live(console=console, refresh_per_second=8, get_renderable=self._draw)

    def changed(self) -> None:
        """The next redraw shows it."""

    def _draw(self) -> RenderableType:
        boxes = self._boxes
        few = len(boxes) <= PANELS_MOST
        parts = [_panel(box) if few and isinstance(box, DemoBox) else _row(box) for box in boxes]
        changes = [f"{box.name} {change}" for box in boxes for change in box.changes]
        return Group(
            Text.assemble("page  ", (self._door.url, "bold underline"), "  (works once)"),
            Text(LOOK[max(box.stage for box in boxes)], style="bold"),
            Text(TRY),
            Columns(parts),
            Text(f"{total(boxes)} Ctrl-C ends it.", style="dim"),
            *(Text(change, style="dim") for change in changes[-_CHANGES:]),
        )


class Lines:
    """Without a terminal: a line for each change of stage or lamp, and every tenth second."""

    def __init__(self, boxes: Sequence[Box], door: Door) -> None:
        self._boxes = [box for box in boxes if isinstance(box, DemoBox)]
        self._told: dict[str, tuple[int, bool, int]] = {}
        click.echo(f"page  {door.url}  (works once)")
        for line in (*LOOK, TRY):
            click.echo(f"      {line}")

    def shown(self, console: Console) -> AbstractContextManager[object]:
        return nullcontext()

    def changed(self) -> None:
        for box in self._boxes:
            if box.reading:
                self._tell(box, box.reading)

    def _tell(self, box: DemoBox, reading: dict[str, Any]) -> None:
        now = (reading["stage"], box.screen.lamp, reading["n"] // 10)
        if self._told.get(box.name) == now:
            return
        self._told[box.name] = now
        click.echo(
            f"{box.name} {reading['n']:4} s  shows {reading['shown']:>3} {reading['colour']:5} "
            f"LAeq {_level(reading)[0]}  {STAGES[reading['stage']]:9} "
            f"lamp {'lit ' if box.screen.lamp else 'dark'}  records {box.records}"
        )
