"""Between a panel and the arithmetic of a factor."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from mts1b_foundation.market_data import UniversePanel

from mts1b_quantkit.arrays import FloatArray, as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.factors.cross_section import zscored
from mts1b_quantkit.factors.registry import register
from mts1b_quantkit.labels import require_same_columns, require_same_rows
from mts1b_quantkit.scalars import read_count, read_flag, read_number

__all__ = ["factor", "moving", "score", "simple_returns"]

_ROUNDING = 8.0 * float(np.finfo(np.float64).eps)
"""A return is a ratio of prices less one: so much of it may be what rounding left of the ratio."""

_FIELDS = ("close", "high", "low", "volume", "dates")

F = TypeVar("F", bound=Callable[..., Any])


def factor(name: str) -> Callable[[F], F]:
    """Register a factor of the library, whose keywords are read before it computes.

    The keywords are whole numbers of rows, but for ``raw``, ``h_skip`` (may be zero) and
    ``ema_alpha`` (a weight, or None).
    """

    def enter(function: F) -> F:
        known = dict(getattr(function, "__kwdefaults__", None) or {})

        @functools.wraps(function)
        def reading(panel: UniversePanel, /, **params: Any) -> Any:
            if not all(hasattr(panel, name) for name in _FIELDS):
                raise BadInput(f"panel is a {type(panel).__name__}; give a UniversePanel")
            unknown = sorted(params.keys() - known.keys())
            if unknown:
                raise BadInput(f"{name} has no parameter {unknown[0]!r}; it has {', '.join(known)}")
            read = {key: _keyword(key, value) for key, value in params.items()}
            return function(panel, **read)

        return register(name)(cast(F, reading))

    return enter


def _keyword(name: str, value: Any) -> Any:
    if name == "raw":
        return read_flag(name, value)
    if name == "ema_alpha":
        wanted = "the weight of the past in [0, 1), or None"
        return (
            None if value is None else read_number(name, value, least=0.0, below=1.0, wanted=wanted)
        )
    least = 0 if name == "h_skip" else 1
    return read_count(name, value, least=least, wanted=f"a whole number of rows, {least} or more")


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
    for name, table in zip(fields[1:], tables[1:], strict=True):
        require_same_rows(tables[0], table, name, beside=fields[0])
        require_same_columns(tables[0], table, name, beside=fields[0])
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


def moving(deviation: FloatArray) -> FloatArray:
    """Return deviations of returns; NaN where the price stands still, or grows all alike."""
    return np.where(deviation > _ROUNDING, deviation, np.nan)
