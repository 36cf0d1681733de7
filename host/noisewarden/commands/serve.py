"""`noisewarden serve`: the station."""

import asyncio
import gc
import shutil
import signal
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import click

from noisewarden.commands import options
from noisewarden.station.records_only import take_records
from noisewarden.station.serving import Address, Options, Running, serve

_COLLECT_AFTER = 50_000
"""Objects that Python makes before it looks for those that hold each other. A month of minutes is
43 200 rows: a look after each 700 was nearly half of the time that a month took."""


class HostPort(click.ParamType):
    """HOST:PORT, [::1]:PORT or :PORT, which is every address of this computer."""

    name = "host:port"

    def convert(self, value: Any, param: Any, ctx: Any) -> Address:
        if isinstance(value, tuple):
            return value
        host, colon, port = value.rpartition(":")
        if not colon or not port.isdecimal() or int(port) > 65535:
            raise click.BadParameter(f"{value}: is not HOST:PORT, such as 127.0.0.1:8080")
        return host.removeprefix("[").removesuffix("]"), int(port)


@click.command()
@click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path),
    default="station",
    show_default=True,
    metavar="DIR",
    help="Data folder: database, the station's authority.",
)
@click.option(
    "--http",
    type=HostPort(),
    metavar="HOST:PORT",
    help="Where the pages are; 127.0.0.1:8080 without it, with --lan :8443.",
)
@click.option(
    "--mqtt",
    type=HostPort(),
    default=":8883",
    show_default=True,
    metavar="HOST:PORT",
    help="Where boxes connect, by TLS.",
)
@click.option(
    "--broker",
    envvar="NOISEWARDEN_BROKER",
    callback=options.without_password,
    metavar="URL",
    help="Another MQTT broker instead. mqtt://127.0.0.1:PORT is a Mosquitto that goes by files in "
    "the data folder; for any other mqtts://USER:PASSWORD@HOST:PORT, in the environment alone, as "
    "NOISEWARDEN_BROKER, where no list of processes shows the password.",
)
@click.option(
    "--broker-ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="PEM of that broker's authority, when the system does not trust it.",
)
@options.database
@click.option("--serial", multiple=True, metavar="PORT", help="A box on USB; can be given again.")
@click.option("--lan", is_flag=True, help="Pages for other computers too, then by HTTPS.")
@click.option(
    "--let-in",
    metavar="NAME",
    help="Print a link by which this person chooses a new password, when nobody can invite them.",
)
@click.option(
    "--records-only",
    is_flag=True,
    help="A further process beside the station, to take records in: no pages. It wants the same "
    "--broker and --database, of PostgreSQL.",
)
def command(
    folder: Path,
    http: Address | None,
    mqtt: Address,
    broker: str | None,
    broker_ca: Path | None,
    database_url: str | None,
    serial: tuple[str, ...],
    lan: bool,
    let_in: str | None,
    records_only: bool,
) -> None:
    """Run the station: boxes report to it, officers open its pages.

    The first start prints a link that works once and makes the first administrator. Pages are for
    this computer alone; with --lan for others too, by HTTPS with a certificate of the station's
    own authority (station/authority/ca.pem, to be trusted on those computers). Ctrl-C ends it in
    good order.

    \b
    noisewarden serve
    noisewarden serve --lan --serial /dev/ttyUSB0
    noisewarden serve --database postgresql+psycopg://station@localhost/noisewarden

    When the broker inside is outgrown, Mosquitto takes its place. The station keeps its files to
    the register, and lets it read them again when a box comes or is revoked:

    \b
    sudo apt install mosquitto
    noisewarden serve --broker mqtt://127.0.0.1:1884
    /usr/sbin/mosquitto -c station/mosquitto/mosquitto.conf
    """
    if records_only:
        if not broker or not database_url or database_url.startswith("sqlite"):
            raise click.UsageError(
                "--records-only goes with --broker and --database of PostgreSQL, which the "
                "station itself was started with"
            )
        if http or serial or lan or let_in:
            raise click.UsageError("--records-only has no pages and no boxes on USB")
        work = partial(take_records, folder, broker, broker_ca, database_url, _tell_broker)
        return asyncio.run(_run(work))
    if http is None:
        http = ("", 8443) if lan else ("127.0.0.1", 8080)
    if not lan and http[0] not in ("127.0.0.1", "::1", "localhost"):
        raise click.UsageError("--http: pages leave this computer with --lan only")
    if broker_ca and not broker:
        raise click.UsageError("--broker-ca goes with --broker")
    wishes = Options(folder, http, mqtt, broker, broker_ca, database_url, serial, lan, let_in)
    return asyncio.run(_run(partial(serve, wishes, _tell)))


async def _run(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Until it is told to end."""
    gc.freeze()  # modules stay: they need not be looked through at all
    gc.set_threshold(_COLLECT_AFTER)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    await work(stop)
    click.echo("stopped", err=True)


def _tell(running: Running) -> None:
    """At once, so that a program that reads along never has half of it."""
    lines = [f"pages   {running.url}", f"boxes   {running.boxes}"]
    if running.conf:
        # Debian keeps it where the shell of a person does not look.
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        lines.append(f"broker  to be started with: {program} -c {running.conf}")
    if running.setup:
        lines.append(f"set up  {running.url}{running.setup}")
        lines.append("        works once, within three days: it makes the first administrator")
    if running.let_in:
        lines.append(f"let in  {running.url}{running.let_in}")
        lines.append("        works once, within three days; until then the old password holds")
    click.echo("\n".join(lines))


def _tell_broker(name: str) -> None:
    click.echo(f"records {name}")
