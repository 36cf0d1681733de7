import os

import pytest
from machine_code import missing_tools


@pytest.fixture(autouse=True, scope="session")
def emulators():
    """Without qemu these tests mean nothing: a failure in CI, a skip on a laptop that lacks it."""
    missing = missing_tools()
    if missing and os.environ.get("CI"):
        pytest.fail(f"{', '.join(missing)} not found: install qemu-user")
    if missing:
        pytest.skip(f"{', '.join(missing)} not found: install qemu-user")
