"""A new version of the firmware, sent by `deploy`, goes into place before anything of it starts.

What is sent waits in `next/`, its manifest last. While that is not complete the old version stays
as it is. Once it is, each file is renamed into place, and the manifest after all others: the power
may go at any instant, the next start goes on where this one stopped. So a version is old or new,
never a mixture. This file imports nothing of the firmware, which may be half way into place.

A manifest has a line `<SHA-256>  <path>` a file, in the order in which they go into place, and
last the SHA-256 of all that before it.
"""

import binascii
import hashlib
import os

NEXT = "next/"
MANIFEST = "manifest"
ROOMS = "noisebox"
"""The folder that holds nothing but what a manifest names."""

_FILE = 0x8000  # of os.ilistdir


def sha256(path):
    """Of a file, in hex; None when there is none."""
    found = hashlib.sha256()
    buffer = memoryview(bytearray(512))
    try:
        with open(path, "rb") as file:
            while count := file.readinto(buffer):
                found.update(buffer[:count])
    except OSError:
        return None
    return binascii.hexlify(found.digest()).decode()


def files(folder):
    """Paths of the files in a folder; none when it is not there."""
    try:
        return [folder + "/" + row[0] for row in os.ilistdir(folder) if row[1] == _FILE]
    except OSError:
        return []


def manifest(path):
    """[[SHA-256, path], …] of a manifest; None when there is none, or not the whole of it."""
    try:
        with open(path, "rb") as file:
            lines = file.read()
    except OSError:
        return None
    lines, seal = lines[:-65], lines[-65:]
    if binascii.hexlify(hashlib.sha256(lines).digest()) + b"\n" != seal:
        return None
    return [line.split("  ") for line in lines.decode().splitlines()]


def _settle():
    """LittleFS ends a move that the power cut when next it is asked to write, and no sooner; until
    then it hides the file after the moved one too (seen in MicroPython 1.29)."""
    try:
        os.remove(NEXT + "-")
    except OSError:  # there is none of that name
        pass


def run():
    """Puts the version in `next/` into place if it is complete. OSError when the flash fails: then
    nothing may start, for the next run has to go on first."""
    _settle()
    rows = manifest(NEXT + MANIFEST)
    if rows is None:
        return
    waiting = [path for digest, path in rows if sha256(NEXT + path) == digest]
    if any(path not in waiting and sha256(path) != digest for digest, path in rows):
        return
    try:
        os.mkdir(ROOMS)
    except OSError:  # it is there
        pass
    for path in waiting:
        os.rename(NEXT + path, path)
    named = [path for _, path in rows]
    for path in files(ROOMS):
        if path not in named:
            os.remove(path)
    os.rename(NEXT + MANIFEST, MANIFEST)
