"""Keeps a Mosquitto on this computer to the register: who is new comes in, who is revoked is out.

Mosquitto is the operator's to start. It writes its process id beside the files that are kept here;
SIGHUP lets it read them again.
"""

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from noisewarden.errors import UserError
from noisewarden.register import Register
from noisewarden.station import mosquitto
from noisewarden.station.mqtt_client import PORTS, refuse_unencrypted
from noisewarden.station.rights import STATION

FOLDER = "mosquitto"
LOOK_EVERY_S = 0.5
"""A revoked box is to be out within 1 s."""

_PASSWORD = "station.secret"
_NAMED_MOST = 5


def is_own(url: str) -> bool:
    """Whether a broker is this station's Mosquitto: then its URL names no user. Any other has
    rules of its own, and a user for the station."""
    return "@" not in url


def station_url(url: str, folder: Path) -> str:
    """That of an own one with the station's user and password, which must not be shown.

    UserError when the station has not made the password yet.
    """
    path = folder / FOLDER / _PASSWORD
    try:
        password = path.read_text()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); start the station itself first, or name "
            "user and password of the broker"
        ) from None
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{quote(STATION)}:{password}@{parts.netloc}"))


def names(url: str | None) -> tuple[str, ...]:
    """What the certificate of an own one must vouch for beside the names of this computer.

    UserError for a URL that will not do.
    """
    return (_checked(url)[0].hostname or "",) if url and is_own(url) else ()


class Keeper:
    """url          of the broker, that names no user: there the station's own listener is to be,
                 by TLS for mqtts
    folder       the station's data folder
    certificate  files of the server's certificate and key
    boxes        host and port where boxes connect
    trouble      takes the name of what fails and why, "" when that is over

    conf         the file to start Mosquitto with

    UserError for a URL that will not do, or a file that cannot be written.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        register: Register,
        certificate: tuple[Path, Path],
        boxes: tuple[str, int],
        trouble: Callable[[str, str], None],
    ) -> None:
        parts, port = _checked(url)
        self._folder = folder.resolve() / FOLDER
        self._register = register
        self._trouble = trouble
        self.conf = mosquitto.write(
            self._folder,
            (certificate[0].resolve(), certificate[1].resolve()),
            self._password(),
            host=boxes[0],
            port=boxes[1],
            station_host=parts.hostname or "",
            station_port=port,
            station_tls=parts.scheme == "mqtts",
        )
        self._written: dict[str, str | None] = {}
        self._write(register.mosquitto_passwords())

    async def run(self, connected: Callable[[], bool]) -> None:
        """Until cancelled; `connected` is whether Mosquitto runs, as far as the station knows."""
        unread, was_connected = True, False
        while True:
            try:
                passwords = await asyncio.to_thread(self._register.mosquitto_passwords)
                if passwords != self._written:
                    await asyncio.to_thread(self._write, passwords)
                    unread = True
                # When it has just started, it may have read what was there before.
                unread |= connected() and not was_connected
                was_connected = connected()
                if unread:
                    unread = not self._reload()
                lost = unread and was_connected
                self._trouble("mosquitto", _NOT_TOLD if lost else self._left_out())
            except UserError as error:
                self._trouble("mosquitto", str(error))
            await asyncio.sleep(LOOK_EVERY_S)

    def _password(self) -> str:
        path = self._folder / _PASSWORD
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists() or not path.read_text():
                mosquitto.put(path, secrets.token_hex(32))
            return path.read_text()
        except OSError as error:
            raise UserError(
                f"{path}: cannot be kept ({error.strerror}); check the folder and its owner"
            ) from None

    def _write(self, passwords: dict[str, str | None]) -> None:
        known = {box: line for box, line in passwords.items() if line}
        mosquitto.write_boxes(self._folder, known)
        self._written = passwords

    def _left_out(self) -> str:
        boxes = [box for box, line in self._written.items() if not line]
        if not boxes:
            return ""
        more = len(boxes) - _NAMED_MOST
        named = ", ".join(boxes[:_NAMED_MOST]) + (f" and {more} more" if more > 0 else "")
        return f"{named}: registered before Mosquitto was provided for; provision again"

    def _reload(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            process = int((self._folder / mosquitto.PROCESS).read_text())
            # After a crash, its number may be that of another program by now.
            if Path(f"/proc/{process}/comm").read_text().strip() == "mosquitto":
                os.kill(process, signal.SIGHUP)
                return True
        return False


_NOT_TOLD = (
    "Mosquitto: cannot be told which boxes are admitted; send it SIGHUP, and run it on this "
    "computer, as this user, with the station's mosquitto.conf"
)


def _checked(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
        if not parts.hostname or parts.path.strip("/"):
            raise ValueError
        parts.hostname.encode("idna")
    except (ValueError, KeyError):
        raise UserError("broker: is no URL of one; write mqtt://127.0.0.1:PORT") from None
    refuse_unencrypted(parts)
    return parts, port
