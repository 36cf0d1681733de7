"""The sound of a calibration before a microphone that is not what its data sheet says."""

from collections.abc import Iterator

import reference_meter
from host.benchbox import LOW_C_MINUS_A_DB, PINK_C_MINUS_A_DB, Sound
from noisewarden.bench import noise
from noisewarden.virtual.sound import RATE_HZ, Frame
from system.sound import frames, sine

TONE_C_MINUS_A_DB = 0.0
"""Of a calibrator's 1 kHz."""


class Loudspeaker(Sound):
    """Plays what a technician's hands set to a box whose microphone hears 1.7 dB too little."""

    HEARS_DB = -1.7

    def __init__(self) -> None:
        super().__init__()
        self._files = {
            PINK_C_MINUS_A_DB: noise.pink(),
            LOW_C_MINUS_A_DB: noise.low(),
            TONE_C_MINUS_A_DB: sine(1000, 70, 10 * RATE_HZ),
        }
        self._level_db = {
            kind: reference_meter.leq(reference_meter.weigh(samples[: 10 * RATE_HZ], "A"))
            for kind, samples in self._files.items()
        }

    def frames(self) -> Iterator[Frame]:
        at, step = 0, RATE_HZ // 10
        while True:
            samples = self._files[self.c_minus_a_db]
            gain_db = self.level_db + self.HEARS_DB - self._level_db[self.c_minus_a_db]
            yield frames(samples[at : at + step] * 10 ** (gain_db / 20)).reshape(-1, 2)
            at = (at + step) % len(samples)
