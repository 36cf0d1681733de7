"""The seconds of many minute records at once; `evidence.unpack` does the same for one record.

A month of a box is 2.6 million seconds, for which that would take seconds.
"""

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from noisewarden.firmware import wire

MINUTE_S = 60

_, (_INTEGERS, _), (_NAMED, _, _, _), _ = wire.LAYOUTS[wire.KINDS.index("minute")]
_LEVELS_AT = wire.HEADER_BYTES + struct.calcsize(_INTEGERS)
_LEVELS = len(_NAMED) + MINUTE_S
_BYTES = _LEVELS_AT + (3 * _LEVELS + 1) // 2
_PAIRS_BYTES = 3 * (_LEVELS // 2 + 1)


def seconds(minutes: Sequence[bytes]) -> npt.NDArray[np.uint16]:
    """LAeq,1s in 0.1 dB of n records of the kind `minute`, shape (n, 60).

    wire.NO_PACKED stands for no level; and for all of a record whose length is not that of a
    minute.
    """
    whole = b"".join(
        data[_LEVELS_AT:].ljust(_PAIRS_BYTES, b"\0")
        if len(data) == _BYTES
        else b"\xff" * _PAIRS_BYTES
        for data in minutes
    )
    # Two levels in three bytes (docs/protocol.md, "A record").
    triples = (
        np.frombuffer(whole, dtype=np.uint8).reshape(-1, _PAIRS_BYTES // 3, 3).astype(np.uint16)
    )
    levels = np.empty((*triples.shape[:2], 2), dtype=np.uint16)
    levels[..., 0] = triples[..., 0] | (triples[..., 1] & 0xF) << 8
    levels[..., 1] = triples[..., 1] >> 4 | triples[..., 2] << 4
    return levels.reshape(-1, 2 * levels.shape[1])[:, len(_NAMED) : _LEVELS]
