"""The exact frequency weightings A and C of IEC 61672-1:2013, annex E.

Table 3 of the standard gives them rounded to 0.1 dB; the formulas here give them exactly.
"""

import numpy as np
from numpy.typing import ArrayLike

POLE_1_HZ = 20.598997057568145
"""A and C: double pole at the low end."""
POLE_2_HZ = 107.65264864304628
"""A only."""
POLE_3_HZ = 737.8622307362899
"""A only."""
POLE_4_HZ = 12194.21714799801
"""A and C: double pole at the high end."""


def _c_gain(hz: np.ndarray) -> np.ndarray:
    f2 = hz**2
    return POLE_4_HZ**2 * f2 / ((f2 + POLE_1_HZ**2) * (f2 + POLE_4_HZ**2))


def _a_gain(hz: np.ndarray) -> np.ndarray:
    f2 = hz**2
    return _c_gain(hz) * f2 / np.sqrt((f2 + POLE_2_HZ**2) * (f2 + POLE_3_HZ**2))


_ONE_KILOHERTZ = np.array(1000.0)


def c_weighting(hz: ArrayLike) -> np.ndarray:
    """C weighting in dB at each of `hz` > 0, 0 at 1 kHz (formula E.1)."""
    return 20 * np.log10(_c_gain(np.asarray(hz, float)) / _c_gain(_ONE_KILOHERTZ))


def a_weighting(hz: ArrayLike) -> np.ndarray:
    """A weighting in dB at each of `hz` > 0, 0 at 1 kHz (formula E.6)."""
    return 20 * np.log10(_a_gain(np.asarray(hz, float)) / _a_gain(_ONE_KILOHERTZ))
