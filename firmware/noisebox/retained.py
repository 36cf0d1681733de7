"""What a box remembers over a watchdog or panic reset: 2 KB of RTC memory, gone with the power.

    magic (2) · crashes (1) · reset asked (1) · lamp ledger · sum of all before (1)

A brown-out can leave garbage: what does not add up counts as nothing remembered.
"""

from micropython import const

from noisebox.spotlight import LEDGER_BYTES

_MAGIC = const(b"NW")
_LEDGER = const(4)
_SIZE = _LEDGER + LEDGER_BYTES + 1


class Retained:
    """`memory()` reads and `memory(data)` writes the RTC memory.

    crashes  resets in a row that nobody asked for, as `safemode` counts them.
    asked    the firmware wanted the coming reset: it is no crash.
    ledger   of the lamp, see `spotlight`; all zero, which is none, when nothing was remembered.
    """

    def __init__(self, memory):
        self._memory = memory
        data = bytes(memory())
        whole = len(data) == _SIZE and data[:2] == _MAGIC and data[-1] == sum(data[:-1]) & 255
        if not whole:
            data = bytes(_SIZE)
        self.crashes = data[2]
        self.asked = bool(data[3])
        self.ledger = bytearray(data[_LEDGER:-1])
        self._data = bytearray(_SIZE)

    def save(self):
        data = self._data
        data[:2] = _MAGIC
        data[2] = min(self.crashes, 255)
        data[3] = self.asked
        data[_LEDGER:-1] = self.ledger
        data[-1] = 0
        data[-1] = sum(data) & 255
        self._memory(data)
