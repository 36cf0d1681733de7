"""What stands on a certificate, in order; how it looks is the business of `html` and `pdf`."""

from dataclasses import dataclass
from datetime import datetime

from noisewarden.bench.calibration import acceptance, procedure, uncertainty
from noisewarden.bench.calibration.procedure import Point
from noisewarden.bench.calibration.result import Result
from noisewarden.bench.certificate import plot
from noisewarden.bench.certificate.numbers import plain, signed
from noisewarden.bench.certificate.texts import Texts

Row = tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    heading: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """`words`: the columns of words, all others hold numbers. `shares`: of the width, by column.
    `sums`: so many rows at the end are sums of the others."""

    heading: str
    columns: Row
    rows: tuple[Row, ...]
    shares: tuple[int, ...]
    words: tuple[int, ...] = (0,)
    sums: int = 0
    note: str = ""


@dataclass(frozen=True)
class Lines:
    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Plot:
    heading: str
    shapes: tuple[plot.Shape, ...]


Part = Facts | Table | Lines | Plot


@dataclass(frozen=True)
class Sheet:
    """`signatures`: what is to be signed, beside a line each."""

    language: str
    title: str
    of: str
    number: str
    accepted: bool
    statement: str
    parts: tuple[Part, ...]
    signatures: tuple[str, ...]


def sheet(result: Result, number: str, texts: Texts) -> Sheet:
    parts: list[Part] = [_instrument(result, texts), _outcome(result, texts)]
    if not result.accepted:
        lines = (getattr(failure, texts.language) for failure in result.failures)
        parts.append(Lines(texts("failures"), tuple(lines)))
    parts += [
        _references(result, texts),
        _points(result, texts),
        Plot(texts("plot"), tuple(plot.draw(result, texts))),
        _budget(result, texts),
    ]
    return Sheet(
        language=texts.language,
        title=texts("title" if result.accepted else "title refused"),
        of=texts("of"),
        number=texts("number", number),
        accepted=result.accepted,
        statement=texts("statement"),
        parts=tuple(parts),
        signatures=(texts("technician"), texts("checked")),
    )


def _instrument(result: Result, texts: Texts) -> Facts:
    subject = result.subject
    names = ("box", "board", "microphone", "serial", "firmware", "place")
    return Facts(
        texts("instrument"),
        tuple((texts(name), getattr(subject, name) or texts("none")) for name in names),
    )


def _outcome(result: Result, texts: Texts) -> Facts:
    repeatability_db = result.repeatability_db
    verdict = texts("accepted", acceptance.SLOPE_DB) if result.accepted else texts("refused")
    rows = [(texts("verdict"), verdict)]
    if result.accepted:
        rows.append((texts("offset"), f"{signed(result.offset_db, 3)} dB"))
    rows += [
        (texts("correction"), f"{signed(result.correction_db)} dB"),
        (texts("offset before"), f"{signed(result.subject.offset_db, 3)} dB"),
        (
            texts("expanded", uncertainty.COVERAGE_FACTOR),
            f"{plain(result.budget.expanded_db)} dB",
        ),
        (texts("slope"), f"{signed(result.slope_db)} dB"),
        (
            texts("repeatability"),
            texts("not repeated") if repeatability_db is None else f"{plain(repeatability_db)} dB",
        ),
        (texts("date"), result.subject.day.isoformat()),
    ]
    if result.accepted:
        rows.append((texts("expires"), result.expires.isoformat()))
    rows.append((texts("technician"), result.subject.technician))
    return Facts(texts("result"), tuple(rows))


def _references(result: Result, texts: Texts) -> Table:
    return Table(
        texts("references"),
        tuple(map(texts, ("meter", "meter serial", "certificate", "standard", "resolution"))),
        tuple(
            (
                used.meter,
                used.serial or texts("none"),
                used.certificate,
                f"{plain(used.uncertainty_db)} dB",
                f"{used.resolution_db:g} dB",
            )
            for used in result.instruments
        ),
        shares=(28, 22, 22, 16, 12),
        words=(0, 1, 2),
    )


def _points(result: Result, texts: Texts) -> Table:
    note = texts(
        "points note",
        settle=procedure.SETTLE_S,
        measure=procedure.MEASURE_S,
        wander=procedure.WANDER_DB,
    )
    low = result.low_point
    if low:
        note += " " + texts(
            "low point",
            difference=signed(low.difference_db),
            c_minus_a=signed(low.box_c_minus_a_db, 1),
        )
    names = (
        "nominal",
        "start",
        "reference level",
        "box level",
        "difference",
        "residual",
        "limit",
        "wander",
    )
    return Table(
        texts("points"),
        tuple(map(texts, names)),
        tuple(map(_point, result.points, result.residuals_db)),
        shares=(11, 12, 12, 15, 13, 11, 8, 18),
        words=(1,),
        note=note,
    )


def _point(point: Point, residual_db: float) -> Row:
    wander_db = point.reference_wander_db
    return (
        f"{point.level_db:g}",
        _local_time(point.started) if point.started else "",
        plain(point.reference_db),
        plain(point.box_db),
        signed(point.difference_db),
        signed(residual_db),
        f"±{acceptance.residual_most_db(point.level_db):g}",
        f"{'' if wander_db is None else plain(wander_db)} / {plain(point.box_wander_db)}",
    )


def _local_time(unix_s: int) -> str:
    """On this computer's clock."""
    return datetime.fromtimestamp(unix_s).strftime("%H:%M:%S")


def _budget(result: Result, texts: Texts) -> Table:
    named = {"count": len(result.points), "placement": uncertainty.PLACEMENT_DB}
    rows = [
        (
            texts.component(component.name),
            component.kind,
            texts.basis(component.name, **named),
            f"{plain(component.standard_db, 3)} dB",
        )
        for component in result.budget.components
    ]
    expanded = texts("expanded", uncertainty.COVERAGE_FACTOR)
    rows.append((texts("combined"), "", "", f"{plain(result.budget.combined_db, 3)} dB"))
    rows.append((expanded, "", "", f"{plain(result.budget.expanded_db)} dB"))
    return Table(
        texts("budget"),
        tuple(map(texts, ("component", "type", "basis", "standard"))),
        tuple(rows),
        shares=(34, 8, 38, 20),
        words=(0, 1, 2),
        sums=2,
        note=texts("budget note"),
    )
