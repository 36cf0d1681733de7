"""Reads back what a box has written: for hosts, apart from `wire` so that no box need load it.

Raises ValueError, and nothing else, for bytes that are corrupt.
"""

import binascii
import struct

from noisebox import wire

_LAYOUTS = [wire.layout(kind) for kind in wire.KINDS]


def _unpack_levels(data):
    count = len(data) * 2 // 3
    if (count * 3 + 1) // 2 != len(data) or (count & 1 and data[-1] > 0xF):
        raise ValueError("levels: {} bytes are no run of 12-bit levels".format(len(data)))
    levels = []
    for index in range(count):
        at = index * 3 // 2
        value = (
            data[at] >> 4 | data[at + 1] << 4
            if index & 1
            else data[at] | (data[at + 1] & 0xF) << 8
        )
        levels.append(None if value == wire.NO_PACKED else value / 10)
    return levels


def _named(names, values):
    return {name: values[index] for index, name in enumerate(names)}


def _unpack_body(kind, body):
    (form, names), levels, texts = _LAYOUTS[kind]
    at = struct.calcsize(form)
    if len(body) < at:
        raise ValueError("{}: body of {} bytes is too short".format(wire.KINDS[kind], len(body)))
    fields = _named(names, struct.unpack(form, body[:at]))
    if levels:
        named, rest, least, most = levels
        values = _unpack_levels(body[at:])
        if not least <= len(values) - len(named) <= most:
            raise ValueError("{}: {} levels in it".format(wire.KINDS[kind], len(values)))
        fields.update(_named(named, values))
        fields[rest] = values[len(named) :]
        return fields
    for name, most in texts:
        length = body[at] if at < len(body) else 256
        if length > most or at + 1 + length > len(body):
            raise ValueError("{}: {} is longer than it may be".format(wire.KINDS[kind], name))
        fields[name] = str(body[at + 1 : at + 1 + length], "utf-8")
        at += 1 + length
    if at != len(body):
        raise ValueError("{}: {} bytes too many".format(wire.KINDS[kind], len(body) - at))
    return fields


def unpack(data):
    """A record as a dict: kind, seq, boot, uptime_ms, time (unix s or None), quality, its body.

    All levels are dB or None. ValueError says what is wrong with a corrupt one.
    """
    kind, seq, boot, uptime_ms, unix_s, quality = wire.header(data)
    if kind not in wire.KINDS:
        raise ValueError("record: {} is not known here".format(kind))
    fields = _unpack_body(wire.KINDS.index(kind), data[wire.HEADER_BYTES :])
    fields.update(kind=kind, seq=seq, boot=boot, uptime_ms=uptime_ms, time=unix_s, quality=quality)
    return fields


def breaks(key, entries):
    """Yields the seq of each entry with a wrong mac or that does not continue the one before.

    After a range that is missing, the chain is taken up again from the entry's previous mac.
    """
    last_seq = last_mac = None
    for seq, data, mac, previous in entries:
        linked = (
            previous == last_mac if seq - 1 == last_seq else seq > 1 or previous == wire.FIRST_MAC
        )
        if not linked or key.sign(previous, data) != mac:
            yield seq
        last_seq, last_mac = seq, mac


def entry(payload):
    """The entry in a payload of `record`; ValueError when it is not one."""
    seq = payload.get("seq")
    parts = []
    for name in ("data", "mac", "previous"):
        text = payload.get(name)
        if not isinstance(text, str):
            raise ValueError("record: has no {}".format(name))
        try:
            parts.append(binascii.a2b_base64(text))
        except ValueError:
            raise ValueError("record: {} is not base64".format(name)) from None
    data, mac, previous = parts
    if len(mac) != wire.MAC_BYTES or len(previous) != wire.MAC_BYTES:
        raise ValueError("record: a mac has {} bytes".format(wire.MAC_BYTES))
    if wire.header(data)[1] != seq:
        raise ValueError("record: seq {} is not that of its data".format(seq))
    return seq, data, mac, previous
