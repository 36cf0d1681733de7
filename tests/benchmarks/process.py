"""What a process uses, as Linux tells it."""

import os
import time
from pathlib import Path


class Use:
    """Of a process and all its threads, from now on."""

    def __init__(self, pid: int) -> None:
        self._process = Path(f"/proc/{pid}")
        self._began, self._spent_s = time.monotonic(), self._cpu_s()

    def cores(self) -> float:
        """How many it kept busy, in the mean."""
        return self.cpu_s() / (time.monotonic() - self._began)

    def cpu_s(self) -> float:
        return self._cpu_s() - self._spent_s

    def memory_mb(self) -> float:
        """Resident."""
        rows = (self._process / "status").read_text().splitlines()
        (row,) = [row for row in rows if row.startswith("VmRSS")]
        return int(row.split()[1]) / 1024

    def _cpu_s(self) -> float:
        fields = (self._process / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
