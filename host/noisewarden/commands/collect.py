"""`noisewarden collect`: a box on USB into the station's store, or into a CSV."""

import json
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO, Any

import click

from noisewarden import records_csv
from noisewarden.chain import Keys
from noisewarden.collecting import Collector, Reading
from noisewarden.commands import options
from noisewarden.commands.progress import progress
from noisewarden.console import Console
from noisewarden.database import Database
from noisewarden.errors import UserError
from noisewarden.firmware import wire
from noisewarden.register import Register
from noisewarden.station import messages
from noisewarden.store import Store

_FILE = click.Path(path_type=Path)


@click.command()
@options.port
@click.option("--data", "folder", type=_FILE, metavar="DIR", help="Data folder of the station.")
@options.database
@click.option("--csv", "table", type=_FILE, metavar="FILE", help="A new CSV file.")
@click.option(
    "--secret",
    type=_FILE,
    metavar="FILE",
    help="The box's secret, 32 bytes or 64 hex digits, to verify that nobody changed a record; a "
    "station has the keys of its boxes.",
)
@click.option("--follow", is_flag=True, help="Go on with readings and new records until Ctrl-C.")
@click.option(
    "--seconds", type=options.Number(min=0), metavar="S", help="Follow for so long only."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a line a reading, a summary.")
def command(
    port: str,
    folder: Path | None,
    database_url: str | None,
    table: Path | None,
    secret: Path | None,
    follow: bool,
    seconds: float | None,
    as_json: bool,
) -> None:
    """Collect the records of a box on USB.

    Into the store of a station (--data, or --database once it has moved), to which each further
    collect adds what is new; or into a CSV (--csv), with all records of the box that the store
    holds, or without a store all that the box holds. Times in it are UTC. With --follow, readings
    go to FILE-readings.csv beside it.

    The box keeps its records. A clock that is not set, or off by more than 2 s, is set to the time
    of this computer. However it ends, by Ctrl-C too, what has come is kept.

    \b
    noisewarden collect --port /dev/ttyUSB0 --data station
    noisewarden collect --port /dev/ttyUSB0 --database postgresql+psycopg:///noisewarden
    noisewarden collect --port /dev/ttyUSB0 --csv records.csv --follow
    """
    if not folder and not database_url and not table:
        raise click.UsageError("say where to: --data DIR or --database URL, --csv FILE or both")
    if seconds is not None and not follow:
        raise click.UsageError("--seconds goes with --follow")
    known = read_secret(secret) if secret else None
    try:
        with _database(folder, database_url) as database:
            _collect(port, database, table, known, follow, seconds, as_json)
    except BrokenPipeError:
        raise
    except OSError as error:
        written = table or "the output"
        raise UserError(f"{written}: cannot be written ({error.strerror}); make room") from None


def _database(folder: Path | None, url: str | None) -> Database:
    if url:
        return Database(url)
    return Database.in_folder(folder) if folder else Database.in_memory()


def _collect(
    port: str,
    database: Database,
    table: Path | None,
    secret: bytes | None,
    follow: bool,
    seconds: float | None,
    as_json: bool,
) -> None:
    with ExitStack() as stack:
        store = Store(database)
        register = Register(database)

        def keys(box: str) -> Keys:
            if secret:
                return (wire.Key(wire.derive(secret, "journal")),)
            registered = register.get(box)
            return registered.journal_keys if registered else ()

        collector = Collector(stack.enter_context(Console(port)), store, keys)
        collector.attach()
        if table:
            file = stack.enter_context(records_csv.create(table))
            stack.callback(_write_records, file, store, collector.box)
        stack.callback(lambda: _report(collector.summary(), as_json))
        show = _listener(collector.box, table, as_json, stack) if follow else None
        with progress("collecting", collector.expected, "records") as advance:
            collector.collect(advance)
        if show:
            collector.follow(show, seconds)


def _write_records(file: IO[str], store: Store, box: str) -> None:
    with closing(store.records(box)) as rows:
        records_csv.write_records(file, rows)


def _listener(
    box: str, table: Path | None, as_json: bool, stack: ExitStack
) -> Callable[[Reading], None]:
    """Shows each reading, and writes it beside the CSV when there is one."""
    written = None
    if table:
        beside = table.with_name(f"{table.stem}-readings{table.suffix}")
        written = records_csv.Readings(stack.enter_context(records_csv.create(beside)))

    def show(reading: Reading) -> None:
        try:
            reading = messages.reading(reading)
        except ValueError:  # damaged on the wire, or of another firmware
            return
        if written:
            written.write(box, reading)
        click.echo(json.dumps({"box": box} | reading) if as_json else _line(reading))

    return show


def _line(reading: Reading) -> str:
    level = reading["laeq"]
    return (
        f"{records_csv.iso(reading['time']) or 'no time':20}  "
        f"LAeq {'--' if level is None else f'{level:.1f}':>5}  limit {reading['limit']}  "
        f"shown {reading['shown']:>3} {reading['colour']:5}  stage {reading['stage']}  "
        f"{'lamp  ' if reading['spotlight'] else ''}{' '.join(reading['flags'])}"
    ).rstrip()


def _report(summary: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"summary": summary}))
        return
    chain = ", ".join(f"{count} {state}" for state, count in summary["chain"].items() if count)
    if summary["chain"]["broken"] and not summary["chain"]["verified"]:
        chain += " (is it the secret of this box?)"
    click.echo(
        f"{summary['box']}: {summary['new']} new records, {summary['known']} were there already\n"
        f"chain: {chain or 'no records'}\n"
        f"clock: {summary['clock'] or 'not judged'}"
    )
    for gap in summary["gaps"]:
        why = "the box no longer has them" if gap["gone"] else "not collected yet"
        click.echo(f"gap: records {gap['first']} to {gap['last']}, {why}")
    if summary["conflicts"]:
        click.echo(
            f"conflict: {len(summary['conflicts'])} records have numbers that others here have; "
            "both are kept (was the box erased? then give it a new name)"
        )
    if summary["corrupt"]:
        click.echo(
            f"line: {summary['corrupt']} messages came damaged; records among them came again"
        )


def read_secret(path: Path) -> bytes:
    """The 32 bytes of a box's secret, from a file with the bytes or their hex digits."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the name") from None
    if len(data) == 32:
        return data
    try:
        secret = bytes.fromhex(data.decode("ascii"))
    except ValueError:
        secret = b""
    if len(secret) != 32:
        raise UserError(f"{path}: is no secret, neither 32 bytes nor 64 hex digits; name another")
    return secret
