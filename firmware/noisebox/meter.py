"""From the energies of the kernels to the levels of each second (IEC 61672-1, DESIGN 4.1 and 4.2).

The meter knows no hardware: whoever has frames hands them over block by block. Levels are dB re
20 µPa.

A block costs seven floats on the heap, 112 bytes on the chip: its A-weighted energy and three for
each of the averages F and S. Sums of energy are whole numbers, exact, and stay within a machine
word up to about 70 dB; above that each of the three takes another 32 bytes a block.
"""

# viper's ptr32 takes any buffer, which its stub does not say.
# pyright: reportArgumentType=false

from array import array
from math import exp, log10

from micropython import const

from noisebox import flags
from noisebox.coefficients import A_GAIN_DB, C_GAIN_DB, FULL_SCALE_SINE_DB, WEIGHTING
from noisebox.kernels import (
    CLIPPED,
    DC,
    ENERGY_A,
    ENERGY_C,
    ENERGY_Z,
    LEFT,
    PEAK_HIGH,
    PEAK_LOW,
    RESULTS,
    RIGHT,
    SIGNS,
    STATES,
    survey,
    weigh,
)
from noisebox.statistics import Minute

_SECOND_SAMPLES = const(48_000)
_TENTH_SAMPLES = const(4_800)

_F_SAMPLES = const(6_000)
_S_SAMPLES = const(48_000)
"""Time constants of F and S, 125 ms and 1 s (IEC 61672-1, 5.8.1)."""

_MIN_VALID_SAMPLES = const(43_200)
"""90 % of a second; with less it has no level."""

_UNDERRANGE_DB = const(7)
"""Closer than this to its own noise a microphone reads more than 1 dB high."""

_DEAD_DB = const(10)
"""No microphone is this much quieter than its own noise; units differ by ±3 dB."""

_WIND_DB = const(20)
"""LCeq − LAeq above which it is wind, not sound (DESIGN 4.2)."""

_WORD_BITS = const(24)
"""Of the words that `kernels.survey` looks at."""

_SIGN_BIT = const(1 << 23)
_HALF_SCALE_BIT = const(1 << 22)

_MAX_DC = const(1 << 17)
"""A quarter of full scale in the kernel's units; microphones have a few percent."""

_NOTHING = 1e-3
"""Energy in kernel units that stands for none, so that its logarithm exists."""
_ANYTHING = float("inf")


class Energy:
    """Sum of the energy of one weighting over a second, in units of 256 of the kernel's: a
    rounding of a block stays below 0.01 dB at 25 dB, and has no sign."""

    def __init__(self):
        self.sum = 0

    def add(self, result, at):
        """Adds the three words from `at` on of a kernel's result; returns what they came to."""
        energy = ((result[at + 2] << 10) + result[at + 1] << 4) + (result[at] + 128 >> 8)
        self.sum += energy
        return energy

    def mean(self, samples):
        """Mean energy of `samples` samples, kernel units."""
        return self.sum / samples * 256 if self.sum > 0 else _NOTHING


class Second:
    """Levels in dB of one second; one object, filled anew each second.

    n        seconds since the start, from 0.
    valid    samples that were there, of 48 000.
    flags    mask of WARMUP DEAD SLOT OVERLOAD UNDERRANGE WIND LOST.
    laf      LAF at each tenth of the second, 100 ms apart.

    The levels are None, and `laf` means nothing, with a flag of `flags.NO_LEVEL` and when more
    than a tenth of the samples was lost. Maxima are those of the running average, which goes on
    across seconds.
    """

    def __init__(self):
        self.n = -1
        self.flags = self.valid = 0
        self.laf = array("f", [0.0] * 10)
        self.clear()

    def clear(self):
        self.laeq = self.lceq = self.lzeq = None
        self.lafmax = self.lafmin = self.lasmax = self.lcpeak = None


class Meter:
    """Levels of one microphone.

    microphone   dict: `sensitivity_dbfs` (of 94 dB; a full-scale sine is 0 dBFS), `noise_dba` (its
                 own), `equalisation` (four words of `kernels.weigh`), and `bits` of its words if
                 they are known: they show a shifted line, but a recording has none.
    offset_db    what calibration adds; may be set anew at any time.

    The first second is WARMUP: microphone and filters settle in it. So is the second after a DEAD
    or SLOT, and one more when the line came alive in its later half: plugging in is never a
    level.
    """

    def __init__(self, microphone, offset_db):
        self.offset_db = offset_db
        self._full_scale_db = 94 - microphone["sensitivity_dbfs"] - FULL_SCALE_SINE_DB
        self._noise_dba = microphone["noise_dba"]
        bits = microphone.get("bits")
        self._last_bit = 1 << _WORD_BITS - bits if bits else None
        self._filters = array("i", WEIGHTING + tuple(microphone["equalisation"]))
        self._state = array("i", [0] * STATES)
        self._result = array("i", [0] * RESULTS)
        self._signs = array("i", [0] * SIGNS)
        self._second = Second()
        self._minute = Minute()
        self._minute_done = False
        self._a, self._c, self._z = Energy(), Energy(), Energy()
        self._block_samples = 0
        self._f = self._s = 0.0
        self._warming = True
        self._alive_early = False
        self._owed = 0
        self._start_second()

    def lose(self, count):
        """`count` samples are missing between the last block and the next: they take time, but
        carry no energy. What does not fit in this second counts for those that follow."""
        self._owed += count
        self._lost = True

    def block(self, frames, count):
        """Takes `count` frames (at most `kernels.BLOCK_FRAMES`), interleaved int32 words of which
        the even ones are the microphone. Returns the Second that ends with this block, or None.

        A second ends with the block that brings it to 48 000 samples, lost ones among them.
        """
        if count != self._block_samples:
            self._set_block(count)
        self._take_lost(count)
        result = self._result
        weigh(0, 0, frames, count, self._filters, self._state, result)
        self._z.add(result, ENERGY_Z)
        self._c.add(result, ENERGY_C)
        energy = self._a.add(result, ENERGY_A) * self._per_sample
        f = self._f = self._f + (energy - self._f) * self._f_step
        s = self._s = self._s + (energy - self._s) * self._s_step
        if f > self._f_max:
            self._f_max = f
        if f < self._f_min:
            self._f_min = f
        if s > self._s_max:
            self._s_max = s
        self._peak = max(self._peak, result[PEAK_HIGH], -result[PEAK_LOW])
        self._clipped += result[CLIPPED]
        self._valid += count
        self._taken += count
        if self._taken >= self._tenth_end:
            self._end_tenth(frames, count)
        return self._end_second() if self._taken >= _SECOND_SAMPLES else None

    def minute(self):
        """The Minute that the last Second completed, once; otherwise None."""
        done, self._minute_done = self._minute_done, False
        return self._minute if done else None

    def _set_block(self, count):
        self._block_samples = count
        self._per_sample = 256 / count
        self._f_step = 1 - exp(-count / _F_SAMPLES)
        self._s_step = 1 - exp(-count / _S_SAMPLES)

    def _take_lost(self, count):
        # In whole blocks, so that seconds go on to end exactly; what is over waits for more.
        lost = min(self._owed, _SECOND_SAMPLES - self._taken - count) // count * count
        if lost > 0:
            self._owed -= lost
            self._taken += lost
            self._lost = True

    def _start_second(self):
        self._taken = self._valid = 0
        self._lost = False
        self._tenths = 0
        self._tenth_end = _TENTH_SAMPLES
        self._left = self._right = 0
        self._mute = False
        self._start_averages()

    def _start_averages(self):
        self._a.sum = self._c.sum = self._z.sum = 0
        self._averaged_from = self._valid
        self._f_max = self._s_max = 0.0
        self._f_min = _ANYTHING
        self._peak = self._clipped = 0

    def _end_tenth(self, frames, count):
        """Notes LAF, for each tenth that passed, and looks at the wires."""
        while self._taken >= self._tenth_end and self._tenths < 10:
            self._second.laf[self._tenths] = self._level(self._f, A_GAIN_DB)
            self._tenths += 1
            self._tenth_end += _TENTH_SAMPLES
        survey(frames, count, self._signs)
        if self._last_bit and not self._signs[LEFT]:
            self._mute = True
        self._left |= self._signs[LEFT]
        self._right |= self._signs[RIGHT]
        if self._warming:
            if self._tenths <= 5:
                self._alive_early = self._speaks(self._left)
            # Leaves the last tenth: the transients are gone by then, and F and S start from it.
            if self._tenths <= 9:
                self._start_averages()

    def _end_second(self):
        second = self._second
        second.n += 1
        second.valid = self._valid
        second.clear()
        energy = self._a.mean(self._valid - self._averaged_from)
        laeq = self._level(energy, A_GAIN_DB)
        mask = self._wrong_wiring(laeq)
        if mask:
            self._warming = True
            if second.n == 0:
                mask |= flags.WARMUP
        elif self._warming:
            mask = flags.WARMUP
            self._warming = not self._alive_early
            self._f = self._s = energy
        elif self._valid >= _MIN_VALID_SAMPLES:
            mask = self._fill(second, laeq)
        if self._lost:
            mask |= flags.LOST
        second.flags = mask
        self._minute_done = self._minute.add(second)
        self._start_second()
        return second

    def _wrong_wiring(self, laeq):
        """The flag of a line that cannot be a microphone's, or 0."""
        left = self._left
        # A microphone of known words is never without noise: the wire broke in this second.
        broke = self._mute and not self._warming
        if broke or laeq < self._noise_dba - _DEAD_DB or (left and not self._speaks(left)):
            return flags.SLOT if self._speaks(self._right) else flags.DEAD
        # Words shifted by one bit, as of an SPH0645 at the wrong clock edge, have their sign in
        # the bit below. It changes alone, and while it does not, it may look like full-scale DC.
        shifted = left & (_SIGN_BIT | _HALF_SCALE_BIT) == _HALF_SCALE_BIT
        return flags.DEAD if shifted or abs(self._result[DC]) > _MAX_DC else 0

    def _speaks(self, changes):
        """Are these the bits that change in a microphone's words?

        Noise changes the last bit of each. The words of a line that nobody drives are the bit
        before, held for a while, then zeros; those of a shifted line end one bit off.
        """
        lowest = changes & -changes
        return lowest == self._last_bit or (self._last_bit is None and lowest > 0)

    def _fill(self, second, laeq):
        """Writes the levels; returns the marks that go with them."""
        second.laeq = laeq
        second.lceq = self._level(self._c.mean(self._valid), C_GAIN_DB)
        second.lzeq = self._level(self._z.mean(self._valid), 0)
        second.lafmax = self._level(self._f_max, A_GAIN_DB)
        second.lafmin = self._level(self._f_min, A_GAIN_DB)
        second.lasmax = self._level(self._s_max, A_GAIN_DB)
        second.lcpeak = self._level(self._peak * float(self._peak), C_GAIN_DB)
        mask = flags.OVERLOAD if self._clipped else 0
        if laeq < self._noise_dba + _UNDERRANGE_DB:
            mask |= flags.UNDERRANGE
        if second.lceq - laeq > _WIND_DB:
            mask |= flags.WIND
        return mask

    def _level(self, energy, gain_db):
        """Level in dB of a mean energy, a weighting's gain at 1 kHz made good."""
        return 10 * log10(max(energy, _NOTHING)) + gain_db + self._full_scale_db + self.offset_db
