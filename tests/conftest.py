"""Firmware tests run on MicroPython, one process a file; each file is one test here."""

import re
import subprocess
from pathlib import Path

import pytest
from noisewarden.virtual.chip import interpreter
from on_micropython import FIRMWARE_TESTS, micropython_environment

FIRMWARE_TEST_TIMEOUT_S = 240


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
