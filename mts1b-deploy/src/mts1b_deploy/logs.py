"""Keep what services print within bounds: a service that runs for months fills no disk by it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["trim_logs"]

_MOST = 64 * 1024 * 1024


def trim_logs(folder: Path, most: int = _MOST) -> list[str]:
    """Move what is in a log of more than ``most`` bytes to NAME.out.1; return the logs' names.

    Services append to the files that they were given, so those are emptied and not replaced. A
    line that comes between the copy and that is lost.
    """
    trimmed = []
    for log in sorted(folder.glob("*.out")):
        if log.stat().st_size > most:
            partial = log.with_name(f"{log.name}.partial")
            shutil.copyfile(log, partial)
            os.replace(partial, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)
            trimmed.append(log.name)
    return trimmed
