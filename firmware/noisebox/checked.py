"""Files of settings: values that are checked one by one, and bytes that are whole or not there.

Files are handed in as an object with `open` and `rename`. Every problem is one line `key: value is
not …`.
"""

import json

from micropython import const

MAX_BYTES = const(8192)
_MAX_TEXT = const(60)
_NEW = const(".new")

UNREADABLE = (ValueError, TypeError, RuntimeError)
"""For what cannot be read: MicroPython's JSON takes keys that are no text, and any depth."""
NO_JSON = "not valid JSON, or longer than {} bytes".format(MAX_BYTES)


class Wrong(ValueError):
    def __init__(self, value, cause):
        shown = "a list or object" if isinstance(value, (dict, list)) else repr(value)[:40]
        super().__init__("{} {}".format(shown, cause))


def whole(value, lowest, highest):
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise Wrong(value, "is not a whole number from {} to {}".format(lowest, highest))


def text(value):
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise Wrong(value, "is not a text of at most {} characters".format(_MAX_TEXT))


def wrong(name, value, rule):
    """The problems with one value: a list of one line, or of none."""
    try:
        if isinstance(rule, tuple):
            whole(value, *rule)
        else:
            rule(value)
    except ValueError as error:
        return ["{}: {}".format(name, error)]
    return []


def read(files, path):
    """The bytes of a file, or None when it is not there or cannot be read."""
    try:
        with files.open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            return file.read(min(size, MAX_BYTES + 1))
    except OSError:
        return None


def parsed(data):
    """What is in `data`; ValueError when it is no JSON, or too much."""
    if len(data) > MAX_BYTES:
        raise ValueError
    return json.loads(data)


def write(files, path, data):
    """Replaces a file so that a power cut leaves the old or the new one, whole."""
    with files.open(path + _NEW, "wb") as file:
        file.write(data)
    files.rename(path + _NEW, path)
