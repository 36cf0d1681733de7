"""The files by which an external Mosquitto (2.0 or newer) holds the rules of `rights`.

Mosquitto takes the id of a box from its user name, so that none can push another out; it reads
passwords and ACL again on SIGHUP, and then cuts those whose password is gone, without their last
will. It must run as the user who owns the files. The station comes
by a listener of its own, so several intake processes may share its user name.
"""

import getpass
import os
from collections.abc import Mapping
from pathlib import Path

from noisewarden.errors import UserError
from noisewarden.mosquitto_password import hashed
from noisewarden.station.packets import PACKET_MOST_BYTES
from noisewarden.station.rights import DOWN, EVERYTHING, STATION, UP

CONF = "mosquitto.conf"
PROCESS = "mosquitto.pid"
"""Where it writes its process id, while it runs."""
_BOXES, _BOXES_ACL = "boxes.passwords", "boxes.acl"
_STATION, _STATION_ACL = "station.passwords", "station.acl"

_QUEUED_MOST = 100_000
"""Its 1000 lose records that it has acknowledged, while an intake is away."""


def write(
    folder: Path,
    certificate: tuple[Path, Path],
    station_password: str,
    *,
    host: str = "",
    port: int = 8883,
    station_host: str = "127.0.0.1",
    station_port: int = 1883,
    station_tls: bool = False,
) -> Path:
    """Writes configuration, ACL and the station's password; the path of the configuration.

    The boxes are those of `write_boxes`. UserError when a file cannot be written.
    """
    tls = _TLS.format(certificate=certificate[0], key=certificate[1])
    text = _CONF.format(
        user=getpass.getuser(),  # the files are readable by their owner alone
        packet=PACKET_MOST_BYTES,
        queued=_QUEUED_MOST,
        boxes_listener=f"{port} {host}".strip(),
        process=folder / PROCESS,
        boxes_tls=tls,
        boxes=folder / _BOXES,
        boxes_acl=folder / _BOXES_ACL,
        station_listener=f"{station_port} {station_host}",
        station_tls=tls if station_tls else "",
        station=folder / _STATION,
        station_acl=folder / _STATION_ACL,
    )
    up = [f"pattern write noisewarden/%u/{name}\n" for name in UP]
    down = [f"pattern read noisewarden/%u/{name}\n" for name in DOWN]
    put(folder / _BOXES_ACL, "".join(up + down))
    put(folder / _STATION_ACL, f"user {STATION}\ntopic readwrite {EVERYTHING}\n")
    put(folder / _STATION, f"{STATION}:{hashed(station_password)}\n")
    put(folder / CONF, text)
    return folder / CONF


def write_boxes(folder: Path, passwords: Mapping[str, str]) -> None:
    """Writes who may come in: the `hashed` password of each box. SIGHUP makes it so.

    UserError when the file cannot be written.
    """
    put(folder / _BOXES, "".join(f"{box}:{line}\n" for box, line in passwords.items()))


_CONF = """\
# Written by noisewarden, and written again: changes here are lost.
user {user}
per_listener_settings true
max_packet_size {packet}
max_queued_messages {queued}
persistence false
pid_file {process}

# Boxes
listener {boxes_listener}
{boxes_tls}allow_anonymous false
password_file {boxes}
acl_file {boxes_acl}
use_username_as_clientid true
max_qos 1

# The station
listener {station_listener}
{station_tls}allow_anonymous false
password_file {station}
acl_file {station_acl}
"""

_TLS = """\
certfile {certificate}
keyfile {key}
tls_version tlsv1.2
"""


def put(path: Path, text: str) -> None:
    """The whole of a file at once, readable by its owner alone. UserError when it cannot be."""
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        beside.unlink(missing_ok=True)
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); check the folder and its owner"
        ) from None
