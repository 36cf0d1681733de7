"""Whether to start the app at all. Pure: the reset cause, the button and the memory come in.

Three crashes in a row, or the button held at power-up, start no app: the console belongs to the
technician. A box on its pole has none, so after crashes the app is tried again ten minutes later.
"""

from micropython import const

_CRASHES = const(3)
RETRY_AFTER_S = const(600)
STABLE_AFTER_S = const(600)
"""After so long without a crash the count starts anew."""

RUN = const(0)
RETRY = const(1)
"""Start nothing, wait RETRY_AFTER_S, reset."""
STAY = const(2)
"""Start nothing until a person resets the box."""

_CRASH_CAUSES = const(("watchdog", "panic"))
"""Not "brownout": a weak supply is no fault of the firmware, and safe mode would not mend it."""


def decide(cause, button, retained):
    """RUN, RETRY or STAY after a reset of `cause` (`hal.reset_cause`); counts crashes."""
    if cause in _CRASH_CAUSES:
        retained.crashes += 1
    retained.asked = False
    retained.save()
    if button:
        return STAY
    return RETRY if retained.crashes >= _CRASHES else RUN


def crashed(retained):
    """The app ended by an exception: a crash, followed by a reset that the firmware asks for."""
    retained.crashes += 1
    asked_reset(retained)


def retrying(retained):
    """The wait of RETRY is over: one more crash brings safe mode back."""
    retained.crashes = _CRASHES - 1
    asked_reset(retained)


def attended(retained):
    """Ctrl-C: a person has the console. Resets are theirs from now on, the count starts anew."""
    retained.crashes = 0
    asked_reset(retained)


def asked_reset(retained):
    """Notes that the coming reset is wanted, so that it does not count as a panic."""
    retained.asked = True
    retained.save()
