"""What a box and the world say to each other: one codec, run by both (DESIGN 4.5, 4.6).

docs/protocol.md has the same in tables, with an example worked in bytes.

A *record* is a header and a body of little-endian integers, and travels as the very bytes that
the journal stores. Its *mac* is HMAC-SHA256(journal key, previous mac ‖ record), so that nobody
without the key can change, insert or take away a record unseen. An *entry* is (seq, record, mac,
previous mac). What reads bytes from outside raises ValueError, and nothing else, for corrupt ones.
"""

import binascii
import hashlib
import json
import struct

from micropython import const

HEADER_BYTES = const(21)
MAC_BYTES = const(32)
SECRET_BYTES = const(32)
BODY_MOST_BYTES = const(255)
LINE_MOST_CHARS = const(4096)
"""A longer line on the console is not a message."""

STATION_NAME = "station.noisewarden"
"""The name in the station's certificate, whatever address a box reaches it at."""

BOX_MOST_CHARS = const(32)
_BOX_CHARS = const("abcdefghijklmnopqrstuvwxyz0123456789-")

NO_TENTHS = const(0xFFFF)
"""In a list of levels in 0.1 dB: no level in that second."""

FIRST_MAC = bytes(MAC_BYTES)
"""The mac before the first record of all."""

_HEADER = const("<BBIIIHIB")  # body length, kind, seq, boot, uptime low and high, time, quality
_NUMBERS = const("<II")
_NUMBERS_AT = const(2)  # seq and boot, known only when the record is written to flash
_QUALITY_MOST = const(2)
NO_PACKED = const(0xFFF)
"""The same in 12 bits."""
_LEVEL_MOST = const(0xFFE)

# A body is integers, then either a run of 12-bit levels in 0.1 dB, named ones first and a list
# after them, or texts. The kind on flash is the place in this table, from 1: a body that changes
# gets a new row. It is text, read at each use, since as tuples it would take four times the heap.
LAYOUTS = (
    # kind | format and names of integers | names of levels, their list, its least, its most |
    # name and most bytes of each text
    "minute|<BHBB valid_s flags limit stage|laeq lafmax lafmin lcpeak l10 l50 l90 seconds 60 60|",
    "stage|<BBHB previous stage flags limit|laeq10 around 0 20|",
    "boot|<||cause 16 firmware 32 micropython 32 board 32",
    "config|<||digest 64 change 120",
    "calibration|<hH offset_mdb uncertainty_mdb||date 10 expires 10 meter 64 certificate 64 by 32",
    "command|<||id 32 action 64 by 32 outcome 64",
    "fault|<||text 80",
    "overwritten|<II first last||",
)
KINDS = tuple([row.split("|", 1)[0] for row in LAYOUTS])
OVERWRITTEN = KINDS.index("overwritten") + 1
"""The kind, as a record's second byte has it, that the journal itself writes and reads."""


def layout(kind):
    """What a body of `kind` is made of:

    (format, names) of its integers, (names, list, its least, its most) of its levels or None, and
    (name, most bytes) of each text.
    """
    _, integers, levels, texts = LAYOUTS[KINDS.index(kind)].split("|")
    form, *names = integers.split()
    run = None
    if levels:
        *named, rest, least, most = levels.split()
        run = named, rest, int(least), int(most)
    texts = texts.split()
    return (form, names), run, [(texts[n], int(texts[n + 1])) for n in range(0, len(texts), 2)]


class Key:
    """HMAC-SHA256 (RFC 2104) under one key, its pads made once; MicroPython has no hmac."""

    def __init__(self, key):
        if len(key) > 64:
            key = hashlib.sha256(key).digest()
        key = key + bytes(64 - len(key))
        self._inner = bytes([byte ^ 0x36 for byte in key])
        self._outer = bytes([byte ^ 0x5C for byte in key])

    def sign(self, *parts):
        """The 32-byte HMAC of `parts` one after the other."""
        inner = hashlib.sha256(self._inner)
        for part in parts:
            inner.update(part)
        outer = hashlib.sha256(self._outer)
        outer.update(inner.digest())
        return outer.digest()


def derive(secret, label):
    """The 32-byte key of `label` ("mqtt", "command", "journal") that comes of a box's secret."""
    return Key(secret).sign(label.encode())


def tenths(level_db):
    """A level in dB, or None, as a list of levels holds it: 0.1 dB, half up, 0 to 409.4 dB."""
    if level_db is None:
        return NO_TENTHS
    return min(max(int(level_db * 10 + 0.5), 0), _LEVEL_MOST)


def _pack_levels(named, rest):
    """Two runs of levels, as one; without a list of them, for which a full heap has no room."""
    count = len(named) + len(rest)
    packed = bytearray((3 * count + 1) // 2)
    for index in range(count):
        value = named[index] if index < len(named) else rest[index - len(named)]
        if value == NO_TENTHS:
            value = NO_PACKED
        at = 3 * index // 2
        if index & 1:
            packed[at] |= (value & 0xF) << 4
            packed[at + 1] = value >> 4
        else:
            packed[at] = value & 0xFF
            packed[at + 1] = value >> 8
    return packed


def _pack_text(text, most):
    data = text.encode()
    if len(data) > most:
        while data[most] & 0xC0 == 0x80:  # not in the middle of a character
            most -= 1
        data = data[:most]
    return bytes((len(data),)) + data


def pack(kind, **fields):
    """The body of a record of `kind`, its fields those of the table in docs/protocol.md.

    Named levels are dB or None; lists of levels are 0.1 dB, NO_TENTHS for none (`tenths`). A text
    that is too long is cut. ValueError for a field too many, an integer out of range, a list whose
    length is wrong.
    """
    (form, names), levels, texts = layout(kind)
    numbers = tuple([fields.pop(name) for name in names])
    body = struct.pack(form, *numbers)
    if struct.unpack(form, body) != numbers:
        raise ValueError("{}: an integer of {} is out of range".format(kind, numbers))
    if levels:
        named, rest, least, most = levels
        values = fields.pop(rest)
        if not least <= len(values) <= most:
            raise ValueError("{}: {} has {} levels".format(kind, rest, len(values)))
        body += _pack_levels([tenths(fields.pop(name)) for name in named], values)
    for name, most in texts:
        body += _pack_text(fields.pop(name), most)
    if fields:
        raise ValueError("{}: has no {}".format(kind, ", ".join(fields)))
    return body


def last_overwritten(data):
    """Up to which number an `overwritten` record tells that records went."""
    return struct.unpack_from("<II", data, HEADER_BYTES)[1]


def record(kind, body, uptime_ms, unix_s, quality):
    """A record without its numbers, a bytearray; `number` gives them when it is written.

    unix_s   wall time in s since 1970, or None when the box does not know it
    quality  of that time: 0 unknown, 1 kept over a reset, 2 set
    """
    return bytearray(
        struct.pack(
            _HEADER,
            len(body),
            KINDS.index(kind) + 1,
            0,
            0,
            uptime_ms & 0xFFFFFFFF,
            uptime_ms >> 32,
            unix_s or 0,
            quality,
        )
        + body
    )


def number(data, seq, boot):
    """Writes its numbers into a record."""
    struct.pack_into(_NUMBERS, data, _NUMBERS_AT, seq, boot)


def numbers(data):
    """(seq, boot) of a record of at least HEADER_BYTES."""
    return struct.unpack_from(_NUMBERS, data, _NUMBERS_AT)


def header(data):
    """(kind, seq, boot, uptime_ms, unix_s or None, quality) of a record; ValueError if corrupt."""
    if len(data) < HEADER_BYTES:
        raise ValueError("record: {} bytes are too short".format(len(data)))
    length, kind, seq, boot, low, high, unix_s, quality = struct.unpack(
        _HEADER, data[:HEADER_BYTES]
    )
    if len(data) != HEADER_BYTES + length:
        raise ValueError(
            "record: {} bytes, its header says {}".format(len(data), HEADER_BYTES + length)
        )
    if not kind:
        raise ValueError("record: there is no kind 0")
    if quality > _QUALITY_MOST:
        raise ValueError("record: there is no clock quality {}".format(quality))
    # A newer firmware may know more kinds: a host keeps their bytes.
    name = KINDS[kind - 1] if kind <= len(KINDS) else "kind-{}".format(kind)
    return name, seq, boot, high << 32 | low, unix_s or None, quality


def _base64(data):
    return str(binascii.b2a_base64(data), "ascii").strip()


def record_message(entry, after, newest, live):
    """The payload of `record`.

    after   seq of the record before it in the journal (0: none). A host that holds `after` holds
            all that there is up to this one, even where numbers between them are gone for ever.
    newest  seq of the last record on flash: what is still to come.
    live    False for a record of the past, which may raise no alarm.
    """
    seq, data, mac, previous = entry
    return {
        "seq": seq,
        "after": after,
        "newest": newest,
        "live": live,
        "data": _base64(data),
        "mac": _base64(mac),
        "previous": _base64(previous),
    }


def seal(key, topic, body):
    """The payload of an `ack` or `command`: `body`, a JSON text, that only the key can have made.

    The topic is signed with it, so that it is good for this box and this use alone.
    """
    mac = key.sign(topic.encode(), b"\0", body.encode())
    return {"body": body, "mac": str(binascii.hexlify(mac), "ascii")}


def unseal(key, topic, payload):
    """The body of a sealed payload as it was signed; ValueError when the key did not make it."""
    body, mac = payload.get("body"), payload.get("mac")
    if not isinstance(body, str) or not isinstance(mac, str):
        raise ValueError("seal: body or mac is missing")
    given, right = mac.encode(), seal(key, topic, body)["mac"].encode()
    differs = len(given) ^ len(right)
    # All bytes are looked at: the time must not tell how many were right.
    for index in range(min(len(given), len(right))):
        differs |= given[index] ^ right[index]
    if differs:
        raise ValueError("seal: the mac is wrong")
    return body


def topic(box, name):
    return "noisewarden/{}/{}".format(box, name)


def split_topic(text):
    """(box, name) of a topic of this project, or None; the box is a slug, safe in a file name."""
    parts = text.split("/")
    if len(parts) != 3 or parts[0] != "noisewarden" or not parts[2]:
        return None
    box = parts[1]
    if not 1 <= len(box) <= BOX_MOST_CHARS or any(char not in _BOX_CHARS for char in box):
        return None
    return box, parts[2]


def line(topic, payload):
    """A message as one line of the console, without the end of line; the topic comes first."""
    start = '{{"topic": "{}"{}'.format(topic, ", " if payload else "")
    # As short a way as there is: a state is the largest text that a box makes.
    return json.dumps(payload).replace("{", start, 1)


def parse_line(text):
    """(topic, payload) of a line of the console, or None for any other text there."""
    if len(text) > LINE_MOST_CHARS:
        return None
    text = text.strip()
    if not text.startswith("{"):
        return None
    try:
        payload = json.loads(text)
    except (ValueError, RuntimeError):  # RuntimeError: brackets nested too deep
        return None
    if not isinstance(payload, dict):
        return None
    topic = payload.pop("topic", None)
    if not isinstance(topic, str) or split_topic(topic) is None:
        return None
    return topic, payload
