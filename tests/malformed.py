"""MQTT packets that are nearly right, made by hypothesis."""

from hypothesis import strategies as st
from mqtt_raw import DISCONNECT, PINGREQ, Message, connect, packet, publish, subscribe, text

RIGHT = [
    connect("a", "a", "b" * 64, will=Message("noisewarden/a/availability", b"offline", 1, True)),
    publish(Message("noisewarden/a/state", b"{}", 1, True)),
    publish(Message("noisewarden/a/reading", b"{}")),
    subscribe("noisewarden/+/record", "noisewarden/a/ack"),
    packet(0xA2, b"\0\1" + text("noisewarden/+/record")),
    packet(0x40, b"\0\1"),
    PINGREQ,
    DISCONNECT,
]

_FEW_BYTES = st.binary(max_size=3)


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """A right packet in which a few bytes are others, or any bytes at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(min_size=1, max_size=60))
    data = bytearray(draw(st.sampled_from(RIGHT)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(_FEW_BYTES)
    return bytes(data)
