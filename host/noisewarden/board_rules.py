"""What a board file must say, and which of its values contradict each other.

Values are judged one by one first, against a schema; then those that are right together, against
the chip and the matrix.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from noisewarden.chips import CHIPS, Chip
from noisewarden.firmware import display, panel

OUTPUT_PINS = ("sck", "ws", "matrix", "relay", "led")
MAX_LEDS = 1024
"""31 ms to write, longer than which the audio buffer should not wait."""


@dataclass(frozen=True)
class Finding:
    """What is wrong with one key of a board file, and how to put it right."""

    key: str
    cause: str
    cure: str
    warning: bool = False

    def line(self, file: str) -> str:
        return f"{file}: {self.key}: {self.cause}; {self.cure}"


@dataclass(frozen=True)
class Field:
    """What a key must hold: a test, and its description in words."""

    accepts: Callable[[Any], bool]
    wanted: str
    optional: bool = False


def _text(optional: bool = False) -> Field:
    return Field(lambda value: isinstance(value, str) and value != "", "a text", optional)


def _flag() -> Field:
    return Field(lambda value: isinstance(value, bool), "true or false")


def _number(lowest: float, highest: float, kinds: tuple[type, ...] = (int, float)) -> Field:
    kind = "a whole number" if kinds == (int,) else "a number"
    return Field(
        lambda value: (
            isinstance(value, kinds) and not isinstance(value, bool) and lowest <= value <= highest
        ),
        f"{kind} from {lowest} to {highest}",
    )


def _whole(lowest: int, highest: int) -> Field:
    return _number(lowest, highest, (int,))


def _one_of(*choices: Any, optional: bool = False) -> Field:
    # The type counts too: for Python false is 0.
    typed = [(type(choice), choice) for choice in choices]
    wanted = f"one of {', '.join(map(str, choices))}"
    return Field(lambda value: (type(value), value) in typed, wanted, optional)


def _digits(value: Any, length: int) -> bool:
    return (
        isinstance(value, str) and len(value) == length and set(value) <= set("0123456789abcdef")
    )


def _usb_ids(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(usb, str) and [_digits(part, 4) for part in usb.split(":")] == [True, True]
        for usb in value
    )


_IMAGE = {
    "version": _text(),
    "file": _text(),
    "offset": _whole(0, 0xFFFFFF),
    "sha256": Field(lambda value: _digits(value, 64), "64 hexadecimal digits", optional=True),
}
_MATRIX = {
    "width": _whole(1, 255),
    "height": _whole(1, 255),
    "first": _one_of("top-left", "top-right", "bottom-left", "bottom-right"),
    "lines": _one_of("rows", "columns"),
    "serpentine": _flag(),
    "rotation": _one_of(0, 90, 180, 270),
    "colours": _one_of("RGB", "RBG", "GRB", "GBR", "BRG", "BGR"),
    "channel_ma": _number(1, 60),
    "idle_ma": _number(0, 10),
    "budget_ma": _whole(1, 60_000),
}
_USB = {"ids": Field(_usb_ids, 'a list of ids such as "10c4:ea60"')}


def check(board: dict[str, Any], microphones: Iterable[str]) -> list[Finding]:
    """All that is wrong with a board, or risky; `microphones` are the names of those there are."""
    schema = _schema(board.get("chip"), microphones)
    findings: list[Finding] = []
    good = _fitting(board, schema, "", findings)
    return findings + list(_contradictions(good))


def _schema(chip: Any, microphones: Iterable[str]) -> dict[str, Field | dict[str, Field]]:
    """What a board of this chip must say; there is nothing to flash on the virtual one."""
    flashed = {} if chip == "virtual" else {"image": _IMAGE, "usb": _USB}
    return flashed | {
        "board": _text(),
        "title": _text(),
        "chip": _one_of(*CHIPS),
        "arch": _one_of(*sorted({chip.arch for chip in CHIPS.values()})),
        "flash_mb": _whole(4, 64),
        "psram": _one_of("quad", "octal", optional=True),
        "microphone": _one_of(*microphones),
        "note": _text(optional=True),
        "pins": {
            role: _whole(0, 99) for role in ("sck", "ws", "sd", "matrix", "relay", "button", "led")
        },
        "relay": {"active_high": _flag()},
        "matrix": _MATRIX,
    }


def _fitting(
    written: dict[str, Any],
    schema: dict[str, Field | dict[str, Field]],
    section: str,
    findings: list[Finding],
) -> dict[str, Any]:
    """The part of `written` that fits the schema; what does not goes to `findings`."""
    good: dict[str, Any] = {}
    for key in written.keys() - schema.keys():
        near = difflib.get_close_matches(key, schema, 1)
        cure = f"did you mean {near[0]}?" if near else f"known are {', '.join(schema)}"
        findings.append(Finding(section + key, "unknown key", cure))
    for key, field in schema.items():
        if key not in written:
            if isinstance(field, dict):
                findings.append(Finding(section + key, "is missing", f"write a section [{key}]"))
            elif not field.optional:
                findings.append(Finding(section + key, "is missing", f"write {field.wanted}"))
            continue
        value = written[key]
        if isinstance(field, Field):
            if field.accepts(value):
                good[key] = value
            else:
                findings.append(
                    Finding(section + key, f"{value!r} does not fit", f"write {field.wanted}")
                )
        elif isinstance(value, dict):
            good[key] = _fitting(value, dict(field), f"{section}{key}.", findings)
        else:
            findings.append(
                Finding(section + key, f"{value!r} does not fit", f"write a section [{key}]")
            )
    return good


def _contradictions(good: dict[str, Any]) -> Iterator[Finding]:
    """What is wrong with values that are right one by one."""
    if "chip" in good:
        chip = CHIPS[good["chip"]]
        yield from _chip_findings(good, chip)
        yield from _pin_findings(good.get("pins", {}), chip, good.get("psram", ""))
    matrix = good.get("matrix", {})
    if {"width", "height", "rotation"} <= matrix.keys():
        yield from _size_findings(matrix)
    if {"width", "height", "channel_ma", "idle_ma", "budget_ma"} <= matrix.keys():
        yield from _budget_findings(matrix)


def _chip_findings(good: dict[str, Any], chip: Chip) -> Iterator[Finding]:
    arch = good.get("arch", chip.arch)
    if arch != chip.arch:
        yield Finding("arch", f"{arch} is not what the {chip.title} runs", f"write {chip.arch}")
    psram = good.get("psram")
    if psram and psram not in chip.psram:
        kinds = " or ".join(chip.psram) or "none"
        yield Finding("psram", f"no {chip.title} has {psram} PSRAM", f"write {kinds}")
    image = good.get("image", {})
    offset = image.get("offset", chip.offset)
    if offset != chip.offset:
        yield Finding(
            "image.offset", f"the {chip.title} starts elsewhere", f"write {chip.offset:#x}"
        )
    if {"file", "version"} <= image.keys() and f"-v{image['version']}." not in image["file"]:
        yield Finding(
            "image.file",
            f"{image['file']} is not of version {image['version']}",
            "take both from the same download",
        )


def _pin_findings(pins: dict[str, int], chip: Chip, psram: str) -> Iterator[Finding]:
    free = sorted(chip.free(psram) - set(pins.values()))
    instead = f"take a free one: {', '.join(map(str, free))}"
    first_use: dict[int, str] = {}
    for role, pin in pins.items():
        key = f"pins.{role}"
        if pin in first_use:
            yield Finding(key, f"GPIO {pin} is pins.{first_use[pin]} already", instead)
        first_use.setdefault(pin, role)
        if pin not in chip.pins:
            yield Finding(key, f"the {chip.title} has no GPIO {pin}", instead)
        elif pin in chip.reserved(psram):
            yield Finding(key, f"GPIO {pin} belongs to the module's flash or PSRAM", instead)
        elif pin in chip.console:
            yield Finding(key, f"GPIO {pin} is the serial console", instead)
        elif pin in chip.input_only and role in OUTPUT_PINS:
            yield Finding(key, f"GPIO {pin} is an input only", instead)
        elif pin in chip.input_only and role == "button":
            yield Finding(
                key, f"GPIO {pin} has no pull-up", "solder 10 kΩ from it to 3.3 V", warning=True
            )
        elif pin in chip.strapping:
            yield Finding(
                key,
                f"GPIO {pin} is a strapping pin, read at reset",
                f"make sure that nothing drives it then, or {instead}",
                warning=True,
            )
        elif pin in chip.usb:
            yield Finding(
                key,
                f"GPIO {pin} is the chip's own USB, which will stop working",
                f"use the other USB socket, or {instead}",
                warning=True,
            )


def _size_findings(matrix: dict[str, Any]) -> Iterator[Finding]:
    width, height = panel.seen_size(matrix)
    leds = width * height
    if width < display.LEAST_WIDTH or height < display.LEAST_HEIGHT:
        yield Finding(
            "matrix",
            f"{width} × {height} as it is seen does not hold three digits",
            f"take at least {display.LEAST_WIDTH} × {display.LEAST_HEIGHT}, or set rotation",
        )
    if leds > MAX_LEDS:
        yield Finding("matrix", f"{leds} LEDs take too long to write", f"take {MAX_LEDS} at most")


def _budget_findings(matrix: dict[str, Any]) -> Iterator[Finding]:
    leds = matrix["width"] * matrix["height"]
    least_ma = panel.least_budget_ma(matrix)
    if matrix["budget_ma"] < least_ma:
        yield Finding(
            "matrix.budget_ma",
            f"{matrix['budget_ma']} mA do not light one digit of {leds} LEDs",
            f"write {least_ma} or more, and feed the matrix from a supply that gives it",
        )
