"""Ten minutes of a box in real time: no sample lost, no heap lost, nothing late (`make soak`)."""

import itertools
import os
import platform
import time
from pathlib import Path

import numpy as np
import pytest
from noisewarden.virtual.feeder import DMA_FRAMES
from noisewarden.virtual.sound import RATE_HZ
from noisewarden.virtual.supervisor import Event, VirtualBox
from system.boxes import HEAP_MAIN, Bench, heaps, install, tones

SECONDS = int(os.environ.get("NOISEWARDEN_SOAK_S", "600"))
HEAP = "160K"
FLAT_BYTES_PER_HOUR = 2000
SETTLED_S = 20

MATRIX_WITHIN_MS = 100
RELAY_WITHIN_MS = 250

LOUD_S, QUIET_S = 25, 15
CONFIG = {
    "stages": {
        "window_s": 3,
        "over_at_least_s": 2,
        "spotlight_after_s": 5,
        "referral_after_s": 12,
        "clear_after_s": 2,
    }
}
"""A change of stage, and so a flush, every few seconds."""

MAIN = (
    """
from noisebox import hal
from noisebox.retained import Retained
from noisebox.spotlight import RESTED
retained = Retained(hal.rtc_memory)
retained.ledger[:] = RESTED
retained.save()
del retained
"""
    + HEAP_MAIN
)

pytestmark = pytest.mark.soak


def delays(events: list[Event], kind: str, ends_ms: list[float]) -> list[float]:
    """Milliseconds from each moment to the first event of this kind after it."""
    times = np.array([event["t"] for event in events if event["event"] == kind])
    return [float(times[times >= end - 1][0] - end) for end in ends_ms]


def busy(bench: Bench, second: int) -> None:
    """What a technician and a station might ask for: each second a command, and so a flush."""
    if second % 10 == 0:
        assert bench.ask("identify", seconds=5)[0] == "done"
    elif second % 10 == 7:
        assert bench.ask("show", text="PLEASE BE QUIET", seconds=2)[0] == "done"
    else:
        assert bench.ask("self_test")[0] == "done"


@pytest.mark.skipif(
    platform.machine() != "x86_64", reason="mpy-cross makes native code for no other PC"
)
def test_nothing_is_lost_and_nothing_grows(tmp_path: Path) -> None:
    events: list[Event] = []
    board = install(tmp_path, MAIN, config=CONFIG, compiled=True)
    sound = tones((LOUD_S, 80), (QUIET_S, 50))
    with (
        VirtualBox(
            tmp_path, sound, board=board, unix_s=1_780_315_200, heap=HEAP, on_event=events.append
        ) as box,
        Bench(box.port) as bench,
    ):
        bench.next("reading")
        bench.collect()
        began = time.monotonic()
        while (second := int(time.monotonic() - began)) < SECONDS:
            bench.next("reading")
            busy(bench, second)
        assert box.lives == 1
        feeder = box.feeder
        print(f"\n{feeder.offered} frames offered, {feeder.dropped} dropped")
        assert feeder.dropped == 0
    readings = bench.payloads("reading")
    opened_ms = next(event["t"] for event in events if event["event"] == "i2s")

    assert [reading["n"] for reading in readings] == list(range(len(readings)))
    assert len(readings) >= SECONDS
    assert [r for r in readings[1:] if r["flags"]] == []
    assert not any("Error" in line or "Traceback" in line for line in bench.text)

    def end_ms(reading: dict) -> float:
        # The feeder hands a buffer over when its first sample is due, not its last.
        return opened_ms + 1000.0 * (reading["n"] + 1) - 1000 * DMA_FRAMES / RATE_HZ

    pairs = list(itertools.pairwise(readings))
    # While a message is shown, the matrix is redrawn at its own pace.
    numbers = [r for before, r in pairs if before["shown"].isdigit() and r["shown"].isdigit()]
    matrix = delays(events, "matrix", [end_ms(reading) for reading in numbers])
    lit = [r for before, r in pairs if r["spotlight"] and not before["spotlight"]]
    relay = delays(
        [event for event in events if event.get("on")], "relay", [end_ms(r) for r in lit]
    )
    for name, late, most in (
        ("end of a second to its number", matrix, MATRIX_WITHIN_MS),
        ("stage to relay", relay, RELAY_WITHIN_MS),
    ):
        print(f"{name}: {np.percentile(late, 95):.0f} ms (95 %), {max(late):.0f} ms at most")
        assert max(late) <= most

    live = np.array(heaps(bench)[SETTLED_S:])
    slope = np.polyfit(np.arange(len(live)) / 3600, live, 1)[0]
    print(f"heap in use {live.min()} to {live.max()} bytes, slope {slope:.0f} bytes an hour")
    assert live.max() - live.min() <= 2048
    if SECONDS >= 300:
        assert abs(slope) <= FLAT_BYTES_PER_HOUR

    changes, commands = bench.records("stage"), bench.records("command")
    seqs = [entry[0] for entry in bench.entries]
    assert seqs == list(range(1, len(seqs) + 1))
    print(f"{len(seqs)} records: {len(commands)} commands, {len(changes)} changes of stage")
    assert len(commands) >= SECONDS * 0.9 and len(changes) >= SECONDS // 20
