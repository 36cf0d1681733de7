"""Which serial port is the box's, and whether it may be used."""

from typing import Any

from noisewarden import boards, ports
from noisewarden.errors import UserError


def find(board: dict[str, Any] | None) -> str:
    """The port of this board, or of any board that there is, by USB ids.

    UserError when there is none, or more than one that it could be.
    """
    if board is None:
        ids = {usb for one in boards.load_all() if "usb" in one for usb in one["usb"]["ids"]}
        return ports.find({"board": "board", "usb": {"ids": sorted(ids)}})
    if "usb" not in board:
        raise UserError(
            f"{board['board']}: has no USB to be found by; name its port with --port "
            "(noisewarden box prints it)"
        )
    return ports.find(board)
