"""Seconds, minutes and flags of the meter. How true it is, tests/system/test_standard.py tells."""

import gc
from array import array
from math import log10, pi, sin

import check
from noisebox import flags
from noisebox.coefficients import FLAT
from noisebox.kernels import BLOCK_FRAMES
from noisebox.meter import Meter
from noisebox.statistics import NO_LEVEL_DB10, Distribution

INMP441 = {"sensitivity_dbfs": -26.0, "noise_dba": 33.0, "equalisation": FLAT, "bits": 24}
SPH0645 = {"sensitivity_dbfs": -26.0, "noise_dba": 29.0, "equalisation": FLAT, "bits": 18}
RECORDING = {"sensitivity_dbfs": -26.0, "noise_dba": 18.0, "equalisation": FLAT}

BLOCKS = 100
"""Of 10 ms in a second."""
FULL = 1 << 31
FREE_HZ = 997
"""No divisor of the rate, as nothing in a square is."""


class Line:
    """What the I2S hands over: a microphone's words, and what a wrong wire makes of them.

    left, right   each a function of the microphone's word and its number that gives the word on
                  the slot, both signed and of 32 bits.
    """

    def __init__(self, left=None, right=None):
        self._left = left or (lambda word, at: word)
        self._right = right or (lambda word, at: 0)
        self._random = 1
        self._at = 0
        self._frames = array("i", [0] * (2 * BLOCK_FRAMES))
        self._noise = array("i", [self._draw() for _ in range(4096)])

    def _draw(self):
        # Four dice of one linear congruential generator: near enough to a microphone's own noise.
        total = 0
        for _ in range(4):
            self._random = (self._random * 1103515245 + 12345) & 0x7FFFFFFF
            total += (self._random >> 16) - 0x4000
        return total

    def block(self, level, hz=FREE_HZ):
        """One block of a tone of `level` dB on a microphone's noise of 34 dB, 31 dB(A)."""
        frames, noise = self._frames, self._noise
        peak = 10 ** ((level - 120) / 20) * 0x7FFFFF
        step = 2 * pi * hz / 48_000
        for i in range(BLOCK_FRAMES):
            at = self._at
            word = int(peak * sin(step * at)) + (noise[(at * 7 + at // 4096) & 4095] >> 6)
            word = max(-0x800000, min(0x7FFFFF, word)) << 8
            frames[2 * i] = self._left(word, at)
            frames[2 * i + 1] = self._right(word, at)
            self._at += 1
        return frames


def seconds(meter, line, levels, hz=FREE_HZ):
    """Runs the tone of each of `levels` for a second; returns what each second came to, copied."""
    rows = []
    for level in levels:
        for _ in range(BLOCKS):
            second = meter.block(line.block(level, hz), BLOCK_FRAMES)
            if second:
                rows.append(copied(second))
    return rows


class Row:
    """A second that stays as it is."""


def copied(second):
    row = Row()
    for name in (
        "n",
        "laeq",
        "lceq",
        "lzeq",
        "lafmax",
        "lafmin",
        "lasmax",
        "lcpeak",
        "valid",
        "flags",
    ):
        setattr(row, name, getattr(second, name))
    row.laf = list(second.laf)
    return row


def assert_near(level, wanted, tolerance=0.1):
    assert level is not None and abs(level - wanted) <= tolerance, (level, wanted)


def assert_no_level(row):
    for name in ("laeq", "lceq", "lzeq", "lafmax", "lafmin", "lasmax", "lcpeak"):
        assert getattr(row, name) is None, name


def signed(word):
    """The low 32 bits of `word` as a signed number."""
    word &= 0xFFFFFFFF
    return word - (1 << 32) if word >> 31 else word


# --- seconds ----------------------------------------------------------------------------------


def test_first_second_is_warm_up_and_the_next_has_true_levels():
    first, second = seconds(Meter(INMP441, 0), Line(), (80, 80))
    assert first.n == 0 and first.flags == flags.WARMUP
    assert_no_level(first)
    assert second.n == 1 and second.flags == 0 and second.valid == 48_000
    for name in ("laeq", "lceq", "lzeq", "lafmax", "lafmin", "lasmax"):
        assert_near(getattr(second, name), 80)
    assert_near(second.lcpeak, 80 + 3.01, 0.3)
    for level in second.laf:
        assert_near(level, 80)


def test_sensitivity_and_calibration_move_every_level():
    softer = dict(INMP441)
    softer["sensitivity_dbfs"] = -29.0
    meter = Meter(softer, 0.5)
    row = seconds(meter, Line(), (80, 80))[1]
    for name in ("laeq", "lceq", "lzeq", "lafmax", "lasmax"):
        assert_near(getattr(row, name), 83.5)
    assert_near(row.lcpeak, 86.5, 0.3)
    meter.offset_db = 0.0
    assert_near(seconds(meter, Line(), (80,))[0].laeq, 83.0)


def test_start_up_of_the_microphone_does_not_leak():
    # Zeros for 85 ms, then at once a DC of 5 % of full scale.
    line = Line(left=lambda word, at: word + FULL // 20 if at > 4080 else 0)
    rows = seconds(Meter(INMP441, 0), line, (70, 70))
    assert rows[1].flags == 0
    assert_near(rows[1].lafmax, 70)
    assert_near(rows[1].lasmax, 70)
    assert_near(rows[1].lcpeak, 73, 0.3)


def test_averages_go_on_across_seconds():
    rows = seconds(Meter(INMP441, 0), Line(), (80, 80, 60))
    # F forgets 20 dB at 34.7 dB/s, S at 4.34 dB/s; the maxima are at the first block's end.
    assert_near(rows[2].lafmax, 80 - 0.35, 0.2)
    assert_near(rows[2].lasmax, 80 - 0.04, 0.1)
    assert_near(rows[2].laf[0], 80 - 3.4, 0.2)
    assert_near(rows[2].lafmin, 60.1, 0.3)


def test_loud_and_quiet_are_marked():
    meter, line = Meter(INMP441, 0), Line()
    rows = seconds(meter, line, (70, 121, 70))
    assert [row.flags for row in rows[1:]] == [flags.OVERLOAD, 0]
    for level, mark in ((0, flags.UNDERRANGE), (38, flags.UNDERRANGE), (42, 0)):
        row = seconds(Meter(INMP441, 0), Line(), (level, level))[1]
        assert row.flags == mark and row.laeq is not None, level


def test_wind_is_a_deep_roar():
    rows = seconds(Meter(INMP441, 0), Line(), (100, 100), hz=31)
    assert rows[1].flags == flags.WIND
    # At 63 Hz C and A are 25 dB apart, at 125 Hz 16 dB.
    assert seconds(Meter(INMP441, 0), Line(), (100, 100), hz=125)[1].flags == 0


def test_a_block_costs_seven_floats():
    meter = Meter(RECORDING, 0)
    quiet = tone_block(60)
    for _ in range(2 * BLOCKS + 1):
        meter.block(quiet, BLOCK_FRAMES)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    half = before / 2
    one_float = gc.mem_alloc() - before
    before = gc.mem_alloc()
    meter.block(quiet, BLOCK_FRAMES)
    cost = gc.mem_alloc() - before
    gc.enable()
    assert half and cost == 7 * one_float, (cost, one_float)


# --- lost samples -----------------------------------------------------------------------------


def run_with_loss(lost, blocks_after):
    meter, line = Meter(INMP441, 0), Line()
    seconds(meter, line, (70, 70))
    meter.lose(lost)
    rows = []
    for _ in range(blocks_after):
        second = meter.block(line.block(70), BLOCK_FRAMES)
        if second:
            rows.append(copied(second))
    return rows


def test_a_few_lost_samples_leave_a_level():
    rows = run_with_loss(4_800, 190)
    assert [row.flags for row in rows] == [flags.LOST, 0]
    assert rows[0].valid == 43_200
    assert_near(rows[0].laeq, 70)


def test_more_than_a_tenth_lost_is_no_level():
    rows = run_with_loss(4_800 + BLOCK_FRAMES, 189)
    assert [row.flags for row in rows] == [flags.LOST, 0]
    assert_no_level(rows[0])
    assert_near(rows[1].laeq, 70)


def test_seconds_go_on_with_the_clock_over_a_long_loss():
    rows = run_with_loss(3 * 48_000, 200)
    assert [row.n for row in rows] == [2, 3, 4, 5, 6]
    assert [row.flags & flags.LOST for row in rows[:3]] == [flags.LOST] * 3
    for row in rows[:3]:
        assert_no_level(row)
    assert rows[-1].flags == 0
    assert_near(rows[-1].laeq, 70)


# --- wrong wiring -----------------------------------------------------------------------------


def right_slot(word, at):
    return word


def held(word, at):
    """A line that nobody drives: the other slot's last bit, fading after 4 to 11 bits."""
    return -(1 << (28 - at % 8)) if at * 5 % 3 else 0


def eighteen(word):
    """A word of the SPH0645: 18 bits and a DC of −5 % of full scale."""
    return (word - FULL // 20) >> 14 << 14


WRONG = (
    ("silent", INMP441, lambda word, at: 0, None, 65, flags.DEAD),
    ("tied high", INMP441, lambda word, at: -1, None, 65, flags.DEAD),
    ("constant", INMP441, lambda word, at: 0x12345600, None, 65, flags.DEAD),
    ("last bit only", INMP441, lambda word, at: (at * 7 // 5 % 3 - 1) << 8, None, 65, flags.DEAD),
    ("right-justified", INMP441, lambda word, at: word >> 16, None, 50, flags.DEAD),
    ("DC", INMP441, lambda word, at: (word >> 1) + FULL // 2, None, 65, flags.DEAD),
    ("nobody drives it", INMP441, held, held, 65, flags.DEAD),
    ("wrong slot", INMP441, lambda word, at: 0, right_slot, 65, flags.SLOT),
    ("wrong slot, floating", INMP441, held, right_slot, 65, flags.SLOT),
    ("silent recording", RECORDING, lambda word, at: 0, None, 65, flags.DEAD),
    ("late", INMP441, lambda word, at: signed(word << 1), None, 65, flags.DEAD),
    ("SPH0645 late", SPH0645, lambda word, at: signed(eighteen(word) << 1), None, 65, flags.DEAD),
    (
        "SPH0645 early",
        SPH0645,
        lambda word, at: eighteen(word) >> 1 & 0x7FFFFFFF,
        None,
        65,
        flags.DEAD,
    ),
    (
        "SPH0645 early, loud",
        SPH0645,
        lambda word, at: eighteen(word) >> 1 & 0x7FFFFFFF,
        None,
        112,
        flags.DEAD,
    ),
    ("early", INMP441, lambda word, at: word >> 1 & 0x7FFFFFFF, None, 65, flags.DEAD),
)
"""Name, microphone, what the left and the right slot hold, level of the tone, flag."""


def test_wrong_wiring_is_told_within_two_seconds_and_never_a_level():
    for name, microphone, left, right, level, flag in WRONG:
        rows = seconds(Meter(microphone, 0), Line(left, right), (level, level, level))
        assert rows[0].flags == flag | flags.WARMUP, (name, rows[0].flags)
        for row in rows[1:]:
            assert row.flags == flag, (name, row.flags)
        for row in rows:
            assert_no_level(row)


RIGHT = (
    ("DC of 5 %", INMP441, lambda word, at: word + FULL // 20, None, 70),
    ("both slots", INMP441, None, right_slot, 70),
    ("SPH0645", SPH0645, lambda word, at: eighteen(word), None, 70),
    ("recording of 16 bits", RECORDING, lambda word, at: word >> 16 << 16, None, 70),
    ("near full scale", INMP441, None, None, 118),
)


def test_right_wiring_is_not_accused():
    for name, microphone, left, right, level in RIGHT:
        row = seconds(Meter(microphone, 0), Line(left, right), (level, level))[1]
        assert row.flags == 0, (name, row.flags)
        assert_near(row.laeq, level)


def test_the_second_in_which_the_wire_breaks_has_no_level():
    for broken_at_s in (1.05, 1.45, 1.85):

        def left(word, at, broken=int(broken_at_s * 48_000)):
            return word if at < broken else 0

        rows = seconds(Meter(INMP441, 0), Line(left), (70, 70, 70))
        assert [row.flags for row in rows] == [flags.WARMUP, flags.DEAD, flags.DEAD], broken_at_s
        for row in rows:
            assert_no_level(row)


def test_plugging_in_is_not_a_level():
    dead = flags.DEAD | flags.WARMUP
    for alive_at_s, wanted in (
        (1.4, [dead, flags.WARMUP, 0, 0]),
        (1.8, [dead, flags.WARMUP, flags.WARMUP, 0]),
    ):
        plugged = int(alive_at_s * 48_000)

        def left(word, at, plugged=plugged):
            if at < plugged:
                return 0
            # The plug makes a bang of 2 ms.
            return FULL - 256 if at < plugged + 96 else word

        rows = seconds(Meter(INMP441, 0), Line(left), (70, 70, 70, 70))
        assert [row.flags for row in rows] == wanted, alive_at_s
        for row in rows:
            if row.flags:
                assert_no_level(row)
            else:
                assert_near(row.laeq, 70)
                assert_near(row.lafmax, 70)
                assert_near(row.lcpeak, 73, 0.3)


# --- minutes ----------------------------------------------------------------------------------


def tone_block(level):
    """Ten cycles of 1 kHz, so that block may follow block."""
    peak = 10 ** ((level - 120) / 20) * 0x7FFFFF
    frames = array("i", [0] * (2 * BLOCK_FRAMES))
    for i in range(BLOCK_FRAMES):
        frames[2 * i] = int(peak * sin(2 * pi * i / 48)) << 8
    return frames


MINUTE_BLOCKS = (tone_block(60), tone_block(80))


def test_minute_of_two_levels():
    meter = Meter(INMP441, 0)
    done = []
    for n in range(121):
        # 15 s at 80 dB, the rest at 60 dB.
        for _ in range(BLOCKS):
            second = meter.block(MINUTE_BLOCKS[n % 60 < 15], BLOCK_FRAMES)
        assert second.n == n
        minute = meter.minute()
        assert meter.minute() is None
        if minute:
            done.append((n, minute.laeq, minute.valid_s, minute.flags, list(minute.seconds)))
            values = minute.laeq, minute.lafmax, minute.lafmin, minute.lcpeak
            percentiles = minute.l10, minute.l50, minute.l90
    assert [row[0] for row in done] == [59, 119]
    first, second = done
    assert first[2:4] == (59, flags.WARMUP) and first[4][0] == NO_LEVEL_DB10
    # The weighting is 0.1 ms late: so much of 80 dB adds 0.06 dB to the first second of 60 dB.
    assert second[2:4] == (60, 0) and second[4] == [800] * 15 + [601] + [600] * 44
    assert_near(values[0], 10 * log10((15 * 10**8 + 45 * 10**6) / 60), 0.05)
    assert_near(values[1], 80, 0.05)
    assert_near(values[2], 60, 0.05)
    # A tone that sets in overshoots: the double-precision meter gives 83.29 too.
    assert_near(values[3], 83.29, 0.05)
    assert_near(percentiles[0], 80, 0.11)
    assert_near(percentiles[1], 60, 0.11)
    assert_near(percentiles[2], 60, 0.11)


def test_minute_with_no_level_has_none():
    meter, silence = Meter(INMP441, 0), array("i", [0] * (2 * BLOCK_FRAMES))
    for _ in range(60 * BLOCKS):
        meter.block(silence, BLOCK_FRAMES)
    minute = meter.minute()
    assert minute.valid_s == 0 and minute.flags == flags.DEAD | flags.WARMUP
    for name in ("laeq", "lafmax", "lafmin", "lcpeak", "l10", "l50", "l90"):
        assert getattr(minute, name) is None, name
    assert list(minute.seconds) == [NO_LEVEL_DB10] * 60


def test_percentiles_count_from_the_loud_end():
    levels = Distribution()
    assert levels.exceeded(50) is None
    for level in range(1, 101):
        levels.add(level)
    assert [levels.exceeded(percent) for percent in (1, 10, 50, 90, 100)] == [100, 91, 51, 11, 1]
    levels.add(-5)
    levels.add(300)
    assert levels.exceeded(1) == 100 and levels.exceeded(100) == 0
    levels.clear()
    assert levels.exceeded(10) is None


check.run(globals())
