"""The one owner of the radio: connects, notices a loss, tries again at growing pauses.

Nothing else calls `connect`: the chip answers a second call while it is connecting with "Wifi
Internal Error". Its own reconnecting is off (`hal.radio`) for the same reason.
"""

import asyncio

from micropython import const

_ATTEMPT_MS = const(15_000)
"""A scan of all channels, the handshake and DHCP. The chip's status still tells of the attempt
before (esp32/network_wlan.c), so only time ends one."""
_FIRST_PAUSE_MS = const(1000)
MOST_PAUSE_MS = const(60_000)
_LOOK_MS = const(250)

_CAUSES = {
    15: "handshake failed, is the password right?",
    201: "no network of this name",
    202: "password refused",
}
"""What `WLAN.status()` says after a failed attempt, as in IDF's wifi_err_reason_t: 15 is that of a
four-way handshake that timed out."""


def why_not(status):
    """What the status of a radio that is not connected says."""
    return _CAUSES.get(status, "no connection, status {}".format(status))


class Wifi:
    """start      switches the radio on and gives it, a `network.WLAN`
    back_off   the pauses between attempts
    on_fault   hears in words why there is no network, once for the same cause in an outage

    outages    how often a connection was lost since the start
    """

    def __init__(self, start, ssid, password, back_off, on_fault):
        self._start = start
        self._radio = None
        self._ssid = ssid
        self._password = password
        self._back_off = back_off
        self._on_fault = on_fault
        self.outages = 0

    async def run(self):
        told = None
        radio = self._radio = self._start()
        while True:
            try:
                radio.connect(self._ssid, self._password or None)
                if await self._becomes(True, _ATTEMPT_MS):
                    told = None
                    self._back_off.reset()
                    await self._becomes(False)
                    self.outages += 1
                    cause = "connection lost"
                else:
                    cause = why_not(radio.status())
                if cause != told:
                    told = cause
                    self._on_fault("wifi: " + cause)
            finally:
                # Also when this fails and is started again: its `connect` would be refused.
                radio.disconnect()
            await asyncio.sleep_ms(self._back_off.next_ms())

    def state(self):
        """What it adds to the box's state: IPv4 address, signal in dBm (None: not connected)."""
        radio = self._radio
        address = signal = None
        if radio and radio.isconnected():
            address = radio.ifconfig()[0]
            try:
                signal = radio.status("rssi")
            except OSError:
                pass  # the network has gone and `isconnected` has not noticed yet
        return {"address": address, "signal": signal, "outages": self.outages}

    def _connected(self):
        return self._radio is not None and self._radio.isconnected()

    async def _becomes(self, connected, within_ms=None):
        """Waits until the radio is connected, or is not; False when that takes too long."""
        while self._connected() != connected:
            if within_ms is not None:
                if within_ms <= 0:
                    return False
                within_ms -= _LOOK_MS
            await asyncio.sleep_ms(_LOOK_MS)
        return True

    async def up(self):
        """Comes back when there is a network."""
        await self._becomes(True)

    async def lost(self):
        """Comes back when there is none."""
        await self._becomes(False)
