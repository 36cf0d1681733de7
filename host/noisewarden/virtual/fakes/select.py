"""`select`: MicroPython's own, but for the `poll` of virtual time."""

from _chip import clock
from uselect import *  # noqa: F403

if clock:
    from _virtual import Poll as poll  # noqa: F401
