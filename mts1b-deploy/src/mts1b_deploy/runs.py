"""Runs of a replay in one MTS_HOME: which is open, which is finished, where old ones go."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Progress", "archive_finished", "is_open", "read_progress", "read_result"]

_OF_A_RUN = ("db", "halt", "nats", "run", "logs", "audit")
_KEPT = 3


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the replay is; ``as_of`` is the time of the last finished tick."""

    tick: int
    total: int
    as_of: str
    state: str


def read_progress(home: Path) -> Progress | None:
    """Return the progress that the market-data service last wrote, or None."""
    path = home / "run" / "progress.json"
    if not path.exists():
        return None
    data = json.loads(path.read_text())
    return Progress(
        tick=int(data["tick"]),
        total=int(data["total"]),
        as_of=str(data.get("as_of") or ""),
        state=str(data["state"]),
    )


def read_result(home: Path) -> dict[str, object] | None:
    """Return the result of a finished run, or None."""
    path = home / "run" / "result.json"
    if not path.exists():
        return None
    result: dict[str, object] = json.loads(path.read_text())
    return result


def is_open(home: Path) -> bool:
    """Return whether the home holds a run that has begun and not finished."""
    return (home / "db").exists() and read_result(home) is None


def archive_finished(home: Path) -> Path | None:
    """Move a finished run aside, keeping keys, settings and market data; return where to.

    The last three are kept. Nothing may run in the home meanwhile. After a crash this goes on
    where it was: the folder ``run``, which holds the result, is moved last.
    """
    if read_result(home) is None:
        return None
    archive = home / "archive"
    archive.mkdir(exist_ok=True)
    numbers = sorted(int(item.name) for item in archive.iterdir() if item.name.isdigit())
    begun = numbers.pop() if numbers and not (_slot(archive, numbers[-1]) / "run").exists() else 0
    target = _slot(archive, begun or (numbers[-1] if numbers else 0) + 1)
    target.mkdir(exist_ok=True)
    for number in numbers[: max(len(numbers) + 1 - _KEPT, 0)]:
        shutil.rmtree(_slot(archive, number))
    for name in sorted(_OF_A_RUN, key=lambda item: item == "run"):
        if (home / name).exists():
            os.replace(home / name, target / name)
    return target


def _slot(archive: Path, number: int) -> Path:
    return archive / f"{number:06d}"
