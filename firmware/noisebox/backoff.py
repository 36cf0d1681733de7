"""Pauses between attempts that grow, and that differ from box to box.

After a power cut of a whole street, or of the station, its boxes must not all come at once.
"""


class BackOff:
    """random(n)   gives a whole number from 0 to n - 1"""

    def __init__(self, first_ms, most_ms, random):
        self._first_ms = first_ms
        self._most_ms = most_ms
        self._random = random
        self._pause_ms = first_ms

    def reset(self):
        self._pause_ms = self._first_ms

    def next_ms(self):
        """Between half and all of a pause that doubles each time."""
        pause_ms = self._pause_ms
        self._pause_ms = min(2 * pause_ms, self._most_ms)
        return pause_ms - self._random(pause_ms // 2 + 1)
