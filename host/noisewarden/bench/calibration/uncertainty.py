"""The uncertainty of a calibration, component by component (JCGM 100:2008, the GUM).

The measurand is what the box shows, less what the reference would have shown in its place, for
pink noise at the levels of the calibration. What another sound, wind, weather or years add is not
in it.
"""

import math
from dataclasses import dataclass

COVERAGE_FACTOR = 2
"""For about 95 %."""

BOX_RESOLUTION_DB = 0.01
"""Of the levels in a `reading`."""

PLACEMENT_DB = 0.2
"""Half-width of what two microphones side by side, or one in a coupler, differ in the field; an
estimate for less than 10 cm between them and 1 m to the loudspeaker."""


@dataclass(frozen=True)
class Component:
    """`standard_db`: standard uncertainty (k = 1). `kind`: "A" from statistics, "B" from other
    knowledge; `basis` says which."""

    name: str
    kind: str
    standard_db: float
    basis: str


@dataclass(frozen=True)
class Budget:
    components: tuple[Component, ...]

    @property
    def combined_db(self) -> float:
        return math.sqrt(sum(component.standard_db**2 for component in self.components))

    @property
    def expanded_db(self) -> float:
        """For COVERAGE_FACTOR, in 0.01 dB, rounded up."""
        return math.ceil(round(COVERAGE_FACTOR * self.combined_db * 100, 6)) / 100


def budget(
    reference_db: float,
    resolution_db: float,
    differences_db: list[float],
    residuals_db: list[float],
) -> Budget:
    """Of a box that was compared with a reference.

    reference_db    standard uncertainty of the reference
    resolution_db   of its levels
    differences_db  one for each level that was measured, the box's offset not yet judged: their
                    scatter is the repeatability of the mean
    residuals_db    what the mean leaves of the box at each level: its linearity
    """
    return Budget(
        (
            Component("reference", "B", reference_db, "certificate or class of the reference"),
            Component(
                "reference resolution", "B", _rectangular(resolution_db / 2), "half a digit"
            ),
            Component("box resolution", "B", _rectangular(BOX_RESOLUTION_DB / 2), "half a digit"),
            Component(
                "repeatability",
                "A",
                _of_mean(differences_db),
                f"standard deviation of {len(differences_db)} differences, of their mean",
            ),
            Component(
                "linearity",
                "B",
                _rectangular(max(map(abs, residuals_db))),
                "largest residual of a level as half-width",
            ),
            Component(
                "placement", "B", _rectangular(PLACEMENT_DB), f"within ±{PLACEMENT_DB:g} dB"
            ),
        )
    )


def _rectangular(half_width_db: float) -> float:
    return half_width_db / math.sqrt(3)


def _of_mean(values: list[float]) -> float:
    """Experimental standard deviation of the mean; of one value nothing is known, so 0."""
    count = len(values)
    if count < 2:
        return 0.0
    mean = sum(values) / count
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (count - 1) / count)
