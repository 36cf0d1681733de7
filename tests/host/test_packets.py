"""What the guard lets through is what amqtt then reads (MQTT 3.1.1)."""

import asyncio

import malformed
import pytest
from amqtt.adapters import BufferReader
from amqtt.mqtt import packet_class
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.packet import MQTTFixedHeader
from hypothesis import event, given, settings
from mqtt_raw import Message, connect, packet, publish, subscribe, text
from noisewarden.station import packets
from noisewarden.station.packets import Malformed, Packet

EXAMPLES = 2_500
"""tests/system/test_no_one_in.py has the ten thousand, at the door of boxes."""


def stream_of(data: bytes) -> asyncio.StreamReader:
    stream = asyncio.StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    return stream


def read(data: bytes) -> Packet:
    async def run() -> Packet:
        return await packets.read(stream_of(data))

    return asyncio.run(run())


def checked(data: bytes) -> Packet:
    found = read(data)
    packets.check(found)
    return found


def login(data: bytes) -> packets.Login:
    return asyncio.run(packets.login(read(data)))


class CountingReader(BufferReader):
    """Knows what was not read."""

    def rest(self) -> bytes:
        return self._stream.read()


async def decoded_by_amqtt(data: bytes) -> bytes:
    """What amqtt leaves of a packet."""
    reader = CountingReader(data)
    header = await MQTTFixedHeader.from_stream(reader)
    assert header
    await packet_class(header).from_stream(reader, fixed_header=header)
    return reader.rest()


@pytest.fixture(scope="module")
def loop():
    with asyncio.Runner() as runner:
        yield runner


def test_amqtt_reads_to_its_end_and_no_further_whatever_passes(loop):
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
    @given(malformed.packets())
    def look(data: bytes) -> None:
        async def run() -> None:
            try:
                found = await packets.read(stream_of(data))
                packets.check(found)
            except (Malformed, asyncio.IncompleteReadError):
                event("refused")
                return
            event("passed")
            assert await decoded_by_amqtt(found.data) == b""

        loop.run(run())

    look()


def test_a_login_is_read_or_malformed_whatever_comes(loop):
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
    @given(malformed.packets())
    def look(data: bytes) -> None:
        async def run() -> None:
            try:
                found = await packets.login(await packets.read(stream_of(data)))
            except (Malformed, asyncio.IncompleteReadError):
                return
            assert await decoded_by_amqtt(found.connect) == b""

        loop.run(run())

    look()


@pytest.mark.parametrize("data", malformed.RIGHT[1:], ids=lambda d: d[0])
def test_what_is_right_passes_as_it_is(data):
    assert checked(data).data == data


@pytest.mark.parametrize(
    "data",
    [
        packet(0x00, b""),
        packet(0xF0, b""),
        packet(0x20, b"\0\0"),
        packet(0x50, b"\0\1"),
        packet(0x62, b"\0\1"),
        packet(0x70, b"\0\1"),
        connect("a", "a", "b"),
        packet(0xC0, b"x"),
        packet(0xE1, b""),
        packet(0x40, b"\0\1\2"),
        packet(0x41, b"\0\1"),
        publish(Message("", b"x")),
        publish(Message("a/+", b"x")),
        publish(Message("a/#", b"x")),
        publish(Message("$SYS/a", b"x")),
        publish(Message("a\0b", b"x")),
        publish(Message("a", b"x", 2)),
        publish(Message("a", b"x", 3)),
        publish(Message("a", b"x", 1), number=0),
        packet(0x30, b"\0"),
        packet(0x30, b"\0\5abc"),
        packet(0x30, b"\0\1\xff"),
        packet(0x32, b"\0\1a"),
        packet(0x32, b"\0\1a\1"),
        packet(0x82, b"\0\1"),
        packet(0x82, b"\0\1\0\1a"),
        packet(0x82, b"\0\1\0\5a\0"),
        packet(0x80, b"\0\1\0\1a\0"),
        subscribe(""),
        subscribe("a", qos=3),
        subscribe("a", number=0),
        packet(0xA2, b"\0\1"),
        packet(0xA2, b"\0\1" + text("")),
    ],
    ids=bytes.hex,
)
def test_what_no_client_may_send_is_refused(data):
    with pytest.raises(Malformed):
        checked(data)


@pytest.mark.parametrize("data", [b"\x30\xff\xff\xff\xff\x7f", b"\x30\xff\xff\xff\x7f"])
def test_a_length_beyond_the_bound_is_refused_before_anything_is_read(data):
    with pytest.raises(Malformed):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        publish(Message("a", b"x")),
        connect("a", "a", "b", level=3),
        connect("a", "a", "b", level=5),
        connect("a", "a"),
        connect("a"),
        connect("a", "a", "b", will=Message("a", b"", 2)),
        connect("a", "a", "b")[:-1] + b"\xff",
        packet(0x10, connect("a", "a", "b")[2:] + b"more"),
        packet(0x11, connect("a", "a", "b")[2:]),
        packet(0x10, connect("a", "a", "b")[2:].replace(b"\x04\xc2", b"\x04\xc3")),
        packet(0x10, b"\0\6MQIsdp\3\2\0\0\0\1a"),
    ],
    ids=bytes.hex,
)
def test_a_login_that_is_none(data):
    with pytest.raises(Malformed):
        login(data)


def test_what_amqtt_gets_of_a_login():
    """The will, and neither password, nor a lasting session, nor a keep-alive."""
    will = Message("noisewarden/a/availability", b"offline", 1, True)
    found = login(connect("a", "a", "secret", will=will, keep_alive_s=30, clean=False))
    assert found[:5] == ("a", "a", "secret", 45, will.topic)

    async def given() -> ConnectPacket:
        return await ConnectPacket.from_stream(BufferReader(found.connect))

    passed = asyncio.run(given())
    assert (passed.client_id, passed.username, passed.keep_alive) == ("a", "a", 0)
    assert passed.clean_session_flag and not passed.password_flag
    assert (passed.will_topic, passed.will_message) == (will.topic, will.payload)
    assert (passed.will_qos, passed.will_retain_flag) == (1, True)
    assert b"secret" not in found.connect


@pytest.mark.parametrize(
    ("data", "topic"),
    [
        (publish(Message("a/b", b"x")), "a/b"),
        (publish(Message("a/b", b"x", 1)), None),
        (publish(Message("a/b", b"x", 0, True)), None),
        (publish(Message("a/b", b"x"), duplicate=True), None),
        (subscribe("a/b"), None),
    ],
    ids=["QoS 0", "QoS 1", "retained", "again", "a subscription"],
)
def test_a_plain_message_is_one_that_can_go_on_as_it_came(data, topic):
    assert packets.plain_topic(read(data)) == topic
