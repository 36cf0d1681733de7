"""A town around one station: its process may be killed at any time, its boxes lose their power,
and whatever lies between them fails.

Some boxes run the real firmware, a crowd more is simulated. What each of them completed stands in
its journal; the store is held against that, byte by byte.
"""

import asyncio
import hashlib
import json
import os
import random
import resource
import signal
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import brokers
import paho.mqtt.client as mqtt
import sqlalchemy as sql
from host.fakebox import MINUTE, START_S, journal
from host.station_parts import admit
from noisewarden import firmware
from noisewarden.database import Database
from noisewarden.firmware import wire
from noisewarden.register import Register
from noisewarden.schema import incidents, records
from noisewarden.station.incidents import Incidents
from noisewarden.store import Store
from noisewarden.virtual import flash
from noisewarden.virtual.simulated import SimulatedBox
from noisewarden.virtual.supervisor import VirtualBox
from system.boxes import flash_files, install, on_flash, tones, until
from system.serving import Serving
from system.stations import Relay

if TYPE_CHECKING:  # pytest makes it a plugin, and wants to be the first who imports it
    from postgres import Cluster

REAL = ("north", "south")
"""Of the second the clock is not set at power-on."""
CROWD = 20
TWO_HOURS = 120
"""Minutes, and so records."""
QUOTA_BYTES = 16_384
"""Of a file: room for complaints, and for no records."""
_ON_ITS_WAY_S = 10
"""What left a box before its power went is in the store by then."""
_RESTS_MOST = 5

CONFIG = {
    "stages": {
        "window_s": 2,
        "over_at_least_s": 1,
        "spotlight_after_s": 60,
        "referral_after_s": 120,
        "clear_after_s": 1,
    }
}
HASTE_MS = 27_000
"""A box that hears nothing asks so much earlier than after 30 s."""
LOUD, QUIET = (2, 80), (4, 50)
"""Seconds and dB: a change of stage every three seconds."""

MAIN = f"""
import os, time
from noisebox import backoff, setup, start, upload
backoff.BackOff.next_ms = lambda self: 300
silent = upload.Upload.silent
upload.Upload.silent = lambda self, now_ms: silent(self, now_ms + {HASTE_MS})

class Torn:
    def __init__(self, file, left):
        self.file, self.left, self.close = file, left, file.close
    def write(self, data):
        if len(data) > self.left:
            self.file.write(data[: self.left])
            os.remove("tear")
            while True:
                time.sleep(1)
        self.left -= len(data)
        self.file.write(data)

def tearing(name, mode="r"):
    file = open(name, mode)
    if name.startswith("journal/") and mode != "rb" and "tear" in os.listdir():
        return Torn(file, int(open("tear").read()))
    return file

setup.open = tearing
start.main()
"""
"""Of a box in haste: it tries again at once, and soon asks. It stops dead in the journal's next
write, after so many bytes as a file `tear` says."""

SHIFT = """
import mmap, os, struct, time
shift = mmap.mmap(os.open(os.path.join(os.path.dirname(__file__), "shift"), os.O_RDONLY), 8,
                  prot=mmap.PROT_READ)
right = time.time
time.time = lambda: right() + struct.unpack("d", shift)[0]
"""
"""A sitecustomize.py that moves the clock of a Python process while it runs."""


def secret(box: str) -> bytes:
    return hashlib.sha256(box.encode()).digest()


def key(box: str) -> Any:
    """Of its journal."""
    return wire.Key(wire.derive(secret(box), "journal"))


class BadWire(Relay):
    """`stall` holds all back until `mend`; `lose` swallows some of what is said."""

    def __init__(self, host: str, port: int) -> None:
        self._flows = threading.Event()
        self._flows.set()
        self._loses = False
        super().__init__(host, port)

    def stall(self) -> None:
        self._flows.clear()

    def lose(self) -> None:
        self._loses = True

    def cut(self) -> None:
        super().cut()
        self._flows.set()

    def mend(self) -> None:
        super().mend()
        self._loses = False
        self._flows.set()

    def _passed(self, data: bytes) -> bytes:
        self._flows.wait()
        return b"" if self._loses and random.random() < 0.2 else data


class ClumsyBox(SimulatedBox):
    """While `clumsy`, a tenth of its records is lost on the way, a tenth is late behind the next,
    and a tenth comes twice."""

    def __init__(self, box: str) -> None:
        super().__init__(box, secret(box), journal(TWO_HOURS, key=key(box)))
        self.clumsy = False
        self._late: tuple[Any, ...] = ()
        silent = self.upload.silent
        self.upload.silent = lambda now_ms: silent(now_ms + HASTE_MS)

    def _publish(self, name: str, payload: Any, **options: Any) -> None:
        if name != "record" or not self.clumsy:
            return super()._publish(name, payload, **options)
        luck = random.random()
        if luck < 0.1:
            return None
        if luck < 0.2:
            self._late += (payload,)
            return None
        for each in (payload, *self._late, payload)[: None if luck < 0.3 else -1]:
            super()._publish(name, each, **options)
        self._late = ()
        return None


class Crowd:
    """A context manager: simulated boxes in a loop of their own, behind the wire."""

    def __init__(self, port: int, ca: bytes) -> None:
        self.boxes = [ClumsyBox(name) for name in map("crowd-{}".format, range(CROWD))]
        self._port = port
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.load_verify_locations(cadata=ca)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        works = [box.run(brokers.HOST, self._port, self._tls) for box in self.boxes]
        self._running = [asyncio.run_coroutine_threadsafe(work, self._loop) for work in works]
        return self

    def __exit__(self, *_: object) -> None:
        for running in self._running:
            running.cancel()
        self._loop.call_soon_threadsafe(self._loop.call_later, 0.5, self._loop.stop)
        self._thread.join()
        self._loop.close()

    def measure_on(self, minutes: int) -> None:
        """Each has so much more in its journal."""
        for box in self.boxes:
            for minute in range(len(box.journal), len(box.journal) + minutes):
                at_s = 60 * minute
                box.journal.add("minute", uptime_ms=1000 * at_s, unix_s=START_S + at_s, **MINUTE)
            self._loop.call_soon_threadsafe(box.wake)

    @contextmanager
    def clumsy(self) -> Iterator[None]:
        for box in self.boxes:
            box.clumsy = True
        try:
            yield
        finally:
            for box in self.boxes:
                box.clumsy = False


class Echo:
    """A context manager: who sits at the broker and says again what has been said."""

    def __init__(self, url: str) -> None:
        self._heard: set[tuple[str, bytes]] = set()
        self.count = 0
        found = sql.make_url(url)
        self._address = found.host, found.port
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "$station-echo")
        self._client.username_pw_set(found.username, found.password)
        self._client.on_connect = lambda *_: self._client.subscribe("noisewarden/#", qos=1)
        self._client.on_message = self._say_again

    def __enter__(self) -> Self:
        self._client.connect(*self._address)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _say_again(self, _client: Any, _data: Any, message: Any) -> None:
        said = message.topic, message.payload
        kind = message.topic.rsplit("/", 1)[1]
        if kind in ("record", "ack", "command", "result") and said not in self._heard:
            self._heard.add(said)
            self.count += 1
            self._client.publish(*said, qos=1)


class Town:
    """broker    the external one, None for that in the station's process
    server    URL of the database on a server, None for that in the station's folder
    power     of the real boxes: closed, it is gone until `switch_on`
    without_database  for a while: its server away, or the disk full for the station
    crowd, real, states   the boxes; the state folder of each real one
    store     what is on the station's disk, read from here
    complaints  of all processes of the station that have ended
    """

    def __init__(
        self, folder: Path, wire: BadWire, station: Serving, database: Database, shift: Path
    ) -> None:
        self.folder = folder
        self.wire = wire
        self.station = station
        self.database = database
        self.store = Store(database)
        self.broker: brokers.Running | None = None
        self.server: sql.URL | None = None
        self.without_database: Callable[[], AbstractContextManager[None]] = self.full_disk
        self.crowd: Crowd
        self.real: dict[str, VirtualBox] = {}
        self.states: dict[str, Path] = {}
        self.complaints: list[str] = []
        self._shift = shift
        self.power = ExitStack()

    # What happens to it.

    def kill(self) -> None:
        """The station, -9. What it has acknowledged is on disk."""
        self._end(signal.SIGKILL)
        for box in self.crowd.boxes:
            assert box.upload.held <= self.store.held(box.box), box.box

    def start(self) -> None:
        self.station.__enter__()

    def end(self) -> None:
        """The station, in good order."""
        assert self._end(signal.SIGTERM) == 0

    def _end(self, sign: signal.Signals) -> int:
        code = self.station.end(sign)
        self.complaints += self.station.complaints
        return code

    def move_clock(self, seconds: float) -> None:
        """The station's, away from the right time."""
        with self._shift.open("r+b") as file:
            file.write(struct.pack("d", seconds))

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """The station's process may write no further into any file: a quota, as it were."""
        process = self.station.process.pid
        soft, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (QUOTA_BYTES, hard))
        try:
            yield
        finally:
            resource.prlimit(process, resource.RLIMIT_FSIZE, (soft, hard))

    def tear(self, box: str, after_bytes: int) -> None:
        """Takes a real box's power away when its next record is on flash as far as that."""
        tear = self.states[box] / "flash" / "tear"
        tear.write_text(str(after_bytes))
        until(lambda: not tear.exists(), lambda: f"{box} writes no record")
        self.real[box].cut_power()

    def measure_on(self, minutes: int = TWO_HOURS) -> None:
        """The crowd has so much more in its journals at once; the real boxes never cease."""
        self.crowd.measure_on(minutes)

    def record_on(self) -> None:
        """Waits until each real box has completed a further record."""

        def newest() -> list[int]:
            return [on_flash(state, key(box))[-1][0] for box, state in self.states.items()]

        before = newest()
        until(
            lambda: all(map(int.__lt__, before, newest())),
            lambda: f"no further record than {before}",
        )

    def switch_on(self) -> None:
        """The real boxes, as far as they were installed."""
        for name, state in self.states.items():
            board = json.loads((state / "flash" / "board.json").read_text())
            unix_s = int(time.time()) if name == REAL[0] else None
            box = VirtualBox(state, tones(LOUD, QUIET), board=board, unix_s=unix_s)
            self.real[name] = self.power.enter_context(box)

    def come_to_rest(self) -> None:
        """Takes the power from the real boxes while the store has all that they have completed.
        What one completes in the instant before waits for its next start."""
        for _ in range(_RESTS_MOST):
            self.all_arrived()
            self.power.close()
            with suppress(AssertionError):
                until(lambda: not self.waiting(), lambda: "on its way", _ON_ITS_WAY_S)
                return
            self.switch_on()
        raise AssertionError(f"{self.waiting()} records waited each time the power went")

    # What comes of it.

    def count(self) -> int:
        """Records in the store."""
        with self.database.reading() as connection:
            return connection.scalar(sql.select(sql.func.count()).select_from(records)) or 0

    def waiting(self) -> int:
        """Records that boxes have completed and the store does not have."""
        return sum(map(len, self.journals().values())) - self.count()

    def boots(self, box: str) -> int:
        """Starts of a box in its journal."""
        return sum(wire.header(entry[1])[0] == "boot" for entry in self.journals()[box])

    def takes_in(self, count: int) -> None:
        """Waits until so many records more are in the store."""
        wanted = self.count() + count
        until(lambda: self.count() >= wanted, lambda: f"{self.count()} of {wanted}")

    def journals(self) -> dict[str, list[tuple]]:
        """What each box has completed by now."""
        real = {box: on_flash(state, key(box)) for box, state in self.states.items()}
        return real | {box.box: list(box.journal) for box in self.crowd.boxes}

    def all_arrived(self) -> None:
        """Waits until the store has what the boxes have completed by now; each record once, as it
        was written, in its place, its chain unbroken."""
        journals = self.journals()

        def missing() -> dict[str, tuple[int, int]]:
            held = {box: (self.store.held(box), made[-1][0]) for box, made in journals.items()}
            return {box: (here, newest) for box, (here, newest) in held.items() if here < newest}

        until(lambda: not missing(), lambda: f"{missing()}")
        for box, made in journals.items():
            rows = list(self.store.records(box))
            there = [(row.seq, row.data, row.mac, row.previous) for row in rows]
            assert there[: len(made)] == made, box
            assert [row.after for row in rows] == [0, *(row.seq for row in rows[:-1])], box
            chain = self.store.chain(box)
            assert chain["verified"] >= len(made), (box, chain)
            assert chain["broken"] == chain["unverified"] == 0, (box, chain)
            assert self.store.conflicts(box) == [], box
            assert all(gap.gone for gap in self.store.gaps(box)), box

    def incidents(self) -> list[Any]:
        return _incidents(self.database)

    def incidents_of_journals(self) -> list[Any]:
        """Those that come of the journals when nothing happens on the way."""
        with Database.in_memory() as quiet:
            for box, made in self.journals().items():
                before = [0, *(entry[0] for entry in made)]
                Store(quiet).intake(box, list(zip(made, before, strict=False)), key(box))
                Incidents(quiet).advance(box)
            return _incidents(quiet)


def _incidents(database: Database) -> list[Any]:
    c = incidents.c
    query = sql.select(c.box, c.opened_seq, c.opened_s, c.calmed_s, c.ended_s, c.stage)
    with database.reading() as connection:
        return list(connection.execute(query.order_by(c.box, c.opened_seq)))


@contextmanager
def running(folder: Path, broker: str, server: "Cluster | None" = None) -> Iterator[Town]:
    """A station on this kind of broker and in its own database or on a server, and boxes that have
    measured for two hours without it."""
    home = folder / "station"
    with ExitStack() as stack:
        clock = _clock(folder / "clock")
        names = [*REAL, *map("crowd-{}".format, range(CROWD))]
        url = stack.enter_context(server.database()) if server else None
        opened = stack.enter_context(Database(url) if url else Database.in_folder(home))
        for name in names:
            admit(Register(opened), name, secret(name))
        options, environment = [], os.environ | {"PYTHONPATH": str(clock)}
        if url:
            options += ["--database", url.render_as_string()]
        outside = None
        if broker == "mosquitto":
            passwords = {name: wire.derive(secret(name), "mqtt").hex() for name in names}
            (folder / "broker").mkdir()
            outside = stack.enter_context(brokers.running(broker, passwords, folder / "broker"))
            environment["NOISEWARDEN_BROKER"] = outside.station_url
            port = outside.port
        else:
            port = brokers.free_port()
            options += ["--mqtt", f"{brokers.HOST}:{port}"]
        station = stack.enter_context(Serving(home, *options, env=environment))
        ca = outside.ca_der if outside else station.authority.ca_der
        between = stack.enter_context(BadWire(brokers.HOST, port))
        made = Town(folder, between, station, opened, clock / "shift")
        made.broker = outside
        made.server = url
        made.without_database = partial(server.away, url) if server else made.full_disk
        made.crowd = stack.enter_context(Crowd(between.port, ca))
        stack.enter_context(made.power)
        for name in REAL:
            made.states[name] = folder / name
            _install(folder / name, name, between.port, ca)
        made.switch_on()
        yield made


def _clock(folder: Path) -> Path:
    folder.mkdir()
    (folder / "shift").write_bytes(bytes(8))
    (folder / "sitecustomize.py").write_text(SHIFT)
    return folder


def _install(state: Path, name: str, port: int, ca: bytes) -> None:
    state.mkdir()
    install(state, MAIN, config={"box": name} | CONFIG)
    flash.provision(state / "flash", secret(name), ca, port)
    _measured(state, name, int(time.time()))


def _measured(state: Path, name: str, until_s: int) -> None:
    """Two hours in a box's journal, as it writes them."""
    made = firmware.journal.Journal(flash_files(state), "journal", key(name))
    body = wire.pack("boot", cause="power", firmware="0", micropython="1", board="b")
    began_s = until_s - 60 * TWO_HOURS
    made.append("boot", body, 0, began_s, 2)
    for at_s in range(60, 60 * TWO_HOURS + 1, 60):
        made.append("minute", wire.pack("minute", **MINUTE), 1000 * at_s, began_s + at_s, 2)
        if made.due(1000 * at_s):
            made.flush(1000 * at_s)
    made.flush(60_000 * TWO_HOURS)
