"""What a second may carry beside its levels (DESIGN 4.2); a bit each, the same on box and host."""

from micropython import const

WARMUP = const(1)
DEAD = const(2)
SLOT = const(4)
OVERLOAD = const(8)
UNDERRANGE = const(16)
LOST = const(32)
WIND = const(64)
UNCALIBRATED = const(128)
CLOCK = const(256)

NO_LEVEL = const(1 | 2 | 4)
"""With any of these the second has no level at all: dashes."""

_NAMES = (
    "warmup",
    "dead",
    "slot",
    "overload",
    "underrange",
    "lost",
    "wind",
    "uncalibrated",
    "clock",
)


def names(mask):
    """Names of the bits of `mask`, lowest bit first."""
    return [name for bit, name in enumerate(_NAMES) if mask >> bit & 1]


def mask(flag_names):
    """The mask of an iterable of names; ValueError for a name that is not a flag."""
    bits = 0
    for name in flag_names:
        bits |= 1 << _NAMES.index(name)
    return bits
