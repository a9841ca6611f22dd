"""Say on a terminal how far a long run is."""

from __future__ import annotations

import sys
from collections.abc import Callable

__all__ = ["Progress", "reporter"]

Progress = bool | Callable[[float], None]
"""Whether to show progress on a terminal, or who is told the fraction that is done."""

_WIDTH = 30


def reporter(progress: Progress) -> Callable[[float], None]:
    """Return who is told: the callable itself, a bar where stderr is a terminal, else nobody."""
    if callable(progress):
        return progress
    if progress and sys.stderr.isatty():
        return _bar
    return _nobody


def _bar(done: float) -> None:
    filled = round(done * _WIDTH)
    end = "\n" if done >= 1.0 else ""
    bar = "#" * filled + "." * (_WIDTH - filled)
    print(f"\r[{bar}] {done:4.0%}", end=end, file=sys.stderr, flush=True)


def _nobody(done: float) -> None:
    """Do nothing."""
