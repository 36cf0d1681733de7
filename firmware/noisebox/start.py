"""From reset to the running app: the lamp goes out, the safe mode is decided, the files are read.

All that is needed but once is done before the app and its rooms take the heap.
"""

import asyncio
import gc
import json
import sys
import time

from micropython import const

from noisebox import hal, safemode
from noisebox.retained import Retained
from noisebox.setup import Files, Setup

BOARD = "board.json"

_LOADING_BYTES = const(2048)
_RUNNING_BYTES = const(8192)
"""Of new objects between two collections, beside the one at a fixed moment of each second. Without
this what lives long, as a connection does, would come to lie anywhere among a second's garbage."""

_TOOL_WATCHDOG_MS = const(30 * 60 * 1000)
"""After Ctrl-C: time enough for a deploy, since nothing stops the watchdog."""


def _read_board():
    """The dict of board.json, which a deploy writes; None when there is none that can be read."""
    try:
        with open(BOARD) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def darken():
    """The lamp goes out before anything else is tried."""
    board = _read_board()
    if board:
        hal.Switch(board["pins"]["relay"], board["relay"]["active_high"])


def main(watch=None):
    """Starts the box, or the safe mode. Comes back at Ctrl-C, and at the end of a recording.

    `watch(second, reading)` sees each second after all else is done (virtual boxes and tests).
    """
    retained = Retained(hal.rtc_memory)
    mode, cause = _decided(retained)
    if mode is None:
        print("noise warden: there is no board.json; deploy the firmware again")
    elif mode == safemode.RUN:
        _run(retained, cause, watch)
    elif mode == safemode.STAY:
        print("noise warden: safe mode, the button was held; reset the box to start it")
    else:
        _retry_later(retained)


def _decided(retained):
    """(mode of `safemode`, cause of the reset), both None when there is no board.

    Apart, so that the dict of the board does not stay for as long as the box runs.
    """
    board = _read_board()
    if board is None:
        return None, None
    cause = hal.reset_cause(board["chip"], retained.asked)
    return safemode.decide(cause, hal.button_held(board["pins"]["button"]), retained), cause


def _retry_later(retained):
    print(
        "noise warden: safe mode after {} crashes; next try in {} s, Ctrl-C for the REPL".format(
            retained.crashes, safemode.RETRY_AFTER_S
        )
    )
    try:
        time.sleep(safemode.RETRY_AFTER_S)
    except KeyboardInterrupt:
        safemode.attended(retained)
        return
    safemode.retrying(retained)
    hal.reset()


def _run(retained, cause, watch):
    app = None
    # While the rooms come in, garbage is collected often: or what stays would lie scattered among
    # it, and leave no piece of the heap that is large enough for the microphone's blocks.
    gc.threshold(_LOADING_BYTES)
    try:
        setup = Setup(_read_board(), Files())
        gc.collect()
        from noisebox.app import App

        gc.collect()
        app = App(setup, retained, cause, watch)
        del setup
        gc.threshold(_RUNNING_BYTES)
        asyncio.run(app.run())
    except KeyboardInterrupt:
        if app:
            app.stop()
        safemode.attended(retained)
        hal.watchdog(_TOOL_WATCHDOG_MS)
        print("noise warden: stopped, the lamp is out; Ctrl-D starts the box again")
    except Exception as error:
        # The outermost boundary: the lamp must not stay lit, and the box must come back.
        sys.print_exception(error)
        if app:
            app.stop()
        safemode.crashed(retained)
        hal.reset()
