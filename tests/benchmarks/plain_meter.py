"""The meter that one writes first: A-weighting in floats, sample by sample, no machine code.

Three biquads and a sum of squares; the coefficients come as JSON in argv, the frames from a file.
It does less than the box (no C, Z, peak, F, S, flags), so the ratio to it flatters it.
"""

import json
import struct
import sys


def run(path, sections):
    states = [[0.0, 0.0] for _ in sections]
    total = 0.0
    count = 0
    block = bytearray(3840)
    with open(path, "rb") as file:
        while True:
            got = file.readinto(block) // 8
            if not got:
                return total / count
            for left, _ in [struct.unpack_from("<ii", block, 8 * n) for n in range(got)]:
                x = left / 2147483648.0
                for (b0, b1, b2, _, a1, a2), state in zip(sections, states):
                    y = b0 * x + state[0]
                    state[0] = b1 * x - a1 * y + state[1]
                    state[1] = b2 * x - a2 * y
                    x = y
                total += x * x
                count += 1


print(run(sys.argv[1], json.loads(sys.argv[2])))
