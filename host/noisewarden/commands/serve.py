"""`noisewarden serve`: the station."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import click

from noisewarden.station.serving import Address, Options, Running, serve


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
    metavar="URL",
    help="Another MQTT broker instead: mqtts://USER:PASSWORD@HOST:PORT. Better in the environment "
    "as NOISEWARDEN_BROKER, where no list of processes shows its password.",
)
@click.option(
    "--broker-ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="PEM of that broker's authority, when the system does not trust it.",
)
@click.option(
    "--database",
    metavar="URL",
    help="Another database: postgresql+psycopg://USER@HOST/NAME (password in ~/.pgpass).",
)
@click.option("--serial", multiple=True, metavar="PORT", help="A box on USB; can be given again.")
@click.option("--lan", is_flag=True, help="Pages for other computers too, then by HTTPS.")
def command(
    folder: Path,
    http: Address | None,
    mqtt: Address,
    broker: str | None,
    broker_ca: Path | None,
    database: str | None,
    serial: tuple[str, ...],
    lan: bool,
) -> None:
    """Run the station: boxes report to it, officers open its pages.

    The first start prints a link that works once and makes the first administrator. Pages are for
    this computer alone; with --lan for others too, by HTTPS with a certificate of the station's own
    authority (station/authority/ca.pem, to be trusted on those computers).

    \b
    noisewarden serve
    noisewarden serve --lan --serial /dev/ttyUSB0
    noisewarden serve --database postgresql+psycopg://station@localhost/noisewarden
    """
    if http is None:
        http = ("", 8443) if lan else ("127.0.0.1", 8080)
    if not lan and http[0] not in ("127.0.0.1", "::1", "localhost"):
        raise click.UsageError("--http: pages leave this computer with --lan only")
    if broker_ca and not broker:
        raise click.UsageError("--broker-ca goes with --broker")
    options = Options(folder, http, mqtt, broker, broker_ca, database, serial, lan)
    asyncio.run(_serve(options))


async def _serve(options: Options) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    await serve(options, _tell, stop)
    click.echo("stopped", err=True)


def _tell(running: Running) -> None:
    click.echo(f"pages   {running.url}")
    click.echo(f"boxes   {running.boxes}")
    if running.setup:
        click.echo(f"set up  {running.url}{running.setup}")
        click.echo("        works once, within three days: it makes the first administrator")
