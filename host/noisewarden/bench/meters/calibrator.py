"""An acoustic calibrator on the box's microphone: a tone of 1 kHz, where A is C is Z.

It needs a coupler that seals on the microphone's port. With two levels at most it cannot make a
calibration alone, but checks one, and adds its levels to those of a meter.
"""

from noisewarden.bench.meters.protocol import Papers
from noisewarden.errors import UserError

LEVELS_DB = (94, 114)
_TOLERANCE_DB = 1.0
"""What a certificate states is nearer to the nominal level (IEC 60942 allows class 2 0.75 dB)."""


class Calibrator:
    """`level_db`: as its certificate states it, 93.97 say. UserError when it is neither level."""

    def __init__(self, level_db: float, papers: Papers) -> None:
        if all(abs(level_db - nominal) > _TOLERANCE_DB for nominal in LEVELS_DB):
            raise UserError(
                f"calibrator {level_db:g} dB: not 94 or 114 dB; give the level of its certificate"
            )
        self.level_db = level_db
        self.instrument = papers.instrument("calibrator", resolution_db=0.01, weighting_known=True)

    def second(self) -> float:
        return self.level_db

    def close(self) -> None:
        pass
