"""A meter whose LAeq over the minute the technician reads off and types in."""

from noisewarden.bench.meters import protocol
from noisewarden.bench.meters.protocol import Papers
from noisewarden.errors import UserError


class Typed:
    """Has no seconds; the level of the whole minute comes from `level` after it."""

    def __init__(self, meter: str, papers: Papers) -> None:
        self.instrument = papers.instrument(meter, weighting_known=False)

    def second(self) -> None:
        return None

    def close(self) -> None:
        pass


def level(text: str) -> float:
    """What was typed, dB(A). UserError for what is no level, an empty line too."""
    found = protocol.level(text)
    if found is None:
        raise UserError(
            f"level {text.strip()!r}: not a level from {protocol.LOWEST_DB:g} to "
            f"{protocol.HIGHEST_DB:g} dB; type what the meter shows as LAeq, like 71.3"
        )
    return found
