"""What a host types reaches a chip whole, whose buffer is small and whose app reads slowly."""

import pytest
from noisewarden import console
from noisewarden.console import Console
from noisewarden.firmware import wire

BUFFER_BYTES = 259
"""Of `stdin_ringbuf` in ports/esp32/mphalport.c, which keeps one of its 260 free."""
READ_BYTES_A_S = 2000
STANDSTILL_S = 0.24
"""While the flash is written, from the first byte on."""


class Chip:
    """The UART of a box, and time, which passes only while the host waits."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.dropped = 0
        self._waiting = 0
        self.now_s = 0.0

    def __call__(self, *_: object, **__: object) -> "Chip":
        return self

    def write(self, data: bytes) -> None:
        kept = data[: BUFFER_BYTES - self._waiting]
        self.heard += kept
        self.dropped += len(data) - len(kept)
        self._waiting += len(kept)

    def sleep(self, seconds: float) -> None:
        reading_s = max(0.0, min(seconds, self.now_s + seconds - STANDSTILL_S))
        self._waiting = max(0, self._waiting - int(reading_s * READ_BYTES_A_S))
        self.now_s += seconds

    def close(self) -> None:
        pass


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Chip:
    chip = Chip()
    monkeypatch.setattr(console.serial, "Serial", chip)
    monkeypatch.setattr(console.time, "sleep", chip.sleep)
    return chip


@pytest.mark.parametrize("chars", [10, 300, 3900])
def test_a_line_of_any_length_arrives_whole(chip: Chip, chars: int) -> None:
    payload = {"id": "a", "action": "set_config", "config": {"place": "x" * chars}}
    with Console("port") as port:
        port.send("bagu-east-01", "command", payload)
    assert chip.dropped == 0
    line = chip.heard.decode()
    assert line.endswith("\n")
    assert wire.parse_line(line) == ("noisewarden/bagu-east-01/command", payload)


def test_an_acknowledgement_goes_at_once(chip: Chip) -> None:
    with Console("port") as port:
        port.send("x" * 32, "ack", {"seq": 0xFFFFFFFF})
    assert chip.now_s == 0
