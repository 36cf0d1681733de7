"""The USB console as a link: messages as lines of JSON, both ways, among whatever else is there.

A reader acknowledges what it holds and gets the next records; its acknowledgement frees nothing
and moves no durable mark, since the journal belongs to the station. Anyone at this wire owns the
box already (Ctrl-C gives the REPL), so its commands need no signature.
"""

import asyncio

from micropython import const

from noisebox import wire

RECORDS_AN_ACK = const(16)
_LIVE_MS = const(60_000)
"""An older record may raise no alarm (DESIGN 6)."""
_BETWEEN_MS = const(5)
_ROOM_MOST_MS = const(100)
_PAUSE_MS = const(50)


class SerialLink:
    """box_id   the box's id, part of every topic
    reader   asyncio stream of the console's input
    write    takes a line of output, without its end
    clock    tells which records are old
    answer   takes a command's payload, returns the result's or None
    """

    def __init__(self, box_id, reader, write, journal, clock, answer):
        self._box_id = box_id
        self._reader = reader
        self._write = write
        self._journal = journal
        self._clock = clock
        self._answer = answer
        self._sent = 0
        self._allowed = 0

    def publish(self, name, payload):
        self._write(wire.line(wire.topic(self._box_id, name), payload))

    async def listen(self):
        """Reads lines until the console is gone. A line that is too long is dropped whole."""
        line = bytearray()
        while True:
            # One byte: the chip's console blocks until all that is asked for has come.
            byte = await self._reader.read(1)
            if not byte:
                return
            if byte not in b"\r\n":
                if len(line) <= wire.LINE_MOST_CHARS:
                    line.extend(byte)
            elif line:
                if len(line) <= wire.LINE_MOST_CHARS:
                    self._hear(line)
                line = bytearray()

    def _hear(self, line):
        try:
            message = wire.parse_line(line.decode())
        except ValueError:  # not UTF-8
            return
        if message is None:
            return
        topic, payload = message
        if topic == wire.topic(self._box_id, "ack"):
            seq = payload.get("seq")
            if isinstance(seq, int) and seq >= 0:
                self._sent = seq
                self._allowed = RECORDS_AN_ACK
        elif topic == wire.topic(self._box_id, "command"):
            result = self._answer(payload)
            if result:
                self.publish("result", result)

    async def send_records(self):
        """Sends what is on flash after the reader's last record, as far as its acks allow, then
        pauses."""
        while self._allowed:
            began_ms = self._clock.uptime_ms()
            record = record_payload(self._journal, self._clock, self._sent + 1)
            if record is None:
                break
            self.publish("record", record)
            self._sent = record["seq"]
            self._allowed -= 1
            await make_room(self._clock.uptime_ms() - began_ms)
        await asyncio.sleep_ms(_PAUSE_MS)


async def make_room(took_ms):
    """After a record that took so long: as long belongs to the microphone, which nobody heard. On
    the console at 115 200 Bd that is 50 ms. What takes longer waits for the network, and hears."""
    await asyncio.sleep_ms(_BETWEEN_MS + min(took_ms, _ROOM_MOST_MS))


def record_payload(journal, clock, wanted):
    """The first record on flash from number `wanted` on, as a payload; None when there is none.

    Its `after` is wanted − 1, whatever number it has: between them there is nothing.
    """
    for entry in journal.read(wanted, journal.last_flushed_seq):
        try:
            _, _, boot, uptime_ms, _, _ = wire.header(entry[1])
            break
        except ValueError:
            pass  # its header rotted on flash: no host takes it, and it must not stop what follows
    else:
        return None
    live = boot == journal.boot and clock.uptime_ms() - uptime_ms < _LIVE_MS
    return wire.record_message(entry, wanted - 1, journal.last_flushed_seq, live)
