"""The codec on MicroPython: what the box needs of it. tests/host/test_wire.py has the rest."""

from array import array

import check
from noisebox import evidence, wire


def test_hmac_is_that_of_rfc_4231():
    """Test cases 1, 2 and 6: a short key, a word, a key longer than a block."""
    cases = (
        (
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            b"\xaa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    )
    for key, data, expected in cases:
        key = wire.Key(key)
        assert key.sign(data).hex() == expected
        assert key.sign(data[:3], data[3:], b"").hex() == expected


def test_levels_are_rounded_half_up_to_tenths_and_kept_in_range():
    for level, tenths in ((70, 700), (69.96, 700), (69.94, 699), (-3.2, 0), (900, 4094)):
        assert wire.tenths(level) == tenths
    assert wire.tenths(None) == wire.NO_TENTHS


def test_a_minute_keeps_its_sixty_seconds():
    seconds = array("H", [second * 68 for second in range(60)])
    seconds[7] = wire.NO_TENTHS
    body = wire.pack(
        "minute",
        laeq=61.24,
        lafmax=None,
        lafmin=40,
        lcpeak=101.5,
        l10=64,
        l50=60,
        l90=55,
        valid_s=59,
        flags=0x1FF,
        limit=70,
        stage=2,
        seconds=seconds,
    )
    data = wire.record("minute", body, (1 << 41) + 3, None, 0)
    wire.number(data, 0xFFFFFFFE, 0x80000001)
    assert len(data) + wire.MAC_BYTES <= 160
    assert wire.numbers(data) == (0xFFFFFFFE, 0x80000001)
    record = evidence.unpack(bytes(data))
    assert record["uptime_ms"] == (1 << 41) + 3 and record["time"] is None
    assert record["laeq"] == 61.2 and record["lafmax"] is None and record["flags"] == 0x1FF
    expected = [second * 68 / 10 for second in range(60)]
    expected[7] = None
    assert record["seconds"] == expected


def test_texts_are_cut_between_characters():
    for count in range(20, 30):
        text = "a" * count + "重庆市"
        record = evidence.unpack(
            wire.record("fault", wire.pack("fault", text=text * 3), 0, None, 0)
        )
        kept = record["text"]
        assert (text * 3).startswith(kept) and 78 <= len(kept.encode()) <= 80


def test_what_does_not_fit_is_refused():
    body = {"previous": 0, "stage": 1, "flags": 0, "limit": 70, "laeq10": 71, "around": ()}
    for wrong in (
        {"stage": 256},
        {"flags": -1},
        {"around": range(21)},
        {"surplus": 1},
    ):
        fields = dict(body)
        fields.update(wrong)
        check.raises(ValueError, lambda: wire.pack("stage", **fields))
    check.raises(ValueError, wire.pack, "no such kind")


def test_any_bytes_are_a_record_or_a_value_error():
    """Every single-byte change and every length of a record of each shape."""
    bodies = (
        (
            "stage",
            wire.pack(
                "stage", previous=0, stage=1, flags=4, limit=55, laeq10=56.1, around=(560, 561)
            ),
        ),
        ("command", wire.pack("command", id="7", action="identify", by="王", outcome="done")),
        ("overwritten", wire.pack("overwritten", first=1, last=9)),
    )
    for kind, body in bodies:
        data = bytes(wire.record(kind, body, 1, 2, 2))
        evidence.unpack(data)
        for size in range(len(data)):
            check.raises(ValueError, evidence.unpack, data[:size])
        for at in range(len(data)):
            for value in (0, 1, 0x7F, 0x80, 0xFF):
                changed = data[:at] + bytes((value,)) + data[at + 1 :]
                try:
                    evidence.unpack(changed)
                except ValueError:
                    pass


def test_a_line_starts_with_its_topic_and_comes_back():
    topic = wire.topic("bagu-east-01", "reading")
    payload = {"laeq": 61.5, "flags": ["wind"], "time": None, "place": "八谷"}
    line = wire.line(topic, payload)
    assert line.startswith('{"topic": "noisewarden/bagu-east-01/reading", ') and "\n" not in line
    assert wire.parse_line(line + "\r\n") == (topic, payload)
    assert wire.parse_line(wire.line(topic, {})) == (topic, {})


def test_other_text_on_the_console_is_not_a_message():
    for text in (
        "",
        "MPY: soft reboot",
        ">>> ",
        "{",
        "{}",
        '{"topic": 1}',
        '{"topic": "elsewhere/a/b"}',
        '{"topic": "noisewarden/a"}',
        '{"topic": "noisewarden//ack"}',
        '{"topic": "noisewarden/../ack"}',
        '{"topic": "noisewarden/A/ack"}',
        '{"topic": "noisewarden/' + "a" * 33 + '/ack"}',
        "[1, 2]",
        '{"topic": "noisewarden/a/ack", "seq": ' + "1" * wire.LINE_MOST_CHARS + "}",
        '{"a":' * 500 + "1" + "}" * 500,
    ):
        assert wire.parse_line(text) is None


def test_a_record_message_carries_an_entry():
    data = bytes(wire.record("fault", wire.pack("fault", text="x"), 5, None, 0))
    entry = (0, data, bytes(range(32)), wire.FIRST_MAC)
    message = wire.record_message(entry, 0, 0, True)
    line = wire.line(wire.topic("b", "record"), message)
    assert evidence.entry(wire.parse_line(line)[1]) == entry
    for name, wrong in (
        ("seq", 1),
        ("data", "AA=="),
        ("mac", 3),
        ("mac", "é"),
        ("previous", "AA=="),
    ):
        changed = dict(message)
        changed[name] = wrong
        check.raises(ValueError, evidence.entry, changed)
    check.raises(ValueError, evidence.entry, {})


check.run(globals())
