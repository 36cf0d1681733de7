"""Runs kernels and meter over raw files of int32 stereo frames, as the I2S would give them.

    micropython meter_driver.py FILE…    prints a JSON line a second, and {} after each file

Each file meets a meter that has just been switched on, of a microphone without noise of its own.
"""

import json
import sys

from noisebox.coefficients import FLAT
from noisebox.flags import names
from noisebox.kernels import BLOCK_FRAMES
from noisebox.meter import Meter

FRAME_BYTES = 8
MICROPHONE = {"sensitivity_dbfs": -26.0, "noise_dba": -30.0, "equalisation": FLAT}
LEVELS = ("laeq", "lceq", "lzeq", "lafmax", "lasmax", "lcpeak")


def row(second):
    row = {name: getattr(second, name) for name in LEVELS}
    row["n"] = second.n
    row["valid"] = second.valid
    row["flags"] = names(second.flags)
    row["laf"] = list(second.laf)
    return row


def run(path):
    meter = Meter(MICROPHONE, 0)
    block = bytearray(BLOCK_FRAMES * FRAME_BYTES)
    with open(path, "rb") as file:
        while True:
            count = file.readinto(block) // FRAME_BYTES
            if not count:
                return
            second = meter.block(block, count)
            if second:
                print(json.dumps(row(second)))


for path in sys.argv[1:]:
    run(path)
    print("{}")
