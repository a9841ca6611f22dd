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
    endless = np.isinf(values)
    if endless.any():
        values = np.where(endless, np.nan, values)
    return tables[0].rows(values if raw else zscored(values))


def simple_returns(close: FloatArray, periods: int = 1) -> FloatArray:
    """Return close over the close ``periods`` rows earlier, less one; NaN in the first rows."""
    result = np.full_like(close, np.nan)
    later = result[periods:]
    np.divide(close[periods:], close[:-periods], out=later)
    later -= 1.0
    return result
