"""What a station is held against: Mosquitto with the same boxes, and the sqlite3 module alone."""

import json
import sqlite3
import statistics
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import brokers
import mqtt_raw
from host.station_parts import SECRET
from load import Load, names
from noisewarden.database import FILE
from noisewarden.firmware import wire
from noisewarden.virtual.simulated import now_us
from process import Use

TRIES = 5


class BrokerFloor(NamedTuple):
    """`late_s`: from a reading to who subscribes to all, at the 95th percentile."""

    cores: float
    memory_mb: float
    late_s: float


def mosquitto(folder: Path, boxes: int, seconds: float) -> BrokerFloor:
    """Raw Mosquitto with so many boxes and one subscriber."""
    password = wire.derive(SECRET, "mqtt").hex()
    with brokers.running("mosquitto", dict.fromkeys(names(boxes), password), folder) as broker:
        assert isinstance(broker, brokers.Mosquitto)
        late_s: list[float] = []
        threading.Thread(target=_listen, args=(broker.station_url, late_s), daemon=True).start()
        with Load(0, boxes, broker.port, broker.ca_pem.decode()) as load:
            load.wait()
            late_s.clear()
            use = Use(broker.process.pid)
            time.sleep(seconds)
            cores = use.cores()
            assert len(late_s) > 0.9 * boxes * seconds, f"{len(late_s)} readings came"
            return BrokerFloor(cores, use.memory_mb(), statistics.quantiles(late_s, n=20)[-1])


def _listen(url: str, late_s: list[float]) -> None:
    with mqtt_raw.station(url) as client:
        client.subscribe("noisewarden/+/reading", qos=0)
        while message := client.message():
            late_s.append((now_us() - json.loads(message.payload)["n"]) / 1e6)


class Raw:
    """The records of a station's folder, read and written by the sqlite3 module."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def fetch(self, columns: str, where: str, *values: object) -> float:
        """Seconds of a query of minutes, with nothing made of its rows; the median of some."""
        query = f"SELECT {columns} FROM records WHERE kind = 'minute' AND {where}"
        with closing(sqlite3.connect(self._file)) as connection:
            took = []
            for _ in range(TRIES):
                began = time.perf_counter()
                connection.execute(query, values).fetchall()
                took.append(time.perf_counter() - began)
            return statistics.median(took)

    def insert(self, scratch: Path, box: str, count: int, batch: int) -> float:
        """Seconds in which the first rows of a box go into a copy of the table, a commit for each
        batch."""
        with closing(sqlite3.connect(self._file)) as source:
            (table,) = source.execute(
                "SELECT sql FROM sqlite_master WHERE name = 'records'"
            ).fetchone()
            query = "SELECT * FROM records WHERE box = ? AND seq <= ?"
            rows = source.execute(query, (box, count)).fetchall()
        with closing(sqlite3.connect(scratch)) as target:
            target.execute("PRAGMA journal_mode = WAL")
            target.execute("PRAGMA synchronous = FULL")
            target.execute(table)
            marks = ", ".join("?" * len(rows[0]))
            began = time.perf_counter()
            for at in range(0, count, batch):
                with target:
                    target.executemany(
                        f"INSERT INTO records VALUES ({marks})", rows[at : at + batch]
                    )
            return time.perf_counter() - began
