"""A Benetech GM1356 as hidapi shows it: answers of 8 bytes to polls."""

from collections.abc import Iterable

A_SLOW, A_FAST, C_FAST, A_MAX = 0x00, 0x40, 0x50, 0x20


def packet(level_db: float, settings: int) -> bytes:
    return round(level_db * 10).to_bytes(2, "big") + bytes([settings]) + bytes(5)


class FakeHid:
    """Answers polls with what it is given; b"" is an answer that does not come in time, and then
    comes late.

    opened   the path that it was opened by; written, closed   what was done to it
    """

    def __init__(self, answers: Iterable[bytes]) -> None:
        self._answers = iter(answers)
        self._ready: list[bytes] = []
        self.opened = b""
        self.written: list[bytes] = []
        self.closed = False

    def open_path(self, path: bytes) -> None:
        self.opened = path

    def write(self, buff: bytes) -> int:
        self.written.append(buff)
        self._ready.append(next(self._answers))
        return len(buff)

    def read(self, max_length: int, timeout_ms: int) -> list[int]:
        if not self._ready:
            return []
        answer = self._ready.pop(0)
        if answer == b"":
            self._ready.append(packet(99.9, A_SLOW))
        return list(answer[:max_length])

    def close(self) -> None:
        self.closed = True
