"""Proves that nothing in `noisebox.kernels` leaves 32 signed bits, whatever comes in.

A linear section fed with at most ±B gives at most B times the sum of the absolute values of its
impulse response, and some input reaches that. Every `>>` rounds down, by less than one: that is
one more input of the section, within ±1, and it is added in the same way. The kernel clamps once,
after the equalisation, so there are two chains: raw sample to clamp, clamp to A.
"""

from collections.abc import Sequence

import numpy as np

from noisewarden.acoustics.design import (
    DC_POLE,
    FULL_SCALE,
    LOW_PASS_SCALE,
    SHELF_LOW_SCALE,
    Weighting,
    high_pass,
    low_pass,
    shelves,
)

INT32 = 1 << 31
BLOCK_FRAMES = 480
"""`kernels.BLOCK_FRAMES`."""
HIGH_PASS_FRACTION = 1 << 10
SHELF_LOW_FRACTION = 1 << 10

_POINTS = 1 << 17
"""Length of the impulse responses: 32 time constants of the slowest section, the DC removal."""

_Z1 = np.exp(-2j * np.pi * np.arange(_POINTS // 2 + 1) / _POINTS)
_UNITY = np.ones_like(_Z1)


def impulse_response(transfer: np.ndarray) -> np.ndarray:
    """_POINTS samples of it, of a response at the frequencies of their Fourier transform."""
    return np.fft.irfft(transfer, _POINTS)


def _sum(transfer: np.ndarray) -> float:
    return float(np.sum(np.abs(impulse_response(transfer))))


class _Chain:
    """Sections in a row. `inputs` holds each input so far: its transfer to here and its bound."""

    def __init__(self, bound: float):
        self.inputs = [(_UNITY, bound)]

    def worst(self, transfer: np.ndarray = _UNITY) -> float:
        """Largest magnitude of what `transfer` makes of the signal here."""
        return sum(_sum(path * transfer) * bound for path, bound in self.inputs)

    def through(self, section: np.ndarray, rounding: float) -> None:
        """On to the section's output; `rounding` is what its roundings amount to at its input."""
        self.inputs.append((_UNITY, rounding))
        self.inputs = [(path * section, bound) for path, bound in self.inputs]


def worst_cases(weighting: Weighting, equalisation: Sequence[int]) -> dict[str, float]:
    """Largest magnitude of each product, state and sum of `kernels.weigh`, to be below INT32.

    Named after the locals of the kernel; `frames` are any words at all.
    """
    return _dc() | _before_clamp(equalisation) | _after_clamp(weighting)


def _dc() -> dict[str, float]:
    """The DC removal, too near the edge for the general rule.

    With the sample s (24 bits, shifted and cut as the kernel does) it is

        x = ⌊(⌊dc/256⌋ + s + rest) / 8⌋,  0 ≤ rest ≤ 7;      dc ← dc − ⌊x/2⌋

    Hence dc ← (1 − 2^-12) dc − (s + e)/16 with −16 ≤ e ≤ 7 for all the roundings, and dc never
    leaves the fixed points of the two extremes of s + e.
    """
    shift, cut = (1 << 23) - 0x7FFFE8, 1 << 5
    lowest, highest = -(1 << 23) + shift, (1 << 23) - 1 - cut + shift
    return {"dc": 256.0 * max(highest + 7, 16 - lowest)}


def _before_clamp(equalisation: Sequence[int]) -> dict[str, float]:
    high_pole, high_gain, low_pole, low_gain = equalisation
    high_kappa, low_kappa = high_pole / LOW_PASS_SCALE, low_pole / SHELF_LOW_SCALE
    values = (high_kappa, high_gain / LOW_PASS_SCALE, low_kappa, low_gain / 256)
    high, low = shelves(values, _Z1)
    chain = _Chain(FULL_SCALE)
    chain.through(high_pass(DC_POLE, _Z1), rounding=1)
    worst = {"x without DC": chain.worst()}

    difference = chain.worst(1 - _Z1 * low_pass(high_kappa, _Z1)) + 1 / high_kappa
    worst["t * shelf_high_pole"] = difference * high_pole
    worst["t * shelf_high_gain"] = difference * abs(high_gain)
    worst["shelf_high"] = chain.worst(low_pass(high_kappa, _Z1)) + 1 / high_kappa
    chain.through(high, rounding=1 + abs(values[1]) / high_kappa)

    # The state's own rounding, in units of x.
    slack = 1 / SHELF_LOW_FRACTION / low_kappa + 1
    state = low_pass(low_kappa, _Z1)
    worst["shelf_low"] = (chain.worst(state) + slack) * SHELF_LOW_FRACTION
    worst["(x - t) * shelf_low_pole"] = (chain.worst(1 - _Z1 * state) + slack) * low_pole
    worst["t * shelf_low_gain"] = (chain.worst(state) + slack) * abs(low_gain)
    chain.through(low, rounding=1 + abs(values[3]) * slack)
    worst["x + 0x100000"] = chain.worst() + FULL_SCALE
    # The clamp takes the sign from bit 24 up.
    assert chain.worst() < 1 << 24
    return worst


def _after_clamp(weighting: Weighting) -> dict[str, float]:
    chain = _Chain(FULL_SCALE)
    worst = _energy("z", FULL_SCALE)
    low_1, low_2, zero, pole_1, pole_3, pole_4 = weighting.kappas()

    for name, kappa, factor in (("low_1", low_1, 1), ("low_2", low_2, 1 - zero * (1 - _Z1))):
        state = low_pass(kappa, _Z1)
        coefficient = kappa * LOW_PASS_SCALE
        difference = chain.worst(1 - _Z1 * state) + 1 / kappa
        worst[f"(x - {name}) * pole_{name}"] = difference * coefficient + LOW_PASS_SCALE
        worst[name] = chain.worst(state) + 1 / kappa
        if name == "low_2":
            worst["t * zero"] = difference * kappa * weighting.zero
        chain.through(state * factor, rounding=2 / kappa)

    for name, pole, kappa, coefficient in (
        ("high_1", "pole_1", pole_1, weighting.pole_1),
        ("high_2", "pole_1", pole_1, weighting.pole_1),
        ("high_3", "pole_3", pole_3, weighting.pole_3),
        ("high_4", "pole_4", pole_4, weighting.pole_4),
    ):
        slack = 1 + 1 / kappa / HIGH_PASS_FRACTION
        worst[name] = (chain.worst(low_pass(kappa, _Z1)) + slack) * HIGH_PASS_FRACTION
        chain.through(high_pass(kappa, _Z1), rounding=slack)
        worst[f"x * {pole} of {name}"] = chain.worst() * coefficient
        if name == "high_2":
            worst |= _energy("c", chain.worst())
    return worst | _energy("a", chain.worst())


def _energy(name: str, x: float) -> dict[str, float]:
    """The three sums of a block of samples within ±x."""
    high, low = x / 2048 + 1, 2047
    return {
        f"{name}_high": high * high * BLOCK_FRAMES,
        f"{name}_cross": high * low * BLOCK_FRAMES,
        f"{name}_low": low * low * BLOCK_FRAMES,
    }
