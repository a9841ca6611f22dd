"""What a factor looks like."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from mts1b_foundation.market_data import UniversePanel

__all__ = ["FactorFn"]


@runtime_checkable
class FactorFn(Protocol):
    """Turn a panel into a (T, A) array of scores; its name starts with ``f_``."""

    def __call__(self, panel: UniversePanel, /, **params: Any) -> Any:
        """Return the scores, (T, A), higher is better; NaN where data is missing.

        Row t may depend on the rows up to t alone: it is traded after the close of t.
        """
        ...
