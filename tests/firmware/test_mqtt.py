import check
from instant import asyncio  # before what waits
from noisebox.mqtt import KEEP_ALIVE_S, PACKET_MOST_BYTES, SILENCE_MS, Client, MqttError

CONNACK = b"\x20\x02\x00\x00"


class Stream:
    """What the broker says, and what was written to it; then the line is silent, or ends."""

    def __init__(self, *said, ends=True):
        self._said = b"".join(said)
        self._ends = ends
        self.written = []

    async def readexactly(self, count):
        if len(self._said) < count:
            if self._ends:
                raise EOFError
            await asyncio.sleep(1_000_000)
        data, self._said = self._said[:count], self._said[count:]
        return data

    def write(self, data):
        self.written.append(bytes(data))

    async def drain(self):
        await asyncio.sleep_ms(0)

    async def wait_closed(self):
        raise OSError(104)


class Heard:
    """A client on a stream; what it was told."""

    def __init__(self, *said, ends=True):
        self.stream = Stream(*said, ends=ends)
        self.messages = []
        self.acknowledged = []
        self.client = Client(
            self.stream,
            lambda topic, payload: self.messages.append((topic, payload)),
            self.acknowledged.append,
        )

    def run(self, coroutine):
        return asyncio.run(coroutine)

    def listen(self):
        """Listens until it fails; gives the failure."""
        try:
            asyncio.run(self.client.listen())
        except Exception as error:
            return error


def login(client):
    return client.connect("east", "secret", "noisewarden/east/availability", "offline")


def publication(topic, payload, qos=0, packet_id=b"", size=None):
    body = len(topic).to_bytes(2, "big") + topic + packet_id + payload
    return bytes((0x30 | qos << 1, len(body) if size is None else size)) + body


def test_the_login_is_as_the_standard_has_it():
    heard = Heard(CONNACK)
    heard.run(login(heard.client))
    (packet,) = heard.stream.written
    assert packet[:2] == bytes((0x10, len(packet) - 2))
    assert packet[2:12] == b"\x00\x04MQTT\x04\xee" + bytes((0, KEEP_ALIVE_S))
    parts, at = [], 12
    while at < len(packet):
        end = at + 2 + int.from_bytes(packet[at : at + 2], "big")
        parts.append(packet[at + 2 : end])
        at = end
    assert parts == [b"east", b"noisewarden/east/availability", b"offline", b"east", b"secret"]


def test_a_refused_login_says_why():
    for code, cause in ((4, "user or password"), (5, "not authorised"), (77, "77")):
        heard = Heard(b"\x20\x02\x00" + bytes((code,)))
        error = check.raises(MqttError, heard.run, login(heard.client))
        assert cause in str(error)


def test_no_answer_to_the_login_is_a_failure():
    for said in (b"\xd0\x00", b"\x20\x01\x00", b"\x20\x03\x00\x00\x00"):
        heard = Heard(said)
        check.raises(MqttError, heard.run, login(heard.client))
    check.raises(EOFError, heard.run, login(Heard(b"\x20\x02\x00").client))
    silent = Heard(ends=False)
    check.raises(asyncio.TimeoutError, heard.run, login(silent.client))
    stuck = Heard()
    stuck.stream.drain = lambda: asyncio.sleep(1_000_000)
    check.raises(asyncio.TimeoutError, heard.run, login(stuck.client))


def test_a_length_takes_the_bytes_that_it_needs():
    for size, header in (
        (127, b"\x30\x7f"),
        (128, b"\x30\x80\x01"),
        (16383, b"\x30\xff\x7f"),
        (16384, b"\x30\x80\x80\x01"),
    ):
        heard = Heard()
        heard.run(heard.client.publish("t", b"x" * (size - 3)))
        (packet,) = heard.stream.written
        assert packet == header + b"\x00\x01t" + b"x" * (size - 3)


def test_publications_of_both_qualities():
    heard = Heard()
    heard.run(heard.client.publish("t", b"live"))
    heard.run(heard.client.publish("t", b"kept", heard.client.new_id(), True))
    assert heard.stream.written == [b"\x30\x07\x00\x01tlive", b"\x33\x09\x00\x01t\x00\x01kept"]


def test_packet_ids_go_round_and_are_never_0():
    client = Heard().client
    ids = [client.new_id() for _ in range(0x10001)]
    assert ids[0] == 1 and ids[0xFFFE] == 0xFFFF and ids[0xFFFF:] == [1, 2]


def test_subscriptions_are_asked_for_at_qos_1():
    heard = Heard()
    heard.run(heard.client.subscribe("a", "bc"))
    assert heard.stream.written == [b"\x82\x0b\x00\x01\x00\x01a\x01\x00\x02bc\x01"]


def test_messages_come_and_those_of_qos_1_are_confirmed():
    heard = Heard(publication(b"a", b"live"), publication(b"b", b"", 1, b"\x12\x34"))
    assert isinstance(heard.listen(), EOFError)
    assert heard.messages == [("a", b"live"), ("b", b"")]
    assert heard.stream.written == [b"\x40\x02\x12\x34"]


def test_confirmations_and_pings():
    heard = Heard(b"\x40\x02\x01\x02", b"\xd0\x00", b"\x90\x04\x00\x01\x01\x00")
    heard.run(heard.client.ping())
    assert isinstance(heard.listen(), EOFError)
    assert heard.acknowledged == [0x0102]
    assert heard.stream.written == [b"\xc0\x00"]


def test_a_broken_rule_ends_the_connection():
    for said in (
        b"\x90\x04\x00\x01\x01\x80",  # a subscription refused
        b"\x90\x02\x00\x01",
        b"\x40\x03\x00\x01\x00",
        CONNACK,
        b"\x00\x00",
        b"\xf0\x00",
        b"\x30\x00",
        b"\x30\x01\x00",
        publication(b"long", b"", size=3),
        publication(b"t", b"", 1),  # no packet id
        publication(b"t", b"", 2, b"\x00\x01"),
        publication(b"\xff\xfe", b""),
        b"\x30\xff\xff\xff\xff\x01",
        b"\x30\x81\x40",  # one byte more than PACKET_MOST_BYTES
    ):
        heard = Heard(said, b"\x00" * 64)
        assert isinstance(heard.listen(), MqttError), said
        assert heard.messages == []
    assert PACKET_MOST_BYTES == 0x40 << 7


def test_silence_ends_it():
    heard = Heard(b"\xd0\x00", ends=False)
    assert isinstance(heard.listen(), asyncio.TimeoutError)
    assert SILENCE_MS > 1000 * KEEP_ALIVE_S


def test_a_peer_that_speaks_and_reads_no_more_is_silent_too():
    heard = Heard(publication(b"b", b"", 1, b"\x12\x34"))
    heard.stream.drain = lambda: asyncio.sleep(1_000_000)
    assert isinstance(heard.listen(), asyncio.TimeoutError)
    assert heard.messages == [("b", b"")]


def test_two_writers_do_not_mix():
    heard = Heard()

    async def both():
        await asyncio.gather(*[heard.client.publish("t", b"x" * 9) for _ in range(4)])

    heard.run(both())
    assert heard.stream.written == [b"\x30\x0c\x00\x01t" + b"x" * 9] * 4


def test_closing_a_dead_connection_is_no_failure():
    heard = Heard()
    heard.run(heard.client.close())


check.run(globals())
