"""Firmware tests run on MicroPython, one process a file; each file is one test here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FIRMWARE_TESTS = Path(__file__).parent / "firmware"
FIRMWARE_TEST_TIMEOUT_S = 240


def interpreter() -> str:
    """The `micropython` of the virtual environment, or the first on the PATH."""
    beside = Path(sys.executable).with_name("micropython")
    return str(beside) if beside.exists() else "micropython"


def micropython_environment() -> dict[str, str]:
    """Environment in which MicroPython finds the firmware, the fakes of the chip and the tests."""
    path = [
        ROOT / "firmware",
        ROOT / "host/noisewarden/virtual/fakes",
        FIRMWARE_TESTS,
    ]
    return os.environ | {"MICROPYPATH": ":".join([*map(str, path), ".frozen"])}


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector):
    if module_path.parent == FIRMWARE_TESTS:
        return FirmwareFile.from_parent(parent, path=module_path)
    return None


class FirmwareFile(pytest.File):
    def collect(self):
        yield FirmwareTest.from_parent(self, name="on_micropython")


class FirmwareTest(pytest.Item):
    def runtest(self) -> None:
        run = subprocess.run(
            [interpreter(), "-X", "heapsize=64M", self.path],
            env=micropython_environment(),
            capture_output=True,
            text=True,
            timeout=FIRMWARE_TEST_TIMEOUT_S,
        )
        print(run.stdout, run.stderr)
        # The count guards against a file that ends early with exit 0.
        count = re.search(r"^(\d+) passed, 0 failed$", run.stdout, re.MULTILINE)
        if run.returncode or not count or count.group(1) == "0":
            raise AssertionError(f"{self.path.name}\n{run.stdout}{run.stderr}")

    def repr_failure(self, excinfo, style=None):
        return str(excinfo.value)

    def reportinfo(self):
        return self.path, None, self.path.stem
