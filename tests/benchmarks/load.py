"""The station's core under load: broker, intake, store and live in one process, as `serve` has it.

Boxes are simulated by another process: TLS, a reading a second each, and a journal to bring in.
The floor is the same records through the sqlite3 module alone, in as many commits.
"""

import asyncio
import json
import os
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from ssl import PROTOCOL_TLS_CLIENT, SSLContext

from host.fakebox import KEY, journal
from host.station_parts import SECRET, Station, admit
from noisewarden.database import Database
from noisewarden.register import Register
from noisewarden.station.authority import Authority
from noisewarden.station.broker import Broker
from noisewarden.station.events import Reader
from noisewarden.station.intake import filters
from noisewarden.station.mqtt_client import BrokerClient, BrokerWay
from simulated import SimulatedBox, now_us

LOADS = ((200, 60), (1000, 10))
"""Boxes, and minutes in the journal of each."""
READERS = 50
"""Pages that look on."""
STEADY_S = 15
HOST = "127.0.0.1"


def _names(count: int) -> list[str]:
    return [f"box-{number}" for number in range(count)]


class Measured:
    """What one run came to; times in s."""

    records = commits = 0
    upload_s = upload_cpu = steady_cpu = 0.0
    latencies_s: list[float]


@asynccontextmanager
async def _serving(folder: Path, boxes: int) -> AsyncIterator[tuple[Station, Broker]]:
    with Database.in_folder(folder) as database:
        for box in _names(boxes):
            admit(Register(database), box)
        parts = Station(database, time.monotonic)
        certificate = Authority.in_folder(folder).server_files()
        async with Broker(parts.register, certificate, HOST, 0) as broker:
            client = BrokerClient(
                broker.station_url,
                filters(),
                lambda *message: parts.intake.hear_topic(way, *message),
                lambda trouble: parts.live.trouble("broker", trouble),
            )
            way = BrokerWay(client, parts.register)
            works = (client.run(), parts.intake.run(), parts.live.run(), parts.commander.run())
            tasks = [asyncio.create_task(work) for work in works]
            try:
                yield parts, broker
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def _look(reader: Reader, latencies_s: list[float]) -> None:
    async for event, data in reader:
        if event == "readings":
            now = now_us()
            for each in json.loads(data)["readings"]:
                if each["reading"]:
                    latencies_s.append((now - each["reading"]["n"]) / 1e6)


async def _stand_by(reader: Reader) -> None:
    async for event, data in reader:
        f"event: {event}\ndata: {data}\n\n".encode()


async def _measure(folder: Path, boxes: int, minutes: int) -> Measured:
    found = Measured()
    found.latencies_s = []
    async with _serving(folder, boxes) as (parts, broker):
        generator = await asyncio.create_subprocess_exec(
            sys.executable,
            __file__,
            json.dumps([boxes, minutes, broker.port, Authority.in_folder(folder).ca_pem.decode()]),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        try:
            began, cpu = time.monotonic(), time.process_time()
            wanted = boxes * (minutes + 1)
            counts = parts.intake.committer.counts
            while counts["new"] < wanted:
                await asyncio.sleep(0.1)
                assert generator.returncode is None and time.monotonic() - began < 300, counts
            found.records, found.commits = counts["new"], counts["commits"]
            found.upload_s = time.monotonic() - began
            found.upload_cpu = time.process_time() - cpu
            await asyncio.sleep(5)
            await _watch(parts, found)
            assert parts.intake.counts["failed"] == counts["failed"] == 0
        finally:
            with suppress(ProcessLookupError):
                generator.terminate()
            await generator.wait()
    return found


async def _watch(parts: Station, found: Measured) -> None:
    """Nothing but readings, and pages that show them."""
    async with parts.live.subscribe() as first:
        looking = [asyncio.create_task(_look(first, found.latencies_s))]
        for _ in range(READERS - 1):
            reader = Reader()
            parts.live._readers.add(reader)
            looking.append(asyncio.create_task(_stand_by(reader)))
        cpu, began = time.process_time(), time.monotonic()
        await asyncio.sleep(STEADY_S)
        found.steady_cpu = (time.process_time() - cpu) / (time.monotonic() - began)
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)


def _floor(folder: Path, records: int, commits: int) -> float:
    """Seconds of the same records with no more than the commits."""
    data = bytes(150)
    with closing(sqlite3.connect(folder / "floor.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE r (box TEXT, seq INT, d BLOB, PRIMARY KEY (box, seq))")
        began = time.monotonic()
        for at in range(commits):
            rows = [(str(at), n, data) for n in range(records // commits)]
            with connection:
                connection.executemany("INSERT INTO r VALUES (?, ?, ?)", rows)
        return time.monotonic() - began


async def _generate(boxes: int, minutes: int, port: int, ca_pem: str) -> None:
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ca_pem)
    made = journal(minutes, key=KEY)
    async with asyncio.TaskGroup() as tasks:
        for number, box in enumerate(_names(boxes)):
            simulated = SimulatedBox(box, SECRET, made)
            tasks.create_task(simulated.run(HOST, port, context))
            await asyncio.sleep(0.02 if number % 10 == 0 else 0.001)


def main() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for boxes, minutes in LOADS:
        with tempfile.TemporaryDirectory() as folder:
            found = asyncio.run(_measure(Path(folder), boxes, minutes))
            floor_s = _floor(Path(folder), found.records, found.commits)
        worst = statistics.quantiles(found.latencies_s, n=20)
        title = f"load: {boxes} boxes:"
        print(f"{title} {100 * found.steady_cpu:.1f} % of a core with {READERS} pages looking on")
        print(
            f"{title} reading to page {1000 * worst[9]:.0f} ms in the middle, "
            f"{1000 * worst[18]:.0f} ms at the 95th percentile"
        )
        print(
            f"{title} {found.records} records taken in at {found.records / found.upload_s:.0f} "
            f"a second in {found.commits} commits, "
            f"{1e6 * found.upload_cpu / found.records:.0f} µs of CPU each; "
            f"raw SQLite takes {100 * floor_s / found.upload_s:.1f} % of that time",
            flush=True,
        )


if __name__ == "__main__":
    asyncio.run(_generate(*json.loads(sys.argv[1])))
