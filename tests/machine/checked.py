"""Runs the text of a viper kernel in Python, on integers that refuse to leave 32 bits.

An overflow is found at the very operation, not by its consequences. Slow: 0.1 ms a sample.
"""

import builtins
import types
from pathlib import Path


class Overflow(ArithmeticError):
    pass


class Int32(int):
    """An int whose sums, differences, products and shifts to the left must fit 32 signed bits."""


def _checked(name: str):
    plain = getattr(int, name)

    def operation(self, other):
        value = plain(self, other)
        if not -0x8000_0000 <= value <= 0x7FFF_FFFF:
            raise Overflow(f"{int(self)} {name} {int(other)} = {value}")
        return Int32(value)

    return operation


for _name in ("add", "sub", "mul", "lshift", "rshift", "and", "or", "xor"):
    setattr(Int32, f"__{_name}__", _checked(f"__{_name}__"))
    setattr(Int32, f"__r{_name}__", _checked(f"__r{_name}__"))


class Pointer:
    """A `ptr32` to a list of ints; `int(pointer) + bytes` moves it."""

    def __init__(self, words: list[int], at: int = 0):
        self.words, self.at = words, at

    def __add__(self, length: int) -> "Pointer":
        return Pointer(self.words, self.at + length // 4)

    def __getitem__(self, index: int) -> Int32:
        return Int32(self.words[self.at + index])

    def __setitem__(self, index: int, value: int) -> None:
        self.words[self.at + index] = builtins.int(value)


def load(source: Path) -> types.SimpleNamespace:
    """The names of a kernel file, its viper functions to be called with Int32 and Pointer."""
    namespace = {
        "ptr32": lambda pointer: pointer,
        "int": lambda value: value if isinstance(value, Pointer) else Int32(value),
    }
    text = source.read_text(encoding="utf-8")
    # The one overflow that is meant: 2^32 is 0 on a chip.
    text = text.replace("wrap *= wrap", "wrap = 0")
    for line in ("import micropython", "from micropython import const", "@micropython.viper"):
        text = text.replace(line, "")
    exec(compile(text, str(source), "exec"), namespace | {"const": lambda value: value}, namespace)
    return types.SimpleNamespace(**namespace)
