"""A virtual box in real time: the hardware around the chip, played by the host (DESIGN 5)."""

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from noisewarden.errors import UserError
from noisewarden.virtual import chip
from noisewarden.virtual.air import Air
from noisewarden.virtual.console import Console
from noisewarden.virtual.feeder import Feeder
from noisewarden.virtual.life import Event, Hardware, Life
from noisewarden.virtual.sound import Frames

_AFTER_THE_SOUND_S = 1.0
_SOURCE_PATIENCE_S = 5.0
_POLL_S = 0.02
_YOUNG_DEATHS = 5


class VirtualBox:
    """A context manager: the box runs from its entry to its exit.

    state      folder of the box: `flash/` as `flash.fill` leaves it, `port`, a link to the pty
    frames     what its microphone hears, from the moment it opens
    board      the board.json on the flash, for the relay
    unix_s     what its clock says at power-on; unset without it
    air        what its radio finds; without it, every network that it asks for
    pins       levels on input pins, "0:0" holds down a button on pin 0
    on_event   gets {"event": …, "t": ms of this life, …} from the box's thread: "start", "relay"
               (on), "matrix" (grb: hex of the chain), "pin" (pin, value), "i2s" (ibuf), "watchdog"
               (timeout_ms), "reset" (cause), "end"

    `feeder.offered` and `.dropped` count frames, `lives` the starts of the chip.
    """

    def __init__(
        self,
        state: Path,
        frames: Frames,
        *,
        board: dict[str, Any],
        unix_s: int | None = None,
        heap: str = "2M",
        pins: str = "",
        air: Air | None = None,
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self.lives = 0
        self._state = state
        self._frames = frames
        self._settings = {"unix_s": unix_s, "heap": heap, "pins": pins}
        self._settings["air"] = air.fd if air else None
        self._relay_pin = board["pins"]["relay"]
        self._relay_active = int(board["relay"]["active_high"])
        self._relay_on = False
        self._on_event = on_event
        self._ended = threading.Event()
        self._failure: BaseException | None = None

    def __enter__(self) -> "VirtualBox":
        chip.interpreter()
        self.feeder = Feeder(self._frames)
        self._hardware = Hardware(
            flash=self._state / "flash",
            rtc=tempfile.TemporaryFile(),
            console=Console(),
            feeder=self.feeder,
            report=self._report,
            settings=self._settings,
        )
        self._link = self._state / "port"
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(self.port)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._hardware.stop.set()
        self._thread.join()
        self.feeder.close()
        self._hardware.console.close()
        self._hardware.rtc.close()
        self._link.unlink(missing_ok=True)

    @property
    def port(self) -> str:
        """Path of the serial port, the same over resets; `<state>/port` links to it."""
        return self._hardware.console.port

    def cut_power(self) -> None:
        """Takes the power away and gives it back: RTC memory and clock are lost, flash is not."""
        self._hardware.power_cut.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for a second after the end of the sound; False when `timeout_s` came first.

        UserError when the chip does not start; the error that the sound ended with.
        """
        deadline = time.monotonic() + timeout_s if timeout_s is not None else float("inf")
        over_at = float("inf")
        while not self._ended.wait(_POLL_S):
            now = time.monotonic()
            if self.feeder.over.is_set():
                over_at = min(over_at, now + _AFTER_THE_SOUND_S)
            if now >= over_at:
                break
            if now >= deadline:
                return False
        for error in (self._failure, self.feeder.error):
            if error:
                raise error
        return True

    def _run(self) -> None:
        hardware = self._hardware
        self.feeder.ready.wait(_SOURCE_PATIENCE_S)
        cause, raw, main, crashes = chip.PWRON_RESET, False, True, 0
        try:
            while not hardware.stop.is_set():
                if cause == chip.PWRON_RESET:
                    hardware.rtc.truncate(0)
                if cause != chip.SOFT_RESET:
                    hardware.watchdog.stop()
                self.lives += 1
                life = Life(hardware, cause, raw, main)
                cause, raw = life.live()
                main = not life.interrupted
                crashes = crashes + 1 if life.crashed else 0
                if crashes == _YOUNG_DEATHS:
                    raise UserError("virtual box: MicroPython dies as it starts; install it again")
        except BaseException as error:
            self._failure = error
        finally:
            self._ended.set()

    def _report(self, event: Event) -> None:
        match event["event"]:
            case "i2s":
                self.feeder.microphone(event["ibuf"])
            case "end":
                # In reset the pins let go, and nobody reads the microphone.
                self.feeder.microphone(0)
                self._switch_relay(False, event["t"])
            case "pin" if event["pin"] == self._relay_pin:
                self._switch_relay(event["value"] == self._relay_active, event["t"])
                return
        self._on_event(event)

    def _switch_relay(self, on: bool, t: int) -> None:
        if on != self._relay_on:
            self._relay_on = on
            self._on_event({"event": "relay", "t": t, "on": on})
