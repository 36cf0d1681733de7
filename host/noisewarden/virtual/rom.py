"""The boot loader in the ROM of an ESP32, ESP32-S3 or ESP32-C3, on a pty: what esptool talks to.

Commands, replies and error codes are those of Espressif's esptool documentation, "Serial
Protocol". Flash is as NOR flash is: an erase sets bits, a write only clears them. What a pty
cannot carry are the reset lines; the chip is in its loader from the start.
"""

import contextlib
import hashlib
import select
import struct
import threading
import zlib
from collections.abc import Callable

from noisewarden.virtual import slip
from noisewarden.virtual.console import Console
from noisewarden.virtual.silicon import SILICON

SECTOR_BYTES = 0x1000
_POLL_S = 0.005
_GREETING_S = 0.2

PROGRAM_LOG = b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
"""What a chip prints at reset when it starts its program."""

DEAF_LOG = b"rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT)\r\nwaiting for download\r\n"
"""What it prints when it is in its boot loader."""

_SPI_RUN = 1 << 18
_SPI_READ_ID = 0x9F
_SPI_READ_PARAMETERS = 0x5A
_PARAMETERS_SIGNATURE = int.from_bytes(b"SFDP", "little")

_BAD_FORMAT, _FAILED, _BAD_CHECKSUM, _FLASH_ERROR, _BAD_DEFLATE = 0x05, 0x06, 0x07, 0x08, 0x0B
_SYNC = 0x08
_CHECKSUM_SEED = 0xEF
_WITH_CHECKSUM = ("FLASH_DATA", "MEM_DATA", "FLASH_DEFL_DATA")

_COMMANDS = {
    0x02: "FLASH_BEGIN",
    0x03: "FLASH_DATA",
    0x04: "FLASH_END",
    0x05: "MEM_BEGIN",
    0x06: "MEM_END",
    0x07: "MEM_DATA",
    _SYNC: "SYNC",
    0x09: "WRITE_REG",
    0x0A: "READ_REG",
    0x0B: "SPI_SET_PARAMS",
    0x0D: "SPI_ATTACH",
    0x0F: "CHANGE_BAUDRATE",
    0x10: "FLASH_DEFL_BEGIN",
    0x11: "FLASH_DEFL_DATA",
    0x12: "FLASH_DEFL_END",
    0x13: "SPI_FLASH_MD5",
    0x14: "GET_SECURITY_INFO",
    0xD0: "ERASE_FLASH",
}
_STUB_ONLY = ("ERASE_FLASH",)
_IN_SECURE_DOWNLOAD_MODE = ("SYNC", "GET_SECURITY_INFO", "SPI_ATTACH", "CHANGE_BAUDRATE")

SECURE_DOWNLOAD_MODE = 1 << 2
"""A flag of the security info: memory can be neither read nor written."""


class Rom:
    """A context manager: a board in its boot loader, on the pty `port`, until its exit.

    chip        one of SILICON; `mac` its address, `flash_mb` what is soldered to it
    stub        False: a stub that is loaded does not start
    silent      nothing answers, as over a cable that only charges
    greeting    what the chip prints until the first command comes, as if reset by its port
    log         the chip does not answer but prints this, as if reset over and over
    bad_digest  the flash does not read back what was written
    pull_at     the cable is pulled when this part of an image, 0 to 1, has been written
    on_command  gets the name of each command before it is obeyed

    `flash`, `registers`, `flash_id` and `security_flags` are the chip's and can be changed;
    `commands` are the names of what came.
    """

    def __init__(
        self,
        chip: str,
        *,
        mac: str = "24:6f:28:aa:bb:cc",
        flash_mb: int = 4,
        stub: bool = True,
        silent: bool = False,
        greeting: bytes = b"",
        log: bytes = b"",
        bad_digest: bool = False,
        pull_at: float | None = None,
        on_command: Callable[[str], None] = lambda name: None,
    ) -> None:
        self.flash = bytearray(flash_mb << 20)
        self.flash_id = (flash_mb.bit_length() + 19) << 16 | 0x40EF
        self.security_flags = 0
        self.commands: list[str] = []
        self._silicon = SILICON[chip]
        address = bytes.fromhex(mac.replace(":", ""))
        self.registers = self._silicon.registers | {
            self._silicon.mac: int.from_bytes(address[2:], "big"),
            self._silicon.mac + 4: int.from_bytes(address[:2], "big"),
        }
        self._stub = stub
        self._silent = silent
        self._greeting = greeting
        self._log = log
        self._bad_digest = bad_digest
        self._pull_at = pull_at
        self._on_command = on_command
        self._in_stub = False
        self._attached = False
        self._stop = threading.Event()

    def __enter__(self) -> "Rom":
        self._console = Console()
        self.port = self._console.port
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def say(self, text: bytes) -> None:
        """Puts on the line what is no reply: noise, or a crash. For `on_command` alone: the
        line belongs to the thread of the chip."""
        self._console.send(text)

    def pull(self) -> None:
        """Pulls the cable: the port vanishes, and the chip has no power."""
        self._stop.set()

    def _run(self) -> None:
        received = bytearray()
        with contextlib.closing(self._console):
            while not self._stop.is_set():
                if self._log:
                    self._console.send(self._log)
                elif self._greeting and not self.commands:
                    self._console.send(self._greeting)
                    self._stop.wait(_GREETING_S)
                elif self._console.connected():
                    select.select([self._console.fd], [], [], _POLL_S)
                received += self._console.receive()
                if self._log or self._silent:
                    received.clear()
                while (packet := slip.take(received)) is not None:
                    self._take(packet)
                if not self._console.connected() or self._log:
                    self._stop.wait(_POLL_S)

    def _take(self, packet: bytes) -> None:
        if len(packet) < 8 or packet[0] != 0:
            return
        _, code, length, checksum = struct.unpack_from("<BBHI", packet)
        data = packet[8:]
        name = _COMMANDS.get(code, hex(code))
        self.commands.append(name)
        self._on_command(name)
        error, answer = 0, None
        obey = getattr(self, f"_{name.lower()}", None)
        if length != len(data):
            error = _BAD_FORMAT
        elif obey is None or not self._knows(name):
            self._refuse_unknown()
            return
        elif name in _WITH_CHECKSUM and checksum != _checksum(data[16:]):
            error = _BAD_CHECKSUM
        else:
            try:
                answer = obey(data)
            except _Error as raised:
                error = raised.code
        if self._stop.is_set():
            return
        for _ in range(8 if code == _SYNC else 1):
            self._reply(code, answer, error)
        if name == "MEM_END" and not error and data[:4] == bytes(4) and self._stub:
            self._in_stub = True
            self._console.send(slip.packed(b"OHAI"))

    def _knows(self, name: str) -> bool:
        if name == "GET_SECURITY_INFO":
            return self._silicon.chip_id is not None
        if self.security_flags & SECURE_DOWNLOAD_MODE:
            return name in _IN_SECURE_DOWNLOAD_MODE
        return self._in_stub or name not in _STUB_ONLY

    def _refuse_unknown(self) -> None:
        """What a ROM says to a command that it does not know, eight times over."""
        for _ in range(8):
            self._reply(0, None, _BAD_FORMAT)

    def _reply(self, code: int, answer: int | bytes | None, error: int) -> None:
        """An answer is the value of a register, or data; most commands have none."""
        value = answer if isinstance(answer, int) else 0
        payload = answer if isinstance(answer, bytes) else b""
        # The ROM's status takes four bytes, the stub's two.
        status = bytes((bool(error), error)) + bytes(0 if self._in_stub else 2)
        body = payload + status
        self._console.send(slip.packed(struct.pack("<BBHI", 1, code, len(body), value) + body))

    def _sync(self, data: bytes) -> int:
        return 0 if self._in_stub else 0x20120707

    def _get_security_info(self, data: bytes) -> bytes:
        return struct.pack("<I8xII", self.security_flags, self._silicon.chip_id, 0)

    def _read_reg(self, data: bytes) -> int:
        return self.registers.get(*struct.unpack("<I", data), 0)

    def _write_reg(self, data: bytes) -> None:
        address, value, mask, _ = struct.unpack_from("<IIII", data)
        self.registers[address] = self.registers.get(address, 0) & ~mask | value & mask
        command, _, _, _ = self._silicon.spi
        if address == command and value & _SPI_RUN:
            self._run_spi()

    def _run_spi(self) -> None:
        """A command to the flash itself, of which only the two that are asked for do something."""
        command, _, user, result = self._silicon.spi
        answers = {_SPI_READ_ID: self.flash_id, _SPI_READ_PARAMETERS: _PARAMETERS_SIGNATURE}
        self.registers[result] = answers.get(self.registers[user] & 0xFF, 0)
        self.registers[command] = 0

    def _spi_attach(self, data: bytes) -> None:
        self._attached = True

    def _flash_begin(self, data: bytes) -> None:
        self._begin(data, inflate=None)

    def _flash_defl_begin(self, data: bytes) -> None:
        self._begin(data, inflate=zlib.decompressobj())

    def _flash_data(self, data: bytes) -> None:
        self._program(data[16:])

    _flash_defl_data = _flash_data

    def _accept(self, data: bytes) -> None:
        pass

    _spi_set_params = _change_baudrate = _accept
    _mem_begin = _mem_data = _mem_end = _accept
    _flash_end = _flash_defl_end = _accept

    def _erase_flash(self, data: bytes) -> None:
        self._erase(0, len(self.flash))

    def _spi_flash_md5(self, data: bytes) -> bytes:
        address, size, _, _ = struct.unpack("<IIII", data)
        region = self.flash[address : address + size]
        if self._bad_digest:
            region[0] ^= 1
        digest = hashlib.md5(region)
        return digest.digest() if self._in_stub else digest.hexdigest().encode()

    def _begin(self, data: bytes, inflate: "zlib._Decompress | None") -> None:
        erase_bytes, self._blocks, _, self._at = struct.unpack_from("<IIII", data)
        if not (self._attached or self._in_stub) or self._at + erase_bytes > len(self.flash):
            raise _Error(_FAILED)
        self._inflate = inflate
        self._done = 0
        self._erase(self._at, self._at + erase_bytes)

    def _program(self, block: bytes) -> None:
        if self._inflate:
            try:
                block = self._inflate.decompress(block)
            except zlib.error:
                raise _Error(_BAD_DEFLATE) from None
        end = self._at + len(block)
        if end > len(self.flash):
            raise _Error(_FLASH_ERROR)
        was = int.from_bytes(self.flash[self._at : end], "big")
        now = was & int.from_bytes(block, "big")
        self.flash[self._at : end] = now.to_bytes(len(block), "big")
        self._at = end
        self._done += 1
        if self._pull_at is not None and self._done >= self._pull_at * self._blocks:
            self.pull()

    def _erase(self, start: int, end: int) -> None:
        start -= start % SECTOR_BYTES
        end += -end % SECTOR_BYTES
        self.flash[start:end] = b"\xff" * (end - start)


class _Error(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _checksum(data: bytes) -> int:
    checksum = _CHECKSUM_SEED
    for byte in data:
        checksum ^= byte
    return checksum
