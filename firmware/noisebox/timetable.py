"""Reads and checks the `schedule` of a config; what comes out is a `schedule.Schedule`.

Apart from it, because a box needs this only when it starts or gets a new config.
"""

from micropython import const

from noisebox import zone
from noisebox.schedule import DAY_MIN, Schedule, minute_of

_WEEK_MIN = const(10080)
LOWEST_LIMIT_DB = const(30)
HIGHEST_LIMIT_DB = const(100)
_MOST_ENTRIES = const(32)
"""Most rows, and most exceptions."""

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def day_of(text):
    """Day number (`zone.day_number`) of `YYYY-MM-DD`; ValueError in one line."""
    if isinstance(text, str) and len(text) == 10 and text[4] == "-" and text[7] == "-":
        parts = text[:4], text[5:7], text[8:]
        if all(part.isdigit() for part in parts):
            wanted = tuple(int(part) for part in parts)
            # The 31st of a short month counts on into the next one and comes back as another date.
            if 2000 <= wanted[0] <= 2099 and 1 <= wanted[1] <= 12:
                number = zone.day_number(*wanted)
                if zone.date(number) == wanted:
                    return number
    raise ValueError("{} is not a date YYYY-MM-DD".format(_brief(text)))


def problems(config):
    """What is wrong with the `schedule` of a config, one line for each key; empty when it is good.

    Rows must cover each minute of the week exactly once, so no limit is ever guessed. A missing
    `rows` or `exceptions` is no problem: it takes its default.
    """
    return _read(config)[2]


def read(config):
    """The Schedule of a whole `schedule` section; ValueError for one that has problems."""
    rows, exceptions, found = _read(config)
    if found:
        raise ValueError(found[0])
    if not rows:
        raise ValueError("schedule.rows: is missing")
    return Schedule(rows, exceptions)


def _brief(value):
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _days(text):
    """Bits of the weekdays in a text like "12345", Monday in bit 0."""
    if not isinstance(text, str) or not text or any(digit not in "1234567" for digit in text):
        raise ValueError("{} is not weekdays, 1 (Monday) to 7".format(_brief(text)))
    bits = 0
    for digit in text:
        bits |= 1 << int(digit) - 1
    return bits


def _limit(value):
    if (
        not isinstance(value, int)
        or isinstance(value, bool)
        or not LOWEST_LIMIT_DB <= value <= HIGHEST_LIMIT_DB
    ):
        raise ValueError(
            "{} is not a whole number of dB, {} to {}".format(
                _brief(value), LOWEST_LIMIT_DB, HIGHEST_LIMIT_DB
            )
        )
    return value


_ROW = (("days", _days), ("from", minute_of), ("to", minute_of), ("limit", _limit))
_EXCEPTION = (("from_date", day_of), ("to_date", day_of)) + _ROW[1:]


def _read(config):
    """(rows, exceptions with the winner first, problems) of the section `schedule`."""
    if not isinstance(config, dict):
        return [], [], ["schedule: {} is not an object".format(_brief(config))]
    found = [
        "schedule.{}: unknown key, known are rows, exceptions".format(key)
        for key in sorted(config)
        if key not in ("rows", "exceptions")
    ]
    rows = _entries(config, "rows", _ROW, found)
    exceptions = _entries(config, "exceptions", _EXCEPTION, found)
    for index, entry in enumerate(exceptions):
        if entry and entry[0] > entry[1]:
            found.append("schedule.exceptions[{}].to_date: is before from_date".format(index))
    if "rows" in config and not found:
        _check_week(rows, found)
    exceptions.reverse()
    return rows, exceptions, found


def _entries(config, key, fields, found):
    """A tuple of values for each entry of the list `key`; what is wrong goes to `found`."""
    entries = config.get(key, [])
    if not isinstance(entries, list) or len(entries) > _MOST_ENTRIES:
        found.append("schedule.{}: is not a list of {} at most".format(key, _MOST_ENTRIES))
        return []
    return [
        _entry("schedule.{}[{}]".format(key, index), entry, fields, found)
        for index, entry in enumerate(entries)
    ]


def _entry(path, entry, fields, found):
    if not isinstance(entry, dict):
        found.append("{}: {} is not an object".format(path, _brief(entry)))
        return ()
    names = [name for name, _ in fields]
    for key in sorted(entry):
        if key not in names:
            found.append("{}.{}: unknown key, known are {}".format(path, key, ", ".join(names)))
    values = []
    for name, check in fields:
        try:
            if name not in entry:
                raise ValueError("is missing")
            values.append(check(entry[name]))
        except ValueError as error:
            found.append("{}.{}: {}".format(path, name, error))
    return tuple(values) if len(values) == len(fields) else ()


def _check_week(rows, found):
    """Adds the first gap and the first overlap of the week to `found`."""
    if not rows:
        found.append("schedule.rows: is empty")
        return
    periods = []
    for days, start, end, _ in rows:
        length = (end - start) % DAY_MIN or DAY_MIN
        for day in range(7):
            if days >> day & 1:
                first = day * DAY_MIN + start
                periods.append((first, first + length))
    periods.sort()
    # The week is a ring: after its last period comes the first one of the next week.
    periods.append((periods[0][0] + _WEEK_MIN, None))
    gap = overlap = None
    covered = periods[0][1]
    for start, end in periods[1:]:
        if start > covered and gap is None:
            gap = "schedule.rows: no limit from {} to {}".format(_moment(covered), _moment(start))
        if start < covered and overlap is None:
            overlap = "schedule.rows: two limits at {}".format(_moment(start))
        if end is not None and end > covered:
            covered = end
    found.extend(line for line in (gap, overlap) if line)


def _moment(minute):
    day, minute = divmod(minute % _WEEK_MIN, DAY_MIN)
    return "{} {:02d}:{:02d}".format(_WEEKDAYS[day], minute // 60, minute % 60)
