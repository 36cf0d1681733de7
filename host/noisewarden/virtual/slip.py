"""The frames of esptool's serial protocol: SLIP (RFC 1055), with a mark at both ends."""

_END, _ESCAPE = b"\xc0", b"\xdb"
_ESCAPED_END, _ESCAPED_ESCAPE = b"\xdb\xdc", b"\xdb\xdd"


def packed(packet: bytes) -> bytes:
    """A packet as it goes over the line."""
    escaped = packet.replace(_ESCAPE, _ESCAPED_ESCAPE).replace(_END, _ESCAPED_END)
    return _END + escaped + _END


def take(received: bytearray) -> bytes | None:
    """Takes the first whole packet out of what was received; None while there is none."""
    start = received.find(_END)
    end = received.find(_END, start + 1)
    if start < 0 or end < 0:
        return None
    packet = bytes(received[start + 1 : end])
    # Between two packets there may be one mark or two.
    del received[: end if end == start + 1 else end + 1]
    return packet.replace(_ESCAPED_END, _END).replace(_ESCAPED_ESCAPE, _ESCAPE)
