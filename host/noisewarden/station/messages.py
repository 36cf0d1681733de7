"""What a box says, checked: nothing goes further than here that a station could stumble on.

Whoever holds a box holds its password, so any payload may be made by hand. ValueError for one that
does not count; what comes back has known keys, sizes and types.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

from noisewarden.firmware import evidence, flags
from noisewarden.stages import STAGES
from noisewarden.store import Entry

PAYLOAD_MOST_BYTES = 8192
"""Twice the longest line of a box's console."""

LEVELS = ("laeq", "lceq", "lafmax", "lasmax", "lcpeak")
NAMES = ("reading", "record", "state", "availability", "result")
"""Of the topics on which a box speaks."""

_LEVEL_MOST_DB = 250
_COLOURS = ("green", "red", "off")
_ID_MOST_CHARS = 32
_TEXT_MOST_CHARS = 120
_KEY_MOST_CHARS = 24
_KEYS_MOST = 40
_LIST_MOST = 8
_U32 = 0xFFFFFFFF

Payload = dict[str, Any]


@dataclass(frozen=True)
class Arrival:
    """A record as it came; `after` and `live` as in docs/protocol.md."""

    entry: Entry
    after: int
    live: bool

    @property
    def seq(self) -> int:
        return self.entry[0]


def parse(data: bytes) -> Payload:
    """The JSON object in a payload."""
    if len(data) > PAYLOAD_MOST_BYTES:
        raise ValueError(f"{len(data)} bytes are too many")
    try:
        payload = json.loads(data)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(payload, dict):
        raise ValueError("no object")
    return payload


def reading(payload: Payload) -> Payload:
    """One second: levels in dB or None, and what was shown."""
    return {
        "n": _whole(payload, "n", _U32),
        "time": None if payload.get("time") is None else _whole(payload, "time", _U32),
        **{name: _level(payload, name) for name in LEVELS},
        "limit": _whole(payload, "limit", _LEVEL_MOST_DB),
        "stage": _whole(payload, "stage", len(STAGES) - 1),
        "incident": _typed(payload, "incident", bool),
        "shown": _text(payload, "shown", _TEXT_MOST_CHARS),
        "colour": _one_of(payload, "colour", _COLOURS),
        "spotlight": _typed(payload, "spotlight", bool),
        "flags": flags.names(flags.mask(_typed(payload, "flags", list))),
    }


def record(payload: Payload) -> Arrival:
    """A record of the journal; its mac is not looked at here."""
    seq, data, mac, previous = evidence.entry(payload)
    # JSON's `true` is 1 to Python, and it must not be the number of a record.
    seq = _whole(payload, "seq", _U32)
    after = _whole(payload, "after", seq - 1)
    return Arrival((seq, data, mac, previous), after, _typed(payload, "live", bool))


def state(payload: Payload) -> Payload:
    """What the box says of itself: its boot, its clock's quality, and whatever else is short.

    A newer firmware may say more than this station knows; what is long or deep is left out.
    """
    _whole(payload, "boot", _U32)
    _whole(payload, "clock", 2)
    if "records" in payload:
        first_last = _typed(payload, "records", list)
        if len(first_last) != 2 or not all(_is_whole(seq, _U32) for seq in first_last):
            raise ValueError("records is no pair of numbers")
    kept = {}
    for key, value in list(payload.items())[:_KEYS_MOST]:
        if isinstance(value, dict):
            value = {k: v for k, v in value.items() if _is_short(k, v)}
        many = isinstance(value, list | dict)
        if len(key) <= _KEY_MOST_CHARS and (
            len(value) <= _LIST_MOST and all(map(_is_scalar, value)) if many else _is_scalar(value)
        ):
            kept[key] = value
    return kept


def availability(data: bytes) -> bool:
    """Whether the box is online; this payload alone is a bare word."""
    if data not in (b"online", b"offline"):
        raise ValueError("neither online nor offline")
    return data == b"online"


def result(payload: Payload) -> tuple[str, bool, str]:
    """(id, whether it was done, detail) of a command's answer."""
    done = _one_of(payload, "outcome", ("done", "refused")) == "done"
    detail = _typed(payload, "detail", str)[:_TEXT_MOST_CHARS]
    # Half a character, or a zero byte, is in no text that every database takes.
    detail = "".join(char if char.isprintable() else " " for char in detail)
    return _text(payload, "id", _ID_MOST_CHARS), done, detail


def _is_whole(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _is_scalar(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _TEXT_MOST_CHARS and value.isprintable()
    if isinstance(value, int):
        return abs(value) <= 1 << 53
    return value is None or (isinstance(value, float) and math.isfinite(value))


def _is_short(key: str, value: Any) -> bool:
    return len(key) <= _KEY_MOST_CHARS and _is_scalar(value)


def _typed(payload: Payload, name: str, kind: type) -> Any:
    value = payload.get(name)
    if not isinstance(value, kind):
        raise ValueError(f"{name} is no {kind.__name__}")
    return value


def _whole(payload: Payload, name: str, most: int) -> int:
    value = payload.get(name)
    if not _is_whole(value, most):
        raise ValueError(f"{name} is no whole number from 0 to {most}")
    assert isinstance(value, int)
    return value


def _level(payload: Payload, name: str) -> float | None:
    value = payload.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is no level")
    if not -_LEVEL_MOST_DB <= value <= _LEVEL_MOST_DB:
        raise ValueError(f"{name} is out of range")
    # MicroPython's 0.01 dB have a tail where its floats are double.
    return round(value, 2)


def _text(payload: Payload, name: str, most_chars: int) -> str:
    text = _typed(payload, name, str)
    if len(text) > most_chars or not text.isprintable():
        raise ValueError(f"{name} is too long, or no text")
    return text


def _one_of(payload: Payload, name: str, known: tuple[str, ...]) -> str:
    value = payload.get(name)
    if value not in known:
        raise ValueError(f"{name} is none of {', '.join(known)}")
    return value
