"""Sealed messages on the host: the example of docs/protocol.md, and what a broker may try."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from noisewarden.firmware import wire

PROTOCOL = (Path(__file__).resolve().parents[2] / "docs/protocol.md").read_text(encoding="utf-8")
TOPIC = wire.topic("bagu-east-01", "command")
KEY = wire.Key(wire.derive(bytes(range(32)), "command"))


def test_the_example_is_worked_right():
    part = PROTOCOL.partition("## Sealed messages")[2]
    key = re.search(r"command key +([0-9a-f]{64})", part)
    assert key and key.group(1) == wire.derive(bytes(range(32)), "command").hex()
    example = json.loads(re.findall(r"^\{.*\}$", part, re.MULTILINE)[0])
    assert wire.seal(KEY, TOPIC, example["body"]) == example
    assert json.loads(wire.unseal(KEY, TOPIC, example))["action"] == "identify"


@given(st.text(), st.text(max_size=20))
def test_any_body_comes_back_through_json(body: str, topic: str):
    try:
        body.encode(), topic.encode()
    except UnicodeEncodeError:
        with pytest.raises(ValueError):
            wire.seal(KEY, topic, body)
        return
    assert wire.unseal(KEY, topic, json.loads(json.dumps(wire.seal(KEY, topic, body)))) == body


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries({}, optional={"body": json_values, "mac": json_values}))
def test_what_nobody_sealed_is_refused_and_nothing_else_happens(payload: dict):
    with pytest.raises(ValueError):
        wire.unseal(KEY, TOPIC, payload)
