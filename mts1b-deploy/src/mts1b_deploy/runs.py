"""Runs of a replay in one MTS_HOME: which is open, which is finished, where old ones go."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mts1b_deploy.errors import HaltInForce

__all__ = ["Progress", "archive_finished", "is_open", "read_progress", "read_result"]

_OF_A_RUN = ("db", "halt", "nats", "run", "logs", "audit")
_KEPT = 3
_HALTS_OF_A_RUN = ("mts1b-riskengine", "oms")
"""Who halts by what a run did; every other halt is not of the run alone, and outlives it."""


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

    :raises HaltInForce: when a halt is in force that the run did not make itself.
    """
    if read_result(home) is None:
        return None
    with _halts_held(home / "halt"):
        _require_no_halt(home / "halt")
        return _archive(home)


@contextmanager
def _halts_held(folder: Path) -> Iterator[None]:
    """Let nobody write the halt record meanwhile: whoever halts waits, and halts the new run."""
    if not folder.exists():
        yield
        return
    lock = os.open(folder / "halts.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _require_no_halt(folder: Path) -> None:
    """Refuse while a halt is in force that was not made by what the run did.

    :raises HaltInForce: with the resume that ends it.
    """
    record = folder / "halts.json"
    if not record.exists() and not (folder / "halts.kept").exists():
        return
    try:
        active = json.loads(record.read_bytes())["active"]
        by_hand = [halt for halt in active if halt["requested_by"] not in _HALTS_OF_A_RUN]
        told = [f"{h['scope']} by {h['requested_by']} ({h['reason'][:80]!r})" for h in by_hand]
        ends = [_resume_of(halt["scope"]) for halt in by_hand]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HaltInForce(
            f"the halt record {record} can not be read ({error}), so everything is halted, and a "
            "new run would drop that; start the system with `mts up` once, which makes it anew"
        ) from error
    if told:
        raise HaltInForce(
            f"halted are {', '.join(told)}, and a new run would drop that; end it with "
            f"{', '.join(dict.fromkeys(ends))}, then run again"
        )


def _resume_of(scope: str) -> str:
    if scope == "firm":
        return "`mts cmd resume --operator NAME --cosigner NAME`"
    return f"`mts cmd resume {scope} --operator NAME`"


def _archive(home: Path) -> Path:
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
