"""Stages to the second, reckoned by hand: k loud seconds of level L in a quiet window give an
LAeq,10s of L + 10·lg(k/10), that is L - 10 dB for one of them and L - 3.0 dB for five."""

import check
from courses import Course
from noisebox import flags, posix_tz
from noisebox.clock import Clock
from noisebox.policy import STOPS, whole
from noisebox.timetable import read

QUIET = 50.0
LOUD = 80.0

CHONGQING = posix_tz.read("CST-8")
EVENING_UNIX_S = 1780322370
"""Monday 2026-06-01 21:59:30 in Chongqing."""
DAY_AND_NIGHT = read(
    {
        "rows": [
            {"days": "1234567", "from": "06:00", "to": "22:00", "limit": 70},
            {"days": "1234567", "from": "22:00", "to": "06:00", "limit": 55},
        ]
    }
)


def test_whole_decibels_are_half_up_and_as_reported():
    # 70.4951 is reported as 70.50, so it counts as 71.
    for level, expected in (
        (70.49, 70),
        (70.4951, 71),
        (70.5, 71),
        (71.49, 71),
        (-0.5, 0),
        (0, 0),
    ):
        assert whole(level) == expected, level


def test_just_under_never_reminds():
    course = Course().play(700, 70.49)
    assert course.stages == [] and not course.policy.over


def test_just_over_goes_all_the_way():
    # 5 loud seconds are there in second 5 = T0; then T0 + 20 and T0 + 120.
    course = Course().play(200, 70.5)
    assert course.stages == [(5, 1), (25, 2), (125, 3)]
    assert course.lamp == [(25, True)]
    assert course.incidents == [(5, "opened")]


def test_one_horn_is_no_dance():
    # 4 s of 100 dB: LAeq,10s is 96 dB, but only 4 seconds are over.
    assert Course().play(60, QUIET).play(4, 100.0).play(60, QUIET).stages == []


def test_from_quiet_to_loud_and_back():
    course = Course().play(10, QUIET).play(130, LOUD).play(700, QUIET)
    # Loud is 11-140. T0 = 15 with the 5th loud second; 35; 135. After 140: LAeq,10s stays over the
    # limit while two loud seconds are in the window, till 148 (73 dB); 149 has one, 70.04 dB, in
    # whole dB the limit: the lamp goes out and nothing counts. 150-159 are ten clear seconds.
    assert course.stages == [(15, 1), (35, 2), (135, 3), (159, 2), (169, 1), (179, 0)]
    assert course.lamp == [(35, True), (149, False)]
    assert course.incidents == [(15, "opened"), (779, "ended")]


def test_flapping_around_the_limit():
    # 71 and 69 in turn: 10·lg((12.59 + 7.94)/2 · 10^6) = 70.1 dB, in whole dB at the limit.
    assert Course().play(600, (71.0, 69.0)).stages == []
    # 72 and 70: 71.1 dB, and 5 of 10 are over; the 5th of them is second 9.
    assert Course().play(40, (72.0, 70.0)).stages == [(9, 1), (29, 2)]
    # 73 and 40: 5 of 10 are over, and the mean is 70.0 dB (70.45 with 5 of the first 9).
    assert Course().play(600, (73.0, 40.0)).stages == []


def test_at_the_limit_the_count_holds():
    # T0 = 5. 15 s of 71 dB bring the count to 10. With 70 dB after them LAeq,10s is 70.53 dB (71)
    # while five seconds of 71 dB are left, till second 20: count 15. Then it holds. The other 71s
    # begin in second 46; five of them are there in 50: count 16, and 20 in second 54.
    course = Course().play(15, 71.0).play(30, 70.0).play(20, 71.0)
    assert course.stages == [(5, 1), (54, 2)]


def test_holding_breaks_the_row_of_clear_seconds():
    # The five loud seconds have left the window in 15, so 15-23 are nine clear seconds. One more
    # in 24 gives 70.04 dB, which holds, till it leaves the window in 34. Clear are 34-43.
    course = Course().play(5, LOUD).play(18, QUIET).play(1, LOUD).play(20, QUIET)
    assert course.stages == [(5, 1), (43, 0)]


def test_stepping_down_sets_the_count_back():
    # Loud 1-25: stage 2 in 25 with count 20; 26-30 keep five loud seconds in the window, count 25.
    # Clear from 35 (window 26-35) to 44: stage 1, count 0. Loud from 45: over in 49 with five of
    # ten, count 1; count 20 in 68.
    course = Course().play(25, LOUD).play(19, QUIET).play(30, LOUD)
    assert course.stages == [(5, 1), (25, 2), (44, 1), (68, 2)]


def bursts(number, every_s, mask=0):
    """5 s of 80 dB at the start of each `every_s`: the reminder comes in the 5th of them, the last
    has left the window in 15, and ten clear seconds end in 24."""
    course = Course()
    for _ in range(number):
        course.play(5, LOUD, mask=mask).play(every_s - 5, QUIET)
    return course


def test_the_fifth_reminder_in_ten_minutes_refers():
    course = bursts(5, 30)
    reminded = [(second, stage) for second, stage in course.stages if stage]
    # The lamp is out when one loud second is left, in 134. Ten clear seconds, 135-144, lead down.
    assert reminded == [(5, 1), (35, 1), (65, 1), (95, 1), (125, 3), (144, 2)]
    assert course.policy.reminders == 5
    assert course.lamp == [(125, True), (134, False)]


def test_ten_minutes_are_600_seconds():
    for every_s, stage in ((150, 3), (151, 1)):
        course = bursts(5, every_s)
        reminded = [stage for _, stage in course.stages if stage]
        assert reminded[4] == stage, every_s


def test_the_window_of_reminders_slides():
    # The sixth refers too, since it is the fifth of the last ten minutes.
    course = bursts(6, 100)
    assert [stage for _, stage in course.stages if stage] == [1, 1, 1, 1, 3, 2, 1, 3, 2, 1]
    course.play(600, QUIET)
    assert course.policy.reminders == 0


def test_reminders_under_a_stop_do_not_add_up():
    course = bursts(8, 30, flags.WIND)
    assert {stage for _, stage in course.stages} == {0, 1}
    assert course.policy.reminders == 0


def test_any_stop_ends_at_the_reminder():
    for mask in (flags.WIND, flags.UNCALIBRATED, flags.CLOCK):
        assert mask & STOPS
        course = Course().play(300, LOUD, mask=mask)
        assert course.stages == [(5, 1)] and course.lamp == []


def test_wind_in_the_middle():
    # T0 = 5; the count is 9 in 14. Wind from 15 to 24: it stays. Then 10 in 25 and 20 in 35.
    course = Course().play(14, LOUD).play(10, LOUD, mask=flags.WIND).play(20, LOUD)
    assert course.stages == [(5, 1), (35, 2)]
    # On stage 2 wind puts the lamp out for as long as it blows, and the stage holds.
    course.play(30, LOUD, mask=flags.WIND).play(5, LOUD)
    assert course.lamp == [(35, True), (45, False), (75, True)]
    assert course.policy.stage == 2
    # A higher stage falls under wind as it would without.
    course.play(60, QUIET, mask=flags.WIND)
    assert course.stages[2:] == [(98, 1), (108, 0)]  # no loud second in the window from 89 on


def test_an_overload_counts_only_when_its_own_level_is_over():
    # 10 s of 80 dB, count 5, then a clipped second: spotlight in 25 when it counts, else in 26.
    for level, second in ((LOUD, 25), (60.0, 26)):
        course = Course().play(10, LOUD).play(1, level, mask=flags.OVERLOAD).play(30, LOUD)
        assert course.stages == [(5, 1), (second, 2)], level


def test_an_overload_is_no_proof_of_quiet():
    # Clear would be 15-24; the clipped 20 starts the row anew: 21-30.
    course = Course().play(5, LOUD).play(14, QUIET)
    course.play(1, QUIET, mask=flags.OVERLOAD).play(20, QUIET)
    assert course.stages == [(5, 1), (30, 0)]


def test_the_first_second_has_no_level():
    # The warm-up takes second 1; the five loud seconds are 2-6.
    assert Course().play(1, None).play(30, LOUD).stages == [(6, 1), (26, 2)]


def test_three_seconds_without_level_hold_everything():
    # T0 = 5, count 5 in 10; 11-13 are lost; 6 in 14 and 20 in 28.
    course = Course().play(10, LOUD).play(3, None)
    assert course.policy.stage == 1 and course.policy.laeq10 is None and not course.policy.over
    course.play(22, LOUD)
    assert course.stages == [(5, 1), (28, 2)]
    # The lamp is out as long as there is no level, and back with the first one.
    course.play(3, None).play(5, LOUD)
    assert course.lamp == [(28, True), (36, False), (39, True)]


def test_fifteen_seconds_without_level_start_anew():
    # Stage 2 in 25. Lost 31-45: it holds in 31-40 and is 0 in 41. Five new seconds are 46-50.
    course = Course().play(30, LOUD).play(15, None).play(30, LOUD)
    assert course.stages == [(5, 1), (25, 2), (41, 0), (50, 1), (70, 2)]
    assert course.policy.reminders == 2
    assert course.incidents == [(5, "opened")]


def test_the_hold_is_for_one_loss():
    course = Course().play(30, LOUD)
    for _ in range(5):
        course.play(8, None).play(1, LOUD)
    assert course.policy.stage == 2


def test_what_was_before_a_long_loss_is_forgotten():
    # The window would still hold six loud seconds of ten.
    course = Course(hold_s=3).play(10, LOUD).play(4, None).play(10, LOUD)
    assert course.stages == [(5, 1), (14, 0), (19, 1)]


def test_seconds_left_out_are_seconds_without_level():
    for lost_s in (3, 10, 11, 15, 1000):
        skipped = Course().play(30, LOUD).skip(lost_s).play(60, LOUD)
        silent = Course().play(30, LOUD).play(lost_s, None).play(60, LOUD)
        # The policy can tell of a change only with the next second that it hears.
        late = [(max(second, 31 + lost_s), stage) for second, stage in silent.stages[2:]]
        assert skipped.stages[2:] == late, lost_s
        assert skipped.policy.stage == silent.policy.stage
        assert skipped.policy.reminders == silent.policy.reminders


def test_lost_seconds_in_the_window_are_left_out_of_the_mean():
    course = Course().play(3, 60.0).play(5, None).play(1, 70.0)
    # Three of 10^6 and one of 10^7: 10·lg(3.25·10^6) = 65.12 dB.
    assert abs(course.policy.laeq10 - 65.119) < 0.001
    # They keep their places: three seconds on, two of the first have left. 10·lg(14·10^6/5).
    course.play(3, 60.0)
    assert abs(course.policy.laeq10 - 64.472) < 0.001


def test_an_incident_goes_on_over_a_short_peace():
    # At 0 from 24; a second reminder 500 s later belongs to it. Its bursts end at 0 in 524.
    course = bursts(2, 500).play(200, QUIET)
    assert course.incidents == [(5, "opened"), (1124, "ended")]


def test_the_limit_changes_at_ten_and_at_six():
    """65 dB through the night: fine till 22:00, reminded at once, at peace from 06:00."""
    course = Course()
    for second in range(8 * 3600 + 120):
        course.play(1, 65.0, DAY_AND_NIGHT.limit(CHONGQING.local(EVENING_UNIX_S + second)))
    # Second 31 is 22:00:00. 06:00:00 is 28 800 s later, second 28 831; clear are 28 831-28 840.
    assert course.stages == [(31, 1), (51, 2), (151, 3), (28840, 2), (28850, 1), (28860, 0)]
    assert course.lamp == [(51, True), (28831, False)]


def test_setting_the_clock_back_moves_no_stage():
    ticks_ms = [0]
    clock = Clock(lambda: ticks_ms[0], lambda new, old: new - old)
    clock.set(EVENING_UNIX_S + 35)  # 22:00:05
    course = Course()
    limits = []
    for second in range(30):
        if second == 15:
            assert clock.set(clock.unix() - 3600) == -3600
        limits.append(DAY_AND_NIGHT.limit(CHONGQING.local(clock.unix())))
        course.play(1, LOUD, limits[-1])
        ticks_ms[0] += 1000
    assert limits == [55] * 15 + [70] * 15
    assert course.stages == [(5, 1), (25, 2)]


check.run(globals())
