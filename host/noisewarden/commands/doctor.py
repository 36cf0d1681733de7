"""`noisewarden doctor`: what is wrong with a box on USB, and what to do about it."""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import closing

import click

from noisewarden import boards
from noisewarden.bench.doctor.check import Check
from noisewarden.bench.doctor.examination import GROUPS, Examination
from noisewarden.bench.doctor.technician import Nobody, Technician

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "skip": "blue"}
_NAME_CHARS = 12


class AtTheTerminal:
    """A technician who is asked on the error stream, so that output can be piped."""

    there = True

    def ask(self, question: str, answers: Mapping[str, str]) -> str:
        _show_step("")
        click.echo(err=True)
        for key, meaning in answers.items():
            click.echo(f"      {key:3} {meaning}", err=True)
        return click.prompt(
            question,
            type=click.Choice(list(answers)),
            show_choices=False,
            prompt_suffix=" ",
            err=True,
        )

    def ready(self, request: str) -> None:
        _show_step("")
        text = f"\nPress Enter, and {request}."
        click.prompt(text, default="", show_default=False, prompt_suffix=" ", err=True)


@click.command(short_help="Examine a box on USB; each failure comes with its cure.")
@click.option(
    "--port",
    metavar="PORT",
    help="Serial port of the box; without it, found by the USB ids of the boards.",
)
@click.option(
    "--board",
    "name",
    metavar="NAME",
    help="Which board it should be (see noisewarden boards); without it, the one it says it is.",
)
@click.option(
    "--only",
    "groups",
    type=click.Choice(GROUPS),
    multiple=True,
    help="Only this group; can be given again.",
)
@click.option("--unattended", is_flag=True, help="Ask nobody: leave out what only eyes can tell.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    port: str | None, name: str | None, groups: tuple[str, ...], unattended: bool, as_json: bool
) -> None:
    """Examine a box on USB: each line passes, warns or fails, with its cure.

    \b
    port      which one, and the rights to it
    chip      does it start, and is it the one of the board file
    firmware  MicroPython, the firmware with every file, the board file
    show      colours and order of the matrix, the spotlight's relay: you are asked what you see
    network   WiFi, the station and its certificate, from the box and from here
    sound     wiring and noise floor of the microphone in a quiet room, and a clap of yours
    room      clock, memory, flash, journal, calibration, secret

    The box is stopped once, and runs again at the end; with `--only sound` it is not stopped. A
    clock that is not right is set. The spotlight is lit only if you are there to be asked. Ctrl-C
    says how the box is left. It ends with 1 when a line fails.

    \b
    noisewarden doctor
    noisewarden doctor --port /dev/ttyUSB0 --board esp32-devkitc
    noisewarden doctor --only sound --unattended --json
    """
    board = boards.load(name) if name else None
    there = sys.stdin.isatty() and sys.stderr.isatty() and not unattended
    technician: Technician = AtTheTerminal() if there else Nobody()
    examination = Examination(port, board, technician, groups or GROUPS, _show_step)
    checks: list[tuple[str, Check]] = []
    try:
        with closing(examination.run()) as lines:
            for group, check in lines:
                checks.append((group, check))
                _show_step("")
                if not as_json:
                    _show(check)
    except (KeyboardInterrupt, click.Abort):
        click.echo(f"\n{examination.port or 'no port'}: stopped; {examination.standing}", err=True)
        sys.exit(130)
    counts = Counter(check.state for _, check in checks)
    if as_json:
        _print_json(examination, checks)
    else:
        told = ", ".join(f"{counts[state]} {state}" for state in _COLOURS if counts[state])
        click.echo(f"\n{examination.box or 'the box'}: {told}; {examination.standing}")
    sys.exit(1 if counts["fail"] else 0)


def _show_step(step: str) -> None:
    """A line that the next one takes the place of."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{step and f'… {step}'}", err=True, nl=False)


def _show(check: Check) -> None:
    state = click.style(check.state, fg=_COLOURS[check.state], bold=check.state == "fail")
    click.echo(f"{state}  {check.name:{_NAME_CHARS}} {check.found}")
    if check.cure:
        click.echo(f"{'':{6 + _NAME_CHARS}} → {check.cure}")


def _print_json(examination: Examination, checks: list[tuple[str, Check]]) -> None:
    report = {
        "port": examination.port,
        "board": examination.board["board"] if examination.board else None,
        "box": examination.box or None,
        "standing": examination.standing,
        "checks": [{"group": group} | check.as_json() for group, check in checks],
    }
    click.echo(json.dumps(report, ensure_ascii=False))
