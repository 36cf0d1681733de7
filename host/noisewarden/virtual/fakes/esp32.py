"""`esp32` of MicroPython: the heap of ESP-IDF, with the figures of a plain ESP32 at rest."""

from micropython import const

HEAP_DATA = const(4)
HEAP_EXEC = const(2)


def idf_heap_info(capabilities):
    """A list of regions (total, free, largest free block, least free ever), in bytes."""
    return [(113_840, 65_000, 63_488, 60_000)]
