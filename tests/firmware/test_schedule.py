import check
from noisebox import schedule
from noisebox.timetable import day_of, problems, read

ALL_DAYS = "1234567"


def row(days, start, end, limit):
    return {"days": days, "from": start, "to": end, "limit": limit}


def exception(first, last, start, end, limit):
    return {"from_date": first, "to_date": last, "from": start, "to": end, "limit": limit}


def week(*rows, exceptions=()):
    return {"rows": list(rows), "exceptions": list(exceptions)}


DAY_AND_NIGHT = (row(ALL_DAYS, "06:00", "22:00", 70), row(ALL_DAYS, "22:00", "06:00", 55))


def local(year, month, day, weekday, time):
    return year, month, day, weekday, schedule.minute_of(time), 0


def test_day_and_night():
    limits = read(week(*DAY_AND_NIGHT))
    for time, limit in (
        ("00:00", 55),
        ("05:59", 55),
        ("06:00", 70),
        ("21:59", 70),
        ("22:00", 55),
        ("23:59", 55),
    ):
        assert limits.limit(local(2026, 6, 1, 1, time)) == limit, time
    assert limits.highest() == 70


def test_a_row_over_midnight_belongs_to_the_day_it_starts_on():
    # Friday and Saturday night louder, and later: from 23:00 to 07:00.
    limits = read(
        week(
            row("12347", "22:00", "06:00", 55),
            row("56", "23:00", "07:00", 60),
            row("12345", "06:00", "22:00", 70),
            row("5", "22:00", "23:00", 70),
            row("6", "07:00", "23:00", 72),
            row("7", "07:00", "22:00", 65),
        )
    )
    # 2026-06-05 is a Friday.
    for day, weekday, time, limit in (
        (5, 5, "05:59", 55),
        (5, 5, "22:59", 70),
        (5, 5, "23:00", 60),
        (6, 6, "06:59", 60),
        (6, 6, "07:00", 72),
        (6, 6, "23:00", 60),
        (7, 7, "06:59", 60),
        (7, 7, "07:00", 65),
        (7, 7, "22:00", 55),
        (8, 1, "05:59", 55),
        (8, 1, "06:00", 70),
    ):
        assert limits.limit(local(2026, 6, day, weekday, time)) == limit, (day, time)


def test_from_equal_to_is_a_whole_day():
    assert (
        read(week(row(ALL_DAYS, "00:00", "00:00", 60))).limit(local(2026, 6, 1, 1, "12:00")) == 60
    )
    # From 08:00 to 08:00: Monday's lasts till Tuesday 08:00.
    limits = read(week(row("1", "08:00", "08:00", 50), row("234567", "08:00", "08:00", 60)))
    for day, weekday, time, limit in (
        (1, 1, "07:59", 60),
        (1, 1, "08:00", 50),
        (2, 2, "07:59", 50),
    ):
        assert limits.limit(local(2026, 6, day, weekday, time)) == limit


def test_an_exception_wins_and_a_later_one_wins_over_it():
    limits = read(
        week(
            *DAY_AND_NIGHT,
            exceptions=(
                exception("2026-06-07", "2026-06-09", "12:00", "14:00", 50),  # exams
                exception("2026-06-09", "2026-06-09", "13:00", "13:30", 45),
                exception("2026-12-31", "2026-12-31", "20:00", "02:00", 85),  # the new year
            ),
        )
    )
    for date, time, limit in (
        ((2026, 6, 6, 6), "12:30", 70),
        ((2026, 6, 7, 7), "11:59", 70),
        ((2026, 6, 7, 7), "12:00", 50),
        ((2026, 6, 9, 2), "13:00", 45),
        ((2026, 6, 9, 2), "13:30", 50),
        ((2026, 6, 9, 2), "14:00", 70),
        ((2026, 6, 10, 3), "12:30", 70),
        ((2026, 12, 31, 4), "01:00", 55),
        ((2026, 12, 31, 4), "20:00", 85),
        ((2027, 1, 1, 5), "01:59", 85),
        ((2027, 1, 1, 5), "02:00", 55),
        ((2027, 1, 1, 5), "20:00", 70),
    ):
        assert limits.limit(local(*date, time)) == limit, (date, time)
    assert limits.highest() == 85


def test_within():
    for start, end, inside, outside in (
        (360, 1320, (360, 1319), (359, 1320)),
        (1320, 360, (1320, 1439, 0, 359), (360, 1319)),
        (600, 600, (0, 599, 600, 1439), ()),
    ):
        for minute in inside:
            assert schedule.within(start, end, minute), (start, end, minute)
        for minute in outside:
            assert not schedule.within(start, end, minute), (start, end, minute)


def test_times_and_dates():
    assert schedule.minute_of("00:00") == 0 and schedule.minute_of("23:59") == 1439
    for wrong in ("24:00", "25:00", "12:60", "6:00", "06:0", "0600", "+6:00", "", None, 600):
        check.raises(ValueError, schedule.minute_of, wrong)
    assert day_of("2028-03-01") - day_of("2028-02-28") == 2
    for wrong in ("2026-02-29", "2026-04-31", "2026-13-01", "2026-00-10", "2026-01-00"):
        check.raises(ValueError, day_of, wrong)
    for wrong in ("1999-12-31", "2100-01-01", "26-01-01", "2026/01/01", None, 20260101):
        check.raises(ValueError, day_of, wrong)


def changed(index=0, kind="rows", **values):
    """A good schedule with some values of one entry changed, or taken out when None is given."""
    config = week(
        *(dict(entry) for entry in DAY_AND_NIGHT),
        exceptions=[exception("2026-06-07", "2026-06-09", "12:00", "14:00", 50)],
    )
    for key, value in values.items():
        key = key.rstrip("_")
        if value is None:
            del config[kind][index][key]
        else:
            config[kind][index][key] = value
    return config


def test_a_good_schedule_has_no_problems():
    for config in (changed(), {}, {"exceptions": []}, {"rows": list(DAY_AND_NIGHT)}):
        assert problems(config) == []


def test_each_wrong_key_is_named():
    for config, expected in (
        (changed(1, from_="25:00"), "schedule.rows[1].from: '25:00' is not a time HH:MM"),
        (changed(0, to=22), "schedule.rows[0].to: 22 is not a time HH:MM"),
        (changed(0, to=None), "schedule.rows[0].to: is missing"),
        (
            changed(0, days="1238"),
            "schedule.rows[0].days: '1238' is not weekdays, 1 (Monday) to 7",
        ),
        (changed(0, days=""), "schedule.rows[0].days: '' is not weekdays, 1 (Monday) to 7"),
        (
            changed(0, limit=29),
            "schedule.rows[0].limit: 29 is not a whole number of dB, 30 to 100",
        ),
        (
            changed(0, limit=True),
            "schedule.rows[0].limit: True is not a whole number of dB, 30 to 100",
        ),
        (
            changed(0, limit=70.5),
            "schedule.rows[0].limit: 70.5 is not a whole number of dB, 30 to 100",
        ),
        (
            changed(0, til="06:00"),
            "schedule.rows[0].til: unknown key, known are days, from, to, limit",
        ),
        (
            changed(0, "exceptions", from_date="2026-02-30"),
            "schedule.exceptions[0].from_date: '2026-02-30' is not a date YYYY-MM-DD",
        ),
        (
            changed(0, "exceptions", to_date="2026-06-06"),
            "schedule.exceptions[0].to_date: is before from_date",
        ),
        ({"row": []}, "schedule.row: unknown key, known are rows, exceptions"),
        ({"rows": {}}, "schedule.rows: is not a list of 32 at most"),
        ({"rows": [{}] * 33}, "schedule.rows: is not a list of 32 at most"),
        ({"rows": []}, "schedule.rows: is empty"),
        ({"rows": [70]}, "schedule.rows[0]: 70 is not an object"),
        ([], "schedule: [] is not an object"),
    ):
        assert problems(config) == [expected], problems(config)
        check.raises(ValueError, read, config)


def test_all_wrong_keys_are_named_at_once():
    config = changed(0, from_="x", limit=500)
    config["exceptions"][0]["days"] = "1"
    assert [line.split(":")[0] for line in problems(config)] == [
        "schedule.rows[0].from",
        "schedule.rows[0].limit",
        "schedule.exceptions[0].days",
    ]


def test_a_long_wrong_value_is_cut():
    assert len(problems(changed(0, days="x" * 1000))[0]) < 120


def test_gaps_and_overlaps_are_named():
    day, night = DAY_AND_NIGHT
    for rows, expected in (
        ((day,), ["no limit from Monday 22:00 to Tuesday 06:00"]),
        (
            (row("123456", "06:00", "22:00", 70), night),
            ["no limit from Sunday 06:00 to Sunday 22:00"],
        ),
        (
            (day, row("123456", "22:00", "06:00", 55)),
            ["no limit from Sunday 22:00 to Monday 06:00"],
        ),
        ((day, row(ALL_DAYS, "21:59", "06:00", 55)), ["two limits at Monday 21:59"]),
        ((day, night, row("7", "23:00", "07:00", 60)), ["two limits at Sunday 23:00"]),
        ((row(ALL_DAYS, "06:00", "06:00", 60), day), ["two limits at Monday 06:00"]),
        (
            (row("1", "06:00", "23:00", 70), row("1", "22:00", "06:00", 55)),
            ["no limit from Tuesday 06:00 to Monday 06:00", "two limits at Monday 22:00"],
        ),
        # A period that lies wholly within another.
        (
            (row(ALL_DAYS, "00:00", "00:00", 60), row("3", "10:00", "11:00", 50)),
            ["two limits at Wednesday 10:00"],
        ),  # fmt: skip
    ):
        expected = ["schedule.rows: " + line for line in expected]
        assert problems(week(*rows)) == expected, problems(week(*rows))


def test_a_schedule_needs_rows():
    check.raises(ValueError, read, {"exceptions": []})


check.run(globals())
