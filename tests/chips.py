"""What differs between the chips whose machine code runs under qemu: emulator, ABI, start-up code.

The start-up code is put together here word by word, for want of an assembler on every laptop.
"""

import struct
from dataclasses import dataclass


@dataclass
class Call:
    """What the start-up code is told: addresses, and how often to call."""

    calls: int
    function: int = 0
    self: int = 0
    n_arguments: int = 0
    arguments: int = 0
    steps: int = 0
    output: int = 0
    output_length: int = 0


class Xtensa:
    """ESP32 and ESP32-S3. dc233c is qemu's core with the same register windows."""

    arch = "xtensawin"
    command = ("qemu-xtensa", "-cpu", "dc233c")
    elf_machine, elf_flags = 94, 0x300
    identity = bytes.fromhex("364100 1df0")  # entry a1, 32; retw.n

    @staticmethod
    def program(at: int, call: Call) -> bytes:
        """a2 counts calls, a3 holds the arguments, a4 self, a5 the function, a6 the steps."""
        literals = (call.calls, call.arguments, call.self, call.function, call.steps)
        literals += (call.output, call.output_length)
        code = b""

        def op24(word: int) -> None:
            nonlocal code
            code += word.to_bytes(3, "little")

        def load_literal(register: int, index: int) -> None:
            here = at + len(literals) * 4 + 4 + len(code)
            words = (at + 4 + index * 4 - (here + 3 & ~3)) >> 2
            op24((words & 0xFFFF) << 8 | register << 4 | 1)

        def move_immediate(register: int, value: int) -> None:
            op24((value & 0xFF) << 16 | 0xA002 | value >> 8 << 8 | register << 4)

        def move(register: int, source: int) -> None:
            op24(0x200000 | register << 12 | source << 8 | source << 4)

        def memory(operation: int, register: int, pointer: int, word: int) -> None:
            op24(word << 16 | operation << 12 | pointer << 8 | register << 4 | 2)

        for register in range(2, 7):
            load_literal(register, register - 2)
        loop = len(code)
        move(10, 4)
        move_immediate(11, call.n_arguments)
        move_immediate(12, 0)
        move(13, 3)
        op24(0x0000E0 | 5 << 8)  # callx8 a5
        for word in range(call.n_arguments):
            memory(2, 8, 3, word)
            memory(2, 9, 6, word)
            op24(0x800000 | 8 << 12 | 8 << 8 | 9 << 4)  # add a8, a8, a9
            memory(6, 8, 3, word)
        op24(0xC002 | 0xFF << 16 | 2 << 8 | 2 << 4)  # addi a2, a2, -1
        op24((loop - len(code) - 4 & 0xFFF) << 12 | 2 << 8 | 0x56)  # bnez a2, loop
        move_immediate(2, 13)  # write(1, output, length)
        move_immediate(6, 1)
        load_literal(3, 5)
        load_literal(4, 6)
        op24(0x005000)
        move_immediate(2, 118)  # exit(0)
        move_immediate(6, 0)
        op24(0x005000)
        jump = (len(literals) * 4 << 6 | 0x06).to_bytes(3, "little")
        return jump + b"\0" + struct.pack(f"<{len(literals)}I", *literals) + code


class Riscv:
    """ESP32-C3 and ESP32-C6."""

    arch = "rv32imc"
    command = ("qemu-riscv32",)
    elf_machine, elf_flags = 243, 1
    identity = struct.pack("<I", 0x0000_8067)  # ret

    @staticmethod
    def program(at: int, call: Call) -> bytes:
        """s2 counts calls, s3 holds the arguments, s4 self, s5 the function, s6 the steps."""
        a0, a1, a2, a3, a7, t0, t1 = 10, 11, 12, 13, 17, 5, 6
        calls, arguments, self, function, steps = 18, 19, 20, 21, 22
        words: list[int] = []

        def load(register: int, value: int) -> None:
            words.append((value + 0x800 & 0xFFFF_F000) | register << 7 | 0x37)  # lui
            words.append((value & 0xFFF) << 20 | register << 15 | register << 7 | 0x13)  # addi

        def move(register: int, source: int) -> None:
            words.append(source << 15 | register << 7 | 0x13)

        for register, value in (
            (calls, call.calls),
            (arguments, call.arguments),
            (self, call.self),
            (function, call.function),
            (steps, call.steps),
        ):
            load(register, value)
        loop = len(words)
        move(a0, self)
        load(a1, call.n_arguments)
        load(a2, 0)
        move(a3, arguments)
        words.append(function << 15 | 1 << 7 | 0x67)  # jalr ra, function
        for word in range(call.n_arguments):
            words.append(word * 4 << 20 | arguments << 15 | 2 << 12 | t0 << 7 | 0x03)  # lw
            words.append(word * 4 << 20 | steps << 15 | 2 << 12 | t1 << 7 | 0x03)
            words.append(t1 << 20 | t0 << 15 | t0 << 7 | 0x33)  # add
            words.append(  # sw
                word * 4 >> 5 << 25
                | t0 << 20
                | arguments << 15
                | 2 << 12
                | (word * 4 & 31) << 7
                | 0x23
            )
        words.append(0xFFF << 20 | calls << 15 | calls << 7 | 0x13)  # addi calls, calls, -1
        back = (loop - len(words)) * 4 & 0x1FFF  # bne calls, x0, loop
        words.append(
            back >> 12 << 31
            | (back >> 5 & 0x3F) << 25
            | calls << 15
            | 1 << 12
            | (back >> 1 & 0xF) << 8
            | (back >> 11 & 1) << 7
            | 0x63
        )
        load(a0, 1)  # write(1, output, length)
        load(a1, call.output)
        load(a2, call.output_length)
        load(a7, 64)
        words.append(0x73)
        load(a0, 0)  # exit(0)
        load(a7, 93)
        words.append(0x73)
        return struct.pack(f"<{len(words)}I", *words)


Chip = type[Xtensa] | type[Riscv]
CHIPS: tuple[Chip, ...] = (Xtensa, Riscv)
