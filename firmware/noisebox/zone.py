"""Local time of a box, in whole numbers.

Days are counted from 2000-03-01: a leap day is then the last day of its year, and of four years.
"""

from micropython import const

DAY_S = const(86400)
HOUR_S = const(3600)

_UNIX_DAY_0 = const(11017)  # 2000-03-01 counted from 1970-01-01


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
    """What `posix_tz.read` makes of a text, for the years 2000–2099.

    west_s, summer_west_s   seconds that UTC is ahead, in winter and in summer
    rules   start and end of summer, each (month, week, weekday 0 Sunday … 6, second of the day);
            None for a zone without a summer time
    """

    def __init__(self, west_s, summer_west_s=0, rules=None):
        self._west_s = west_s
        self._summer_west_s = summer_west_s
        self._rules = rules
        self._year = None

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


def _turn(rule, year):
    """Seconds from 1970 to the moment of `rule` in `year`, on the clock that runs till then."""
    month, week, weekday_0, second = rule
    first = day_number(year, month, 1)
    day = first + (weekday_0 - weekday(first)) % 7 + 7 * (week - 1)
    if day >= day_number(year, month + 1, 1):
        day -= 7  # week 5 is the last one
    return (day + _UNIX_DAY_0) * DAY_S + second
