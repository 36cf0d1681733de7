"""For MicroPython: runs a kernel over a file of frames as the tests run its machine code under
qemu.

    micropython on_pc.py FOLDER FRAMES COEFFICIENT…

FOLDER holds kernels.py. The words of `result` of every block go to stdout, and at the end `state`.
"""

import sys
from array import array

sys.path.insert(0, sys.argv[1])
import kernels  # pyright: ignore[reportMissingImports]

filters = array("i", [int(word) for word in sys.argv[3:]])
state = array("i", [0] * kernels.STATES)
result = array("i", [0] * kernels.RESULTS)
frames = array("i", [0] * (2 * kernels.BLOCK_FRAMES))
with open(sys.argv[2], "rb") as file:
    while file.readinto(frames):
        kernels.weigh(0, 0, frames, kernels.BLOCK_FRAMES, filters, state, result)
        sys.stdout.buffer.write(result)
sys.stdout.buffer.write(state)
