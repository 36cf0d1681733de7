"""The technician of a calibration, at this terminal. All talk goes to the error stream."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from noisewarden.bench.calibration.procedure import Point, Progress
from noisewarden.bench.meters import typed
from noisewarden.errors import UserError


@dataclass
class Person:
    """`steady`: the sound of a level that has no number; `reads_off`: has to start the meter when
    the minute begins."""

    steady: str
    reads_off: bool

    def ready(self, level_db: float | None, of: str) -> None:
        sound = self.steady if level_db is None else f"pink noise at {level_db:g} dB(A)"
        meter = "; set the meter's LAeq back to nothing" if self.reads_off else ""
        self._ask(f"{of}: {sound}{meter}. Enter when it is steady")

    def again(self, problem: str) -> bool:
        return click.confirm(f"{problem}\nTry again?", default=True, err=True)

    def done(self, point: Point) -> None:
        click.echo(
            f"  box {point.box_db:.2f}  reference {point.reference_db:.2f}  "
            f"difference {point.difference_db:+.2f} dB",
            err=True,
        )

    def level(self) -> float:
        while True:
            try:
                return typed.level(self._ask("  LAeq that the meter shows, dB(A)"))
            except UserError as error:
                click.echo(f"  {error}", err=True)

    def log_at(self, path: Path) -> Callable[[str], Path]:
        """Asks for the file, as which `path` is proposed."""

        def ask(problem: str) -> Path:
            if problem:
                click.echo(problem, err=True)
            named = click.prompt(
                "End the meter's log and copy it here. Its file", default=str(path), err=True
            )
            return Path(named)

        return ask

    @contextmanager
    def watching(self) -> Iterator[Callable[[Progress], None]]:
        terminal = Console(stderr=True)
        with Bar(
            TextColumn("  {task.description:8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[levels]}"),
            console=terminal,
            transient=True,
            disable=not terminal.is_terminal,
        ) as bar:
            task = bar.add_task("", levels="")

            def show(progress: Progress) -> None:
                if self.reads_off and not progress.settling and progress.second == 1:
                    bar.console.print("  Start the meter's LAeq now, for 60 s.")
                bar.update(
                    task,
                    description="settling" if progress.settling else "measuring",
                    total=progress.of,
                    completed=progress.second,
                    levels=_levels(progress),
                )

            yield show

    def _ask(self, text: str) -> str:
        return click.prompt(text, default="", show_default=False, err=True)


def _levels(progress: Progress) -> str:
    def shown(level_db: float | None) -> str:
        return "--" if level_db is None else f"{level_db:.1f}"

    difference_db = progress.difference_db
    difference = "--" if difference_db is None else f"{difference_db:+.2f}"
    return (
        f"box {shown(progress.box_leq_db or progress.box_db)}  "
        f"reference {shown(progress.reference_leq_db or progress.reference_db)}  "
        f"difference {difference} dB"
    )
