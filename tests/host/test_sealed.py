"""What a broker may do with sealed messages, in every order that hypothesis can think of.

The broker of these tests has each message that the station ever sealed. It keeps back, doubles,
changes and mixes them, and the box loses its power when it likes.
"""

import io
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from noisewarden import firmware
from noisewarden.firmware import wire

BOX, OTHER = "bagu-east-01", "bagu-west-02"
NOW_S = 1_780_315_200
NEWEST = 40
NAMES = ("command", "ack")

keys = st.binary(min_size=1, max_size=80)
topics = st.builds(
    wire.topic, st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True), st.sampled_from(NAMES)
)
bodies = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def refuses(key: wire.Key, topic: str, payload: dict[str, Any]) -> bool:
    try:
        wire.unseal(key, topic, payload)
    except ValueError:
        return True
    return False


@given(keys, keys, topics, topics, bodies, bodies)
def test_a_seal_is_good_for_its_key_topic_and_body_alone(key, key2, topic, topic2, body, body2):
    # RFC 2104 fills a key up with zeros: those are the same key.
    same_key = key.rstrip(b"\0") == key2.rstrip(b"\0") or len(key) > 64 or len(key2) > 64
    sealed = wire.seal(wire.Key(key), topic, body)
    assert same_key or refuses(wire.Key(key2), topic, sealed)
    assert topic == topic2 or refuses(wire.Key(key), topic2, sealed)
    assert body == body2 or refuses(wire.Key(key), topic, sealed | {"body": body2})


@given(keys, topics, bodies, st.integers(0, 64), st.integers(0, 64), st.text(max_size=4))
def test_no_other_mac_will_do(key, topic, body, start, end, other):
    sealed = wire.seal(wire.Key(key), topic, body)
    mac = sealed["mac"]
    for changed in (
        mac[:start],
        mac[start:],
        mac[:start] + other + mac[end:],
        mac.upper() + other,
    ):
        assert changed == mac or refuses(wire.Key(key), topic, sealed | {"mac": changed})


class PowerCut(BaseException):
    """No code on a box sees it."""


class Flash:
    """Files in memory. The power goes after `left` more operations; None for not yet."""

    def __init__(self) -> None:
        self.left: int | None = None
        self._files: dict[str, bytes] = {}

    def _step(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise PowerCut

    def open(self, name: str, mode: str) -> "_Writing | io.BytesIO":
        if mode == "rb":
            if name not in self._files:
                raise OSError(2, name)
            return io.BytesIO(self._files[name])
        self._step()
        self._files[name] = b""
        return _Writing(self, name)

    def rename(self, old: str, new: str) -> None:
        self._step()
        self._files[new] = self._files.pop(old)

    def add(self, name: str, data: bytes) -> None:
        self._step()
        self._files[name] += data


class _Writing:
    def __init__(self, flash: Flash, name: str) -> None:
        self._flash, self._name = flash, name

    def __enter__(self) -> "_Writing":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, data: bytes) -> None:
        self._flash.add(self._name, data)


class Broker(RuleBasedStateMachine):
    """seen    (name, box, payload) of all that the station sealed
    sent    bodies of the commands and acks for the box, as they were sealed
    acted   counters of the commands that acted
    """

    def __init__(self) -> None:
        super().__init__()
        self.keys = {
            box: wire.Key(wire.derive(box.encode().ljust(32), "command")) for box in (BOX, OTHER)
        }
        self.counter = 0
        self.boot = 0
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.sent: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES}
        self.acted: list[int] = []
        self.flash = Flash()
        self.power_on()

    def power_on(self) -> None:
        self.flash.left = None
        self.boot += 1
        self.orders = firmware.orders.Orders(self.flash, BOX, self.keys[BOX])

    def seal(self, name: str, box: str, body: dict[str, Any]) -> None:
        if box == BOX:
            self.sent[name].append(body)
        sealed = wire.seal(self.keys[box], wire.topic(box, name), json.dumps(body))
        self.seen.append((name, box, sealed))

    def hear(self, name: str, payload: dict[str, Any]) -> None:
        if name == "ack":
            ack = self.orders.ack(payload, self.boot, NEWEST)
            if ack:
                seq, again = ack
                assert {"boot": self.boot, "seq": seq, "again": again} in self.sent["ack"]
            return
        try:
            heard = self.orders.command(payload, NOW_S)
        except PowerCut:
            self.power_on()
            return
        if heard and heard[1] is None:
            assert heard[0] in self.sent["command"]
            self.acted.append(heard[0]["counter"])

    # The station.

    @rule(box=st.sampled_from((BOX, OTHER)), late_s=st.sampled_from((30, -1)))
    def command(self, box: str, late_s: int) -> None:
        self.counter += 1
        body = {"id": str(self.counter), "counter": self.counter, "expires": NOW_S + late_s}
        self.seal("command", box, body | {"action": "identify"})

    @rule(box=st.sampled_from((BOX, OTHER)), seq=st.integers(0, NEWEST + 1))
    def ack(self, box: str, seq: int) -> None:
        self.seal("ack", box, {"boot": self.boot, "seq": seq, "again": []})

    # The broker.

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), name=st.sampled_from(NAMES), times=st.integers(1, 2))
    def pass_on(self, data: st.DataObject, name: str, times: int) -> None:
        """Any message, on the topic that it was for or on the other one."""
        _, _, payload = data.draw(st.sampled_from(self.seen))
        for _ in range(times):
            self.hear(name, payload)

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), counter=st.integers(0, 1 << 53))
    def forge(self, data: st.DataObject, counter: int) -> None:
        """A body of its own, under a mac that it has seen."""
        name, _, payload = data.draw(st.sampled_from(self.seen))
        body = json.loads(payload["body"]) | {"counter": counter, "boot": self.boot}
        self.hear(name, payload | {"body": json.dumps(body)})

    # The street.

    @rule()
    def lose_power(self) -> None:
        self.power_on()

    @rule(operations=st.integers(0, 3))
    def lose_power_soon(self, operations: int) -> None:
        """While the next command is written to flash, at any operation of it."""
        self.flash.left = operations

    @invariant()
    def each_command_acted_once_and_in_order(self) -> None:
        assert self.acted == sorted(set(self.acted))


TestBroker = Broker.TestCase
TestBroker.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
