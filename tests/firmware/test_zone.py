"""Expected local times are those of the IANA time zone database (Python's `zoneinfo`, 2025b)."""

import check
from noisebox import zone
from noisebox.posix_tz import read

CASES = (
    # Chongqing: no summer time; the turn of a day, a year and a leap day.
    ("CST-8", 1780322399, (2026, 6, 1, 1, 1319, 59)),
    ("CST-8", 1780322400, (2026, 6, 1, 1, 1320, 0)),
    ("<+08>-8", 1798732799, (2026, 12, 31, 4, 1439, 59)),
    ("<+08>-08:00:00", 1798732800, (2027, 1, 1, 5, 0, 0)),
    ("CST-8", 1835366400, (2028, 2, 29, 2, 0, 0)),
    ("IST-5:30", 1767225600, (2026, 1, 1, 4, 330, 0)),
    # Berlin: into summer time, out of it, and the new year.
    ("CET-1CEST,M3.5.0,M10.5.0/3", 1774745999, (2026, 3, 29, 7, 119, 59)),
    ("CET-1CEST,M3.5.0,M10.5.0/3", 1774746000, (2026, 3, 29, 7, 180, 0)),
    ("CET-1CEST,M3.5.0,M10.5.0/3", 1792889999, (2026, 10, 25, 7, 179, 59)),
    ("CET-1CEST,M3.5.0,M10.5.0/3", 1792890000, (2026, 10, 25, 7, 120, 0)),
    ("CET-1CEST,M3.5.0,M10.5.0/3", 1798758000, (2027, 1, 1, 5, 0, 0)),
    # New York: west, the second and the first Sunday.
    ("EST5EDT,M3.2.0,M11.1.0", 1805007599, (2027, 3, 14, 7, 119, 59)),
    ("EST5EDT,M3.2.0,M11.1.0", 1805007600, (2027, 3, 14, 7, 180, 0)),
    ("EST5EDT,M3.2.0,M11.1.0", 1825567199, (2027, 11, 7, 7, 119, 59)),
    ("EST5EDT,M3.2.0,M11.1.0", 1825567200, (2027, 11, 7, 7, 60, 0)),
    # Lord Howe: the southern summer spans the new year, and shifts by half an hour.
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1775314799, (2026, 4, 5, 7, 119, 59)),
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1775314800, (2026, 4, 5, 7, 90, 0)),
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1791041399, (2026, 10, 4, 7, 119, 59)),
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1791041400, (2026, 10, 4, 7, 150, 0)),
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1798722000, (2027, 1, 1, 5, 0, 0)),
    # Nuuk: the rule's time lies on the day before.
    ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1774745999, (2026, 3, 28, 6, 1379, 59)),
    ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1774746000, (2026, 3, 29, 7, 0, 0)),
    ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1792889999, (2026, 10, 24, 6, 1439, 59)),
    ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1792890000, (2026, 10, 24, 6, 1380, 0)),
)

WRONG = (
    ("", "name of 3 letters"),
    ("C8", "name of 3 letters"),
    ("CST", "not a time"),
    ("Asia/Shanghai", "not a time"),
    ("CST-25", "out of range"),
    ("CST-8:60", "out of range"),
    ("CST-8:", "not a time"),
    ("CST-8 ", "name of 3 letters"),
    ("<+08-8", "name of 3 letters"),
    ("<+>-8", "name of 3 letters"),
    ("CST-8,M3.5.0,M10.5.0", "no name of a summer time"),
    ("CET-1CEST", "two rules"),
    ("CET-1CEST,M3.5.0", "two rules"),
    ("CET-1CEST-2x,M3.5.0,M10.5.0", "left over"),
    ("CET-1CEST,J60,J300", "not a rule"),
    ("CET-1CEST,M3.5,M10.5.0", "not a rule"),
    ("CET-1CEST,M13.5.0,M10.5.0", "names no day"),
    ("CET-1CEST,M3.6.0,M10.5.0", "names no day"),
    ("CET-1CEST,M3.5.7,M10.5.0", "names no day"),
    ("CET-1CEST,M3.5.0/2x,M10.5.0", "not a time"),
    ("CET-1CEST,M3.5.0/168,M10.5.0", "out of range"),
    (8, "no text"),
    (None, "no text"),
)


def test_local_time():
    for text, unix_s, expected in CASES:
        assert read(text).local(unix_s) == expected, (text, unix_s, read(text).local(unix_s))


def test_one_zone_through_the_years_and_back():
    # The turns of a year are remembered; they must not be used for another one.
    berlin = read("CET-1CEST,M3.5.0,M10.5.0/3")
    for _ in range(2):
        for text, unix_s, expected in CASES:
            if text.startswith("CET"):
                assert berlin.local(unix_s) == expected
        assert berlin.local(1750000000) == (2025, 6, 15, 7, 1026, 40)


def test_wrong_zones_are_told():
    for text, why in WRONG:
        message = str(check.raises(ValueError, read, text))
        assert why in message and repr(text) in message and "\n" not in message, message


def test_the_calendar_day_by_day():
    """Walks from 2000-01-01, a Saturday, to the end of 2099."""
    number = zone.day_number(2000, 1, 1)
    weekday = 6
    for year in range(2000, 2100):
        february = 29 if year % 4 == 0 else 28
        for month, days in enumerate((31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), 1):
            for day in range(1, days + 1):
                assert zone.day_number(year, month, day) == number
                assert zone.date(number) == (year, month, day)
                assert zone.weekday(number) == weekday
                number += 1
                weekday = weekday % 7 + 1


check.run(globals())
