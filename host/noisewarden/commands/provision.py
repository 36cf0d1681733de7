"""`noisewarden provision`: a box becomes one of a station, and gets its label."""

import getpass
import json
import secrets
import sys
import time
import warnings
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Any

import click
import sqlalchemy as sql

from noisewarden import boards
from noisewarden.bench.label import Label
from noisewarden.bench.provision import Provisioning, Wishes
from noisewarden.bench.tools import TOOLS, Unreachable
from noisewarden.commands import options
from noisewarden.commands.progress import progress
from noisewarden.database import Database
from noisewarden.errors import UserError
from noisewarden.firmware import config as settings
from noisewarden.firmware import uplink, wire
from noisewarden.register import Register, Registration, write_handover
from noisewarden.schema import records
from noisewarden.station.audit import Audit, By
from noisewarden.station.authority import FOLDER, Authority, read_ca

_PATH = click.Path(path_type=Path)
_LIMIT = options.Whole(30, 100)


@click.command(short_help="Make a box one of a station: name, limits, WiFi, secret.")
@options.port
@options.board_there
@click.option("--box", "box", required=True, metavar="ID", help="Its id: 1 to 32 of a-z, 0-9, -.")
@click.option(
    "--place", type=options.Text(), required=True, help="Where it hangs, in at most 60 characters."
)
@click.option(
    "--zone", metavar="TZ", help="Its time zone as POSIX has it; CST-8, that of China, without it."
)
@click.option(
    "--limit-day", type=_LIMIT, metavar="DB", help="Limit 06:00 to 22:00; a new box has 70."
)
@click.option(
    "--limit-night", type=_LIMIT, metavar="DB", help="Limit 22:00 to 06:00; a new box has 55."
)
@click.option(
    "--config",
    "config_path",
    type=_PATH,
    metavar="FILE",
    help="A config.json for all else, or for a schedule of its own.",
)
@click.option("--wifi", "ssid", metavar="SSID", help="The WiFi it shall use; asks its password.")
@click.option(
    "--wifi-password-file",
    type=click.File("rb"),
    metavar="FILE",
    help="Read that password from a file, or with - from the standard input.",
)
@click.option("--no-wifi", is_flag=True, help="A box that stays on USB.")
@click.option(
    "--station",
    metavar="HOST[:PORT]",
    help=f"Where it finds its station; port {uplink.PORT} without one.",
)
@click.option(
    "--data",
    "folder",
    type=_PATH,
    metavar="DIR",
    help="Data folder of the station, when it is on this computer.",
)
@options.database
@click.option(
    "--ca", type=_PATH, metavar="FILE", help="The ca.pem of a station that is elsewhere."
)
@click.option(
    "--handover", type=_PATH, metavar="FILE", help="A new file for a station that is elsewhere."
)
@click.option("--replace", is_flag=True, help="Take the id over from a box with another chip.")
@click.option(
    "--label",
    "label_folder",
    type=_PATH,
    default=".",
    show_default=True,
    metavar="DIR",
    help="Where ID.svg and ID.png go, a label of 62 × 29 mm.",
)
@click.option(
    "--tool",
    type=click.Choice(list(TOOLS)),
    default="mpremote",
    show_default=True,
    help="ampy is slow, for ports on which mpremote does not work.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    port: str,
    name: str,
    box: str,
    place: str,
    zone: str | None,
    limit_day: int | None,
    limit_night: int | None,
    config_path: Path | None,
    ssid: str | None,
    wifi_password_file: IO[bytes] | None,
    no_wifi: bool,
    station: str | None,
    folder: Path | None,
    database_url: str | None,
    ca: Path | None,
    handover: Path | None,
    replace: bool,
    label_folder: Path,
    tool: str,
    as_json: bool,
) -> None:
    """Make a box, to which its firmware was deployed, one of a station.

    It gets its name, place and limits, its WiFi, the authority that vouches for the station, and a
    secret that is made here and stays on the box alone: the station takes down the keys that come
    of it. However it is interrupted, provision again: the box has all of the old or all of the
    new, and its station learns of it last.

    A box that is provisioned again gets a new secret: who has the old one has nothing any more.
    Its calibration, its other settings and its journal stay. Records from before stand under the
    old key, which this station keeps. Another station cannot verify them: collect them first.
    Where a new box takes the place of another, what it wrote before it had a secret goes: the
    station has other records of the same numbers.

    With the station on this computer, say where its data is:

    \b
    noisewarden provision --port /dev/ttyUSB0 --board esp32-devkitc --box bagu-east-01 \\
        --place "Bagu Square, lamp post 3" --wifi Square --station 192.168.1.20 --data station

    A station that has moved to PostgreSQL wants its --database beside --data, as serve does.

    With the station elsewhere, bring its authority/ca.pem here as --ca, and the file of --handover
    there. That file holds keys: carry it on a stick, and remove it afterwards.
    """
    began = time.monotonic()
    if bool(ssid) == no_wifi:
        raise click.UsageError("say --wifi SSID, or --no-wifi")
    if bool(folder) == bool(handover):
        raise click.UsageError("say --data DIR for a station here, else --handover FILE")
    if database_url and not folder:
        raise click.UsageError("--database goes with --data, where the station's authority is")
    if bool(ssid) != bool(station):
        raise click.UsageError("--wifi and --station go together")
    if bool(ca) != bool(ssid and handover):
        raise click.UsageError("--ca is for --wifi with --handover, and has to be there then")
    if (limit_day is None) != (limit_night is None):
        raise click.UsageError("--limit-day and --limit-night go together")
    boards.load(name)
    config = _config(box, place, zone, limit_day, limit_night, config_path)
    authority = read_ca(ca) if ca else None
    if folder and database_url and not (folder / FOLDER).is_dir():
        raise UserError(
            f"{folder}: has no {FOLDER}; name the data folder that the station is started with"
        )
    if handover and (handover.exists() or not handover.parent.is_dir()):
        raise UserError(f"{handover}: is no new file in a folder that is there; name one")
    network = _network(ssid, station, wifi_password_file) if ssid and station else None
    secret = secrets.token_bytes(wire.SECRET_BYTES)

    with ExitStack() as stack:
        database = stack.enter_context(_database(folder, database_url)) if folder else None
        if folder and network:
            authority = Authority.in_folder(folder).ca_der
        newest = _newest(database, box) if database else 0
        provisioning = Provisioning(
            TOOLS[tool](port), name, Wishes(config, network, authority, secret, newest)
        )
        known = Register(database).get(box) if database else None
        try:
            provisioning.look()
            serial = provisioning.serial
            if known and known.serial != serial and not replace:
                raise UserError(
                    f"{box}: is in the register, as the box with serial {known.serial}, and this "
                    f"one has {serial}; choose another id, or say --replace if it takes its place"
                )
            address = f"{network['station']}:{network['port']}" if network else ""
            labels = Label(box, place, name, serial, address).write(label_folder)
            with progress("provision", provisioning.steps, "steps") as advance:
                provisioning.install(advance)
            entry = Registration.of_secret(secret, box=box, place=place, board=name, serial=serial)
            try:
                if database:
                    note = Audit(database).note  # whoever has the laptop can do this
                    noted = partial(note, By(), "admit box", box, serial)
                    Register(database).add(entry, replace=known is not None, noted=noted)
                elif handover:
                    write_handover(handover, entry)
            except UserError as error:
                raise UserError(f"{error}; {provisioning.standing}") from None
        except KeyboardInterrupt:
            click.echo(f"{port}: stopped; {provisioning.leave()}", err=True)
            sys.exit(130)
        except Unreachable:
            raise
        except UserError:
            provisioning.leave()
            raise
    report = {
        "port": port,
        "box": box,
        "place": place,
        "board": name,
        "serial": serial,
        "station": address,
        "label": [str(path) for path in labels],
        "handover": str(handover) if handover else None,
        "seconds": round(time.monotonic() - began, 1),
    }
    click.echo(json.dumps(report) if as_json else _told(report))


def _database(folder: Path, url: str | None) -> Database:
    return Database(url) if url else Database.in_folder(folder)


def _config(
    box: str,
    place: str,
    zone: str | None,
    limit_day: int | None,
    limit_night: int | None,
    path: Path | None,
) -> dict[str, Any]:
    """The keys of config.json that were asked for; UserError with every wrong one."""
    config = options.read_config(path, None) | {"box": box, "place": place}
    if zone:
        config["zone"] = zone
    if limit_day is not None:
        rows = [
            {"days": "1234567", "from": "06:00", "to": "22:00", "limit": limit_day},
            {"days": "1234567", "from": "22:00", "to": "06:00", "limit": limit_night},
        ]
        config["schedule"] = {"rows": rows, "exceptions": []}
    problems = settings.problems(config)
    if not place:
        problems.append("place: is empty")
    if problems:
        raise UserError("; ".join(problems) + "; correct it")
    return config


def _network(ssid: str, station: str, password_file: IO[bytes] | None) -> dict[str, Any]:
    """network.json; UserError with what is wrong, which never tells the password."""
    host, colon, port = station.partition(":")
    network = {
        "ssid": ssid,
        "password": _password(ssid, password_file),
        "station": host,
        "port": int(port) if port.isdecimal() else port if colon else uplink.PORT,
    }
    if problems := uplink.problems(network):
        raise UserError("WiFi and station: " + "; ".join(problems) + "; correct it")
    return network


def _password(ssid: str, file: IO[bytes] | None) -> str:
    if file is None:
        asked = f"Password of {ssid} (Enter when it has none)"
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            try:
                return click.prompt(
                    asked, default="", hide_input=True, show_default=False, err=True
                )
            except getpass.GetPassWarning:
                raise click.UsageError(
                    "--wifi: no terminal to ask its password at; give --wifi-password-file"
                ) from None
    # What is not ASCII becomes what is no password either.
    return file.readline().decode("ascii", errors="replace").rstrip("\r\n")


def _newest(database: Database, box: str) -> int:
    query = sql.select(sql.func.max(records.c.seq)).where(records.c.box == box)
    with database.reading() as connection:
        return connection.scalar(query) or 0


def _told(report: dict[str, Any]) -> str:
    beyond = (
        f"take {report['handover']} to the station, and remove it then"
        if report["handover"]
        else f"next: noisewarden doctor --port {report['port']} --board {report['board']}"
    )
    return (
        f"{report['box']} on {report['port']}: provisioned, serial {report['serial']}\n"
        f"label: {', '.join(report['label'])}\n{beyond}"
    )
