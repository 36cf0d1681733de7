"""The composition root: builds the rooms of a running box and keeps them going."""

import asyncio
import gc
import sys
import time

from micropython import const

from noisebox import __version__, flags, hal, safemode, wire
from noisebox.box import Box
from noisebox.clock import KEPT, Clock
from noisebox.display import Display
from noisebox.health import WATCHDOG_MS, Heartbeats, keep
from noisebox.journal import Journal
from noisebox.links import SerialLink
from noisebox.meter import Meter
from noisebox.microphone import BLOCK_BYTES, Microphone
from noisebox.service import MICROPYTHON, Service
from noisebox.setup import leave

JOURNAL = "journal"

_SILENT_AFTER_MS = const(1500)
"""A second that does not come is a second without a level."""
_FRAME_MS = const(125)
_WATCH_MS = const(250)

_BEATS_MS = {"audio": 10_000, "policy": 10_000, "link": 10_000}
_STATION_BEAT_MS = const(90_000)
"""Its longest wait for a socket is half as long; whether there is a station does not matter."""
_MICROPHONE_FIRST_MS = const(50)


class App:
    """One box, of a `setup.Setup`.

    retained   what outlived the reset, cause   why there was one
    watch      sees (second, reading) each second after all else is done; for virtual boxes
    """

    def __init__(self, setup, retained, cause, watch=None):
        board, config = setup.board, setup.config
        self._retained = retained
        self._watch = watch
        self._pins = pins = board["pins"]
        # Kept for whoever measures next: once the heap is in pieces, none of them is so large.
        self._block = bytearray(BLOCK_BYTES)
        self._relay = hal.Switch(pins["relay"], board["relay"]["active_high"])
        self._led = hal.Switch(pins["led"], True)
        display = Display(board["matrix"])
        leave("panel")
        self._matrix = hal.Matrix(pins["matrix"], len(display.buffer) // 3)
        self._meter = Meter(board["microphone"], 0.0)
        self._clock = Clock(time.ticks_ms, time.ticks_diff)
        try:
            self._clock.set(hal.rtc_unix(), quality=KEPT)
        except ValueError:
            # Nobody set it, or a brown-out left garbage, in whose time no certificate is valid.
            hal.set_rtc(hal.EPOCH_2000)
        # Without one it was never provisioned: its chain proves order, but not who wrote.
        secret = setup.secret or bytes(wire.SECRET_BYTES)
        self._journal = Journal(setup.files, JOURNAL, wire.Key(wire.derive(secret, "journal")))
        self._box = Box(
            config,
            setup.zone,
            setup.schedule,
            self._clock,
            self._journal,
            display,
            retained.ledger,
            self,
        )
        self._service = Service(
            setup, cause, self._box, self._meter, self._clock, self._journal, self
        )
        self.obey = self._service.obey
        self.tell_state = self._service.tell_state
        self._link = SerialLink(
            config["box"],
            asyncio.StreamReader(sys.stdin.buffer),
            print,
            self._journal,
            self._clock,
            self.obey,
        )
        self._station = None
        self._second_ms = time.ticks_ms()
        self._silences = 0
        self._stream = None
        self._box.record(
            "boot",
            cause=cause,
            firmware=__version__,
            micropython=MICROPYTHON,
            board=board["board"],
        )
        for problem in setup.problems:
            self._box.fault(problem)
        if self._journal.damage:
            self._box.fault(self._journal.damage)
        if setup.network:
            try:
                from noisebox.station import Station

                self._station = Station(setup, self._journal, self._clock, self)
            except (ValueError, OSError, MemoryError) as error:
                # It measures all the same, and says so on USB.
                self._box.fault("station: not started: {!r}".format(error))
        beats_ms = dict(_BEATS_MS)
        if self._station:
            self._service.link_state = self._station.state
            beats_ms["station"] = _STATION_BEAT_MS
        self._beats = Heartbeats(beats_ms)

    # What the box does to the world.

    def light(self, on):
        self._relay.set(on)

    def draw(self, buffer):
        self._matrix.write(buffer)

    def publish(self, name, payload):
        self._link.publish(name, payload)
        if self._station:
            self._station.link.publish(name, payload)

    def flushed(self):
        if self._journal.fault:
            self._box.fault(self._journal.fault)

    def fault(self, text):
        self._box.fault(text)

    def beat(self):
        self._beats.beat("station")

    def keep_ledger(self):
        self._retained.save()

    # Tasks.

    async def run(self):
        """Runs until the sound ends, which it does for a recording on a virtual box alone."""
        others = [
            asyncio.create_task(keep(name, start, self._on_fault)) for name, start in self._tasks()
        ]
        self.tell_state()
        await keep("microphone", self._measure, self._on_fault)
        for task in others:
            task.cancel()
        self.stop()

    def _tasks(self):
        tasks = [
            ("listen", self._link.listen),
            ("records", self._send_records),
            ("display", self._animate),
            ("watch", self._keep_watch),
        ]
        station = self._station
        if station:
            tasks.append(("wifi", lambda: self._after_microphone(station.wifi.run)))
            tasks.append(("station", station.link.run))
        return tasks

    async def _after_microphone(self, start):
        # Both want memory of the IDF, and a box without a microphone is none.
        while not self._stream:
            await asyncio.sleep_ms(_MICROPHONE_FIRST_MS)
        await start()

    def reset(self):
        self.stop()
        safemode.asked_reset(self._retained)
        hal.reset()

    def stop(self):
        """Lamp out, everything measured on flash, the microphone closed."""
        self._relay.set(False)
        self._journal.flush(self._clock.uptime_ms())
        self._close_microphone()

    def _close_microphone(self):
        if self._stream:
            self._stream.deinit()
            self._stream = None

    async def _measure(self):
        self._stream = hal.microphone(self._pins)
        microphone = Microphone(
            self._stream, self._block, self._meter, self._on_second, hal.SAMPLE_RATE_HZ
        )
        try:
            await microphone.run()
        finally:
            self._close_microphone()

    def _on_second(self, second):
        self._second_ms = time.ticks_ms()
        self._beats.beat("audio")
        # After a stall the meter makes up for seconds that were silences in the meantime.
        told = self._silences > 0 and second.laeq is None and bool(second.flags & flags.LOST)
        self._silences = self._silences - 1 if told else 0
        self._box.second(second, self._meter.minute(), told)
        self._beats.beat("policy")
        self._led.set(second.n & 1)
        if self._watch:
            self._watch(second, self._box.reading)
        # A fixed moment, with a whole second until the next.
        gc.collect()

    async def _send_records(self):
        while True:
            self._beats.beat("link")
            await self._link.send_records()

    async def _animate(self):
        step = 0
        while True:
            await asyncio.sleep_ms(_FRAME_MS)
            step = step + 1 if self._box.animate(step) else 0

    async def _keep_watch(self):
        watchdog = hal.watchdog(WATCHDOG_MS)
        while True:
            await asyncio.sleep_ms(_WATCH_MS)
            if time.ticks_diff(time.ticks_ms(), self._second_ms) > _SILENT_AFTER_MS:
                self._second_ms = time.ticks_add(self._second_ms, 1000)
                self._silences += 1
                self._box.silence()
                self._beats.beat("policy")
            if not self._beats.late():
                watchdog.feed()
            if self._retained.crashes and self._clock.uptime_ms() > 1000 * safemode.STABLE_AFTER_S:
                self._retained.crashes = 0

    def _on_fault(self, name, error):
        self._service.restarts += 1
        sys.print_exception(error)
        self._box.fault("{} restarted: {!r}".format(name, error))
