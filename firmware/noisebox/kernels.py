"""One pass of integer arithmetic from a block of microphone samples to energies (DESIGN 4.1).

    sample -> DC removal -> equalisation                   -> Z energy
           -> two poles at 12.2 kHz and two at 20.6 Hz     -> C energy, C peak
           -> a pole at 108 Hz and one at 738 Hz           -> A energy

Signals carry 21 bits, the states of high-pass sections 10 fraction bits. Where a rounding would
distort quiet sounds (of the sample, and in the two low-pass sections) its rest goes into the next
sample. Every product, state and sum fits 32 signed bits for any input whatsoever:
`noisewarden.acoustics.overflow` computes the worst case of each, and the clamp after the
equalisation starts the count afresh. A PC hides an overflow in its 64 bits, so tests compare this
code with the real machine code of the chips.

Three habits of viper shape the text. In a .mpy the first two parameters stay in registers and all
other locals live in memory: `x` and `t` are those that the loop touches most. An expression plus a
local is cheaper than a local plus an expression. And a sum is cheaper than a difference, so the
high-pass sections keep their states, and with them their coefficients, with the sign reversed.
A sample costs 387 xtensawin instructions, survey included (412 where it clips), and 331 on RV32.
"""

import micropython
from micropython import const

BLOCK_FRAMES = const(480)
"""Stereo frames in a block: 10 ms at 48 kHz, the longest that keeps class 1 on short bursts and
the most for which the sums of squares fit."""

STATES = const(12)
"""Words of `state`: the filters' memories, all 0 at the start."""

ENERGY_Z = const(0)
ENERGY_C = const(3)
ENERGY_A = const(6)
PEAK_HIGH = const(9)
PEAK_LOW = const(10)
CLIPPED = const(11)
DC = const(12)
RESULTS = const(13)
"""Words of `result`. An energy is three words low, cross, high: sum(x²) = low + cross·2^12 +
high·2^22. x and the C peaks are in 2^-20 of full scale, the DC (of the last 85 ms) in 2^-19."""

LEFT = const(0)
RIGHT = const(1)
SIGNS = const(2)
"""Words of `signs`: the bits of the slot's 24-bit words that changed."""


@micropython.viper
def weigh(x: int, t: int, frames: ptr32, count: int, filters: ptr32, state: ptr32, result: ptr32):
    """Weighs `count` stereo frames (at most BLOCK_FRAMES), the microphone in the even words.

    x, t     0: they only reserve registers, see above.
    frames   interleaved int32 words, 24-bit samples left-justified as I2S delivers them.
    filters  array('i') of `coefficients.WEIGHTING` followed by the microphone's equalisation.
    state    array('i') of STATES words, kept from block to block.
    result   array('i') of RESULTS words, overwritten.
    """
    # A negative word read on a 64-bit PC has lost its sign: take 2^32 away there, 0 on a chip.
    wrap = 1 << 16
    wrap *= wrap
    dc = state[0] - (state[0] >> 31 & 1) * wrap
    shelf_high = state[1] - (state[1] >> 31 & 1) * wrap
    shelf_low = state[2] - (state[2] >> 31 & 1) * wrap
    low_1 = state[3] - (state[3] >> 31 & 1) * wrap
    low_2 = state[4] - (state[4] >> 31 & 1) * wrap
    high_1 = state[5] - (state[5] >> 31 & 1) * wrap
    high_2 = state[6] - (state[6] >> 31 & 1) * wrap
    high_3 = state[7] - (state[7] >> 31 & 1) * wrap
    high_4 = state[8] - (state[8] >> 31 & 1) * wrap
    rest = state[9]
    rest_1 = state[10]
    rest_2 = state[11]

    pole_low_1 = filters[0]
    pole_low_2 = filters[1]
    zero = filters[2] - (filters[2] >> 31 & 1) * wrap
    pole_1 = filters[3] - (filters[3] >> 31 & 1) * wrap
    pole_3 = filters[4] - (filters[4] >> 31 & 1) * wrap
    pole_4 = filters[5] - (filters[5] >> 31 & 1) * wrap
    shelf_high_pole = filters[6]
    shelf_high_gain = filters[7] - (filters[7] >> 31 & 1) * wrap
    shelf_low_pole = filters[8]
    shelf_low_gain = filters[9] - (filters[9] >> 31 & 1) * wrap

    z_low = z_cross = z_high = 0
    c_low = c_cross = c_high = 0
    a_low = a_cross = a_high = 0
    peak_high = peak_low = 0
    clipped = 0

    while count:
        count -= 1
        x = frames[0] >> 8 & 0xFFFFFF ^ 0x800000
        frames = ptr32(int(frames) + 8)
        # Within 2^-15 of full scale, where recordings of 16 bits clip. The highest words come
        # down, and zero is a little off the middle, so that `dc` fits at both ends of the range.
        if not (x + 256 & 0xFFFE00):
            clipped += 1
            x = x - (x >> 23 << 5)
        t = (dc >> 8) - 0x7FFFE8 + x + rest
        rest = t & 7
        x = t >> 3
        dc = dc - (x >> 1)

        t = x - shelf_high
        shelf_high = (t * shelf_high_pole >> 9) + shelf_high
        x = (t * shelf_high_gain >> 9) + x
        t = shelf_low >> 10
        shelf_low = ((x - t) * shelf_low_pole >> 5) + shelf_low
        x = (t * shelf_low_gain >> 8) + x
        if x + 0x100000 >> 21:
            clipped += 1
            x = 0xFFFFF - (x >> 24 & 0x1FFFFE)

        t = x >> 11
        z_high = t * t + z_high
        z_cross = (x & 2047) * t + z_cross
        t = x & 2047
        z_low = t * t + z_low

        t = (x - low_1) * pole_low_1 + rest_1
        rest_1 = t & 511
        x = (t >> 9) + low_1
        low_1 = x
        t = (x - low_2) * pole_low_2 + rest_2
        rest_2 = t & 511
        t = t >> 9
        x = t + low_2
        low_2 = x
        x = (t * zero >> 9) + x
        x = (high_1 >> 10) + x
        high_1 = (x * pole_1 >> 8) + high_1
        x = (high_2 >> 10) + x
        high_2 = (x * pole_1 >> 8) + high_2

        t = x >> 11
        c_high = t * t + c_high
        c_cross = (x & 2047) * t + c_cross
        t = x & 2047
        c_low = t * t + c_low
        if x > peak_high:
            peak_high = x
        if x < peak_low:
            peak_low = x

        x = (high_3 >> 10) + x
        high_3 = (x * pole_3 >> 5) + high_3
        x = (high_4 >> 10) + x
        high_4 = (x * pole_4 >> 2) + high_4

        t = x >> 11
        a_high = t * t + a_high
        a_cross = (x & 2047) * t + a_cross
        t = x & 2047
        a_low = t * t + a_low

    state[0] = dc
    state[1] = shelf_high
    state[2] = shelf_low
    state[3] = low_1
    state[4] = low_2
    state[5] = high_1
    state[6] = high_2
    state[7] = high_3
    state[8] = high_4
    state[9] = rest
    state[10] = rest_1
    state[11] = rest_2
    result[0] = z_low
    result[1] = z_cross
    result[2] = z_high
    result[3] = c_low
    result[4] = c_cross
    result[5] = c_high
    result[6] = a_low
    result[7] = a_cross
    result[8] = a_high
    result[9] = peak_high
    result[10] = peak_low
    result[11] = clipped
    result[12] = 0 - (dc >> 12)


@micropython.viper
def survey(frames: ptr32, count: int, signs: ptr32):
    """Looks at the wires: every 17th of `count` stereo frames, in which no usual tone repeats.

    signs    array('i') of SIGNS words, overwritten: for each slot, the bits of its 24-bit words
             that were not the same in all frames looked at.

    What they tell, a microphone being never without noise:
    * left 0: the line is constant, silent or dead;
    * left 0, right not: the microphone talks in the other slot;
    * bit 22 changes but not bit 23: the words come shifted by one bit, as from an SPH0645 read on
      the wrong clock edge, and their sign is in bit 22 (a sound that loud changes both);
    * the lowest bit that changes: the length of the microphone's words.
    """
    left = frames[0]
    right = frames[1]
    left_changes = 0
    right_changes = 0
    while count > 0:
        left_changes = (frames[0] ^ left) | left_changes
        right_changes = (frames[1] ^ right) | right_changes
        frames = ptr32(int(frames) + 8 * 17)
        count -= 17
    signs[0] = left_changes >> 8 & 0xFFFFFF
    signs[1] = right_changes >> 8 & 0xFFFFFF
