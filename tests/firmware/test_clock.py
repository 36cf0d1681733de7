import check
from noisebox.clock import KEPT, SET, UNSET, Clock

PERIOD_MS = 1 << 30
"""At which `time.ticks_ms` wraps on the chip."""
JUNE_UNIX_S = 1780322400


class Ticks:
    """`time.ticks_ms` and `time.ticks_diff` of the chip."""

    def __init__(self, now_ms=0):
        self.now_ms = now_ms

    def ms(self):
        return self.now_ms % PERIOD_MS

    def diff(self, new, old):
        return (new - old + PERIOD_MS // 2) % PERIOD_MS - PERIOD_MS // 2


def clock_at(now_ms=0):
    ticks = Ticks(now_ms)
    return ticks, Clock(ticks.ms, ticks.diff)


def test_uptime_starts_at_nought_and_outlives_the_wrap():
    for start_ms in (0, PERIOD_MS - 1, PERIOD_MS // 2):
        ticks, clock = clock_at(start_ms)
        assert clock.uptime_ms() == 0
        for _ in range(40):
            ticks.now_ms += (
                6 * 24 * 3_600_000
            )  # the longest that may pass unseen: just under 2^29 ms
            clock.uptime_ms()
        assert clock.uptime_ms() == 40 * 6 * 24 * 3_600_000


def test_no_time_until_somebody_tells():
    ticks, clock = clock_at()
    ticks.now_ms = 5000
    assert clock.unix() is None and clock.quality == UNSET
    assert clock.set(JUNE_UNIX_S) is None
    assert clock.unix() == JUNE_UNIX_S and clock.quality == SET


def test_wall_time_follows_the_uptime():
    ticks, clock = clock_at(PERIOD_MS - 500)
    clock.set(JUNE_UNIX_S, 900)
    ticks.now_ms += 99
    assert clock.unix() == JUNE_UNIX_S
    ticks.now_ms += 1
    assert clock.unix() == JUNE_UNIX_S + 1
    ticks.now_ms += 100 * 24 * 3600
    assert clock.unix() == JUNE_UNIX_S + 1 + 24 * 360


def test_a_step_is_told_and_the_uptime_does_not_take_part():
    ticks, clock = clock_at()
    clock.set(JUNE_UNIX_S)
    ticks.now_ms += 10_000
    assert clock.set(JUNE_UNIX_S + 10) == 0
    assert clock.set(JUNE_UNIX_S + 13) == 3
    assert clock.set(JUNE_UNIX_S - 3600) == -3613
    assert clock.uptime_ms() == 10_000


def test_a_time_kept_over_a_reset_is_marked():
    _, clock = clock_at()
    clock.set(JUNE_UNIX_S, quality=KEPT)
    assert clock.quality == KEPT and clock.unix() == JUNE_UNIX_S
    assert clock.set(JUNE_UNIX_S + 2) == 2
    assert clock.quality == SET


def test_impossible_times_change_nothing():
    _, clock = clock_at()
    for wrong in (0, 1704067199, 4102444800, -1, 1780322400.0, "1780322400", None):
        check.raises(ValueError, clock.set, wrong)
        assert clock.unix() is None and clock.quality == UNSET
    for right in (1704067200, 4102444799):
        clock.set(right)
        assert clock.unix() == right


check.run(globals())
