"""The boot loader of a chip, reached through esptool: detect, check, erase, write, verify.

esptool is used as a library; its options are those of `esptool write-flash`. Every method raises
UserError with the cause, the cure, and the state in which the board was left.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import serial
from esp_pylib.logger import EspLog, EspLogBase
from esptool import cmds
from esptool.loader import ESPLoader
from esptool.logger import log
from esptool.util import FatalError, flash_size_bytes

from noisewarden import boards, ports
from noisewarden.bench.image import Image
from noisewarden.chips import CHIPS
from noisewarden.errors import UserError

BAUD = 460_800
"""Four times the console's: CP2102 and CH340 both keep up with it."""

_CONNECT_ATTEMPTS = 4
"""esptool has four ways to pull the reset lines; each gets its turn."""

AS_IT_WAS = "the board is as it was"
ERASING = "its flash is partly erased"
ERASED = "its flash is erased"
WRITING = "its flash is not written whole"
WRITTEN = "MicroPython is on it"

_HOLD_BOOT = "hold BOOT, tap EN (RESET), let BOOT go, and run flash again"
_BETTER_LINE = "take a shorter cable or another USB socket, without a hub, and run flash again"
_CURES = (
    (
        "Wrong boot mode detected",
        f"the chip started its program instead of its boot loader; {_HOLD_BOOT}",
    ),
    (
        "Failed to connect.*(Invalid head|Invalid SLIP|Packet content|stream stopped)",
        f"a program answers instead of the boot loader; {_HOLD_BOOT}",
    ),
    (
        "No serial data received",
        "the chip does not answer; take a cable that carries data (many only charge), "
        f"or {_HOLD_BOOT}",
    ),
    (
        "TX path seems to be down",
        "the chip talks but does not hear; unplug what is wired to its console pins",
    ),
    (
        "Guru Meditation|Fatal exception",
        "the boot loader crashed; take a USB socket that gives more current, and run flash again",
    ),
    (
        "Invalid head|Invalid SLIP|Packet content|stream stopped|Response doesn't match",
        f"the line is disturbed; {_BETTER_LINE}",
    ),
    (
        "MD5 of file does not match|written flash region is empty",
        "what was written does not read back; run flash again, and if it stays so the flash is "
        "broken: take another board",
    ),
    (
        "flash chip connection|configure SPI flash pins|SPI command did not complete",
        "the flash does not answer; unplug all that is wired to the board",
    ),
    (
        "Failed to autodetect",
        "the chip is none that esptool knows; take one that noisewarden boards lists",
    ),
)
"""What esptool says, as patterns, and what it means to a technician: the first that fits."""


@dataclass(frozen=True)
class Found:
    """A chip as it told itself.

    chip      as in a board file, "esp32s3"; title, its name with package and revision
    revision  100 × major + minor
    mac       six bytes in hexadecimal, "24:6f:28:aa:bb:cc"
    flash_mb  0 when the flash does not tell
    locked    by fuses that take only signed or encrypted programs
    """

    chip: str
    title: str
    revision: int
    mac: str
    flash_mb: int
    locked: bool


class Loader:
    """A context manager: the chip is in its boot loader from entry to exit, then starts anew.

    `state` says, at any time, in what state the board would be if all ended now; `found` is the
    chip, and `stub` whether esptool's own loader runs in it (without it all takes longer).
    """

    def __init__(self, port: str, board: dict[str, Any]) -> None:
        self.state = AS_IT_WAS
        self.found: Found
        self.port = port
        self._board = board
        self._serial: serial.Serial | None = None
        self._esp: ESPLoader | None = None
        self._progress = _Progress()

    def __enter__(self) -> "Loader":
        return self

    def __exit__(self, *_: object) -> None:
        if not self._serial:
            return
        with contextlib.suppress(FatalError, *ports.GONE):
            if self._esp and self._serial.is_open:
                self._esp.hard_reset()
        with contextlib.suppress(*ports.GONE):
            self._serial.close()

    @property
    def stub(self) -> bool:
        return self._esp is not None and self._esp.IS_STUB

    def connect(self) -> None:
        """Brings the chip into its boot loader and asks it what it is."""
        # Some of esptool holds on to the logger that there was when it was imported.
        log.set_verbosity("silent")
        EspLog.set_logger(self._progress)
        self._serial = ports.open_port(self.port, self._board["usb"]["ids"])
        with self._explained():
            # An open port is taken as well as its name, and no other program can slip in.
            port: Any = self._serial
            rom: Any = cmds.detect_chip(port, connect_attempts=_CONNECT_ATTEMPTS)
            self._esp = rom
            if rom.secure_download_mode:
                # Such a chip tells nothing more, and `check` refuses it.
                self.found = Found(_chip(rom), rom.CHIP_NAME, 0, "", 0, True)
                return
            self._esp = self._with_stub(rom)
            self._esp.change_baud(BAUD)
            cmds.attach_flash(self._esp)
            self.found = Found(
                chip=_chip(rom),
                title=rom.get_chip_description(),
                revision=rom.get_chip_revision(),
                mac=":".join(f"{byte:02x}" for byte in rom.read_mac("BASE_MAC")),
                flash_mb=(flash_size_bytes(cmds.detect_flash_size(self._esp)) or 0) >> 20,
                locked=bool(rom.get_secure_boot_enabled() or rom.get_flash_encryption_enabled()),
            )

    def check(self, image: Image) -> str:
        """Compares the chip with the board file and the image.

        A warning, "" for none. UserError when they do not belong together.
        """
        found, board = self.found, self._board
        title = CHIPS[board["chip"]].title
        if found.chip != board["chip"]:
            like = [one["board"] for one in boards.load_all() if one["chip"] == found.chip]
            cure = f"name its board: {' or '.join(like)}" if like else f"take an {title}"
            raise self._refused(
                f"this chip is {found.title}, but {board['board']} has an {title}; {cure}"
            )
        if found.locked:
            raise self._refused(
                "this chip is locked by its fuses (secure boot or flash encryption); "
                "take a board with a new chip"
            )
        if found.mac in ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"):
            raise self._refused(
                f"this chip has no MAC address of its own ({found.mac}); take another board"
            )
        if not found.flash_mb:
            raise self._refused(
                "the flash does not tell its size; unplug all that is wired to the board, "
                "and if it stays so take another"
            )
        if found.flash_mb < board["flash_mb"]:
            raise self._refused(
                f"has {found.flash_mb} MB of flash, but {board['board']} has "
                f"{board['flash_mb']}; take a board with {board['flash_mb']} MB"
            )
        if found.revision not in image.revisions:
            raise self._refused(
                f"{image.name} does not run on {found.title}; take another board or image"
            )
        if found.flash_mb > board["flash_mb"]:
            return (
                f"{self.port}: has {found.flash_mb} MB of flash, {board['board']} "
                f"{board['flash_mb']}: is it the right board file?"
            )
        return ""

    def erase(self) -> None:
        """Erases the whole flash: files and journal too."""
        assert self._esp
        self.state = ERASING
        with self._explained():
            if self.stub:
                cmds.erase_flash(self._esp)
            else:
                # The ROM has no command for it, but erases all that a write announces.
                self._esp.flash_begin(self.found.flash_mb << 20, 0)
        self.state = ERASED

    def write(self, image: Image, advance: Callable[[int], None]) -> None:
        """Writes the image and lets the chip compute its MD5, which must be the image's.

        `advance` is told each whole percent that is done.
        """
        assert self._esp
        self.state = WRITING
        self._progress.advance = advance
        with self._explained():
            # esptool compares the MD5 of what is in the flash, and raises when it differs.
            cmds.write_flash(self._esp, [(self._board["image"]["offset"], image.data)])
        self.state = WRITTEN

    def _with_stub(self, rom: ESPLoader) -> ESPLoader:
        """esptool's own loader, faster than the ROM's; where it does not start, that will do."""
        if rom.IS_STUB:
            return rom
        try:
            return cmds.run_stub(rom)
        except FatalError:
            rom.connect(attempts=_CONNECT_ATTEMPTS)
            return rom

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Makes one line of whatever esptool and pyserial raise."""
        try:
            yield
        except FatalError as error:
            raise self._refused(_explanation(str(error))) from None
        except ports.GONE:
            # Closed, so that nobody waits for the chip to start.
            assert self._serial
            with contextlib.suppress(*ports.GONE):
                self._serial.close()
            raise self._refused(
                "the board is gone, its cable or its power; plug it in (if it goes again at once, "
                "sudo apt remove brltty) and run flash again"
            ) from None

    def _refused(self, why: str) -> UserError:
        return UserError(f"{self.port}: {why} ({self.state})")


def _chip(esp: ESPLoader) -> str:
    """The chip's name as board files write it."""
    return re.sub(r"\W", "", esp.CHIP_NAME).lower()


def _explanation(text: str) -> str:
    for pattern, cure in _CURES:
        if re.search(pattern, text, re.DOTALL):
            return cure
    return f"esptool: {text.splitlines()[0].rstrip('.')}; run flash again"


class _Progress(EspLogBase):
    """Silences esptool and passes on how far a write is."""

    def __init__(self) -> None:
        self.advance: Callable[[int], None] = lambda percent: None
        self._percent = 0

    def print(self, *_: Any, **__: Any) -> None:
        pass

    err = warn = note = hint = debug = set_verbosity = print

    def progress_bar(self, cur_iter: int, total_iters: int, *_: Any, **__: Any) -> None:
        percent = 100 * cur_iter // total_iters
        self.advance(percent - self._percent)
        self._percent = percent
