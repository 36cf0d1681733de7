"""Where a box finds its station: the rules of network.json, and what has to lie beside it.

The host asks the same rules before it provisions a box. No line about a problem repeats a value:
one of them is a password.
"""

import json

from micropython import const

from noisebox import wire

NETWORK = "network.json"
CA = "ca.der"
SECRET = "secret.bin"

STATION_NAME = wire.STATION_NAME
PORT = const(8883)
"""For MQTT over TLS, as registered with IANA."""

_MOST_BYTES = const(2048)
_HOST_MOST_CHARS = const(253)
_HOST = const("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")


def _ssid(value):
    if not isinstance(value, str) or not 0 < len(value.encode()) <= 32:
        return "is not 1 to 32 bytes of text"
    return None


def _password(value):
    printable = isinstance(value, str) and all(" " <= char <= "~" for char in value)
    if not printable or (value and not 8 <= len(value) <= 63):
        return "is neither empty nor 8 to 63 characters of ASCII"
    return None


def _station(value):
    if not isinstance(value, str) or not 0 < len(value) <= _HOST_MOST_CHARS or value.strip(_HOST):
        return "is not a host name or an IPv4 address"
    return None


def _port(value):
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
        return "is not a whole number from 1 to 65535"
    return None


# IEEE 802.11: an SSID has 32 octets at most, a passphrase of WPA 8 to 63 printable characters.
_RULES = (("ssid", _ssid), ("password", _password), ("station", _station), ("port", _port))


def problems(written):
    """What is wrong with network.json as written, one line each; only `port` is optional."""
    if not isinstance(written, dict):
        return ["is not an object"]
    found = []
    for key, rule in _RULES:
        if key in written:
            wrong = rule(written[key])
            if wrong:
                found.append("{}: {}".format(key, wrong))
        elif key != "port":
            found.append(key + ": is missing")
    known = [key for key, _ in _RULES]
    return found + ["{}: unknown key".format(key) for key in written if key not in known]


def load(files):
    """(network, problems) of a box's files: network.json as a whole dict, or None for USB only.

    A box without network.json is meant to be on USB: that is no problem.
    """
    data = _read(files, NETWORK, _MOST_BYTES)
    if data is None:
        return None, []
    try:
        if len(data) > _MOST_BYTES:
            raise ValueError
        network = json.loads(data)
        found = problems(network)
    except (ValueError, TypeError, RuntimeError):  # as in `config`
        found = ["not valid JSON, or longer than {} bytes".format(_MOST_BYTES)]
    found = [NETWORK + ": " + problem for problem in found]
    for name, there in ((CA, ca(files)), (SECRET, secret(files))):
        if not there:
            found.append(name + ": is missing or damaged; provision the box again")
    if found:
        return None, found
    network.setdefault("port", PORT)
    return network, []


def secret(files):
    """The box's secret, or None."""
    data = _read(files, SECRET, wire.SECRET_BYTES)
    return data if data is not None and len(data) == wire.SECRET_BYTES else None


def ca(files):
    """The certificate (DER) of the authority that vouches for the station, or None."""
    return _read(files, CA, _MOST_BYTES) or None


def _read(files, path, most):
    """The first bytes of a file, or None when it cannot be read; one byte more than `most` for a
    file that is too long."""
    try:
        with files.open(path, "rb") as file:
            return file.read(most + 1)
    except OSError:
        return None
