"""Local time of a box from a POSIX TZ string, in whole numbers.

Days are counted from 2000-03-01: a leap day is then the last day of its year, and of four years.
"""

from micropython import const

DAY_S = const(86400)
HOUR_S = const(3600)

_UNIX_DAY_0 = const(11017)  # 2000-03-01 counted from 1970-01-01
_RULE_HOURS = const(167)  # RFC 8536 lets the time of a rule reach a week beyond its day
_OFFSET_HOURS = const(24)


def day_number(year, month, day):
    """Days from 2000-03-01 to a date of 2000–2099; month 13 is January of the year after."""
    if month < 3:
        year -= 1
        month += 12
    return 365 * (year - 2000) + (year - 2000) // 4 + (153 * month - 457) // 5 + day - 1


def date(number):
    """(year, month, day) of a day number."""
    fours, day = divmod(number, 1461)
    years = min(day // 365, 3)
    day -= 365 * years
    month = (5 * day + 2) // 153
    year = 2000 + 4 * fours + years
    day += 1 - (153 * month + 2) // 5
    return (year, month + 3, day) if month < 10 else (year + 1, month - 9, day)


def weekday(number):
    """1 Monday … 7 Sunday of a day number."""
    return (number + 2) % 7 + 1


class Zone:
    """A zone of POSIX.1-2017 section 8.3, for the years 2000–2099.

    Understood: `CST-8`, `<+08>-8`, `CET-1CEST,M3.5.0,M10.5.0/3`, southern zones too. A summer time
    must bring its rules, in the form M. ValueError, in one line, for anything else.
    """

    def __init__(self, text):
        self._year = None
        try:
            self._read(text)
            return
        except _Wrong as error:
            wrong = str(error)
        raise ValueError("{!r} is not a POSIX time zone such as CST-8: {}".format(text, wrong))

    def _read(self, text):
        if not isinstance(text, str):
            raise _Wrong("it is no text")
        names, *rules = text.split(",")
        self._west_s, at = _time(names, _name(names, 0), _OFFSET_HOURS)
        self._rules = None
        if at == len(names):
            if rules:
                raise _Wrong("rules, but no name of a summer time")
            return
        at = _name(names, at)
        self._summer_west_s = self._west_s - HOUR_S
        if at < len(names):
            self._summer_west_s, at = _time(names, at, _OFFSET_HOURS)
            if at < len(names):
                raise _Wrong("{!r} is left over".format(names[at:]))
        if len(rules) != 2:
            raise _Wrong("a summer time needs two rules, as in ,M3.5.0,M10.5.0/3")
        self._rules = _rule(rules[0]), _rule(rules[1])

    def local(self, unix_s):
        """(year, month, day, weekday 1 Monday … 7 Sunday, minute of the day, second)."""
        day, second = divmod(unix_s - self._west_s, DAY_S)
        year, month, day_of_month = date(day - _UNIX_DAY_0)
        if self._rules and self._summer(self._rules, unix_s, year):
            day, second = divmod(unix_s - self._summer_west_s, DAY_S)
            year, month, day_of_month = date(day - _UNIX_DAY_0)
        return year, month, day_of_month, weekday(day - _UNIX_DAY_0), second // 60, second % 60

    def _summer(self, rules, unix_s, year):
        if year != self._year:
            start, end = rules
            self._start = _turn(start, year) + self._west_s
            self._end = _turn(end, year) + self._summer_west_s
            self._year = year
        if self._start < self._end:
            return self._start <= unix_s < self._end
        return not self._end <= unix_s < self._start


class _Wrong(Exception):
    """Which part of a TZ string is wrong, and how."""


def _name(text, at):
    """The place after the name that starts at `at`."""
    end = at
    if text[at : at + 1] == "<":
        end = text.find(">", at) + 1
        if end and end - at >= 5 and all(_in_name(letter) for letter in text[at + 1 : end - 1]):
            return end
    else:
        while end < len(text) and text[end].isalpha():
            end += 1
        if end - at >= 3:
            return end
    raise _Wrong("{!r} does not start with a name of 3 letters or more".format(text[at:]))


def _in_name(letter):
    return letter.isalpha() or letter.isdigit() or letter in "+-"


def _time(text, at, hours):
    """(seconds, the place after) of [+-]hh[:mm[:ss]] at `at`, up to `hours`."""
    start = at
    sign = 1
    if text[at : at + 1] in ("+", "-"):
        sign = -1 if text[at] == "-" else 1
        at += 1
    seconds = 0
    unit = HOUR_S
    while True:
        end = at
        while end < len(text) and text[end].isdigit():
            end += 1
        if not 0 < end - at <= 3:
            raise _Wrong("{!r} is not a time hh:mm:ss".format(text[start:]))
        part = int(text[at:end])
        if part > (hours if unit == HOUR_S else 59):
            raise _Wrong("{!r} is out of range".format(text[start:end]))
        seconds += part * unit
        unit //= 60
        if not unit or text[end : end + 1] != ":":
            return sign * seconds, end
        at = end + 1


def _rule(text):
    """(month, week, weekday 0 Sunday … 6, second of the day) of Mm.w.d[/time]."""
    day, *time = text.split("/")
    parts = day[1:].split(".")
    if day[:1] != "M" or len(parts) != 3 or len(time) > 1 or not all(p.isdigit() for p in parts):
        raise _Wrong("{!r} is not a rule Mm.w.d/time".format(text))
    month, week, weekday_0 = (int(part) for part in parts)
    if not (1 <= month <= 12 and 1 <= week <= 5 and weekday_0 <= 6):
        raise _Wrong("{!r} names no day".format(text))
    if not time:
        return month, week, weekday_0, 2 * HOUR_S
    second, end = _time(time[0], 0, _RULE_HOURS)
    if end < len(time[0]):
        raise _Wrong("{!r} is not a time hh:mm:ss".format(time[0]))
    return month, week, weekday_0, second


def _turn(rule, year):
    """Seconds from 1970 to the moment of `rule` in `year`, on the clock that runs till then."""
    month, week, weekday_0, second = rule
    first = day_number(year, month, 1)
    day = first + (weekday_0 - weekday(first)) % 7 + 7 * (week - 1)
    if day >= day_number(year, month + 1, 1):
        day -= 7  # week 5 is the last one
    return (day + _UNIX_DAY_0) * DAY_S + second
