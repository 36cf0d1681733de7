"""`network` of MicroPython 1.28 on ESP32, as a station; the air is a file of the host.

NOISEBOX_AIR holds one JSON object: {"ssid", "password"} of the access point in reach, {} for none.
Without it the radio finds whatever network it is asked for: that of the PC.

As on the chip (ports/esp32/network_wlan.c) `status()` goes on telling of the attempt before until
one succeeds, and `connect` fails while the chip is connecting.
"""

import json

import _chip
from micropython import const

STA_IF = const(0)
AP_IF = const(1)
STAT_IDLE = const(1000)
STAT_CONNECTING = const(1001)
STAT_GOT_IP = const(1010)
STAT_BEACON_TIMEOUT = const(200)
STAT_NO_AP_FOUND = const(201)
STAT_WRONG_PASSWORD = const(202)

_CONNECTS_AFTER_US = const(300_000)
_SIGNAL_DBM = const(-57)
_AIR_BYTES = const(256)  # `read` alone would take a block of 512 of the heap


class WLAN:
    IF_STA = STA_IF
    IF_AP = AP_IF

    _active = False
    _wanted = None  # (ssid, key) from connect to disconnect
    _since_us = 0
    _connected = False
    _reason = 0

    def __init__(self, interface=STA_IF):
        if interface != STA_IF:
            raise ValueError("invalid WLAN interface identifier")

    def active(self, on=None):
        if on is not None:
            WLAN._active = bool(on)
        return WLAN._active

    def config(self, **settings):
        if not WLAN._active:
            raise OSError("Wifi Not Started")
        if settings.get("reconnects") != 0:
            raise ValueError("the virtual box does not reconnect by itself")

    def connect(self, ssid=None, key=None):
        if not WLAN._active:
            raise OSError("Wifi Not Started")
        self._look()
        if WLAN._wanted:
            raise OSError("Wifi Internal Error")
        WLAN._wanted = (ssid, key or "")
        WLAN._since_us = _chip.now_us()

    def disconnect(self):
        WLAN._wanted = None
        if WLAN._connected:
            WLAN._connected = False
            WLAN._reason = STAT_IDLE

    def isconnected(self):
        self._look()
        return WLAN._connected

    def status(self, parameter=None):
        self._look()
        if parameter == "rssi":
            if not WLAN._connected:
                raise OSError("STA not connected")
            return _SIGNAL_DBM
        if WLAN._connected:
            return STAT_GOT_IP
        return WLAN._reason or (STAT_CONNECTING if WLAN._wanted else STAT_IDLE)

    def ifconfig(self):
        address = "127.0.0.1" if self.isconnected() else "0.0.0.0"
        return (address, "255.0.0.0", "0.0.0.0", "0.0.0.0")

    def _look(self):
        """What has become of the connection by now."""
        if not WLAN._wanted:
            return
        reason = self._obstacle()
        if WLAN._connected:
            if reason:
                WLAN._connected = False
                WLAN._reason = STAT_BEACON_TIMEOUT
                WLAN._wanted = None
        elif _chip.now_us() - WLAN._since_us >= _CONNECTS_AFTER_US:
            WLAN._connected = not reason
            WLAN._reason = reason
            if reason:
                WLAN._wanted = None

    def _obstacle(self):
        """Why the wanted network cannot be had now; 0 when it can."""
        if _chip.air is None:
            return 0
        _chip.air.seek(0)
        found = json.loads(_chip.air.read(_AIR_BYTES))
        ssid, key = WLAN._wanted
        if found.get("ssid") != ssid:
            return STAT_NO_AP_FOUND
        return 0 if found["password"] == key else STAT_WRONG_PASSWORD
