"""The WiFi side of a box, put together. Only a box that was given a network loads it."""

import binascii
import random

from micropython import const

from noisebox import hal, mqtt, wire
from noisebox.backoff import BackOff
from noisebox.orders import Orders
from noisebox.station_link import StationLink
from noisebox.wifi import MOST_PAUSE_MS, Wifi

_FIRST_PAUSE_MS = const(1000)
_STATION_PAUSE_MS = const(120_000)
"""A handshake costs the microphone some samples, so a station that refuses is asked seldom."""


class Station:
    """setup     a `Setup` with a network; outside is what `StationLink` wants"""

    def __init__(self, setup, journal, clock, outside):
        self._network = network = setup.network
        self._box_id = box_id = setup.config["box"]
        self._tls = mqtt.pinned(setup.ca)
        secret = setup.secret
        self._password = str(binascii.hexlify(wire.derive(secret, "mqtt")), "ascii")
        self.wifi = Wifi(
            hal.radio,
            network["ssid"],
            network["password"],
            BackOff(_FIRST_PAUSE_MS, MOST_PAUSE_MS, random.randrange),
            outside.fault,
        )
        self.link = StationLink(
            box_id,
            self.wifi,
            self._connect,
            Orders(setup.files, box_id, wire.Key(wire.derive(secret, "command"))),
            journal,
            clock,
            BackOff(_FIRST_PAUSE_MS, _STATION_PAUSE_MS, random.randrange),
            outside,
        )

    async def _connect(self, on_message, on_puback):
        """A client that is logged in; what fails is closed."""
        network = self._network
        stream = await mqtt.open_stream(
            network["station"], network["port"], self._tls, wire.STATION_NAME
        )
        client = mqtt.Client(stream, on_message, on_puback)
        try:
            await client.connect(
                self._box_id,
                self._password,
                wire.topic(self._box_id, "availability"),
                "offline",
            )
        except BaseException:
            await client.close()
            raise
        return client

    def state(self):
        """What it adds to the box's state."""
        state = self.wifi.state()
        state.update(self.link.state())
        return state
