"""Designs the integer coefficients of `noisebox.kernels`.

The kernel's sections are first order, so that every product fits 32 bits:

* high-pass  y = x − s,  s ← s + κ·y          H = (1 − z⁻¹) / (1 − (1 − κ) z⁻¹)
* low-pass   y ← y + κ·(x − y)                H = κ / (1 − (1 − κ) z⁻¹)
* zero       y − c·(y − previous y)           H = 1 − c (1 − z⁻¹)

Their κ are not those of a bilinear transform but fitted together to the exact curves of
IEC 61672-1:2013 annex E, which leaves 0.03 dB where the transform leaves 2 dB at 12.5 kHz.
`noisewarden.acoustics.overflow` proves that nothing in them overflows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from noisewarden.acoustics.weighting import a_weighting, c_weighting
from noisewarden.errors import UserError

SAMPLE_RATE_HZ = 48_000
FULL_SCALE = 1 << 20
"""The kernel's signals after its clamp lie within ±full scale."""

# One over each of these is the weight of a coefficient's lowest bit.
LOW_PASS_SCALE = 1 << 9
SHELF_LOW_SCALE = 1 << 15
SHELF_LOW_GAIN_SCALE = 1 << 8
POLE_1_SCALE = 1 << 18
POLE_3_SCALE = 1 << 15
POLE_4_SCALE = 1 << 12
DC_POLE = 1 / (1 << 12)

FLAT = (460, 0, 100, 0)
"""Equalisation of a microphone that needs none: both shelves have no gain."""

SHELF_BOUNDS = ((51, 486), (-460, 205), (10, 480), (-230, 563))
"""Lowest and highest value of each of the four equalisation coefficients that keep the kernel
within 32 bits, as `overflow` proves at every corner."""

MAX_RESIDUAL_DB = 3.0
"""What two shelves may leave of a microphone's response: its own tolerance from unit to unit."""


@dataclass(frozen=True)
class Weighting:
    """Coefficients of the A and C filters, and the dB that a level needs to read true at 1 kHz."""

    low_1: int
    low_2: int
    zero: int
    pole_1: int
    pole_3: int
    pole_4: int
    a_gain_db: float
    c_gain_db: float

    def integers(self) -> tuple[int, ...]:
        """As the kernel takes them: it keeps the states of its high-pass sections negated."""
        return (self.low_1, self.low_2, -self.zero, -self.pole_1, -self.pole_3, -self.pole_4)

    def kappas(self) -> tuple[float, ...]:
        """The same as real numbers, without the kernel's signs."""
        integers = (self.low_1, self.low_2, self.zero, self.pole_1, self.pole_3, self.pole_4)
        return tuple(value / scale for value, scale in zip(integers, _SCALES, strict=True))


_SCALES = (LOW_PASS_SCALE,) * 3 + (POLE_1_SCALE, POLE_3_SCALE, POLE_4_SCALE)


def delay(hz: ArrayLike) -> np.ndarray:
    """z⁻¹ at `hz`."""
    return np.exp(-2j * np.pi * np.asarray(hz, float) / SAMPLE_RATE_HZ)


def high_pass(kappa: float, z1: np.ndarray) -> np.ndarray:
    """Complex response of the section of that name, at `delay`s `z1`."""
    return (1 - z1) / (1 - (1 - kappa) * z1)


def low_pass(kappa: float, z1: np.ndarray) -> np.ndarray:
    """Complex response of the section of that name, at `delay`s `z1`."""
    return kappa / (1 - (1 - kappa) * z1)


def db(response: np.ndarray) -> np.ndarray:
    """The magnitude of complex responses in dB; −inf for 0."""
    return 20 * np.log10(np.abs(response))


def _a_and_c_db(
    kappas: Sequence[float] | np.ndarray, gains_db: Sequence[float] | np.ndarray, hz: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    low_1, low_2, zero, pole_1, pole_3, pole_4 = kappas
    z1 = delay(hz)
    c = high_pass(DC_POLE, z1) * low_pass(low_1, z1) * low_pass(low_2, z1)
    c = c * (1 - zero * (1 - z1)) * high_pass(pole_1, z1) ** 2
    a = c * high_pass(pole_3, z1) * high_pass(pole_4, z1)
    return db(a) + gains_db[0], db(c) + gains_db[1]


def responses_db(weighting: Weighting, hz: ArrayLike) -> dict[str, np.ndarray]:
    """What the integer coefficients give for A, C and Z at `hz`: dB, DC removal and gain
    included."""
    gains_db = (weighting.a_gain_db, weighting.c_gain_db)
    a, c = _a_and_c_db(weighting.kappas(), gains_db, hz)
    return {"A": a, "C": c, "Z": db(high_pass(DC_POLE, delay(hz)))}


def fit_weighting() -> Weighting:
    """Fits both curves from 18 Hz to 16.5 kHz at once, rounds, and takes up the gain at 1 kHz."""
    from scipy.optimize import least_squares

    hz = np.geomspace(18.0, 16_500.0, 400)
    a_db, c_db = a_weighting(hz), c_weighting(hz)

    def deviation(parameters: np.ndarray) -> np.ndarray:
        a, c = _a_and_c_db(parameters[:6], parameters[6:], hz)
        return np.concatenate([a - a_db, c - c_db])

    start = [0.8, 0.76, 0.2, 0.0027, 0.014, 0.092, 0.0, 0.0]
    least = least_squares(deviation, start).x
    # The sixth power makes the second fit care for the largest deviation.
    fitted = least_squares(lambda p: (10 * deviation(p)) ** 3, least, max_nfev=4000).x[:6]
    # Its poles of 12.2 kHz are interchangeable: name them in one order.
    fitted[:2] = sorted(fitted[:2], reverse=True)
    integers = [round(value * scale) for value, scale in zip(fitted, _SCALES, strict=True)]
    raw = responses_db(Weighting(*integers, a_gain_db=0.0, c_gain_db=0.0), [1000.0])
    return Weighting(*integers, a_gain_db=-float(raw["A"][0]), c_gain_db=-float(raw["C"][0]))


def _shelf_values(integers: Sequence[int]) -> list[float]:
    scales = (LOW_PASS_SCALE, LOW_PASS_SCALE, SHELF_LOW_SCALE, SHELF_LOW_GAIN_SCALE)
    return [value / scale for value, scale in zip(integers, scales, strict=True)]


def shelves(values: Sequence[float] | np.ndarray, z1: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Responses of the high and the low shelf of pole and gain, pole and gain."""
    high_pole, high_gain, low_pole, low_gain = values
    # The kernel's shelves act before they update: their low-pass lags by one sample.
    high = 1 + high_gain * (1 - z1 * low_pass(high_pole, z1))
    low = 1 + low_gain * z1 * low_pass(low_pole, z1)
    return high, low


def equalisation_db(integers: Sequence[int], hz: ArrayLike) -> np.ndarray:
    """What the kernel's equalisation adds at `hz`, dB.

    At 1 kHz that is not 0: the sensitivity that the meter is given is the microphone's, in dBFS
    at 94 dB, plus this.
    """
    high, low = shelves(_shelf_values(integers), delay(hz))
    return db(high * low)


def equalisation(response: Sequence[Sequence[float]]) -> list[int]:
    """The kernel's two shelves that undo a microphone's `response`.

    `response` is rows of [Hz, dB], the dB relative to 1 kHz; no rows is a flat microphone.
    Returns the high shelf's pole and gain and the low shelf's pole and gain as the kernel takes
    them. Raises UserError when the response needs more than the shelves can give within 32 bits.
    """
    if not response:
        return list(FLAT)
    from scipy.optimize import least_squares

    hz, response_db = np.asarray(response, float).T
    wanted_db = np.interp(1000.0, hz, response_db) - response_db
    z1 = delay(np.append(hz, 1000.0))
    bounds = np.array([_shelf_values(edge) for edge in zip(*SHELF_BOUNDS, strict=True)])

    def excess_db(values: np.ndarray) -> np.ndarray:
        high, low = shelves(values, z1)
        curve = db(high * low)
        return curve[:-1] - curve[-1] - wanted_db

    start = [0.7, 0.0, 0.005, 0.0]
    fitted = least_squares(excess_db, start, bounds=bounds, x_scale=[1, 1, 0.01, 1]).x
    lowest, highest = np.transpose(SHELF_BOUNDS)
    scaled = fitted / np.array(_shelf_values([1, 1, 1, 1]))
    integers = [int(value) for value in np.clip(np.round(scaled), lowest, highest)]
    residual_db = float(np.max(np.abs(excess_db(np.array(_shelf_values(integers))))))
    if residual_db > MAX_RESIDUAL_DB:
        raise UserError(
            f"microphone response: two shelves leave {residual_db:.1f} dB of it; "
            "check its rows, or take the points outside the microphone's range away"
        )
    return integers
