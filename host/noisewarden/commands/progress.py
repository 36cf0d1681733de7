"""Progress of long work, on the terminal's error stream so that output can be piped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
    """A bar for `total` steps of `unit`; yields the function that advances it. Silent without a
    terminal."""
    console = Console(stderr=True)
    counted = [MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn()] if total else []
    with Progress(
        TextColumn(what),
        BarColumn(),
        *counted,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)
