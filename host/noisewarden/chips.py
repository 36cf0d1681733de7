"""What a chip's pins can and cannot do.

From Espressif's ESP32, ESP32-S3 and ESP32-C3 data sheets, sections on pins and on strapping pins,
and from the table of restrictions in the GPIO chapter of the ESP-IDF programming guide for each.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Chip:
    """Facts about one chip; pins are GPIO numbers.

    arch        what mpy-cross calls its machine code
    offset      flash address of MicroPython's image; None where there is nothing to flash
    pins        those that there are
    input_only  cannot drive anything and have no pull-up
    flash       taken by the module's own flash
    psram       taken beside by a module with this kind of PSRAM
    strapping   read at reset to choose how the chip starts
    console     the serial console, which the bench needs
    usb         the chip's own USB
    """

    title: str
    arch: str
    offset: int | None
    pins: frozenset[int]
    input_only: frozenset[int] = frozenset()
    flash: frozenset[int] = frozenset()
    psram: dict[str, frozenset[int]] = field(default_factory=dict)
    strapping: frozenset[int] = frozenset()
    console: frozenset[int] = frozenset()
    usb: frozenset[int] = frozenset()

    def reserved(self, psram: str) -> frozenset[int]:
        """Pins that a module with this PSRAM needs for itself."""
        return self.flash | self.psram.get(psram, frozenset())

    def free(self, psram: str) -> frozenset[int]:
        """Pins that have no catch at all."""
        catches = self.input_only | self.strapping | self.console | self.usb
        return self.pins - self.reserved(psram) - catches


def _pins(*ranges: tuple[int, int] | int) -> frozenset[int]:
    pins: set[int] = set()
    for entry in ranges:
        first, last = entry if isinstance(entry, tuple) else (entry, entry)
        pins.update(range(first, last + 1))
    return frozenset(pins)


CHIPS = {
    "esp32": Chip(
        title="ESP32",
        arch="xtensawin",
        offset=0x1000,
        pins=_pins((0, 19), (21, 23), (25, 27), (32, 39)),
        input_only=_pins((34, 39)),
        flash=_pins((6, 11)),
        psram={"quad": _pins(16, 17)},
        strapping=_pins(0, 2, 5, 12, 15),
        console=_pins(1, 3),
    ),
    "esp32s3": Chip(
        title="ESP32-S3",
        arch="xtensawin",
        offset=0x0,
        pins=_pins((0, 21), (26, 48)),
        flash=_pins((26, 32)),
        psram={"octal": _pins((33, 37))},
        strapping=_pins(0, 3, 45, 46),
        console=_pins(43, 44),
        usb=_pins(19, 20),
    ),
    "esp32c3": Chip(
        title="ESP32-C3",
        arch="rv32imc",
        offset=0x0,
        pins=_pins((0, 21)),
        flash=_pins((11, 17)),
        strapping=_pins(2, 8, 9),
        console=_pins(20, 21),
        usb=_pins(18, 19),
    ),
    "virtual": Chip(title="virtual chip", arch="x64", offset=None, pins=_pins((0, 48))),
}
