"""What the station's broker must hold, the guarded amqtt and Mosquitto alike (DESIGN 4.6, 6)."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import brokers
import pytest
from brokers import Running
from mqtt_raw import DISCONNECT, Client, Message, publish, station
from noisewarden.firmware import wire
from noisewarden.station.authority import Authority
from noisewarden.station.packets import PACKET_MOST_BYTES
from noisewarden.station.rights import STATION

A, B = "bagu-east-01", "bagu-west-02"
PASSWORDS = {A: "a1" * 32, B: "b2" * 32}
NOTHING_WITHIN_S = 0.4
NOT_AUTHORISED = 5


@pytest.fixture(params=brokers.KINDS)
def broker(request, tmp_path) -> Iterator[Running]:
    with brokers.running(request.param, PASSWORDS, tmp_path) as found:
        yield found


@pytest.fixture
def open_(broker) -> Iterator["Opener"]:
    with ExitStack() as stack:
        yield Opener(broker, stack)


class Opener:
    """Makes clients that are closed at the end of the test."""

    def __init__(self, broker: Running, stack: ExitStack) -> None:
        self._broker = broker
        self._stack = stack

    def socket(self, **options) -> Client:
        return self._stack.enter_context(Client(self._broker.connect(**options)))

    def box(self, name: str = A, *filters: str, **options) -> Client:
        client = self.socket()
        assert client.login(name, name, PASSWORDS[name], **options) == 0
        if filters:
            client.subscribe(*filters)
        return client

    def station(self, *filters: str, client: str = STATION) -> Client:
        made = self._stack.enter_context(station(self._broker.station_url, client))
        if filters:
            made.subscribe(*filters)
        return made


def topic(box: str, name: str) -> str:
    return f"noisewarden/{box}/{name}"


def will_of(box: str = A) -> Message:
    return Message(topic(box, "availability"), b"offline", 1, True)


ONLINE = Message(topic(A, "availability"), b"online", 1, True)


# Who comes in


@pytest.mark.parametrize(
    "login",
    [
        (A, A, "wrong"),
        (A, A, ""),
        (A, A, PASSWORDS[B]),
        ("nobody-03", "nobody-03", PASSWORDS[A]),
        (A, A),
        (A,),
        ("",),
        (STATION, STATION, PASSWORDS[A]),
    ],
    ids=str,
)
def test_who_is_not_registered_or_has_another_password_stays_out(open_, login):
    assert open_.socket().login(*login) in (NOT_AUTHORISED, None)


def test_the_stations_user_is_refused_at_the_boxes_door_and_a_box_at_the_stations(broker, open_):
    right = urlsplit(broker.station_url)
    assert open_.socket().login(STATION, STATION, right.password) in (NOT_AUTHORISED, None)
    with (
        socket.create_connection((right.hostname, right.port)) as plain,
        Client(plain) as client,
    ):
        assert client.login(A, A, PASSWORDS[A]) in (NOT_AUTHORISED, None)


@pytest.mark.parametrize("level", [3, 5])
def test_a_guarded_broker_says_that_it_speaks_3_1_1_alone(broker, open_, level):
    if isinstance(broker, brokers.Guarded):
        assert open_.socket().login(A, A, PASSWORDS[A], level=level) == 1


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("password", ["wrong", PASSWORDS[B], None])
def test_a_failed_login_does_not_touch_the_session_that_it_asks_for(open_, clean, password):
    victim = open_.box(A, topic(A, "command"))
    assert open_.socket().login(A, A, password, clean=clean) in (NOT_AUTHORISED, None)
    open_.station().publish(Message(topic(A, "command"), b"lamp", 1))
    assert victim.message() == Message(topic(A, "command"), b"lamp", 1)


def test_a_box_cannot_take_the_client_id_of_another(open_):
    victim = open_.box(A, topic(A, "command"))
    thief = open_.socket()
    thief.login(A, B, PASSWORDS[B])
    open_.station().publish(Message(topic(A, "command"), b"lamp", 1))
    assert victim.message() == Message(topic(A, "command"), b"lamp", 1)
    assert victim.ping()
    assert thief.message(NOTHING_WITHIN_S) is None


# What it may do


@pytest.mark.parametrize("name", ["reading", "record", "state", "availability", "result"])
@pytest.mark.parametrize("qos", [0, 1])
def test_a_box_publishes_its_own(open_, name, qos):
    listener = open_.station("noisewarden/#")
    message = Message(topic(A, name), b"\x00\xff", qos)
    open_.box().publish(message)
    assert (listener.message() or message._replace(topic=""))[:2] == message[:2]


ELSEWHERE = [
    topic(B, "reading"),
    topic(B, "record"),
    topic(A, "ack"),
    topic(A, "command"),
    topic(A, "reading/more"),
    topic(A, "other"),
    "noisewarden/" + A,
    topic(A.upper(), "state"),
    "elsewhere",
]


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("retained", [False, True])
def test_a_box_publishes_nowhere_else(open_, qos, retained):
    listener = open_.station("noisewarden/#")
    own = Message(topic(A, "state"), b"own", qos)
    open_.box().publish(*(Message(each, b"forged", qos, retained) for each in ELSEWHERE), own)
    assert listener.message() == own
    late = open_.station("noisewarden/#", client=STATION + "-2")
    assert late.message(NOTHING_WITHIN_S) is None


@pytest.mark.parametrize("name", ["ack", "command"])
def test_a_box_hears_its_own(open_, name):
    box = open_.box(A, topic(A, name))
    open_.station().publish(Message(topic(A, name), b"sealed", 1))
    assert box.message() == Message(topic(A, name), b"sealed", 1)


@pytest.mark.parametrize(
    "filters",
    [
        ["#"],
        ["+/+/+", "noisewarden/#", "noisewarden/+/command", f"noisewarden/{A}/#"],
        [topic(B, "ack"), topic(B, "command"), topic(B, "state")],
        [f"$share/g/{topic(B, 'command')}", "$SYS/#", f"{topic(A, 'ack')}/#"],
    ],
    ids=lambda filters: filters[0],
)
def test_a_box_hears_nothing_else(broker, open_, filters):
    box = open_.box()
    codes = box.subscribe(*filters)
    # Mosquitto grants, and then looks at each message.
    assert codes == [0x80] * len(filters) or isinstance(broker, brokers.Mosquitto)
    open_.station().publish(
        Message(topic(B, "command"), b"for another", 1), Message(topic(B, "ack"), b"too", 1)
    )
    open_.box(B).publish(Message(topic(B, "state"), b"also", 1, True))
    assert box.message(NOTHING_WITHIN_S) is None
    assert box.ping()


def test_who_connects_gets_no_retained_messages_of_others_subscriptions(open_):
    open_.station("noisewarden/+/state", "noisewarden/+/availability")
    open_.box(A).publish(Message(topic(A, "state"), b"secret of A", 1, True), ONLINE)
    assert open_.box(B, topic(B, "command")).message(NOTHING_WITHIN_S) is None


# Last will, take-over, silence


def test_the_last_will_is_published_and_retained_when_the_line_breaks(open_):
    listener = open_.station(topic(A, "availability"))
    open_.box(will=will_of()).socket.close()
    assert listener.message() == will_of()._replace(retained=False)
    late = open_.station(topic(A, "availability"), client=STATION + "-2")
    assert late.message() == will_of()


def test_no_last_will_after_a_farewell(open_):
    listener = open_.station("noisewarden/#")
    box = open_.box(will=will_of())
    box.send(DISCONNECT)
    assert box.is_cut()
    assert listener.message(NOTHING_WITHIN_S) is None


@pytest.mark.parametrize("farewell", [[DISCONNECT], []], ids=["farewell", "none"])
def test_what_was_sent_just_before_the_end_arrives_and_the_will_only_without_farewell(
    open_, farewell
):
    listener = open_.station("noisewarden/#")
    box = open_.box(will=will_of())
    sent = [Message(topic(A, "result"), b"%d" % number, 1) for number in range(20)]
    box.send(b"".join([publish(each, 1 + int(each.payload)) for each in sent] + farewell))
    box.socket.shutdown(socket.SHUT_WR)
    wanted = sent + ([] if farewell else [will_of()._replace(retained=False)])
    assert [listener.message() for _ in wanted] == wanted
    assert listener.message(NOTHING_WITHIN_S) is None


@pytest.mark.parametrize("elsewhere", [topic(B, "availability"), topic(A, "command")])
def test_no_last_will_elsewhere(open_, elsewhere):
    listener = open_.station("noisewarden/#")
    box = open_.socket()
    box.login(A, A, PASSWORDS[A], will=Message(elsewhere, b"forged", 1, True))
    box.socket.close()
    assert listener.message(NOTHING_WITHIN_S) is None
    late = open_.station("noisewarden/#", client=STATION + "-2")
    assert late.message(NOTHING_WITHIN_S) is None


def test_a_box_that_comes_back_ends_its_old_connection_and_stays_online(open_):
    listener = open_.station(topic(A, "availability"))
    old = open_.box(will=will_of())
    old.publish(ONLINE)
    new = open_.box(A, topic(A, "command"), will=will_of())
    new.publish(ONLINE)
    assert old.is_cut()
    for said in (b"online", b"offline", b"online"):
        message = listener.message()
        assert message and message.payload == said
    assert listener.message(NOTHING_WITHIN_S) is None
    open_.station().publish(Message(topic(A, "command"), b"lamp", 1))
    assert new.message() == Message(topic(A, "command"), b"lamp", 1)


def test_a_silent_box_is_offline_after_one_and_a_half_times_its_keep_alive(open_):
    listener = open_.station(topic(A, "availability"))
    start = time.monotonic()
    box = open_.box(will=will_of(), keep_alive_s=2)
    assert listener.message() == will_of()._replace(retained=False)
    assert time.monotonic() - start > 2.9
    assert box.is_cut()


# Order, size, revocation, restart


def test_messages_arrive_in_order_and_none_is_missing(open_):
    listener = open_.station("noisewarden/+/record")
    box = open_.box()
    payloads = [str(number).encode() for number in range(500)]
    box.send(*(publish(Message(topic(A, "record"), each, 1), 1 + int(each)) for each in payloads))
    came = [listener.message() for _ in payloads]
    assert [message and message.payload for message in came] == payloads
    assert box.ping()


def test_a_packet_of_the_greatest_size_arrives_and_a_greater_one_ends_the_connection(open_):
    listener = open_.station("noisewarden/#")
    box = open_.box()
    head = len(publish(Message(topic(A, "state"), b"x" * 60_000))) - 60_000
    most = Message(topic(A, "state"), b"x" * (PACKET_MOST_BYTES - head))
    box.publish(most)
    assert listener.message() == most
    # Mosquitto does not count the bytes of the length.
    box.publish(most._replace(payload=most.payload + b"xxxx"))
    assert box.is_cut()
    assert listener.message(NOTHING_WITHIN_S) is None


def test_qos_2_ends_the_connection(open_):
    listener = open_.station("noisewarden/#")
    box = open_.box()
    box.send(publish(Message(topic(A, "state"), b"x", 2)))
    assert box.is_cut()
    assert listener.message(NOTHING_WITHIN_S) is None


def test_a_revoked_box_is_out_and_the_others_stay(broker, open_):
    revoked, other = open_.box(A), open_.box(B)
    broker.revoke(A)
    assert revoked.is_cut()
    assert open_.socket().login(A, A, PASSWORDS[A]) in (NOT_AUTHORISED, None)
    assert other.ping()


def test_it_comes_back_at_the_same_place(broker, open_):
    old = open_.box()
    broker.stop()
    assert old.is_cut()
    broker.start()
    listener = open_.station("noisewarden/#")
    open_.box().publish(Message(topic(A, "state"), b"again", 1))
    assert listener.message() == Message(topic(A, "state"), b"again", 1)


# Encryption


def test_without_tls_nothing_is_said(broker):
    with (
        socket.create_connection((broker.host, broker.port)) as plain,
        Client(plain) as client,
    ):
        assert client.login(A, A, PASSWORDS[A]) is None


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_tls_before_1_2_is_refused(broker):
    old = broker.tls()
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection((broker.host, broker.port)) as plain,
        pytest.raises(ssl.SSLError),
    ):
        old.wrap_socket(plain, server_hostname=wire.STATION_NAME)


def test_a_box_refuses_a_station_of_another_authority(broker, tmp_path):
    other = Authority.in_folder(tmp_path / "other")
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.load_verify_locations(cadata=other.ca_der)
    with (
        socket.create_connection((broker.host, broker.port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        trusting.wrap_socket(plain, server_hostname=wire.STATION_NAME)


# Several intake processes


def test_a_shared_subscription_shares_with_mosquitto_and_is_refused_by_the_guarded(
    broker, open_, caplog
):
    shared = "$share/intake/noisewarden/+/record"
    one, two = open_.station(), open_.station(client=STATION + "-2")
    if isinstance(broker, brokers.Guarded):
        assert one.subscribe(shared) == [0x80]
        assert "--broker" in caplog.text
        return
    assert one.subscribe(shared) == two.subscribe(shared) == [1]
    payloads = [bytes((number,)) for number in range(20)]
    open_.box().publish(*(Message(topic(A, "record"), each, 1) for each in payloads))
    shares: list[list[bytes]] = [[], []]

    def all_came() -> bool:
        for share, client in zip(shares, (one, two), strict=True):
            while message := client.message(NOTHING_WITHIN_S):
                share.append(message.payload)
        return sum(map(len, shares)) >= len(payloads)

    brokers.until(all_came, "not all came")
    assert sorted(shares[0] + shares[1]) == payloads
    assert all(shares)
