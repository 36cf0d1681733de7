"""The MicroPython image of a board: a file named by a person, or the one that its board file pins.

What is downloaded is pinned by version and SHA-256 and kept in a cache; nothing that cannot be
verified is ever downloaded. Structure of an image: "App image format" and "Partition tables" of
the ESP-IDF programming guide.
"""

import contextlib
import hashlib
import http.client
import os
import struct
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esptool.bin_image import ESP32FirmwareImage, LoadFirmwareImage
from esptool.targets import CHIP_DEFS
from esptool.util import FatalError

from noisewarden.errors import UserError

SITE = "https://micropython.org/resources/firmware"
_TIMEOUT_S = 20
_CHUNK_BYTES = 16 * 1024
_MOST_BYTES = 16 << 20
"""No image is longer than the flash that an ESP32 can run from."""

_PARTITIONS_AT = 0x8000
_PARTITION = struct.Struct("<2sBBII16sI")
_PARTITION_MAGIC = b"\xaa\x50"
_APP = 0


@dataclass(frozen=True)
class Image:
    """What to write, and from where.

    name       the file, as a person would look for it
    sha256     64 hexadecimal digits
    revisions  first and last revision of the chip that it runs on, as 100 × major + minor
    warning    what a person should know before it is written, "" for nothing
    """

    name: str
    data: bytes
    sha256: str
    revisions: range
    warning: str = ""


def cache_folder() -> Path:
    """Where images that were downloaded are kept."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "noisewarden" / "images"


def from_file(path: Path, board: dict[str, Any]) -> Image:
    """An image in a local file; a warning names its digest unless it is the pinned one.

    UserError when it cannot be read, is incomplete, or is for another chip.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the name") from None
    digest = hashlib.sha256(data).hexdigest()
    pinned = board["image"].get("sha256")
    if digest == pinned:
        return _image(str(path), data, digest, board)
    warning = (
        f"{path}: is not the pinned {board['image']['file']}"
        if pinned
        else f"{path}: the board file pins no SHA-256 to compare with"
    )
    found = _image(str(path), data, digest, board, f"{warning}; its SHA-256 is {digest}")
    if not _complete(data, board):
        raise UserError(f"{path}: is incomplete or damaged; download it again")
    return found


def pinned(board: dict[str, Any], advance: Callable[[int], None]) -> Image:
    """The image that the board file pins, out of the cache or downloaded into it.

    `advance` is told how many bytes have come. UserError when nothing is pinned, or when there is
    no way to get it: then it says which file to fetch and where to put it.
    """
    name, digest = board["image"]["file"], board["image"].get("sha256")
    url = f"{SITE}/{name}"
    if digest is None:
        raise UserError(
            f"{board['board']}: its board file pins no SHA-256 for {name}, and what cannot be "
            f"verified is not downloaded; fetch {url} yourself and give it with --image FILE"
        )
    kept = cache_folder() / name
    try:
        data = kept.read_bytes()
    except OSError:
        data = b""
    if hashlib.sha256(data).hexdigest() != digest:
        data = _download(url, advance, kept)
        found = hashlib.sha256(data).hexdigest()
        if found != digest:
            raise UserError(
                f"{url}: its SHA-256 is {found}, the board file pins {digest}; do not use it, "
                "try again or ask where the board file comes from"
            )
        _keep(kept, data)
    return _image(name, data, digest, board)


def _download(url: str, advance: Callable[[int], None], kept: Path) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            data = bytearray()
            while (chunk := answer.read(_CHUNK_BYTES)) and len(data) < _MOST_BYTES:
                data += chunk
                advance(len(chunk))
            length = answer.headers["Content-Length"]
            if length and len(data) < int(length):
                raise http.client.IncompleteRead(bytes(data))
            return bytes(data)
    except (OSError, http.client.HTTPException) as error:
        there = "the copy there is damaged" if kept.exists() else "none is in the cache"
        raise UserError(
            f"{url}: cannot be downloaded ({_cause(error)}) and {there}; fetch it on another "
            f"computer and put it into {kept.parent}"
        ) from None


def _cause(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return "the connection broke off"
    return " ".join(str(getattr(error, "reason", "") or error or type(error).__name__).split())


def _keep(path: Path, data: bytes) -> None:
    """Into the cache, whole or not at all; without one the image is downloaded each time."""
    partial = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()


def _image(name: str, data: bytes, sha256: str, board: dict[str, Any], warning: str = "") -> Image:
    chip = CHIP_DEFS[board["chip"]]
    boot = _program(board["chip"], data)
    if boot is None:
        raise UserError(f"{name}: is no MicroPython image for an ESP32; take the .bin for it")
    if boot.chip_id != chip.IMAGE_CHIP_ID:
        titles = {other.IMAGE_CHIP_ID: other.CHIP_NAME for other in CHIP_DEFS.values()}
        title = titles.get(boot.chip_id, "another chip")
        raise UserError(
            f"{name}: is an image for {title}, but {board['board']} has {chip.CHIP_NAME}; "
            f"take {board['image']['file']}"
        )
    if board["image"]["offset"] + len(data) > board["flash_mb"] << 20:
        raise UserError(
            f"{name}: is longer than the {board['flash_mb']} MB of flash; "
            f"take {board['image']['file']}"
        )
    # 0 and 65535 both stand for "no last revision".
    last = boot.max_rev_full or 0xFFFF
    return Image(name, data, sha256, range(boot.min_rev_full, last + 1), warning)


def _complete(data: bytes, board: dict[str, Any]) -> bool:
    """Whether the programs that the image's partition table names are whole."""
    offset = board["image"]["offset"]
    at = _PARTITIONS_AT - offset
    programs = 0
    while data[at : at + 2] == _PARTITION_MAGIC and len(data) >= at + _PARTITION.size:
        _, kind, _, address, _, _, _ = _PARTITION.unpack_from(data, at)
        if kind == _APP:
            programs += 1
            if not _whole(_program(board["chip"], data[address - offset :])):
                return False
        at += _PARTITION.size
    return programs > 0 and _whole(_program(board["chip"], data))


def _program(chip: str, data: bytes) -> ESP32FirmwareImage | None:
    """The program that starts at the first byte, None when none does."""
    try:
        program = LoadFirmwareImage(chip, data)
    except (FatalError, RuntimeError, struct.error, TypeError):
        return None
    assert isinstance(program, ESP32FirmwareImage)
    return program


def _whole(program: ESP32FirmwareImage | None) -> bool:
    return program is not None and (
        not program.append_digest or program.stored_digest == program.calc_digest
    )
