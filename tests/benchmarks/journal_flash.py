"""What a day of the journal costs the flash of a 4 MB board, and how many days it holds."""

import json
import subprocess

from noisewarden.firmware import wire
from noisewarden.virtual.chip import interpreter
from on_micropython import FIRMWARE_TESTS, micropython_environment

DAYS = 10
"""Enough for the ring to turn."""


def _cost(days: int) -> dict[str, int]:
    run = subprocess.run(
        [interpreter(), "-X", "heapsize=64M", FIRMWARE_TESTS / "journal_day.py", str(days)],
        env=micropython_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)


def measure() -> dict[str, float]:
    """Counted on MicroPython's LittleFS with the parameters of the stock ESP32 image."""
    day, turned = _cost(1), _cost(DAYS)
    seconds = [wire.NO_TENTHS] * 60
    levels = dict.fromkeys(("laeq", "lafmax", "lafmin", "lcpeak", "l10", "l50", "l90"))
    body = wire.pack("minute", valid_s=0, flags=0, limit=70, stage=0, seconds=seconds, **levels)
    return {
        "bytes a minute record": len(wire.record("minute", body, 0, None, 0)) + wire.MAC_BYTES,
        "bytes programmed a day": day["programmed_bytes"],
        "erases a day": day["erases"],
        "flushes a day": day["flushes"],
        "erases a flush": round(day["erases"] / day["flushes"], 2),
        "erases in the worst flush": turned["erases_in_the_worst_flush"],
        "days held, at the least": round(turned["held_ms"] / 86_400_000, 2),
        "bytes left for other files": turned["free_bytes"],
    }


def main() -> None:
    for name, figure in measure().items():
        print(f"journal: {name}: {figure:,}")


if __name__ == "__main__":
    main()
