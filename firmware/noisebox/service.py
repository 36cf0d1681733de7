"""What a box does for whoever asks, beside lamp and matrix, and what it tells of itself."""

import asyncio
import gc
import sys

from micropython import const

from noisebox import __version__, hal
from noisebox.commands import Commands, Refused
from noisebox.setup import CALIBRATION, CONFIG, Settings

MICROPYTHON = ".".join(str(part) for part in sys.implementation.version[:3])

_FOR_EVER = const(0xFFFFFFFF)
_REBOOT_AFTER_MS = const(1000)


def _no_link():
    return {}


class Service:
    """The `system` of the commands, for the box of a `Setup` that was started because of `cause`.

    outside   publish(name, payload) on every link; reset() with lamp and journal in order

    restarts      of tasks that failed
    link_state()  what a link adds to the state
    """

    def __init__(self, setup, cause, box, meter, clock, journal, outside):
        board, config = setup.board, setup.config
        self.restarts = 0
        self.link_state = _no_link
        self._board = board["board"]
        self._place = config["place"]
        self._zone = config["zone"]
        self._digest = setup.digest
        self._files = setup.files
        self._cause = cause
        self._box = box
        self._meter = meter
        self._clock = clock
        self._journal = journal
        self._outside = outside
        self._commands = Commands(box, self)
        offset_db, until, void = setup.calibration
        if until is None:
            # A box with no board measures what the file says: there is nothing to calibrate.
            until = _FOR_EVER if board["chip"] == "virtual" else 0
        self._put_in_force(offset_db, until, void)

    def obey(self, command, by="usb", refusal=None):
        result = self._commands.run(command, refusal)
        if result:
            action = command.get("action")
            self._box.record(
                "command",
                id=str(result["id"]),
                action=action if isinstance(action, str) else "",
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
        self._zone = config["zone"]
        self._box.record("config", digest=self._digest, change="set by command")
        self.tell_state()

    def _take_config(self, config):
        """Saves `config` and puts it in force; the whole of it, or Refused.

        Apart, so that what it needed is off the heap when it comes back.
        """
        with Settings():
            from noisebox import config as settings

            try:
                problems = settings.save(self._files, CONFIG, config)
            except TypeError:  # the JSON of MicroPython takes other keys too
                problems = ["a key is no text"]
            if problems:
                raise Refused("; ".join(problems))
            config = settings.merged(config)
            self._box.configure(config, *settings.rules(config))
            self._digest = settings.digest(config)
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
        with Settings():
            from noisebox import calibration as settings

            problems = settings.save(self._files, CALIBRATION, calibration)
            if not problems:
                *found, problems = settings.load(self._files, CALIBRATION)
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
            "restarts {}".format(self.restarts),
            "heap {} bytes free".format(gc.mem_free()),
        ]
        return ", ".join(findings)

    def reboot(self):
        asyncio.create_task(self._reboot_soon())
        return "in one second"

    async def _reboot_soon(self):
        await asyncio.sleep_ms(_REBOOT_AFTER_MS)
        self._outside.reset()

    def tell_state(self):
        clock, journal = self._clock, self._journal
        state = {
            "firmware": __version__,
            "micropython": MICROPYTHON,
            "board": self._board,
            "serial": hal.serial(),
            "place": self._place,
            "zone": self._zone,
            "config": self._digest,
            "reset": self._cause,
            "boot": journal.boot,
            "uptime_s": clock.uptime_ms() // 1000,
            "time": clock.unix(),
            "clock": clock.quality,
            "offset_db": self._meter.offset_db,
            "calibrated_until": self._box.calibrated_until,
            "void": self._void,
            "records": [journal.first_seq, journal.last_flushed_seq],
            "restarts": self.restarts,
            "heap_free": gc.mem_free(),
            "idf_heap_free": hal.idf_heap_free(),
        }
        state.update(self.link_state())
        self._outside.publish("state", state)
