"""A further process that takes records in: its part of what the broker shares out, into the
database of all. It has no pages and knows nothing live; the station itself is another process."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from noisewarden.database import Database
from noisewarden.register import Register
from noisewarden.station.incidents import Incidents
from noisewarden.station.intake import Intake, filters
from noisewarden.station.mosquitto_keeper import is_own, station_url
from noisewarden.station.mqtt_client import BrokerClient, BrokerWay
from noisewarden.station.ways import Ways
from noisewarden.store import Store

_log = logging.getLogger(__name__)


async def take_records(
    folder: Path,
    broker: str,
    broker_ca: Path | None,
    database_url: str,
    ready: Callable[[str], None],
    stop: asyncio.Event,
) -> None:
    """Takes records in until `stop` is set; `ready` gets the name of the broker once it begins.

    folder  the station's data: of its own Mosquitto the password is there

    UserError when a part of it cannot start.
    """
    url = station_url(broker, folder) if is_own(broker) else broker
    troubles: dict[str, str] = {}

    def trouble(what: str, why: str) -> None:
        if why and troubles.get(what) != why:
            _log.warning("%s", why)
        troubles[what] = why

    with Database(database_url) as database:
        register = Register(database)
        intake = Intake(Store(database), register, Incidents(database), Ways(), trouble=trouble)
        client = BrokerClient(
            url,
            filters(shared=True, records_only=True),
            lambda topic, data, retained: intake.hear_topic(way, topic, data, retained),
            lambda why: trouble("broker", why),
            ca=broker_ca,
        )
        way = BrokerWay(client, register)
        ready(client.name)
        works = [asyncio.create_task(work) for work in (stop.wait(), intake.run(), client.run())]
        try:
            done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            for work in done:
                work.result()
        finally:
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)
