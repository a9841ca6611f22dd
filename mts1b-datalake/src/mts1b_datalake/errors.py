"""What can go wrong with data, named by what to do about it. Every one ends with exit code 6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mts1b_platform.errors import DataError as PlatformDataError

__all__ = ["DataError", "DatasetCorrupt", "DatasetMissing", "Problem", "SamplesMissing"]

SHOWN = 5
"""How many offending rows a message lists for each rule."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One rule that rows broke: how many, and the first of them as (line, what is wrong)."""

    rule: str
    count: int
    rows: tuple[tuple[int, str], ...] = ()

    def __str__(self) -> str:
        lines = [f"  {self.rule}: {self.count} row{'s' if self.count != 1 else ''}"]
        lines += [f"    line {line}: {text}" for line, text in self.rows[:SHOWN]]
        if self.count > len(self.rows[:SHOWN]):
            lines.append(f"    ... and {self.count - len(self.rows[:SHOWN])} more")
        return "\n".join(lines)


class DataError(PlatformDataError):
    """The data is refused and nothing was written; mend the file or the declaration."""

    def __init__(self, message: str, *, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([message, *map(str, self.problems)]))


class DatasetMissing(DataError):
    """No such dataset, version, symbol or interval; import it or name another."""


class DatasetCorrupt(DataError):
    """A stored file differs from its manifest; import the data again."""


class SamplesMissing(DataError):
    """The sample tape is not installed; install the extra ``samples``."""
