"""`noisewarden flash`: MicroPython onto a bare board."""

import json
import time
from pathlib import Path
from typing import Any

import click

from noisewarden import boards, ports
from noisewarden.bench import image
from noisewarden.bench.flash import AS_IT_WAS, WRITTEN, Loader
from noisewarden.commands import options
from noisewarden.commands.progress import progress
from noisewarden.errors import UserError


@click.command()
@click.option(
    "--port", metavar="PORT", help="Serial port of the board; found by its USB id without it."
)
@options.board_there
@click.option(
    "--image",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A MicroPython image; without it the one that the board file pins.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(port: str | None, name: str, file: Path | None, as_json: bool) -> None:
    """Erase a board and write MicroPython onto it.

    Chip, flash size and MAC address are read and compared with the board file before anything is
    touched. Then ALL THAT IS ON THE BOARD goes, its journal too: collect that first. Ctrl-C says
    how the board is left; flash one again that is half written.

    \b
    noisewarden flash --board esp32-devkitc
    noisewarden flash --board esp32-devkitc --port /dev/ttyUSB0 --image ESP32_GENERIC.bin
    """
    board = boards.load(name)
    if "image" not in board:
        raise UserError(f"{name}: has no flash to write; run it with noisewarden box")
    loader = Loader(port or ports.find(board), board)
    try:
        _flash(loader, _wanted(board, file), board, as_json)
    except KeyboardInterrupt:
        cure = "" if loader.state in (AS_IT_WAS, WRITTEN) else "; run flash again"
        click.echo(f"{loader.port}: {loader.state}{cure}", err=True)
        raise click.Abort from None


def _wanted(board: dict[str, Any], file: Path | None) -> image.Image:
    if file:
        return image.from_file(file, board)
    with progress("downloading", None, "bytes") as advance:
        return image.pinned(board, advance)


def _flash(loader: Loader, wanted: image.Image, board: dict[str, Any], as_json: bool) -> None:
    started_at = time.monotonic()
    with loader:
        with progress("connecting", None, ""):
            loader.connect()
        found = loader.found
        for warning in filter(None, (wanted.warning, loader.check(wanted))):
            click.echo(f"warning: {warning}", err=True)
        if not as_json:
            click.echo(
                f"{loader.port}: {found.title}, {found.flash_mb} MB of flash, MAC {found.mac}"
            )
        with progress("erasing", None, ""):
            loader.erase()
        with progress("writing", 100, "%") as advance:
            loader.write(wanted, advance)
    seconds = round(time.monotonic() - started_at, 1)
    if as_json:
        report = {
            "port": loader.port,
            "board": board["board"],
            "chip": found.chip,
            "revision": f"{found.revision // 100}.{found.revision % 100}",
            "mac": found.mac,
            "flash_mb": found.flash_mb,
            "image": wanted.name,
            "sha256": wanted.sha256,
            "bytes": len(wanted.data),
            "stub": loader.stub,
            "seconds": seconds,
        }
        click.echo(json.dumps(report))
        return
    click.echo(
        f"{wanted.name}: written and verified in {seconds:.0f} s; "
        f"next: noisewarden deploy --port {loader.port} --board {board['board']}"
    )
