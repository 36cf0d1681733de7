"""The composition root: builds the rooms of a running box and keeps them going."""

import asyncio
import binascii
import gc
import hashlib
import json
import sys
import time

from micropython import const

from noisebox import __version__, flags, hal, safemode, wire
from noisebox.box import Box
from noisebox.clock import EARLIEST_UNIX_S, KEPT, Clock
from noisebox.commands import Commands, Refused
from noisebox.display import Display, seen_size
from noisebox.health import WATCHDOG_MS, Heartbeats, keep
from noisebox.journal import Journal
from noisebox.links import SerialLink
from noisebox.meter import Meter
from noisebox.microphone import Microphone
from noisebox.setup import CALIBRATION, CONFIG, Settings

JOURNAL = "journal"

SILENT_AFTER_MS = const(1500)
"""A second that does not come is a second without a level."""
_FRAME_MS = const(125)
_WATCH_MS = const(250)

_MICROPYTHON = ".".join(str(part) for part in sys.implementation.version[:3])

_FOR_EVER = const(0xFFFFFFFF)

_BEATS_MS = {"audio": 10_000, "policy": 10_000, "link": 10_000}
_STATION_BEAT_MS = const(90_000)
"""Its longest wait for a socket is half as long; whether there is a station does not matter."""
_MICROPHONE_FIRST_MS = const(50)


def _digest(config):
    return binascii.hexlify(hashlib.sha256(json.dumps(config)).digest()).decode()


class App:
    """One box, of a `setup.Setup`.

    retained   what outlived the reset, cause   why there was one
    watch      sees (second, reading) each second after all else is done; for virtual boxes
    """

    def __init__(self, setup, retained, cause, watch=None):
        board, config = setup.board, setup.config
        self._place = config["place"]
        self._files = setup.files
        self._retained = retained
        self._cause = cause
        self._watch = watch
        self._board = board["board"]
        self._pins = pins = board["pins"]
        self._relay = hal.Switch(pins["relay"], board["relay"]["active_high"])
        self._led = hal.Switch(pins["led"], True)
        width, height = seen_size(board["matrix"])
        self._matrix = hal.Matrix(pins["matrix"], width * height)
        self._meter = Meter(board["microphone"], 0.0)
        self._clock = Clock(time.ticks_ms, time.ticks_diff)
        if hal.rtc_unix() >= EARLIEST_UNIX_S:
            self._clock.set(hal.rtc_unix(), quality=KEPT)
        # Without one it was never provisioned: its chain proves order, but not who wrote.
        secret = setup.secret or bytes(wire.SECRET_BYTES)
        self._journal = Journal(self._files, JOURNAL, wire.Key(wire.derive(secret, "journal")))
        self._box = Box(
            config,
            setup.zone,
            setup.schedule,
            self._clock,
            self._journal,
            Display(board["matrix"]),
            retained.ledger,
            self,
        )
        offset_db, until, void = setup.calibration
        if until is None:
            # A box with no board measures what the file says: there is nothing to calibrate.
            until = _FOR_EVER if board["chip"] == "virtual" else 0
        self._put_in_force(offset_db, until, void)
        self._commands = Commands(self._box, self)
        self._link = SerialLink(
            config["box"],
            asyncio.StreamReader(sys.stdin.buffer),
            print,
            self._journal,
            self._clock,
            self.obey,
        )
        self._station = None
        self._restarts = 0
        self._second_ms = time.ticks_ms()
        self._silences = 0
        self._stream = None
        self._box.record(
            "boot",
            cause=cause,
            firmware=__version__,
            micropython=_MICROPYTHON,
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

    # What can be asked of it, beside lamp and matrix.

    def obey(self, command, by="usb", refusal=None):
        result = self._commands.run(command, refusal)
        if result:
            self._box.record(
                "command",
                id=str(result["id"]),
                action=str(command.get("action")),
                by=by,
                outcome=result["outcome"] + (": " + result["detail"] if result["detail"] else ""),
            )
        return result

    def set_time(self, unix_s):
        try:
            jump_s = self._clock.set(unix_s)
        except ValueError as error:
            raise Refused(str(error)) from error
        hal.set_rtc(unix_s)
        self.tell_state()
        return "clock set" if jump_s is None else "clock moved by {} s".format(jump_s)

    def set_config(self, config):
        """A new box id is part of the topics, so it waits for the next start."""
        config = self._take_config(config)
        self._place = config["place"]
        self._box.record("config", digest=_digest(config), change="set by command")
        self.tell_state()

    def _take_config(self, config):
        """Saves `config` and puts it in force; the whole of it, or Refused.

        Apart, so that what it needed is off the heap when it comes back.
        """
        with Settings() as settings:
            try:
                problems = settings.save(self._files, CONFIG, config)
            except TypeError:  # the JSON of MicroPython takes other keys too
                problems = ["a key is no text"]
            if problems:
                raise Refused("; ".join(problems))
            config = settings.merged(config)
            self._box.configure(config, *settings.rules(config))
        return config

    def set_calibration(self, calibration):
        if "void" in calibration:
            raise Refused("void: unknown key")
        self._take_calibration(calibration)
        self._box.compare(0)
        self._box.record(
            "calibration",
            offset_mdb=round(1000 * calibration["offset_db"]),
            uncertainty_mdb=round(1000 * calibration["uncertainty_db"]),
            date=calibration["date"],
            expires=calibration["expires"],
            meter=calibration["meter"],
            certificate=calibration["certificate"],
            by=calibration["by"],
        )

    def void_calibration(self, reason):
        """The offset stays the best guess; the next calibration undoes it."""
        self._take_calibration({"offset_db": self._meter.offset_db, "void": reason})
        return reason

    def _take_calibration(self, calibration):
        """Saves it and puts in force what the file then says, or Refused."""
        with Settings() as settings:
            problems = settings.save_calibration(self._files, CALIBRATION, calibration)
            if not problems:
                *found, problems = settings.calibration(self._files, CALIBRATION)
            if problems:
                raise Refused("; ".join(problems))
        self._put_in_force(*found)
        self.tell_state()

    def _put_in_force(self, offset_db, until, void):
        self._meter.offset_db = offset_db
        self._box.calibrated_until = until
        self._void = void

    def self_test(self):
        reading = self._box.reading
        calibration = "not valid" if "uncalibrated" in reading.get("flags", ()) else "ok"
        findings = [
            "microphone " + ("ok" if reading.get("laeq") is not None else "without level"),
            "clock " + ("not set", "kept over a reset", "set")[self._clock.quality],
            "journal " + (self._journal.fault or self._journal.damage or "ok"),
            "calibration " + ("void, " + self._void if self._void else calibration),
            "restarts {}".format(self._restarts),
            "heap {} bytes free".format(gc.mem_free()),
        ]
        return ", ".join(findings)

    def reboot(self):
        asyncio.create_task(self._reboot_soon())
        return "in one second"

    async def _reboot_soon(self):
        await asyncio.sleep_ms(1000)
        self.stop()
        safemode.asked_reset(self._retained)
        hal.reset()

    def tell_state(self):
        clock, journal = self._clock, self._journal
        state = {
            "firmware": __version__,
            "micropython": _MICROPYTHON,
            "board": self._board,
            "place": self._place,
            "reset": self._cause,
            "boot": journal.boot,
            "uptime_s": clock.uptime_ms() // 1000,
            "time": clock.unix(),
            "clock": clock.quality,
            "offset_db": self._meter.offset_db,
            "calibrated_until": self._box.calibrated_until,
            "void": self._void,
            "records": [journal.first_seq, journal.last_flushed_seq],
            "restarts": self._restarts,
            "heap_free": gc.mem_free(),
            "idf_heap_free": hal.idf_heap_free(),
        }
        if self._station:
            state.update(self._station.state())
        self.publish("state", state)

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
        microphone = Microphone(self._stream, self._meter, self._on_second, hal.SAMPLE_RATE_HZ)
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
            if time.ticks_diff(time.ticks_ms(), self._second_ms) > SILENT_AFTER_MS:
                self._second_ms = time.ticks_add(self._second_ms, 1000)
                self._silences += 1
                self._box.silence()
                self._beats.beat("policy")
            if not self._beats.late():
                watchdog.feed()
            if self._retained.crashes and self._clock.uptime_ms() > 1000 * safemode.STABLE_AFTER_S:
                self._retained.crashes = 0

    def _on_fault(self, name, error):
        self._restarts += 1
        sys.print_exception(error)
        self._box.fault("{} restarted: {!r}".format(name, error))
