"""What a sweep has seen so far, seed by seed, in a file: stopped today, it goes on tomorrow."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from mts1b_platform.source_code import source_digest

from mts1b_oms.simulation.world import Outcome

__all__ = ["PACKAGES", "BadSweepLog", "SweepLog"]

PACKAGES = (
    "mts1b_foundation",
    "mts1b_platform",
    "mts1b_brokers",
    "mts1b_riskengine",
    "mts1b_oms",
)
"""Whose code a simulated run executes."""


class BadSweepLog(ValueError):
    """The file is no log of a sweep."""


class SweepLog:
    """One line of JSON for each seed, appended as it ends.

    Only seeds of this very code and of as many orders count as run: what another version did
    proves nothing of this one. A last line that was cut off is taken away.

    :raises BadSweepLog: when the file holds anything else.
    """

    def __init__(self, path: Path, *, orders: int, code: str | None = None) -> None:
        self._key = {"code": code or source_digest(*PACKAGES), "orders": orders}
        self.known: dict[int, Outcome] = {}
        """What is on record of this code, by seed."""
        whole = _whole_lines(path)
        for number, line in enumerate(whole, 1):
            self._read(line, f"{path}, line {number}")
        self._file = path.open("a", encoding="utf-8")

    def _read(self, line: str, where: str) -> None:
        try:
            row = json.loads(line)
            if self._key.items() <= row.items():
                outcome = Outcome(**row["outcome"])
                self.known[outcome.seed] = outcome
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadSweepLog(f"{where} is no line of a sweep: {error}") from error

    def add(self, outcome: Outcome) -> None:
        """Append one seed."""
        row = {**self._key, "outcome": {**asdict(outcome), "trace": []}}
        self._file.write(json.dumps(row, separators=(",", ":")) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _whole_lines(path: Path) -> list[str]:
    """Return the lines of a log; a last one without its end is cut off the file."""
    if not path.exists():
        return []
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if len(whole) < len(text):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return whole.decode("utf-8").splitlines()
