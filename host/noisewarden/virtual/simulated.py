"""Boxes by the hundred: they speak as `firmware/noisebox/station_link.py` and measure nothing.

Which record comes next and which order counts is decided by the firmware's own rooms.
"""

import asyncio
import io
import json
import ssl
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from noisewarden import firmware
from noisewarden.firmware import wire
from noisewarden.virtual.mqtt_packets import (
    PINGREQ,
    Message,
    connect,
    packet,
    publish,
    subscribe,
)

READING = {
    "lceq": 75.5,
    "lafmax": 74.0,
    "lasmax": 72.0,
    "lcpeak": 90.0,
    "limit": 70,
    "incident": False,
    "spotlight": False,
    "flags": [],
}
_U32 = 0xFFFFFFFF
_PING_EVERY_S = 15.0


class _Files:
    """What a box keeps on flash, in memory: its counter."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def open(self, name: str, mode: str) -> Any:
        if "r" in mode:
            if name not in self._files:
                raise OSError(2, name)
            return io.BytesIO(self._files[name])
        file = io.BytesIO()
        close = file.close
        file.close = lambda: (self._files.__setitem__(name, file.getvalue()), close())[1]  # type: ignore[method-assign]
        return file

    def rename(self, old: str, new: str) -> None:
        self._files[new] = self._files.pop(old)


def now_us() -> int:
    """Of a clock that all processes of this machine share; it fits the number of a reading."""
    return time.monotonic_ns() // 1000 & _U32


class Journal(list):
    """The entries of a box, oldest first; each new one continues the chain.

    key         a `wire.Key`, of the box's journal
    first, mac  number of its first record, and the mac before that
    """

    def __init__(self, key: Any, first: int = 1, mac: bytes = wire.FIRST_MAC) -> None:
        super().__init__()
        self._key = key
        self._seq = first
        self._mac = mac

    def add(
        self,
        kind: str,
        *,
        boot: int = 1,
        uptime_ms: int = 0,
        unix_s: int | None = None,
        **fields: Any,
    ) -> None:
        """A record of `wire.KINDS` with its fields; `unix_s` is None while the box knows no
        time."""
        self.add_body(kind, wire.pack(kind, **fields), boot, uptime_ms, unix_s)

    def add_body(
        self, kind: str, body: bytes, boot: int, uptime_ms: int, unix_s: int | None
    ) -> None:
        """The same of a body that is packed."""
        data = wire.record(kind, body, uptime_ms, unix_s, 0 if unix_s is None else 2)
        wire.number(data, self._seq, boot)
        mac = self._key.sign(self._mac, data)
        self.append((self._seq, bytes(data), mac, self._mac))
        self._seq += 1
        self._mac = mac


class SimulatedBox:
    """journal    its entries; after more were added, call `wake`
    readings   what goes into each reading; its `n` is `now_us` at sending, unless that is among it
    obey       takes a command, returns (outcome, detail)
    """

    def __init__(
        self,
        box: str,
        secret: bytes,
        journal: Sequence[tuple[int, bytes, bytes, bytes]],
        *,
        boot: int = 1,
        clock: int = 2,
        obey: Callable[[dict[str, Any]], tuple[str, str]] = lambda command: ("done", ""),
    ) -> None:
        self.box = box
        self.journal = journal
        self.boot = boot
        self.clock = clock
        self.readings = READING | {"laeq": 61.0, "stage": 0, "shown": "61", "colour": "green"}
        self.reading_every_s = 1.0
        self.upload = firmware.upload.Upload()
        self.orders = firmware.orders.Orders(
            _Files(), box, wire.Key(wire.derive(secret, "command"))
        )
        self.commands: list[dict[str, Any]] = []
        self._password = wire.derive(secret, "mqtt").hex()
        self._obey = obey
        self._number = 0
        self._wake = asyncio.Event()

    async def run(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        """Keeps a connection until cancelled."""
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._session(host, port, context)
            await asyncio.sleep(0.2)

    async def _session(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        name = wire.STATION_NAME if context else None
        reader, self._writer = await asyncio.open_connection(
            host, port, ssl=context, server_hostname=name
        )
        try:
            will = Message(self._topic("availability"), b"offline", 1, True)
            self._writer.write(connect(self.box, self.box, self._password, will=will))
            first, body = await _read(reader)
            if first != 0x20 or body[1]:
                raise OSError("refused")
            self._writer.write(subscribe(self._topic("ack"), self._topic("command")))
            self._publish("availability", b"online", retained=True)
            self.tell_state()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(reader))
                tasks.create_task(self._send_records())
                tasks.create_task(self._read_out())
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writer.transport.abort()

    def tell_state(self) -> None:
        newest = self.journal[-1][0] if self.journal else 0
        first = self.journal[0][0] if self.journal else 0
        self.upload.ask(self._now_ms())
        self._publish(
            "state",
            {"boot": self.boot, "clock": self.clock, "records": [first, newest]},
            retained=True,
        )

    def wake(self) -> None:
        """There are new records."""
        self._wake.set()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            first, body = await _read(reader)
            if first >> 4 != 3:
                continue
            (length,) = struct.unpack_from(">H", body)
            at = 2 + length
            name = body[2:at].decode().rsplit("/", 1)[1]
            if first >> 1 & 3:
                self._writer.write(packet(0x40, body[at : at + 2]))
                at += 2
            self._take(name, json.loads(body[at:]))

    def _take(self, name: str, payload: dict[str, Any]) -> None:
        if name == "ack":
            newest = self.journal[-1][0] if self.journal else 0
            if ack := self.orders.ack(payload, self.boot, newest):
                self.upload.ack(*ack, self._now_ms())
                self._wake.set()
        elif order := self.orders.command(payload, int(time.time()) if self.clock else None):
            command, refusal = order
            self.commands.append(command)
            if command["action"] == "set_time":
                self.clock = 2
            outcome, detail = ("refused", refusal) if refusal else self._obey(command)
            result = {"id": command["id"], "outcome": outcome, "detail": detail}
            self._publish("result", result)

    async def _send_records(self) -> None:
        by_number: dict[int, Any] = {}
        while True:
            newest = self.journal[-1][0] if self.journal else 0
            wanted = self.upload.next(newest)
            if wanted is None:
                self._wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await self._wake.wait()
                if self.upload.silent(self._now_ms()):
                    self.tell_state()
                continue
            if newest not in by_number:
                by_number = {entry[0]: entry for entry in self.journal}
            message = wire.record_message(by_number[wanted], wanted - 1, newest, True)
            self._publish("record", message)
            self.upload.sent(wanted, wanted)
            await self._writer.drain()

    async def _read_out(self) -> None:
        pinged = time.monotonic()
        while True:
            await asyncio.sleep(self.reading_every_s)
            time_s = int(time.time()) - 1 if self.clock else None
            self._publish("reading", {"n": now_us(), "time": time_s} | self.readings, qos=0)
            if time.monotonic() - pinged > _PING_EVERY_S:
                pinged = time.monotonic()
                self._writer.write(PINGREQ)

    def _publish(
        self, name: str, payload: dict[str, Any] | bytes, *, qos: int = 1, retained: bool = False
    ) -> None:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self._number = self._number % 0xFFFF + 1
        message = Message(self._topic(name), data, qos, retained)
        self._writer.write(publish(message, self._number))

    def _topic(self, name: str) -> str:
        return wire.topic(self.box, name)

    @staticmethod
    def _now_ms() -> int:
        return time.monotonic_ns() // 1_000_000


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    (first,) = await reader.readexactly(1)
    length = shift = 0
    while True:
        (byte,) = await reader.readexactly(1)
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return first, await reader.readexactly(length)
