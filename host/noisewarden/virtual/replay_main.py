"""main.py of a box that replays a recording: beside each reading it prints the tenths of LAF.

The reading is already on the console; L10, L50 and L90 of the whole recording need what goes into
them.
"""

from noisebox import hal, start
from noisebox.retained import Retained
from noisebox.spotlight import RESTED


def tell(second, reading):
    if reading["laeq"] is not None:
        print("laf", *[f"{level:.2f}" for level in second.laf])


# The box was there before the recording began: its lamp need not rest as after a power cut.
retained = Retained(hal.rtc_memory)
retained.ledger[:] = RESTED
retained.save()

start.main(tell)
