"""The codec on the host: the tables and example of docs/protocol.md, and corrupt input."""

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from noisewarden.firmware import evidence, wire

PROTOCOL = (Path(__file__).resolve().parents[2] / "docs/protocol.md").read_text()

levels = st.one_of(st.none(), st.integers(0, 4094).map(lambda tenths: tenths / 10))
tenths_or_none = st.one_of(st.just(wire.NO_TENTHS), st.integers(0, 4094))


def integers(bits: int):
    return st.integers(0, 2**bits - 1)


def text(most_bytes: int):
    return st.text(max_size=most_bytes // 4)


def fields_of(row: tuple) -> st.SearchStrategy[dict]:
    """Any fields that a kind can hold, after its row in the table of the protocol page."""
    _, _, numbers, others = row
    fields = {}
    for name, sign, bits in re.findall(r"`(\w+)` ([ui])(\d+)", numbers):
        half = 2 ** (int(bits) - 1)
        fields[name] = integers(int(bits)) if sign == "u" else st.integers(-half, half - 1)
    for name, most in re.findall(r"`(\w+)` \((\d+)\)", others):
        fields[name] = text(int(most))
    if "levels" in others:
        named, _, rest = others.partition(",")
        fields |= {name: levels for name in re.findall(r"`(\w+)`", named)}
        least, most = (60, 60) if "60 ×" in rest else (0, 20)
        name = re.findall(r"`(\w+)`", rest)[0]
        fields[name] = st.lists(tenths_or_none, min_size=least, max_size=most)
    return st.fixed_dictionaries(fields)


ROWS = re.findall(r"^\| (\d) \| `(\w+)` \|(.*?)\|(.*?)\|$", PROTOCOL, re.MULTILINE)
KINDS = {row[1]: row for row in ROWS}

headers = st.tuples(
    integers(32), integers(32), integers(48), st.one_of(st.none(), st.integers(1, 2**32 - 1))
)


def a_record(kind: str, fields: dict, seq: int, boot: int, uptime_ms: int, unix_s) -> bytes:
    data = wire.record(kind, wire.pack(kind, **fields), uptime_ms, unix_s, 2 if unix_s else 0)
    wire.number(data, seq, boot)
    return bytes(data)


def in_db(value):
    if isinstance(value, list):
        return [None if tenths == wire.NO_TENTHS else tenths / 10 for tenths in value]
    return value


def test_the_page_lists_every_kind_in_its_place():
    assert [(int(row[0]), row[1]) for row in ROWS] == list(enumerate(wire.KINDS, 1))


@pytest.mark.parametrize("kind", wire.KINDS)
def test_a_record_comes_back_as_it_was(kind):
    @given(fields_of(KINDS[kind]), headers)
    def comes_back(fields, header):
        seq, boot, uptime_ms, unix_s = header
        data = a_record(kind, fields, *header)
        expected = {name: in_db(value) for name, value in fields.items()}
        expected |= {"kind": kind, "seq": seq, "boot": boot, "uptime_ms": uptime_ms}
        expected |= {"time": unix_s, "quality": 2 if unix_s else 0}
        assert evidence.unpack(data) == expected
        assert len(data) <= wire.HEADER_BYTES + wire.BODY_MOST_BYTES

    comes_back()


@given(st.binary(max_size=300))
def test_any_bytes_are_a_record_or_a_value_error(data):
    with pytest.raises(ValueError, match="record|levels|" + "|".join(wire.KINDS)):
        evidence.unpack(data)
        raise ValueError("record after all")


@given(st.sampled_from(wire.KINDS), st.data())
def test_a_changed_record_is_the_same_bytes_or_a_value_error(kind, data):
    """What can be read packs to what was read: there is one way to write a record."""
    whole = bytearray(a_record(kind, data.draw(fields_of(KINDS[kind])), 1, 1, 1, 1))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(integers(8))
    try:
        fields = evidence.unpack(bytes(whole))
    except ValueError:
        return
    kind, unix_s, quality = fields.pop("kind"), fields.pop("time"), fields.pop("quality")
    seq, boot, uptime_ms = fields.pop("seq"), fields.pop("boot"), fields.pop("uptime_ms")
    for name in ("seconds", "around"):
        if name in fields:
            fields[name] = [wire.tenths(level) for level in fields[name]]
    again = wire.record(kind, wire.pack(kind, **fields), uptime_ms, unix_s, quality)
    wire.number(again, seq, boot)
    assert again == whole


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s, max_size=3)
)
topics = st.text() | st.from_regex(r"noisewarden/[a-z0-9-]{1,32}/[a-z]+", fullmatch=True)


@given(st.text() | st.dictionaries(st.text(), json_values).map(json.dumps))
def test_any_text_is_a_message_or_none(line):
    message = wire.parse_line(line)
    assert message is None or wire.split_topic(message[0])


@given(topics, st.dictionaries(st.text().filter(lambda key: key != "topic"), json_values))
def test_a_line_comes_back_when_its_topic_is_ours(topic, payload):
    line = json.dumps({"topic": topic} | payload)
    ours = wire.split_topic(topic) is not None and len(line) <= wire.LINE_MOST_CHARS
    assert wire.parse_line(line) == ((topic, payload) if ours else None)


@given(
    st.dictionaries(
        st.sampled_from(["seq", "data", "mac", "previous"]),
        json_values | st.binary(max_size=80).map(lambda b: base64.b64encode(b).decode()),
    )
)
def test_any_payload_is_an_entry_or_a_value_error(payload):
    try:
        entry = evidence.entry(payload)
    except ValueError:
        return
    assert evidence.unpack(entry[1])["seq"] == payload["seq"]


def test_a_line_nested_too_deep_is_no_message():
    assert wire.parse_line('{"topic": "noisewarden/a/ack", "seq": ' + "[" * 4000) is None


def a_chain(key, count: int) -> list[tuple]:
    entries, previous = [], wire.FIRST_MAC
    for seq in range(1, count + 1):
        data = a_record("fault", {"text": f"fault {seq}"}, seq, 1, seq, None)
        mac = key.sign(previous, data)
        entries.append((seq, data, mac, previous))
        previous = mac
    return entries


def test_a_chain_that_was_meddled_with_is_told_where():
    key = wire.Key(wire.derive(bytes(range(32)), "journal"))
    chain = a_chain(key, 9)
    assert list(evidence.breaks(key, chain)) == []
    assert list(evidence.breaks(key, chain[3:])) == []
    assert list(evidence.breaks(key, chain[:3] + chain[5:])) == []  # a gap is no break

    seq, data, mac, previous = chain[4]
    changed = data[:-1] + b"X"
    assert list(evidence.breaks(key, [*chain[:4], (seq, changed, mac, previous), *chain[5:]])) == [
        5
    ]
    another = key.sign(previous, changed)  # by somebody with the key: what follows tells
    assert list(
        evidence.breaks(key, [*chain[:4], (seq, changed, another, previous), *chain[5:]])
    ) == [6]
    assert list(evidence.breaks(wire.Key(b"another"), chain[:2])) == [1, 2]
    first = a_record("fault", {"text": "fault 1"}, 1, 1, 1, None)
    assert list(evidence.breaks(key, [(1, first, key.sign(mac, first), mac)])) == [1]


def test_the_hmac_is_that_of_the_standard_library():
    @given(st.binary(max_size=200), st.binary(max_size=200))
    def is_the_same(key, data):
        assert wire.Key(key).sign(data) == hmac.digest(key, data, hashlib.sha256)

    is_the_same()


def test_the_example_of_the_page():
    hexes, line = re.findall(r"^```\n(.*?)^```", PROTOCOL, re.MULTILINE | re.DOTALL)[-2:]
    key, *parts, mac = (
        bytes.fromhex(row.partition(" ")[2].removeprefix("key")) for row in hexes.splitlines()
    )
    data, previous = b"".join(parts), bytes.fromhex("11" * 32)

    assert wire.derive(bytes(range(32)), "journal") == key
    assert wire.Key(key).sign(previous, data) == mac
    assert evidence.unpack(data) == {
        "kind": "stage",
        "seq": 41,
        "boot": 7,
        "uptime_ms": 3_723_000,
        "time": 1_780_000_000,
        "quality": 2,
        "previous": 0,
        "stage": 1,
        "flags": 0,
        "limit": 70,
        "laeq10": 70.6,
        "around": [68.2, 70.1, 71.3, None, 72.4],
    }
    around = [682, 701, 713, wire.NO_TENTHS, 724]
    body = {"previous": 0, "stage": 1, "flags": 0, "limit": 70, "laeq10": 70.6, "around": around}
    assert a_record("stage", body, 41, 7, 3_723_000, 1_780_000_000) == data

    topic, payload = wire.parse_line(line)
    assert wire.split_topic(topic) == ("bagu-east-01", "record")
    entry = evidence.entry(payload)
    assert entry == (41, data, mac, previous)
    assert wire.line(topic, wire.record_message(entry, 40, 41, True)) == line.strip()


def test_a_kind_of_a_newer_firmware_is_kept_but_not_read():
    data = bytearray(a_record("fault", {"text": "x"}, 3, 1, 5, None))
    data[1] = len(wire.KINDS) + 1
    entry = (3, bytes(data), bytes(32), bytes(32))
    assert evidence.entry(wire.record_message(entry, 2, 3, True)) == entry
    assert wire.header(data)[0] == f"kind-{len(wire.KINDS) + 1}"
    with pytest.raises(ValueError, match="not known"):
        evidence.unpack(data)
