"""The limit in force: a week of rows, and dated exceptions that win over it (DESIGN 4.3).

A period runs from one minute of the day to another. Over midnight it belongs to the day on which
it starts; with `from` equal to `to` it lasts a whole day.
"""

from micropython import const

from noisebox import zone

DAY_MIN = const(1440)


def minute_of(text):
    """Minute of the day of `HH:MM`; ValueError in one line."""
    if isinstance(text, str) and len(text) == 5 and text[2] == ":":
        hour, minute = text[:2], text[3:]
        if hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60:
            return 60 * int(hour) + int(minute)
    raise ValueError("{} is not a time HH:MM".format(repr(text)[:40]))


def within(from_minute, to_minute, minute):
    """Is `minute` of the day in a daily period, over midnight too?"""
    return _days_ago(from_minute, to_minute, minute) is not None


class Schedule:
    """What `timetable.read` makes of the section `schedule` of a config.

    rows        (bits of the weekdays, from, to, limit), in minutes of the day and dB
    exceptions  (first day, last day, from, to, limit), the winner first
    """

    def __init__(self, rows, exceptions):
        self._rows = rows
        self._exceptions = exceptions

    def limit(self, local):
        """The limit in dB at `local`, a tuple of `Zone.local`."""
        year, month, day, weekday, minute, _ = local
        today = zone.day_number(year, month, day)
        for first, last, start, end, limit in self._exceptions:
            ago = _days_ago(start, end, minute)
            if ago is not None and first <= today - ago <= last:
                return limit
        return next(
            limit
            for days, start, end, limit in self._rows
            if _runs(days, weekday, _days_ago(start, end, minute))
        )

    def highest(self):
        """The highest limit in dB of rows and exceptions: it holds while the time is unknown."""
        return max(entry[-1] for entry in self._rows + self._exceptions)


def _days_ago(from_minute, to_minute, minute):
    """How many days ago the period that covers `minute` started: 0, 1, or None for no period."""
    if from_minute < to_minute:
        return 0 if from_minute <= minute < to_minute else None
    if minute >= from_minute:
        return 0
    return 1 if minute < to_minute else None


def _runs(days, weekday, ago):
    return ago is not None and days >> (weekday - 1 - ago) % 7 & 1
