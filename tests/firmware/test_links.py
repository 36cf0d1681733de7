import asyncio

import check
from flashdisk import Files, FlashDisk
from noisebox import evidence, links, wire
from noisebox.clock import Clock
from noisebox.journal import Journal
from noisebox.links import RECORDS_AN_ACK, SerialLink

KEY = wire.Key(bytes(32))
OLD_MS = 60_000


class Wire:
    """The console of a box with a journal: what is typed goes in, `said` are the messages out."""

    def __init__(self, records=0, **ring):
        self.now_ms = 0
        self.heard = []
        self.lines = []
        self._typed = iter(b"")
        self.disk = FlashDisk(64)
        self.journal = Journal(Files(self.disk, fresh=True), "journal", KEY, **ring)
        clock = Clock(lambda: self.now_ms, lambda late, early: late - early)
        self.link = SerialLink("east", self, self.lines.append, self.journal, clock, self._answer)
        self.record(records)

    def record(self, count):
        for _ in range(count):
            body = wire.pack("fault", text="loose wire")
            self.journal.append("fault", body, self.now_ms, None, 0)
            self.journal.flush(self.now_ms)

    async def read(self, most):
        """The reader of its console: a byte, and nothing at the end."""
        assert most == 1
        for byte in self._typed:
            return bytes((byte,))
        return b""

    def _answer(self, command):
        self.heard.append(command)
        return command.get("answer")

    def type(self, *pieces):
        """Types lines, each str or bytes with its end."""
        typed = b"".join([p if isinstance(p, bytes) else p.encode() for p in pieces])
        self._typed = iter(typed)
        asyncio.run(self.link.listen())

    def ack(self, seq):
        self.type('{{"topic": "noisewarden/east/ack", "seq": {}}}\n'.format(seq))

    def send(self):
        """Gives the link one turn; the payloads of the records that it sends."""
        self.lines.clear()
        asyncio.run(self.link.send_records())
        return [payload for name, payload in self.said() if name == "record"]

    def said(self):
        messages = [wire.parse_line(line) for line in self.lines]
        return [(wire.split_topic(topic)[1], payload) for topic, payload in messages]


def command(identity, box="east"):
    return '{{"topic": "noisewarden/{}/command", "id": {}}}'.format(box, identity)


def heard(*pieces):
    """Ids of the commands heard among what was typed."""
    wired = Wire()
    wired.type(*pieces)
    return [payload["id"] for payload in wired.heard]


# In.


def test_commands_are_heard_amid_other_text():
    assert heard(">>> \r\n", "help()\n", command(1) + "\r\n", "\n\r\n", command(2) + "\n") == [
        1,
        2,
    ]


def test_what_is_no_message_for_this_box_is_passed_over():
    noise = (
        command(1, "west"),
        '{"topic": "noisewarden/east/reading", "id": 2}',
        '{"topic": "elsewhere/east/command", "id": 3}',
        '{"topic": 4, "id": 4}',
        '{"id": 5}',
        "[6]",
        command(7)[:-1],
        "{" * 200,
        "[" * 3000,
    )
    for line in noise:
        assert heard(line + "\n", command(9) + "\n") == [9], line[:40]


def test_a_line_that_is_not_utf_8_is_passed_over():
    assert heard(b'\xff\xfe{"topic"\n', b"\x80\n", command(9) + "\n") == [9]


def test_a_line_that_is_too_long_is_dropped_whole():
    filler = " " * wire.LINE_MOST_CHARS
    fits = command(1)[:-1] + filler[: wire.LINE_MOST_CHARS - len(command(1))] + "}\n"
    assert len(fits) == wire.LINE_MOST_CHARS + 1
    assert heard(fits) == [1]
    assert heard(" " + fits, command(2) + "\n") == [2]
    assert heard(command(1) + filler + "\n", command(2) + "\n") == [2]
    assert heard("A" * 100_000 + command(1) + "\n", command(2) + "\n") == [2]


def test_a_line_of_wide_characters_is_dropped_at_the_same_length_in_bytes():
    wide = '{"note": "' + "静" * 1300 + '", ' + command(1)[1:]
    assert len(wide) < wire.LINE_MOST_CHARS < len((wide + " " * 300).encode())
    assert heard(wide + "\n") == [1]
    assert heard(wide + " " * 300 + "\n", command(2) + "\n") == [2]


def test_an_answer_is_published_once_and_none_is_none():
    wired = Wire()
    wired.type('{"topic": "noisewarden/east/command", "answer": {"id": 4, "outcome": "done"}}\n')
    assert wired.said() == [("result", {"id": 4, "outcome": "done"})]
    wired.type(command(5) + "\n")
    assert len(wired.said()) == 1


# Out.


def test_nothing_is_sent_before_a_reader_asks():
    assert Wire(3).send() == []


def test_an_ack_allows_so_many_records_and_no_more():
    wired = Wire(40)
    wired.ack(0)
    sent = wired.send()
    assert [record["seq"] for record in sent] == list(range(1, RECORDS_AN_ACK + 1))
    assert [record["after"] for record in sent] == list(range(RECORDS_AN_ACK))
    assert wired.send() == []
    wired.ack(RECORDS_AN_ACK)
    assert [record["seq"] for record in wired.send()] == list(range(17, 33))


def test_a_slow_console_leaves_the_microphone_as_long_as_it_takes():
    wired = Wire(3)
    wired.ack(0)
    pauses = []

    class Pauses:
        async def sleep_ms(self, ms):
            pauses.append(ms)
            wired.now_ms += ms

    def write(line):
        wired.now_ms += 50

    wired.link._write = write
    links.asyncio = Pauses()
    try:
        asyncio.run(wired.link.send_records())
    finally:
        links.asyncio = asyncio
    assert len(pauses) == 4 and min(pauses) >= 50


def test_records_come_as_the_journal_holds_them():
    wired = Wire(2)
    wired.ack(0)
    entries = [evidence.entry(record) for record in wired.send()]
    assert entries == list(wired.journal.read(1, 10))
    assert list(evidence.breaks(KEY, entries)) == []


def test_new_records_follow_and_an_early_ack_starts_again():
    wired = Wire(2)
    wired.ack(0)
    assert len(wired.send()) == 2
    wired.record(1)
    assert [record["seq"] for record in wired.send()] == [3]
    wired.ack(1)
    assert [record["seq"] for record in wired.send()] == [2, 3]


def test_an_ack_that_is_no_number_changes_nothing():
    wired = Wire(3)
    for seq in ("-1", "null", '"1"', "1.5", "true"):
        wired.ack(seq)
        assert wired.send() == [], seq


def test_a_range_that_the_ring_gave_up_is_told_by_after():
    wired = Wire(60, segment_bytes=1024, segments=3)
    oldest = wired.journal.first_seq
    assert oldest > 5
    wired.ack(2)
    sent = wired.send()
    assert (sent[0]["seq"], sent[0]["after"]) == (oldest, 2)
    assert (sent[1]["seq"], sent[1]["after"]) == (oldest + 1, oldest)


def test_a_record_whose_header_rotted_does_not_stop_those_behind_it():
    for at, bits in ((1, 7), (20, 3)):  # its kind becomes 0, the quality of its time 3
        wired = Wire(3)
        files, path = Files(wired.disk), "journal/00000001"
        with files.open(path, "rb") as file:
            content = bytearray(file.read())
        size = (len(content) - wire.MAC_BYTES) // 3
        content[wire.MAC_BYTES + size + at] ^= bits
        with files.open(path, "wb") as file:
            file.write(content)
        wired.ack(0)
        assert [(record["seq"], record["after"]) for record in wired.send()] == [(1, 0), (3, 1)]
        wired.ack(3)
        assert wired.send() == []


def test_only_what_is_young_and_of_this_start_is_live():
    wired = Wire(1)
    wired.now_ms = OLD_MS - 1
    wired.ack(0)
    assert wired.send()[0]["live"] is True
    wired.now_ms = OLD_MS
    wired.ack(0)
    assert wired.send()[0]["live"] is False
    wired.record(1)
    wired.journal.boot += 1
    wired.ack(1)
    assert wired.send()[0]["live"] is False


check.run(globals())
