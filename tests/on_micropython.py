"""Where firmware tests are, and what MicroPython needs to run them."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIRMWARE_TESTS = Path(__file__).parent / "firmware"


def micropython_environment() -> dict[str, str]:
    """Environment in which MicroPython finds the firmware, the fakes of the chip and the tests."""
    path = [
        ROOT / "firmware",
        ROOT / "host/noisewarden/virtual/fakes",
        FIRMWARE_TESTS,
    ]
    return os.environ | {"MICROPYPATH": ":".join([*map(str, path), ".frozen"])}
