"""What the system says of a process."""

import os
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used; 0 where the system does not tell it as Linux does."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
