"""Many minute records at once; `evidence.unpack` does the same for one record.

A month of a box is 43 200 minutes of 60 seconds, for which that would take seconds.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from noisewarden.firmware import wire

MINUTE_S = 60

(_FORMAT, _INTEGERS), (_NAMED, *_), _ = wire.layout("minute")
_LEVELS_AT = wire.HEADER_BYTES + struct.calcsize(_FORMAT)
_LEVELS = len(_NAMED) + MINUTE_S
_BYTES = _LEVELS_AT + (3 * _LEVELS + 1) // 2
_PAIRS_BYTES = 3 * (_LEVELS // 2 + 1)
_NOTHING = bytes(_LEVELS_AT) + b"\xff" * (_BYTES - _LEVELS_AT)
_RECORD = np.dtype(
    [
        ("header", f"V{wire.HEADER_BYTES}"),
        *[
            (name, _FORMAT[0] + letter)
            for name, letter in zip(_INTEGERS, _FORMAT[1:], strict=True)
        ],
        ("levels", np.uint8, _BYTES - _LEVELS_AT),
    ]
)


@dataclass(frozen=True)
class Minutes:
    """Columns of n minute records: integers, levels in dB with NaN for none, and LAeq,1s in 0.1 dB
    of shape (n, 60) with wire.NO_PACKED for none."""

    valid_s: npt.NDArray[np.integer]
    flags: npt.NDArray[np.integer]
    limit: npt.NDArray[np.integer]
    stage: npt.NDArray[np.integer]
    laeq: npt.NDArray[np.floating]
    lafmax: npt.NDArray[np.floating]
    lafmin: npt.NDArray[np.floating]
    lcpeak: npt.NDArray[np.floating]
    l10: npt.NDArray[np.floating]
    l50: npt.NDArray[np.floating]
    l90: npt.NDArray[np.floating]
    tenths: npt.NDArray[np.integer]

    def __getitem__(self, chosen: Any) -> "Minutes":
        return Minutes(**{name: column[chosen] for name, column in vars(self).items()})


def minutes(records: Sequence[bytes]) -> Minutes:
    """Those of records of the kind `minute`; one whose length is not that tells nothing."""
    whole = b"".join(data if len(data) == _BYTES else _NOTHING for data in records)
    rows = np.frombuffer(whole, dtype=_RECORD)
    packed = np.zeros((len(rows), _PAIRS_BYTES), dtype=np.uint16)
    packed[:, : _BYTES - _LEVELS_AT] = rows["levels"]
    # Two levels in three bytes (docs/protocol.md, "A record").
    first, middle, last = (packed[:, at::3] for at in range(3))
    levels = np.empty((len(rows), _PAIRS_BYTES // 3 * 2), dtype=np.uint16)
    levels[:, 0::2] = first | (middle & 0xF) << 8
    levels[:, 1::2] = middle >> 4 | last << 4
    named = np.ascontiguousarray(levels[:, : len(_NAMED)].T)
    in_db = np.where(named == wire.NO_PACKED, np.nan, named / 10)
    return Minutes(
        **{name: np.ascontiguousarray(rows[name]) for name in _INTEGERS},
        **dict(zip(_NAMED, in_db, strict=True)),
        tenths=levels[:, len(_NAMED) : _LEVELS],
    )
