"""What a process has used, as Linux tells it."""

import os
from pathlib import Path


def cpu_s(pid: int) -> float:
    """Of all its threads since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Resident."""
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    (row,) = [row for row in rows if row.startswith("VmRSS")]
    return int(row.split()[1]) / 1024
