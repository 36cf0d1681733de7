"""What many boxes cost the guarded broker, and Mosquitto in the same run: CPU, memory, latency.

Each box is a TLS connection that publishes a reading a second; a station's client gets them all.
"""

import asyncio
import json
import os
import resource
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import brokers
from mqtt_raw import Message, connect, publish, subscribe
from noisewarden.firmware import wire
from noisewarden.station.rights import STATION

COUNTS = (200, 1000)
SECONDS = 15
AT_ONCE = 24
"""Logins at the same time."""
READING_BYTES = 330
"""As long as a reading is."""
PASSWORD = "a1" * 32


def _names(count: int) -> list[str]:
    return [f"box-{number:04}" for number in range(count)]


@contextmanager
def _running(kind: str, count: int) -> Iterator[tuple[brokers.Running, int]]:
    """The broker and its process."""
    passwords = dict.fromkeys(_names(count), PASSWORD)
    with tempfile.TemporaryDirectory() as folder:
        if kind == "mosquitto":
            with brokers.running(kind, passwords, Path(folder)) as broker:
                assert isinstance(broker, brokers.Mosquitto)
                yield broker, broker.process.pid
            return
        # In a process of its own, so that the boxes' work is not counted with it.
        child = subprocess.Popen(
            [sys.executable, __file__, folder, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        try:
            assert child.stdout
            broker = brokers.Guarded(passwords, Path(folder))
            broker.port, broker.station_url = json.loads(child.stdout.readline())
            yield broker, child.pid
        finally:
            child.communicate()


def _serve(folder: str, count: int) -> None:
    passwords = dict.fromkeys(_names(count), PASSWORD)
    with brokers.running("guarded", passwords, Path(folder)) as broker:
        print(json.dumps([broker.port, broker.station_url]), flush=True)
        sys.stdin.read()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mb(pid: int) -> float:
    (row,) = [
        row
        for row in Path(f"/proc/{pid}/status").read_text().splitlines()
        if row.startswith("VmRSS")
    ]
    return int(row.split()[1]) / 1024


async def _box(
    broker: brokers.Running, name: str, tls: ssl.SSLContext, turn: asyncio.Semaphore
) -> None:
    async with turn:
        reader, writer = await asyncio.open_connection(
            broker.host, broker.port, ssl=tls, server_hostname=wire.STATION_NAME
        )
        writer.write(connect(name, name, PASSWORD))
        assert (await reader.readexactly(4))[3] == 0
    topic, phase = wire.topic(name, "reading"), hash(name) % 1000 / 1000
    while True:
        await asyncio.sleep(1 - (time.time() - phase) % 1)
        stamp = struct.pack(">d", time.perf_counter())
        writer.write(publish(Message(topic, stamp.ljust(READING_BYTES))))


async def _listen(url: str, latencies_s: list[float]) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(connect(STATION, unquote(parts.username or ""), parts.password, keep_alive_s=0))
    writer.write(subscribe("noisewarden/+/reading", qos=0))
    await reader.readexactly(4 + 5)
    while True:
        head = await reader.readexactly(3)  # a reading's length takes two bytes
        body = await reader.readexactly((head[1] & 0x7F) | head[2] << 7)
        (stamp,) = struct.unpack_from(">d", body, 2 + struct.unpack_from(">H", body)[0])
        latencies_s.append(time.perf_counter() - stamp)


async def _load(broker: brokers.Running, pid: int, count: int) -> dict[str, float]:
    latencies_s: list[float] = []
    turn, tls = asyncio.Semaphore(AT_ONCE), broker.tls()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_listen(broker.station_url, latencies_s))]
        start, cpu_s = time.perf_counter(), _cpu_s(pid)
        tasks += [group.create_task(_box(broker, name, tls, turn)) for name in _names(count)]
        while turn.locked() or len(latencies_s) < count:
            await asyncio.sleep(0.1)
        login_ms = (_cpu_s(pid) - cpu_s) / count * 1000
        await asyncio.sleep(2)
        latencies_s.clear()
        start, cpu_s = time.perf_counter(), _cpu_s(pid)
        await asyncio.sleep(SECONDS)
        spent_s = time.perf_counter() - start
        cpu, came = _cpu_s(pid) - cpu_s, len(latencies_s)
        for task in tasks:
            task.cancel()
    return {
        "percent of a core": 100 * cpu / spent_s,
        "ms of CPU a login": login_ms,
        "MB of memory": _memory_mb(pid),
        "readings a second that arrive": came / spent_s,
        "ms from reading to subscriber, median": 1000 * statistics.median(latencies_s),
        "ms, 95 of 100": 1000 * statistics.quantiles(latencies_s, n=20)[-1],
    }


def measure(kind: str, count: int) -> dict[str, float]:
    with _running(kind, count) as (broker, pid):
        return asyncio.run(_load(broker, pid, count))


def main() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for count in COUNTS:
        figures = {kind: measure(kind, count) for kind in brokers.KINDS}
        for kind, found in figures.items():
            for name, figure in found.items():
                print(f"broker: {count} boxes, {kind}: {name}: {figure:.3g}")
        ours, theirs = (found["percent of a core"] for found in figures.values())
        print(f"broker: {count} boxes: the guarded one costs {ours / theirs:.1f} times Mosquitto")


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
