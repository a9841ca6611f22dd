"""The fence around a strategy's own code."""

from __future__ import annotations

import asyncio
import traceback
from types import TracebackType

from mts1b_research.errors import ResearchError, StrategyFailed

__all__ = ["Fence"]

_FAULTS = (Exception, SystemExit, asyncio.CancelledError)
"""The code inside waits for nothing, so a cancellation there is its own and not of our task."""


class Fence:
    """Let nothing through that a strategy's code raises but one error of ours, which says it.

    Whatever its class: a package may have errors of its own, and one that ends the interpreter
    (``SystemExit``) may end no other strategy. Only code of the strategy belongs inside, so that
    what is wrong with the machine is never taken for its fault.

    :param raises: that error.
    """

    def __init__(self, strategy_id: str, *, raises: type[ResearchError] = StrategyFailed) -> None:
        self._strategy_id = strategy_id
        self._raises = raises

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Raise our error from what was raised."""
        if isinstance(error, _FAULTS) and not isinstance(error, self._raises):
            said = "".join(traceback.format_exception_only(error)).strip()
            raise self._raises(f"strategy {self._strategy_id}: {said}") from error
