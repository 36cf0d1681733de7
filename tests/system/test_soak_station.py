"""Ten minutes of a station with 200 boxes and pages that look on: its memory stays flat
(`make soak`)."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from benchmarks import filled, looking
from benchmarks.load import Load, names
from benchmarks.process import Use
from system.serving import Serving

SECONDS = int(os.environ.get("NOISEWARDEN_SOAK_S", "600"))
BOXES, PAGES = 200, 10
SETTLED_S = 660
"""Until then each box has brought minutes, its ten minutes of trend are full and caches warm."""
LOOK_EVERY_S = 5
FLAT_MB_PER_HOUR = 20

pytestmark = pytest.mark.soak


def test_memory_is_flat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "station"
    filled.registered(folder, names(BOXES))
    with Serving(folder) as station, station.administrator() as chief:
        ca_pem = station.authority.ca_pem.decode()
        with Load(0, BOXES, station.port, ca_pem) as load, looking.idle(chief, PAGES):
            load.wait()
            time.sleep(SETTLED_S)
            use = Use(station.process.pid)
            began, memory_mb = time.monotonic(), []
            while (passed_s := time.monotonic() - began) < SECONDS:
                memory_mb.append((passed_s, use.memory_mb()))
                time.sleep(LOOK_EVERY_S)
            cores = use.cores()
        records = chief.get("/api/v1/health").json()["records"]
    at_s, mb = np.array(memory_mb).T
    slope = 3600 * np.polyfit(at_s, mb, 1)[0]
    with capsys.disabled():
        print(
            f"\nstation soak: {BOXES} boxes, {PAGES} pages, {SECONDS} s: {mb[-1]:.0f} MB, "
            f"{slope:+.1f} MB an hour; {100 * cores:.1f} % of a core"
        )
    assert records["new"] >= BOXES * (SETTLED_S + SECONDS) // 60
    assert not records.get("failed") and not records.get("dropped")
    assert slope < FLAT_MB_PER_HOUR
    assert station.complaints == ["stopped"]
