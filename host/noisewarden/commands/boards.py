"""`noisewarden boards`: which boards there are, how one is wired, whether a file is right."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from noisewarden import board_rules, boards


@click.command(
    name="boards", short_help="List the boards, show how one is wired, check a board file."
)
@click.argument("name", required=False)
@click.option(
    "--check", "file", type=click.Path(path_type=Path), metavar="FILE", help="Check a board file."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, file: Path | None, as_json: bool) -> None:
    """List the boards, show how NAME is wired, or check a board file of your own.

    A new board is a copy of a file in boards/ with its own pins, checked before it is used:

        noisewarden boards --check my-board.toml
    """
    if name and file:
        raise click.UsageError("give a NAME or --check FILE, not both")
    if file:
        sys.exit(_check(file, as_json))
    elif name:
        _show(boards.load(name), as_json)
    else:
        _list(as_json)


def _list(as_json: bool) -> None:
    every = boards.load_all()
    if as_json:
        click.echo(json.dumps(every, ensure_ascii=False))
        return
    width = max(len(board["board"]) for board in every)
    for board in every:
        click.echo(f"{board['board']:{width}}  {board['title']}")


def _show(board: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(board | {"for_box": boards.for_box(board)}, ensure_ascii=False))
        return
    matrix = board["matrix"]
    microphone = boards.microphones()[board["microphone"]]
    click.echo(f"{board['board']}: {board['title']}, {board['flash_mb']} MB flash")
    click.echo(
        f"matrix {matrix['width']} × {matrix['height']}, at most {matrix['budget_ma']} mA at 5 V"
    )
    click.echo()
    for signal, place in wiring(board):
        click.echo(f"  {signal:9}{place}")
    notes = [board.get("note", ""), microphone.get("align", "")]
    for note in filter(None, notes):
        click.echo(f"\nNote: {' '.join(note.split())}")
    findings = board_rules.check(board, boards.microphones())
    for line in _lines(findings, board["board"], warnings=True):
        click.echo(f"\nWarning: {line}")


def wiring(board: dict[str, Any]) -> list[tuple[str, str]]:
    """What each pin goes to, for the technician's bench: ("GPIO 26", "microphone SCK") …"""
    high = board["relay"]["active_high"]
    # Until the firmware runs the pins float, and the lamp must stay off.
    pull = "10 kΩ to GND" if high else "10 kΩ to 3.3 V"
    places = {
        "sck": "microphone SCK (BCLK)",
        "ws": "microphone WS (LRCL)",
        "sd": "microphone SD (DOUT), and 100 kΩ to GND",
        "matrix": "matrix DIN, through a 3.3 to 5 V level shifter and 330 Ω",
        "relay": f"relay IN, on when {'high' if high else 'low'}, and {pull}",
        "button": "push button to GND: held at power-up, it starts the safe mode",
        "led": "status LED through 1 kΩ to GND",
    }
    pins = [(f"GPIO {pin}", places[role]) for role, pin in board["pins"].items()]
    return [*pins, ("3.3 V", "microphone VDD"), ("GND", "microphone GND and L/R (SEL): left slot")]


def _check(file: Path, as_json: bool) -> int:
    """Prints all that is wrong with a board file, or risky; exit code 0 when it can be used."""
    _, findings = boards.read(file)
    problems = _lines(findings, file.name, warnings=False)
    warnings = _lines(findings, file.name, warnings=True)
    if as_json:
        report = {"file": str(file), "problems": problems, "warnings": warnings}
        click.echo(json.dumps(report, ensure_ascii=False))
    else:
        for line in problems:
            click.echo(line)
        for line in warnings:
            click.echo(f"warning: {line}")
        if not problems:
            click.echo(f"{file.name}: can be used")
    return 1 if problems else 0


def _lines(findings: list[board_rules.Finding], file: str, warnings: bool) -> list[str]:
    return [finding.line(file) for finding in findings if finding.warning == warnings]
