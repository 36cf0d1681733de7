"""`noisewarden deploy`: the firmware onto a board, as MicroPython takes it."""

import json
import sys
import time
from dataclasses import asdict

import click

from noisewarden import boards
from noisewarden.bench.deploy import Deployment, Report
from noisewarden.bench.manifest import bundle
from noisewarden.bench.tools import TOOLS
from noisewarden.commands import options
from noisewarden.commands.progress import progress


@click.command(short_help="Bring the firmware onto a board that runs MicroPython.")
@options.port
@options.board_there
@click.option(
    "--tool",
    type=click.Choice(list(TOOLS)),
    default="mpremote",
    show_default=True,
    help="ampy is slow, for ports on which mpremote does not work.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(port: str, name: str, tool: str, as_json: bool) -> None:
    """Bring the firmware onto a board that runs MicroPython (noisewarden flash puts that there).

    Sends only what differs, checks on the box that all of it arrived, and starts the box. However
    it is interrupted, by Ctrl-C say, the box starts a whole version, the old or the new. Its
    configuration, secret, calibration and journal stay.

        noisewarden deploy --port /dev/ttyUSB0 --board esp32-devkitc
    """
    began = time.monotonic()
    board = boards.load(name)
    files = bundle(board)
    deployment = Deployment(TOOLS[tool](port), board, files)
    try:
        with progress("deploy", len(files) + 1, "files") as advance:
            report = deployment.run(advance)
    except KeyboardInterrupt:
        click.echo(f"{port}: stopped; {deployment.leave()}", err=True)
        sys.exit(130)
    if as_json:
        result = {"port": port, "board": name, "seconds": round(time.monotonic() - began, 1)}
        click.echo(json.dumps(result | asdict(report)))
    else:
        click.echo(_told(port, name, report))


def _told(port: str, name: str, report: Report) -> str:
    done = (
        f"{len(report.sent)} files sent, {report.unchanged} as they were"
        if report.sent
        else "nothing to send"
    )
    removed = f", {len(report.removed)} removed" if report.removed else ""
    firmware = f" firmware {report.firmware}" if report.firmware else ""
    return (
        f"{report.box} on {port}: {done}{removed}; runs{firmware} "
        f"on MicroPython {report.micropython}, board {name}"
    )
