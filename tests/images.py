"""MicroPython images in small: a boot loader, a partition table and a program, as ESP-IDF lays
them out, with random bytes for code."""

import hashlib
import random
import struct

BOARDS = {
    "esp32": "esp32-devkitc",
    "esp32c3": "esp32-c3-devkitm-1",
    "esp32s3": "esp32-s3-devkitc-1",
}
"""A board for each chip."""

IMAGE_IDS = {"esp32": 0, "esp32c3": 5, "esp32s3": 9}
OFFSETS = {"esp32": 0x1000, "esp32c3": 0, "esp32s3": 0}
NO_LAST_REVISION = 0xFFFF


def micropython(
    chip: str,
    size: int = 100_000,
    revisions: tuple[int, int] = (0, NO_LAST_REVISION),
    random_part: float = 0.5,
) -> bytes:
    """An image for `chip` whose program has `size` bytes, of which some do not compress."""
    code = random.Random(1).randbytes(int(size * random_part) // 4 * 4)
    code += bytes((size - len(code)) // 4 * 4)
    table = struct.pack("<2sBBII16sI", b"\xaa\x50", 0, 0, 0x10000, 0x1F0000, b"factory", 0)
    offset = OFFSETS[chip]
    image = _program(chip, code[:4096], revisions).ljust(0x8000 - offset, b"\xff")
    image = (image + table).ljust(0x10000 - offset, b"\xff")
    return image + _program(chip, code, revisions)


def _program(chip: str, code: bytes, revisions: tuple[int, int]) -> bytes:
    """One segment behind the header, then checksum and SHA-256."""
    header = struct.pack("<BBBBI", 0xE9, 1, 2, 0x20, 0x40080000)
    header += struct.pack("<B3xHBHH4xB", 0xEE, IMAGE_IDS[chip], 0, *revisions, 1)
    body = header + struct.pack("<II", 0x40080000, len(code)) + code
    checksum = 0xEF
    for byte in code:
        checksum ^= byte
    body += bytes(15 - len(body) % 16) + bytes((checksum,))
    return body + hashlib.sha256(body).digest()
