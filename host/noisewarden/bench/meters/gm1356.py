"""A live Benetech GM1356 (and its rebrands) over USB HID; packets of 8 bytes.

It gives a momentary level, F or S, not an Leq. Both are averages of energy, so that the energy
mean of a steady minute of them is the LAeq of that minute. From the project dobra-noc/gm1356,
PROTOCOL.md; the same device is sold as BAFX3608.
"""

import secrets
from typing import Any, Protocol

import hid

from noisewarden.bench.meters.protocol import Papers, plausible
from noisewarden.errors import UserError

VENDOR, PRODUCT = 0x64BD, 0x74E3
_UNNUMBERED = b"\0"
"""The device has no numbered reports; hidapi wants that said before each."""
_POLL = b"\xb3"
_PACKET_BYTES = 8
_ANSWER_WITHIN_MS = 500

_C_WEIGHTING, _MAX_HOLD = 0x10, 0x20
_RANGES_DB = ((30, 130), (30, 80), (50, 100), (60, 110), (80, 130))
"""By the low nibble. Of the second the sources differ, 60 or 80 dB at the top; a level beyond 60
is then over its range, which the meter says with a level at the very top."""


class Device(Protocol):
    """What is used of `hid.device`."""

    def write(self, buff: bytes) -> int: ...
    def read(self, max_length: int, timeout_ms: int) -> list[int]: ...
    def close(self) -> None: ...


class GM1356:
    """UserError, while it is read too, for one set to C weighting or to hold the maximum."""

    def __init__(self, device: Device, papers: Papers) -> None:
        self._begin(device)
        self.instrument = papers.instrument("Benetech GM1356", weighting_known=True)

    def second(self) -> float | None:
        if self._device is None:
            self._begin(_plugged_in())
        try:
            packet = self._answer()
        except (OSError, ValueError):
            self.close()
            raise UserError(
                "GM1356: it is gone; plug it in again, switch it on and repeat the level"
            ) from None
        return decode(packet)

    def close(self) -> None:
        if self._device:
            self._device.close()
            self._device = None

    def _begin(self, device: Device) -> None:
        self._device: Device | None = device
        # The meter does not answer a session that uses the id of an earlier one.
        self._poll = _UNNUMBERED + _POLL + secrets.token_bytes(3) + bytes(4)

    def _answer(self) -> bytes:
        assert self._device
        while self._device.read(_PACKET_BYTES, 1):
            pass  # an answer that came too late is not of this second
        if self._device.write(self._poll) < 0:
            raise OSError
        return bytes(self._device.read(_PACKET_BYTES, _ANSWER_WITHIN_MS))


def find(papers: Papers) -> GM1356:
    """The one that is plugged in. UserError for none, several, or one that may not be opened."""
    return GM1356(_plugged_in(), papers)


def _plugged_in() -> Device:
    paths: list[Any] = [found["path"] for found in hid.enumerate(VENDOR, PRODUCT)]
    if len(paths) != 1:
        raise UserError(
            f"GM1356: {len(paths) or 'none'} found on USB; plug in exactly one and switch it on"
        )
    device = hid.device()
    try:
        device.open_path(paths[0])
    except OSError:
        raise UserError(
            "GM1356: may not be opened; allow its USB device to your user by a udev rule for "
            f"{VENDOR:04x}:{PRODUCT:04x}, and close other programs that use it"
        ) from None
    return device


def decode(packet: bytes) -> float | None:
    """The level of an answer; None for none, a short one, a range that there is not, and a level
    at either end of its range. UserError for C weighting or max-hold."""
    if len(packet) != _PACKET_BYTES or packet[2] & 0x0F >= len(_RANGES_DB):
        return None
    if packet[2] & _C_WEIGHTING:
        raise UserError("GM1356: set to C weighting; press A/C until it shows dBA")
    if packet[2] & _MAX_HOLD:
        raise UserError("GM1356: holds the maximum; press MAX until MAX is gone")
    level_db = int.from_bytes(packet[:2], "big") / 10
    lowest, highest = _RANGES_DB[packet[2] & 0x0F]
    return plausible(level_db) if lowest < level_db < highest else None
