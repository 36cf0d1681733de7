"""What a box remembers over a watchdog or panic reset: 2 KB of RTC memory, gone with the power.

    magic (2) · crashes (1) · reset asked (1) · lamp ledger (LEDGER_BYTES) · sum of all before (1)

A brown-out can leave garbage: what does not add up counts as nothing remembered.
"""

from micropython import const

LEDGER_BYTES = const(61)
_MAGIC = b"NW"
_SIZE = const(2 + 2 + 61 + 1)


class Retained:
    """`memory()` reads and `memory(data)` writes the RTC memory.

    crashes  resets in a row that nobody asked for, as `safemode` counts them.
    asked    the firmware wanted the coming reset: it is no crash.
    ledger   seconds of lamp of the last hour, see `spotlight`; all zero when nothing was remembered.
    fresh    nothing was remembered: the power was gone.
    """

    def __init__(self, memory):
        self._memory = memory
        data = bytes(memory())
        self.fresh = not (len(data) == _SIZE and data[:2] == _MAGIC and data[-1] == sum(data[:-1]) & 255)
        if self.fresh:
            data = bytes(_SIZE)
        self.crashes = data[2]
        self.asked = bool(data[3])
        self.ledger = bytearray(data[4 : 4 + LEDGER_BYTES])
        self._data = bytearray(_SIZE)

    def save(self):
        data = self._data
        data[:2] = _MAGIC
        data[2] = min(self.crashes, 255)
        data[3] = self.asked
        data[4 : 4 + LEDGER_BYTES] = self.ledger
        data[-1] = 0
        data[-1] = sum(data) & 255
        self._memory(data)
