"""The pipe that stands for the wire from microphone to chip."""

import fcntl
import os

_FAST_PIPE_BYTES = 1 << 20
_LIVE_PIPE_BYTES = 1 << 18


def sound_pipe(*, blocking: bool) -> tuple[int, int]:
    """A pipe (read end for the chip, write end for the feeder) that holds more than any `ibuf`.

    `blocking` is for virtual time, where the reader waits for sound and the writer for room; in
    real time neither waits.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, blocking)
    os.set_blocking(writer, blocking)
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _FAST_PIPE_BYTES if blocking else _LIVE_PIPE_BYTES)
    return reader, writer
