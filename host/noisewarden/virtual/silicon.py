"""What differs between the chips for a tool on their serial line: registers, and nothing else.

Addresses are those of Espressif's technical reference manuals.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Silicon:
    """What differs from chip to chip.

    chip_id    in the security info; None where the ROM has no such command
    mac        address of the register with the last four bytes of the MAC
    spi        addresses of the registers of the flash's SPI: command, address, user 2, data
    registers  that are not zero
    """

    chip_id: int | None
    mac: int
    spi: tuple[int, int, int, int]
    registers: dict[int, int] = field(default_factory=dict)


SILICON = {
    "esp32": Silicon(
        chip_id=None,
        mac=0x3FF5A004,
        spi=(0x3FF42000, 0x3FF42004, 0x3FF42024, 0x3FF42080),
        # The magic of the chip; package D0WD and revision v3.0, spread over three registers.
        registers={
            0x40001000: 0x00F01D83,
            0x3FF5A00C: 1 << 15 | 1 << 9,
            0x3FF5A014: 1 << 20,
            0x3FF6607C: 1 << 31,
        },
    ),
    "esp32s3": Silicon(
        chip_id=9,
        mac=0x60007044,
        spi=(0x60002000, 0x60002004, 0x60002020, 0x60002058),
        registers={0x60007050: 2 << 18},  # revision v0.2
    ),
    "esp32c3": Silicon(
        chip_id=5,
        mac=0x60008844,
        spi=(0x60002000, 0x60002004, 0x60002020, 0x60002058),
        registers={0x60008850: 4 << 18},  # revision v0.4
    ),
}
