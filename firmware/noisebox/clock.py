"""Uptime that does not wrap, and wall time with its quality, in whole numbers.

A float of the chip has 24 bits and loses whole minutes of a date, so there is none here.
"""

from micropython import const

UNSET = const(0)
KEPT = const(1)
"""Brought over a reset, not confirmed since."""
SET = const(2)

_EARLIEST_UNIX_S = const(1704067200)
"""2024-01-01, before this firmware: a time before it is a mistake."""
_LATEST_UNIX_S = const(4102444799)
"""The last second of 2099, as far as `zone` reaches."""


class Clock:
    """Time of a box.

    ticks_ms, ticks_diff   of module `time`: milliseconds that wrap (at 2^30 on the chip, after
                           12.4 days) and their difference. `uptime_ms` must be called within
                           half of that; the app calls it each second.
    """

    def __init__(self, ticks_ms, ticks_diff):
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self._ticks = ticks_ms()
        self._uptime_ms = 0
        self._boot_unix_ms = 0
        self.quality = UNSET

    def uptime_ms(self):
        """Milliseconds since this object was made; never goes back."""
        ticks = self._ticks_ms()
        self._uptime_ms += self._ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._uptime_ms

    def unix_ms(self):
        """Milliseconds since 1970-01-01 UTC, or None while nobody has told."""
        if self.quality == UNSET:
            return None
        return self._boot_unix_ms + self.uptime_ms()

    def unix(self):
        """Whole seconds since 1970-01-01 UTC, or None while nobody has told."""
        now_ms = self.unix_ms()
        return None if now_ms is None else now_ms // 1000

    def set(self, unix_s, unix_ms=0, quality=SET):
        """Tells that it is `unix_s` and `unix_ms` (0–999) now.

        Returns by how many seconds the clock jumped, negative for back, None when it had no time.
        ValueError for what is no whole number, or a time before 2024 or after 2099.
        """
        if not isinstance(unix_s, int) or not _EARLIEST_UNIX_S <= unix_s <= _LATEST_UNIX_S:
            raise ValueError("{!r} is not a time in seconds, 2024 to 2099".format(unix_s))
        before = self.unix()
        self._boot_unix_ms = 1000 * unix_s + unix_ms - self.uptime_ms()
        self.quality = quality
        return None if before is None else unix_s - before
