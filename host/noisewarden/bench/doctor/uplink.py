"""WiFi and station: as the box reaches them with what it was given, and as this computer does.

The box logs in as it does in service, so that name, certificate and password are all tried.
"""

import socket
import ssl
from collections.abc import Iterator
from typing import Any

from noisewarden.bench.doctor.check import Check, failed, passed, skipped, warned
from noisewarden.bench.doctor.prompt import Prompt
from noisewarden.firmware import wire

WEAK_DBM = -75
"""Below it a WiFi loses packets when a bus stands in the way."""
TIMEOUT_S = 5.0

# What raises is told by its kind and its text, in which there is no secret.
_TRY = """
import asyncio, binascii, json, time
from noisebox import hal, mqtt, uplink, wifi, wire
from noisebox.setup import CONFIG, Files, Settings
def tell(**found):
    print(json.dumps(found))
async def log_in(network):
    stream = await mqtt.open_stream(
        network["station"], network["port"], mqtt.pinned(uplink.ca(files)), wire.STATION_NAME)
    tell(reached=True)
    client = mqtt.Client(stream, None, None)
    password = str(binascii.hexlify(wire.derive(uplink.secret(files), "mqtt")), "ascii")
    try:
        login = client.connect(box, password, wire.topic(box, "availability"), "offline")
        await asyncio.wait_for(login, 20)
    finally:
        await client.close()
    tell(logged_in=True)
files = Files()
with Settings():
    from noisebox import config
    box = config.load(files, CONFIG)[0]["box"]
network, problems = uplink.load(files)
tell(problems=problems)
if network:
    tell(ssid=network["ssid"], station=network["station"], port=network["port"])
    radio = hal.radio()
    radio.connect(network["ssid"], network["password"] or None)
    for _ in range(60):
        if radio.isconnected():
            break
        time.sleep_ms(250)
    if radio.isconnected():
        tell(address=radio.ifconfig()[0], signal=radio.status("rssi"))
        try:
            asyncio.run(log_in(network))
        except Exception as error:
            errno = error.errno if isinstance(error, OSError) else None
            tell(kind=type(error).__name__, error=str(error), errno=errno)
    else:
        tell(cause=wifi.why_not(radio.status()))
    radio.disconnect()
"""

_UNREACHED = (
    "check the station's address and that it runs with --lan (noisewarden serve --lan), that its "
    "firewall lets the port in, and that the WiFi lets its guests reach each other"
)
_PROVISION = "provision the box again at this station (noisewarden provision)"


def checks(prompt: Prompt, ca: bytes) -> Iterator[Check]:
    """Of a box at its prompt, with this firmware on it; `ca` is the certificate that it holds."""
    told: dict[str, Any] = {}
    for answer in prompt.answers(_TRY):
        told |= answer
    if problems := told.get("problems"):
        for problem in problems:
            found, _, cure = problem.partition("; ")
            yield failed("network", found, cure or _PROVISION)
    elif "ssid" not in told:
        yield warned(
            "network", "not provisioned: on USB only", "noisewarden provision gives it a network"
        )
    else:
        yield _wifi(told)
        if "address" in told:
            yield _station(told)
        else:
            yield skipped("station", "not tried without WiFi", "mend the WiFi first")
        yield _from_here(told["station"], told["port"], ca)


def _wifi(told: dict[str, Any]) -> Check:
    name, ssid = "WiFi", told["ssid"]
    if "address" not in told:
        return failed(
            name,
            f"{ssid}: {told.get('cause', 'the box did not say why')}",
            "check name and password (a box hears 2.4 GHz only), and provision it again",
        )
    found = f"joined {ssid} as {told['address']}, {told['signal']} dBm"
    if told["signal"] < WEAK_DBM:
        return warned(name, f"{found}, which is weak", "bring access point and antenna nearer")
    return passed(name, found)


def _station(told: dict[str, Any]) -> Check:
    name, where = "station", f"{told['station']}:{told['port']}"
    if told.get("logged_in"):
        return passed(name, f"{where} lets the box in, its certificate is the right one")
    error = f"{told.get('error', 'no word')} ({told.get('kind', 'nothing')})"
    # A refused connection shows only when TLS begins, whose own errors are negative.
    refused = (told.get("errno") or 0) > 0 or told.get("kind") == "TimeoutError"
    if refused or not told.get("reached"):
        return failed(name, f"the box does not reach {where}: {error}", _UNREACHED)
    match told.get("kind"):
        case "ValueError":
            return failed(name, f"{where} is not the box's station: {error}", _PROVISION)
        case "MqttError":
            return failed(
                name,
                f"{where} does not let the box in: {error}",
                f"see whether it is registered there and not revoked, or {_PROVISION}",
            )
    return failed(
        name, f"{where} breaks off the handshake: {error}", f"is it the station? {_PROVISION}"
    )


def _from_here(host: str, port: int, ca: bytes) -> Check:
    name, where = "from here", f"{host}:{port}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=ca)
    except (ssl.SSLError, ValueError):
        return failed(name, "the box's ca.der is no certificate", _PROVISION)
    try:
        with (
            socket.create_connection((host, port), TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=wire.STATION_NAME),
        ):
            return passed(name, f"{where} has a certificate from the box's authority")
    except ssl.SSLCertVerificationError as error:
        return failed(
            name, f"{where} is not the box's station: {error.verify_message}", _PROVISION
        )
    except ssl.SSLError as error:
        return failed(name, f"{where} does not speak TLS: {error.reason}", _UNREACHED)
    except (OSError, UnicodeError) as error:  # UnicodeError: two dots, or a label too long
        # The box may well be in a network that this computer is not in.
        cause = getattr(error, "strerror", None) or error
        return warned(name, f"{where} is not to be reached: {cause}", _UNREACHED)
