"""`noisewarden box`: one virtual box by itself."""

import secrets
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from noisewarden.commands import options
from noisewarden.errors import UserError
from noisewarden.virtual import flash, sources
from noisewarden.virtual.fast import BoxStopped, run_fast
from noisewarden.virtual.replay import virtual_board
from noisewarden.virtual.screen import Screen
from noisewarden.virtual.sources import Source
from noisewarden.virtual.supervisor import Event, VirtualBox


@click.command(short_help="One virtual box by itself, with a serial port of its own.")
@click.option("--wav", type=click.Path(path_type=Path), metavar="FILE", help="Play a recording.")
@click.option("--scene", metavar="NAME", help="Play a scene: square, night, building, rain.")
@click.option(
    "--stdin",
    "bits",
    type=click.Choice(["16", "32"]),
    help="Hear raw stereo PCM at 48 kHz of 16 or 32 bits from standard input.",
)
@click.option("--loop", is_flag=True, help="Play the recording over and over.")
@click.option(
    "--fast", is_flag=True, help="As fast as it can, without a port: prints its console."
)
@options.state
@options.board
@options.limit
@options.sensitivity
@options.config_file
def command(
    wav: Path | None,
    scene: str | None,
    bits: str | None,
    loop: bool,
    fast: bool,
    state: Path | None,
    board: str,
    limit: int | None,
    sensitivity: float | None,
    config_path: Path | None,
) -> None:
    """One virtual box: the firmware of a real one, with a serial port of its own.

    Plays the scene `square` unless told otherwise, shows its matrix and lamp here, and can be used
    like a board on USB from another terminal: its port is printed at the start. Ctrl-C ends it;
    with --state it goes on from there the next time.

    \b
    noisewarden box --scene night
    noisewarden box --wav street.wav --fast
    arecord -t raw -f S32_LE -r 48000 -c 2 | noisewarden box --stdin 32
    """
    source = _source(wav, scene, bits, loop)
    config = options.read_config(config_path, limit)
    board_json = virtual_board(board, sensitivity)
    with ExitStack() as stack:
        folder = state or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="noisebox-"))
        )
        prepare(folder, board_json, config)
        if fast:
            _run_fast(folder, source)
        else:
            _run(folder, board_json, source)


def prepare(state: Path, board: dict[str, Any], config: dict[str, Any]) -> None:
    """A state folder with firmware, board, config and, on the first start, a secret."""
    try:
        flash.fill(state / "flash", board, config or None)
        secret = state / "flash" / "secret.bin"
        if not secret.exists():
            secret.write_bytes(secrets.token_bytes(32))
    except OSError as error:
        raise UserError(
            f"{state}: cannot hold a box ({error.strerror}); choose another folder"
        ) from None


def _source(wav: Path | None, scene: str | None, bits: str | None, loop: bool) -> Source:
    if sum(choice is not None for choice in (wav, scene, bits)) > 1:
        raise click.UsageError("give one of --wav, --scene and --stdin")
    if loop and not wav:
        raise click.UsageError("--loop goes with --wav; a scene repeats by itself")
    if wav:
        return sources.recording(wav, loop)
    if bits:
        return sources.standard_input(int(bits))
    return sources.scene(scene or "square")


def _run_fast(state: Path, source: Source) -> None:
    if not source.ends:
        raise click.UsageError("--fast needs sound that ends: --wav without --loop, or --stdin")
    try:
        for line in run_fast(state / "flash", source.frames(), unix_s=int(time.time())):
            click.echo(line)
    except BoxStopped as error:
        raise UserError(f"the virtual box stopped: {error}") from error


def _run(state: Path, board: dict[str, Any], source: Source) -> None:
    console = Console(highlight=False)
    screen = Screen(board)
    view = _Live(console, screen) if console.is_terminal else _Lines(screen)
    with VirtualBox(
        state, source.frames(), board=board, unix_s=int(time.time()), on_event=view.take
    ) as box:
        console.print(f"box on {box.port} hears {source.name}; Ctrl-C ends it")
        console.print(f"  noisewarden collect --port {box.port} --csv records.csv", style="dim")
        console.print(f"  mpremote connect {box.port} fs ls", style="dim")
        with view:
            box.wait()
        feeder = box.feeder
        console.print(f"{feeder.offered} frames heard, {feeder.dropped} lost")


class _Live:
    """The matrix as it is, redrawn in place."""

    def __init__(self, console: Console, screen: Screen) -> None:
        self._screen = screen
        self._live = Live(Text(), console=console, auto_refresh=False)

    def take(self, event: Event) -> None:
        if self._screen.take(event):
            self._live.update(self._screen.text(), refresh=True)

    def __enter__(self) -> None:
        self._live.start()

    def __exit__(self, *_: object) -> None:
        self._live.stop()


class _Lines:
    """Without a terminal: a line for each change of the lamp."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def take(self, event: Event) -> None:
        if self._screen.take(event) and event["event"] == "relay":
            click.echo(f"{event['t'] / 1000:8.1f} s  spotlight {'lit' if event['on'] else 'dark'}")
            sys.stdout.flush()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass
