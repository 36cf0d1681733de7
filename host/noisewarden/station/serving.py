"""The composition root of a station: builds its rooms in one process and keeps them going."""

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noisewarden import __version__
from noisewarden.database import Database
from noisewarden.errors import UserError
from noisewarden.register import Register
from noisewarden.station import mosquitto_keeper
from noisewarden.station.audit import Audit
from noisewarden.station.authority import Authority
from noisewarden.station.broker import Broker, cannot_listen
from noisewarden.station.cases import Cases
from noisewarden.station.commanding import Commander
from noisewarden.station.health import Health
from noisewarden.station.incident_news import IncidentNews
from noisewarden.station.incidents import Incidents
from noisewarden.station.intake import Desk, Intake, filters
from noisewarden.station.levels import Levels
from noisewarden.station.live import Live
from noisewarden.station.mosquitto_keeper import Keeper, is_own, station_url
from noisewarden.station.mqtt_client import BrokerClient, BrokerWay
from noisewarden.station.people import People
from noisewarden.station.plans import Plans
from noisewarden.station.station import Station
from noisewarden.station.usb import UsbBox
from noisewarden.station.ways import Ways
from noisewarden.station.web.app import Server, create_app, server
from noisewarden.store import Store

_LOOK_S = 0.05
_ELSEWHERE = ("192.0.2.1", 9)
"""For documentation (RFC 5737): nothing is sent there, only the way there is asked for."""

_log = logging.getLogger(__name__)

Address = tuple[str, int]


@dataclass(frozen=True)
class Options:
    """folder    of the station's data
    http      where the pages are, on loopback but for `lan`, and then by HTTPS
    mqtt      where boxes connect to the broker in this process, or to that Mosquitto
    broker    URL of another broker instead, `broker_ca` the file of its authority; when it names
              no user it is a Mosquitto that goes by the files kept here
    database  URL of another database than the folder's own
    serial    ports of boxes on USB
    lan       pages for others than this computer
    let_in    who is to get a link to a new password
    """

    folder: Path
    http: Address = ("127.0.0.1", 8080)
    mqtt: Address = ("", 8883)
    broker: str | None = None
    broker_ca: Path | None = None
    database: str | None = None
    serial: tuple[str, ...] = ()
    lan: bool = False
    let_in: str | None = None


@dataclass(frozen=True)
class Running:
    """url     of the pages
    setup   path and fragment of the first administrator's link, None when there is one already
    let_in  those of the link that was asked for
    boxes   where boxes connect, or the name of another broker
    conf    what Mosquitto is to be started with, when it is the broker
    """

    url: str
    setup: str | None
    let_in: str | None
    boxes: str
    conf: Path | None
    station: Station


async def serve(options: Options, ready: Callable[[Running], None], stop: asyncio.Event) -> None:
    """Runs a station until `stop` is set; `ready` is called once it serves.

    UserError when a part of it cannot start, or ends by itself.
    """
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listen(*options.http))
        database = stack.enter_context(_database(options))
        authority = Authority.in_folder(options.folder)
        names = _names(options.http[0]) if options.lan else ()
        certificate = authority.server_files((*names, *mosquitto_keeper.names(options.broker)))
        register = Register(database)
        store, ways = Store(database), Ways()
        live = Live(database)

        def trouble(what: str, why: str) -> None:
            """For the pages, and for whoever reads what the process says."""
            if why and live.troubles.get(what) != why:
                _log.warning("%s", why)
            live.trouble(what, why)

        broker = keeper = news = None
        url, where, port = options.broker, options.mqtt[0] or socket.gethostname(), 0
        if url is None:
            broker = await stack.enter_async_context(Broker(register, certificate, *options.mqtt))
            url, port = broker.station_url, broker.port
        else:
            news = IncidentNews(database, live.tell_soon)  # other processes may take records in
            if is_own(url):
                keeper = Keeper(url, options.folder, register, certificate, options.mqtt, trouble)
                url, port = station_url(url, options.folder), options.mqtt[1]
        commander = Commander(
            database, register, ways, lambda box: not live.silent(box), live.tell
        )
        incidents = Incidents(database, news.told if news else live.tell_soon, live.calm)
        intake = Intake(store, register, incidents, ways, Desk(live, commander), trouble=trouble)
        client = BrokerClient(
            url,
            filters(shared=broker is None),
            lambda topic, data, retained: intake.hear_topic(way, topic, data, retained),
            lambda why: trouble("broker", why),
            ca=options.broker_ca,
        )
        way = BrokerWay(client, register)
        audit = Audit(database)
        people = People(database, audit)
        health = Health(
            database, live, options.folder, intake=intake, client=client, broker=broker
        )
        station = Station(
            database=database,
            store=store,
            register=register,
            people=people,
            audit=audit,
            live=live,
            levels=Levels(database),
            incidents=incidents,
            cases=Cases(database, incidents, register, people),
            commander=commander,
            plans=Plans(database),
            health=health,
            authority=authority,
            version=__version__,
        )
        app = create_app(station, names=names, tls=options.lan)
        web = server(app, *options.http, certificate if options.lan else None)
        cables = [UsbBox(port, intake, ways, trouble) for port in options.serial]
        works = [live.run(), commander.run(), intake.run(), client.run(), health.run()]
        works += [cable.run() for cable in cables]
        if news:
            works.append(news.run())
        if keeper:
            works.append(keeper.run(lambda: client.connected))

        async def tell() -> None:
            while not web.started:
                await asyncio.sleep(_LOOK_S)
            scheme = "https" if options.lan else "http"
            host = names[0] if names else "localhost"
            setup = await asyncio.to_thread(people.setup_link)
            let_in = None
            if options.let_in:
                let_in = await asyncio.to_thread(people.recovery_link, options.let_in)
            pages = f"{scheme}://{f'[{host}]' if ':' in host else host}:{web.port}"
            boxes = f"mqtts://{where}:{port}" if port else client.name
            conf = keeper.conf if keeper else None
            ready(Running(pages, setup, let_in, boxes, conf, station))

        await _until(stop, web, listener, [*works, tell()])


async def _until(
    stop: asyncio.Event,
    web: Server,
    listener: socket.socket,
    works: list[Coroutine[Any, Any, Any]],
) -> None:
    """Runs all; ends when `stop` is set or the pages end, or with the first error."""
    pages = asyncio.create_task(web.serve([listener]))
    others = [asyncio.create_task(work) for work in (stop.wait(), *works)]
    waiting = {pages, *others}
    try:
        while not stop.is_set() and not pages.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        web.should_exit = True
        await asyncio.gather(pages, return_exceptions=True)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def _listen(host: str, port: int) -> socket.socket:
    """Of the pages: before anything is made, and with an error that can be told."""
    everywhere = not host and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if everywhere or ":" in host else socket.AF_INET
    try:
        made = socket.create_server((host, port), family=family, dualstack_ipv6=everywhere)
    except OSError as error:
        raise cannot_listen(host, port, error) from None
    # Connections inherit it. asyncio sets it on sockets of its own alone, and an answer in two
    # parts would wait 40 ms for the acknowledgement of the first (RFC 1122, 4.2.3.4).
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _database(options: Options) -> Database:
    # The folder keeps the authority too, so it is there with any database.
    if options.database is None:
        return Database.in_folder(options.folder)
    try:
        options.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{options.folder}: is no folder to write to ({error.strerror}); name another"
        ) from None
    return Database(options.database)


def _names(host: str) -> tuple[str, ...]:
    """Names and addresses under which others in the network reach this computer, the one that it
    listens at first."""
    own = socket.gethostname()
    names = dict.fromkeys([host] if host else [])
    with suppress(UnicodeError):  # some machines have a name that DNS could not
        own.encode("idna")
        names[own] = None
    with suppress(OSError):
        found = [str(info[4][0]) for info in socket.getaddrinfo(own, None)]
        names |= dict.fromkeys(address for address in found if "%" not in address)
    # Debian gives a computer's own name an address of loopback.
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect(_ELSEWHERE)
        names[way.getsockname()[0]] = None
    return tuple(names)
