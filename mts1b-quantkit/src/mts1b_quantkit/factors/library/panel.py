"""Between a panel and the arithmetic of a factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mts1b_foundation.market_data import UniversePanel

from mts1b_quantkit.arrays import FloatArray, as_table
from mts1b_quantkit.factors.cross_section import zscored

__all__ = ["score", "simple_returns"]


def score(
    panel: UniversePanel,
    fields: tuple[str, ...],
    compute: Callable[..., FloatArray],
    *,
    raw: bool,
) -> Any:
    """Compute a factor from fields of the panel, in the kind of the first field.

    What is not finite becomes NaN; the rest is z-scored across assets unless ``raw``.
    """
    tables = [as_table(getattr(panel, name), what=name, allow_nan=True) for name in fields]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        values = compute(*(table.values for table in tables))
    values = np.where(np.isfinite(values), values, np.nan)
    return tables[0].rows(values if raw else zscored(values))


def simple_returns(close: FloatArray, periods: int = 1) -> FloatArray:
    """Return close over the close ``periods`` rows earlier, less one; NaN in the first rows."""
    result = np.full_like(close, np.nan)
    result[periods:] = close[periods:] / close[:-periods] - 1.0
    return result
