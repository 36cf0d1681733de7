"""`noisewarden calibrate`: a box beside a reference, from the first sound to a certificate."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from noisewarden import boards
from noisewarden.bench import calibrating, noise, references
from noisewarden.bench.calibration import acceptance, procedure, result
from noisewarden.bench.calibration.result import Check, Result, Subject
from noisewarden.bench.certificate import Folder
from noisewarden.bench.certificate.texts import LANGUAGES, local_language
from noisewarden.bench.meters import gm1356, typed, xl2_serial
from noisewarden.bench.meters.calibrator import Calibrator
from noisewarden.bench.meters.protocol import STANDARD_UNCERTAINTY_DB, Papers
from noisewarden.bench.references import Reference
from noisewarden.bench.sitting import Sitting
from noisewarden.commands import options
from noisewarden.commands.person import Person
from noisewarden.console import Console
from noisewarden.errors import UserError

_PATH = click.Path(path_type=Path)
_TEXT: dict[str, Any] = {"type": options.Text(), "default": ""}
_LOW = "the low sound (low-noise.wav) at 60 to 75 dB(A)"
_STEADY = "a steady sound well above all others, the meter on A weighting"
_TONE = "the calibrator on the box's microphone"


class Levels(click.ParamType):
    """55,65,70,75,85: enough levels, far enough apart."""

    name = "levels"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...]:
        if not isinstance(value, str):
            return value
        try:
            levels = tuple(float(text) for text in value.split(","))
        except ValueError:
            raise click.BadParameter(f"{value}: not levels; write 55,65,70,75,85") from None
        least, span_db = acceptance.LEVELS_LEAST, acceptance.SPAN_LEAST_DB
        if len(set(levels)) < least or max(levels) - min(levels) < span_db:
            raise click.BadParameter(f"{value}: name at least {least} over {span_db:g} dB")
        if not all(30 <= level <= 120 for level in levels):
            raise click.BadParameter(f"{value}: levels are from 30 to 120 dB")
        return levels


@click.command(short_help="Calibrate a box against a reference meter, or check it.")
@click.option("--port", metavar="PORT", help="Serial port of the box: /dev/ttyUSB0, COM3 …")
@click.option("--typed", "read_off", is_flag=True, help="Reference: you type what a meter shows.")
@click.option(
    "--log",
    type=_PATH,
    metavar="FILE",
    help="Reference: what a meter logs meanwhile, LAeq each second; wanted at the end.",
)
@click.option("--xl2", metavar="PORT", help="Reference: an NTi XL2 on this serial port.")
@click.option("--gm1356", "usb", is_flag=True, help="Reference: a Benetech GM1356 on USB.")
@click.option(
    "--calibrator",
    type=options.Number(93, 115),
    metavar="DB",
    help="Reference of a check: a calibrator of 1 kHz, its level as certified, near 94 or 114.",
)
@click.option("--meter", **_TEXT, metavar="NAME", help="Its make and type, if it cannot tell.")
@click.option("--serial", **_TEXT, metavar="NO", help="Its serial number, if it cannot tell.")
@click.option("--certificate", **_TEXT, metavar="NO", help="Number of its certificate.")
@click.option(
    "--uncertainty",
    type=options.Number(0, 5, min_open=True),
    metavar="DB",
    help="Its expanded uncertainty (k = 2), as its certificate states it.",
)
@click.option(
    "--class", "grade", type=click.Choice(["1", "2"]), help="Its class, without such a figure."
)
@click.option("--technician", **_TEXT, metavar="NAME", help="Who calibrates.")
@click.option("--place", **_TEXT, metavar="TEXT", help="Where, and what the air is like.")
@click.option(
    "--levels",
    type=Levels(),
    default=",".join(map(str, procedure.LEVELS_DB)),
    show_default=True,
    metavar="DB,…",
    help="Levels of pink noise, dB(A).",
)
@click.option(
    "--rounds",
    type=options.Whole(1, 5),
    default=2,
    show_default=True,
    metavar="N",
    help="Takes of each.",
)
@click.option(
    "--certificates",
    type=_PATH,
    default="certificates",
    show_default=True,
    metavar="DIR",
    help="Where certificates go.",
)
@click.option(
    "--language", type=click.Choice(LANGUAGES), help="Of the certificate; that of this computer."
)
@click.option("--check", is_flag=True, help="A spot check: one minute at one level.")
@click.option("--write-noise", type=_PATH, metavar="DIR", help="Only write the sounds as WAV.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    port: str | None,
    read_off: bool,
    log: Path | None,
    xl2: str | None,
    usb: bool,
    calibrator: float | None,
    meter: str,
    serial: str,
    certificate: str,
    uncertainty: float | None,
    grade: str | None,
    technician: str,
    place: str,
    levels: tuple[float, ...],
    rounds: int,
    certificates: Path,
    language: str | None,
    check: bool,
    write_noise: Path | None,
    as_json: bool,
) -> None:
    """Calibrate a box against a reference meter, or check a calibrated one.

    \b
    Before: --write-noise makes two WAV files, to be played through a loudspeaker.
    Place:  a quiet room. The microphones of box and meter side by side, less than 10 cm
            apart, 1 m from the loudspeaker. The meter on A weighting, its calibrator
            used just before.
    Then:   run this with the box on USB. It names each level; turn the sound to it,
            press Enter, keep still for 10 s and a minute. A level that wanders, or that
            the box flags, is refused and asked again. At the end comes the low sound,
            which proves that the meter is on A; one that tells its weighting needs none.
    After:  an accepted box has its offset, and its certificate lies in --certificates,
            as JSON, HTML and PDF. Of a box that is refused there is a report, and
            nothing is written into it. Ctrl-C at any time leaves it as it was.

    With --check a calibrated box is compared for one minute, on its pole say: up to 0.5 dB is
    good, above that a warning. Above 1.5 dB it is compared once more; if that says the same, the
    box is marked out of calibration, says so to the station and lights no lamp until it is
    calibrated, and this ends with 1.

    \b
    noisewarden calibrate --write-noise sounds
    noisewarden calibrate --port /dev/ttyUSB0 --xl2 /dev/ttyACM0 --certificate 2026-0815 \\
        --uncertainty 0.3 --technician "Bench 2" --place "bench, 23 °C, 45 %"
    noisewarden calibrate --port /dev/ttyUSB0 --typed --meter "Norsonic 131" --serial 1315421 \\
        --certificate 2026-0815 --class 1 --technician "Bench 2"
    noisewarden calibrate --port /dev/ttyUSB0 --check --calibrator 93.97 --serial 3412 --class 1
    """
    if write_noise:
        for path in noise.write(write_noise):
            click.echo(path)
        return
    sources = [read_off, log, xl2, usb, calibrator is not None]
    if sum(map(bool, sources)) != 1:
        raise click.UsageError(
            "name one reference: --typed, --log FILE, --xl2 PORT, --gm1356 or --calibrator DB"
        )
    if (uncertainty is None) == (grade is None):
        raise click.UsageError("say how good the reference is: --uncertainty DB or --class 1|2")
    if calibrator is not None and not check:
        raise click.UsageError("--calibrator goes with --check: it has not levels enough")
    if log and check:
        raise click.UsageError("--check needs a reference that tells at once, not --log")
    wanted = {"--port": port}
    if read_off or log:
        wanted["--meter"] = meter
    if not xl2:
        wanted["--serial"] = serial
    if not check:
        wanted |= {"--certificate": certificate, "--technician": technician}
    if missing := [option for option, value in wanted.items() if not value]:
        raise click.UsageError(f"{', '.join(missing)}: needed, so that it can be traced")
    standard_db = uncertainty / 2 if uncertainty else STANDARD_UNCERTAINTY_DB[int(grade or 0)]
    papers = Papers(certificate, serial, standard_db)
    steady = _TONE if calibrator is not None else _STEADY if check else _LOW
    person = Person(steady, read_off)
    with ExitStack() as stack:
        folder = None if check else Folder(certificates)
        if log:
            reference: Reference = references.Logged(papers, meter, person.log_at(log))
        elif read_off:
            reference = references.ReadOff(typed.Typed(meter, papers), person.level)
        elif calibrator is not None:
            reference = references.Coupled(Calibrator(calibrator, papers))
        else:
            live = xl2_serial.XL2(xl2, papers) if xl2 else gm1356.find(papers)
            reference = references.Live(stack.enter_context(closing(live)))
        with _held(port or "") as sitting:
            if folder is None:
                code = _check(sitting, reference, person, as_json)
            else:
                subject = _subject(sitting, technician, place)
                measured = calibrating.measure(sitting, reference, levels, rounds, person)
                for line in measured.left_out:
                    click.echo(f"left out: {line}", err=True)
                found = result.calibrate(subject, measured.points, measured.low)
                code = _conclude(sitting, found, folder, language or local_language(), as_json)
    sys.exit(code)


@contextmanager
def _held(port: str) -> Iterator[Sitting]:
    """However it ends, it is told what the box is left with."""
    with Console(port) as console:
        sitting = Sitting(console)
        try:
            with sitting:
                yield sitting
        except UserError as error:
            raise UserError(f"{error}; {sitting.left}") from None
        except (KeyboardInterrupt, click.Abort):
            click.echo(f"\n{sitting.box or port}: stopped; {sitting.left}", err=True)
            sys.exit(130)


def _subject(sitting: Sitting, technician: str, place: str) -> Subject:
    state = sitting.state
    return Subject(
        box=sitting.box,
        board=state["board"],
        serial=state.get("serial", ""),
        firmware=state["firmware"],
        microphone=boards.load(state["board"])["microphone"],
        offset_db=state["offset_db"],
        technician=technician,
        place=place,
        day=date.today(),
    )


def _conclude(
    sitting: Sitting, found: Result, folder: Folder, language: str, as_json: bool
) -> int:
    """Writes what is to be written; the exit code."""
    with folder.written(found, language) as written:
        if found.accepted:
            sitting.calibrate(found.for_box())
    paths = [str(path) for path in written]
    if as_json:
        click.echo(json.dumps(found.as_json() | {"files": paths}, ensure_ascii=False))
    elif found.accepted:
        click.echo(
            f"{sitting.box}: calibrated, offset {found.offset_db:+.2f} dB (change "
            f"{found.correction_db:+.2f} dB), U = {found.budget.expanded_db:.2f} dB (k = 2), "
            f"valid until {found.expires}"
        )
    else:
        for failure in found.failures:
            click.echo(f"refused: {failure.en}")
        click.echo(f"{sitting.box}: not calibrated; {sitting.left}")
    if not as_json:
        click.echo("\n".join(paths))
    return 0 if found.accepted else 1


def _check(sitting: Sitting, reference: Reference, person: Person, as_json: bool) -> int:
    until_s = sitting.state["calibrated_until"]
    if until_s <= time.time():
        last_day = datetime.fromtimestamp(until_s - 1, UTC).date()
        why = sitting.state["void"] or (
            f"its last day was {last_day}" if until_s else "it was never calibrated"
        )
        raise UserError(f"{sitting.box}: is out of calibration ({why}); calibrate it")
    found = calibrating.check(sitting, reference, person)
    if found.verdict == "out":
        by = found.points[0].instrument.name
        reason = f"drift {found.drift_db:+.1f} dB against {by}"
        sitting.void(reason[: result.TEXT_MOST_CHARS])
    if as_json:
        click.echo(json.dumps({"box": sitting.box} | found.as_json(), ensure_ascii=False))
    else:
        click.echo(_told(sitting.box, found))
    return 1 if found.verdict == "out" else 0


def _told(box: str, check: Check) -> str:
    shown = (
        f"{box}: reads {check.drift_db:+.2f} dB beside the reference, "
        f"U = {check.budget.expanded_db:.2f} dB (k = 2)"
    )
    return {
        "ok": f"{shown}: good",
        "warn": f"{shown}: warning, more than {result.WARN_DB:g} dB; calibrate it soon",
        "out": f"{shown}: more than {result.OUT_DB:g} dB, it is now marked out of calibration; "
        "calibrate it",
    }[check.verdict]
