"""The fence around a strategy's own code."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeVar

from mts1b_platform.plugins import attempt

from mts1b_research.errors import ResearchError, StrategyFailed

__all__ = ["fenced"]

Given = TypeVar("Given")


def fenced(
    strategy_id: str,
    work: Callable[[], Given],
    *,
    raises: type[ResearchError] = StrategyFailed,
) -> Given:
    """Run a strategy's code; whatever it raises becomes one error of ours, which says it.

    Whatever its class: a package may have errors of its own, and one that ends the interpreter
    (``SystemExit``) may end no other strategy. Only code of the strategy belongs inside, so that
    what is wrong with the machine is never taken for its fault. Code that never returns stops the
    service: nothing in one process ends it.

    :param raises: that error.
    """
    given: Given
    given, error = attempt(work)
    if error is None:
        return given
    if isinstance(error, raises):
        raise error
    said = "".join(traceback.format_exception_only(error)).strip()
    raise raises(f"strategy {strategy_id}: {said}") from error
