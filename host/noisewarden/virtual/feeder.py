"""Plays sound into a virtual box at the pace of the world, and loses what finds no room there."""

import fcntl
import os
import struct
import termios
import threading
import time
from collections.abc import Iterator

from noisewarden.virtual.pipes import sound_pipe
from noisewarden.virtual.sound import RATE_HZ, Frames

DMA_FRAMES = 256
FRAME_BYTES = 8
_CHUNK_BYTES = DMA_FRAMES * FRAME_BYTES
_SOURCE_PATIENCE_S = 0.5
_SILENCE = bytes(_CHUNK_BYTES)


class Feeder:
    """A thread that writes a DMA buffer of frames each 5.3 ms, once the microphone was opened.

    `offered` and `dropped` count frames while the microphone is open: dropped are those that found
    `ibuf` full, which the real driver loses without a word. The world does not wait: what plays
    while the chip restarts is gone. After the last frame comes silence, and `over` is set. `ready`
    is set once the source, which may have to think first, has given its first frames.
    """

    def __init__(self, frames: Frames) -> None:
        self.chip_end, self._feed = sound_pipe(blocking=False)
        self.offered = 0
        self.dropped = 0
        self.ready = threading.Event()
        self.over = threading.Event()
        self.error: Exception | None = None
        self._frames = frames
        self._room_bytes = 0
        self._opened = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def microphone(self, ibuf: int) -> None:
        """The chip opened its microphone with a buffer of `ibuf` bytes, or closed it: 0."""
        self._drain()
        self._room_bytes = ibuf // _CHUNK_BYTES * _CHUNK_BYTES
        if ibuf:
            self._opened.set()

    def close(self) -> None:
        self._stop.set()
        self._opened.set()
        # A live source may hold its thread for ever; once stopped, it writes no more.
        self._thread.join(_SOURCE_PATIENCE_S)
        os.close(self.chip_end)
        os.close(self._feed)

    def _play(self) -> None:
        chunks = self._chunks()
        chunk = next(chunks)
        self.ready.set()
        self._opened.wait()
        due = time.monotonic()
        while not self._stop.is_set():
            self._deliver(chunk)
            chunk = next(chunks)
            due += DMA_FRAMES / RATE_HZ
            self._stop.wait(due - time.monotonic())

    def _chunks(self) -> Iterator[bytes]:
        waiting = bytearray()
        try:
            for block in self._frames:
                waiting += block.tobytes()
                while len(waiting) >= _CHUNK_BYTES:
                    yield bytes(waiting[:_CHUNK_BYTES])
                    del waiting[:_CHUNK_BYTES]
        except Exception as error:
            self.error = error
        self.over.set()
        while True:
            yield _SILENCE

    def _deliver(self, chunk: bytes) -> None:
        room = self._room_bytes
        if not room:
            return
        self.offered += DMA_FRAMES
        if self._held() + _CHUNK_BYTES > room:
            self.dropped += DMA_FRAMES
        else:
            os.write(self._feed, chunk)

    def _held(self) -> int:
        answer = fcntl.ioctl(self._feed, termios.FIONREAD, bytes(4))
        return struct.unpack("i", answer)[0]

    def _drain(self) -> None:
        while held := self._held():
            os.read(self.chip_end, held)
