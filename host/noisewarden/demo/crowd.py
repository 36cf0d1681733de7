"""Simulated boxes, to load the station: they speak as boxes do, and measure nothing.

They run in a process of their own, so that the demo's has the station's work alone.
"""

import asyncio
import json
import math
import random
import secrets
import statistics
import subprocess
import sys
import time
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Any

from noisewarden.demo.boxes import Box
from noisewarden.demo.station import DemoStation
from noisewarden.firmware import wire
from noisewarden.virtual.simulated import READING, Journal, SimulatedBox

HOST = "127.0.0.1"
_ENDS_WITHIN_S = 5
_SPREAD_S = 0.02
_MINUTE_S = 60


class Crowd:
    """A context manager: so many boxes from its entry to its exit, which are `boxes`."""

    def __init__(self, count: int, station: DemoStation) -> None:
        self.boxes = [
            Box(f"simulated-{number}", f"Simulated box {number}") for number in range(1, count + 1)
        ]
        keys = {}
        for box in self.boxes:
            secret = secrets.token_bytes(32)
            station.register(box.name, secret, box.place, serial="none")
            keys[box.name] = secret.hex()
        self._wish = {"boxes": keys, "port": station.port, "ca": station.ca.hex()}

    def __enter__(self) -> "Crowd":
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdin
        # Not as arguments: any list of processes shows those.
        self._process.stdin.write(json.dumps(self._wish).encode() + b"\n")
        self._process.stdin.flush()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class _Walk(SimulatedBox):
    """Its level wanders about one of its own; a minute of it is a record."""

    def __init__(self, box: str, secret: bytes) -> None:
        self._records = Journal(wire.Key(wire.derive(secret, "journal")))
        super().__init__(box, secret, self._records)
        self._began = time.monotonic()
        self._levels: list[float] = []
        self._middle_db = random.uniform(52, 63)
        self._add("boot", cause="power", firmware="simulated", micropython="", board="none")

    async def live(self) -> None:
        level_db = self._middle_db
        for n in range(sys.maxsize):
            level_db += 0.2 * (self._middle_db - level_db) + random.uniform(-1.5, 1.5)
            self._levels.append(level_db)
            self.readings = READING | {
                "n": n,
                "laeq": round(level_db, 2),
                "lceq": round(level_db + 5, 2),
                "lafmax": round(level_db + 3, 2),
                "lasmax": round(level_db + 1, 2),
                "stage": 0,
                "shown": str(math.floor(level_db + 0.5)),
                "colour": "green",
            }
            if len(self._levels) == _MINUTE_S:
                self._add("minute", **_minute(self._levels))
                self._levels.clear()
                self.wake()
            await asyncio.sleep(1)

    def _add(self, kind: str, **fields: Any) -> None:
        uptime_ms = round(1000 * (time.monotonic() - self._began))
        self._records.add(kind, uptime_ms=uptime_ms, unix_s=int(time.time()), **fields)


def _minute(levels: list[float]) -> dict[str, Any]:
    """The fields of its record (docs/protocol.md)."""
    tenths = statistics.quantiles(levels, n=10)
    return {
        "valid_s": len(levels),
        "flags": 0,
        "limit": READING["limit"],
        "stage": 0,
        "laeq": 10 * math.log10(statistics.fmean(10 ** (level / 10) for level in levels)),
        "lafmax": max(levels) + 3,
        "lafmin": min(levels) - 3,
        "lcpeak": READING["lcpeak"],
        "l10": tenths[8],
        "l50": tenths[4],
        "l90": tenths[0],
        "seconds": [round(10 * level) for level in levels],
    }


async def _run(wish: dict[str, Any]) -> None:
    """Until the standard input ends, as it does when the demo has ended in whatever way."""
    trust = SSLContext(PROTOCOL_TLS_CLIENT)
    trust.load_verify_locations(cadata=bytes.fromhex(wish["ca"]))
    tasks = []
    for name, secret in wish["boxes"].items():
        box = _Walk(name, bytes.fromhex(secret))
        tasks += map(asyncio.create_task, (box.live(), box.run(HOST, wish["port"], trust)))
        # As boxes are that were switched on at any time.
        await asyncio.sleep(_SPREAD_S)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.stdin.readline())))
