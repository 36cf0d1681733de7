"""The serial port of a board: which one it is, and why it does not open."""

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import serial
from serial.tools import list_ports

from noisewarden.errors import UserError

try:
    import termios

    GONE: tuple[type[Exception], ...] = (OSError, termios.error)
except ImportError:  # Windows
    GONE = (OSError,)
"""What pyserial raises when a port that was open has vanished."""

USB_DEVICES = Path("/sys/bus/usb/devices")
"""Where Linux lists what is plugged in, whether a driver has made a port of it or not."""

_BAUD = 115_200
_READ_TIMEOUT_S = 1.0


def find(board: dict[str, Any]) -> str:
    """The port of the one board that is plugged in, by the USB ids in its board file.

    UserError when there is none, or more than one that it could be.
    """
    ids = board["usb"]["ids"]
    ports = list_ports.comports()
    fitting = [port.device for port in ports if f"{port.vid or 0:04x}:{port.pid or 0:04x}" in ids]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UserError(
            f"{board['board']}: any of {', '.join(sorted(fitting))} could be it; "
            "unplug the others, or name one with --port"
        )
    if taken := _without_port(ids):
        raise UserError(f"{board['board']}: {_no_driver(taken)}")
    raise UserError(
        f"{board['board']}: none is plugged in (USB {', '.join(ids)}); plug it in with a cable "
        f"that carries data, or name its port with --port ({_ports_there_are()})"
    )


def open_port(path: str, ids: Sequence[str] = ()) -> serial.Serial:
    """A serial port, open and held for this program alone, its reset lines let go.

    `ids` are the USB ids of the board that should be there. UserError with the cause and the cure.
    """
    port = serial.Serial(baudrate=_BAUD, timeout=_READ_TIMEOUT_S, exclusive=True)
    port.port = path
    # Asserted, these two lines hold the chip in reset or in its boot loader.
    port.dtr = port.rts = False
    try:
        port.open()
    except (*GONE, ValueError) as error:
        cause = refusal(error)
        if getattr(error, "errno", None) == errno.ENOENT and (taken := _without_port(ids)):
            cause = _no_driver(taken)
        raise UserError(f"{path}: {cause}") from None
    return port


def refusal(error: Exception) -> str:
    """Cause and cure of a port that does not open."""
    match _errno(error):
        case errno.ENOENT | errno.ENXIO | errno.ENODEV:
            return f"no such port; plug in the box ({_ports_there_are()})"
        case errno.EACCES | errno.EPERM:
            return (
                "permission denied; join the group of the serial ports "
                "(sudo usermod -aG dialout $USER) and log in again"
            )
        case errno.EBUSY | errno.EAGAIN:
            return "another program holds it; close the terminal or tool that has it open"
        case _:
            return f"is no serial port that can be used ({error}); name the box's port"


def _errno(error: Exception) -> int | None:
    """What the system said; pyserial hides it in the text on Windows, where access is denied to a
    port that is busy."""
    text = str(error)
    if "FileNotFoundError" in text:
        return errno.ENOENT
    if "PermissionError" in text:
        return errno.EBUSY
    return getattr(error, "errno", None)


def _ports_there_are() -> str:
    ports = ", ".join(port.device for port in list_ports.comports()) or "none"
    return f"ports there are now: {ports}"


def _without_port(ids: Sequence[str]) -> str:
    """The first of these USB ids that is plugged in and has no port, "" when there is none."""
    for vendor in sorted(USB_DEVICES.glob("*/idVendor")):
        device = vendor.parent
        usb = f"{vendor.read_text().strip()}:{(device / 'idProduct').read_text().strip()}"
        if usb in ids and not any(device.glob("*:*/tty*")):
            return usb
    return ""


def _no_driver(usb: str) -> str:
    return (
        f"USB {usb} is plugged in but has no port: brltty has taken it for a Braille display; "
        "remove that (sudo apt remove brltty) and plug the board in again"
    )
