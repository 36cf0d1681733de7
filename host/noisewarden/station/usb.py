"""A box on USB, by the same door as those on a broker: `serve --serial PORT`.

Whoever holds the cable holds the box, so nothing is sealed here (docs/protocol.md). The port is
looked for until it is there, and again whenever it has gone.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from noisewarden.console import Console
from noisewarden.errors import UserError
from noisewarden.station.intake import Intake
from noisewarden.station.messages import Payload
from noisewarden.station.ways import Again, Unreachable, Ways

LOOK_AGAIN_AFTER_S = 2.0
RECORDS_AN_ACK = 16
"""The box sends so many for each acknowledgement, and one that comes earlier makes it begin again
behind it."""
SILENT_AFTER_S = 2.0
"""Without a record for so long nothing more is on its way."""
_STEP_S = 0.1
_WAITING_MOST = 64


class UsbBox:
    """trouble   takes the name of what fails and why, "" when that is over

    It belongs to one event loop; the port has a thread of its own.
    """

    def __init__(
        self,
        port: str,
        intake: Intake,
        ways: Ways,
        trouble: Callable[[str, str], None] = lambda what, why: None,
    ) -> None:
        self._port = port
        self._intake = intake
        self._ways = ways
        self._trouble = trouble
        self._loop = asyncio.get_running_loop()
        self._to_send: queue.Queue[tuple[str, str, Payload]] = queue.Queue(_WAITING_MOST)
        self._stop = threading.Event()
        self._box = ""
        self._due: tuple[str, Payload] | None = None
        self._since_ack = 0
        self._newest = 0
        self._heard_record_at = 0.0

    async def run(self) -> None:
        """Until cancelled; the port is free then."""
        # Not one of the loop's threads: they are few, and the database is asked in them.
        with ThreadPoolExecutor(1, "usb") as thread:
            port = self._loop.run_in_executor(thread, self._keep_open)
            try:
                await asyncio.shield(port)
            finally:
                self._stop.set()
                await port

    # As a way to the box, in the loop.

    async def command(self, box: str, body: dict[str, Any]) -> None:
        self._send(box, "command", body)

    async def acknowledge(self, box: str, boot: int | None, seq: int, again: Again) -> None:
        """Held back until the box has sent all that the last one allowed, or falls silent."""
        first_missing = min((first for first, _ in again), default=seq + 1)
        self._due = box, {"seq": min(seq, first_missing - 1)}
        if self._since_ack >= RECORDS_AN_ACK or seq >= self._newest:
            self._send_due()

    def _send_due(self) -> None:
        if self._due:
            (box, ack), self._due = self._due, None
            self._since_ack = 0
            self._send(box, "ack", ack)

    def _send(self, box: str, name: str, payload: Payload) -> None:
        if box != self._box:
            raise Unreachable(f"{box}: is not on {self._port} now")
        try:
            self._to_send.put_nowait((box, name, payload))
        except queue.Full:
            raise Unreachable(f"{self._port}: takes nothing") from None

    def _hear(self, box: str, name: str, payload: Payload) -> None:
        now = self._loop.time()
        new = box != self._box
        if new:
            self._box, self._due, self._since_ack = box, None, 0
        if name == "record":
            self._since_ack += 1
            self._heard_record_at = now
            newest = payload.get("newest")
            self._newest = newest if isinstance(newest, int) else 0
        elif now - self._heard_record_at > SILENT_AFTER_S:
            with suppress(Unreachable):  # the box asks again
                self._send_due()
        unknown = f"{box} is not in the register; provision it, or import its handover"
        self._trouble(f"usb {self._port}", "" if self._intake.knows(box) else unknown)
        self._intake.hear(self, box, name, payload)
        if new:
            self._intake.attend(self, box)

    def _lost(self, why: str) -> None:
        if self._box:
            self._ways.gone(self)
            self._intake.hear(self, self._box, "availability", b"offline")
        self._box, self._due, self._since_ack = "", None, 0
        self._trouble(f"usb {self._port}", why)

    # In the thread of the port.

    def _keep_open(self) -> None:
        while not self._stop.is_set():
            try:
                with Console(self._port) as console:
                    while not self._stop.is_set():
                        self._step(console)
            except UserError as error:
                self._tell(self._lost, str(error))
                self._stop.wait(LOOK_AGAIN_AFTER_S)

    def _step(self, console: Console) -> None:
        while not self._to_send.empty():
            console.send(*self._to_send.get_nowait())
        if message := console.receive(_STEP_S):
            self._tell(self._hear, *message)

    def _tell(self, what: Callable[..., None], *arguments: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what, *arguments)
