"""Boxes by the hundred in a process of its own, so that what they cost is not counted with the
station: TLS, a reading a second each, a minute's record each minute.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from contextlib import suppress
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from types import TracebackType
from typing import Any, Self

from host.fakebox import KEY, MINUTE, Journal
from host.station_parts import SECRET
from noisewarden.virtual.simulated import SimulatedBox

HOST = "127.0.0.1"
APART_S = 0.013
"""Between two boxes that begin."""
SETTLED_S = 8
LEVELS = 600
"""A box goes through so many levels of 0.1 dB, so that a page shows which second it has got."""
LOWEST_DB = 30
MINUTE_S = 60


class Load:
    """A context manager: boxes `first` to before `first + count` speak to a port until its exit.

    ca_pem  of the station's authority
    last    the last entry of the journal of each, which it goes on from; None begins one
    """

    def __init__(self, first: int, count: int, port: int, ca_pem: str, last: Any = None) -> None:
        if last:
            last = [part.hex() if isinstance(part, bytes) else part for part in last]
        self._asked = json.dumps([first, count, port, ca_pem, last])

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, __file__, self._asked],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        return self

    def wait(self) -> None:
        """Until all boxes have been started, and what came of that is over."""
        assert self.process.stdout and self.process.stdout.readline()
        time.sleep(SETTLED_S)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        self.process.terminate()
        self.process.communicate()


def name(number: int) -> str:
    return f"box-{number}"


def names(count: int) -> list[str]:
    return [name(number) for number in range(count)]


class LoadBox(SimulatedBox):
    """Each second another level, each minute another record."""

    def _publish(self, name: str, payload: Any, **options: Any) -> None:
        if name == "reading":
            level = LOWEST_DB + int(time.monotonic()) % LEVELS / 10
            payload = payload | {"laeq": level, "shown": str(int(level + 0.5))}
        super()._publish(name, payload, **options)

    async def measure_on(self) -> None:
        while True:
            await asyncio.sleep(MINUTE_S)
            self.journal.add(
                "minute",
                uptime_ms=time.monotonic_ns() // 1_000_000,
                unix_s=int(time.time()),
                **MINUTE,
            )
            self.wake()


def _journal(last: Any) -> Journal:
    if last is None:
        made = Journal(KEY)
        made.add("boot", cause="power-on", firmware="0", micropython="1", board="b")
        return made
    seq, *parts = last
    data, mac, previous = map(bytes.fromhex, parts)
    made = Journal(KEY, first=seq + 1, mac=mac)
    made.append((seq, data, mac, previous))
    return made


async def _generate(first: int, count: int, port: int, ca_pem: str, last: Any) -> None:
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ca_pem)
    async with asyncio.TaskGroup() as tasks:
        for number in range(first, first + count):
            box = LoadBox(name(number), SECRET, _journal(last))
            tasks.create_task(box.run(HOST, port, context))
            tasks.create_task(box.measure_on())
            # Not all at once, and spread over the second.
            await asyncio.sleep(APART_S)
        print("started", flush=True)


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with suppress(KeyboardInterrupt):
        asyncio.run(_generate(*json.loads(sys.argv[1])))
