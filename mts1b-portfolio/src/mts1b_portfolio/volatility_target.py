"""Scale weights to a volatility."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mts1b_quantkit.arrays import FloatArray, Table, as_table
from mts1b_quantkit.errors import BadInput

from mts1b_portfolio.inputs import read_count, read_number, read_positive

__all__ = ["vol_target_weights"]


def vol_target_weights(
    base_weights: Any,
    asset_log_returns: Any,
    *,
    target_ann_vol: float,
    window: int = 63,
    max_scale: float = 3.0,
    min_scale: float = 0.0,
    lag: int = 0,
    periods_per_year: float = 252,
) -> Any:
    """Scale ``base_weights`` so that their recent volatility meets the target.

    The volatility is the standard deviation (ddof=1) of asset_log_returns @ base_weights over the
    last ``window`` rows, annualised; the scale is target over volatility, at most ``max_scale`` and
    at least ``min_scale``. It scales down as well as up. The weights are for the row after the
    last.

    :param base_weights: (A,) weights; their kind is the result's.
    :param asset_log_returns: (T, A) log returns, T at least ``window`` + ``lag``.
    :param lag: leave so many of the last rows out: what is not known yet when the weights are
        traded.
    :raises BadInput: for shapes or labels that do not fit, too few rows, or a parameter out of
        range.
    :raises NaNInput: for a missing value.

    >>> import numpy as np
    >>> from mts1b_portfolio import vol_target_weights
    >>> log_returns = np.random.default_rng(1).normal(0.0, 0.01, (64, 2))
    >>> vol_target_weights(np.array([0.5, 0.5]), log_returns, target_ann_vol=0.1).round(4).tolist()
    [0.4939, 0.4939]
    """
    target = read_number("target_ann_vol", target_ann_vol, least=0.0, wanted="zero or more")
    highest = read_number("max_scale", max_scale, least=0.0, wanted="zero or more")
    lowest = read_number(
        "min_scale", min_scale, least=0.0, most=highest, wanted="zero or more, up to max_scale"
    )
    periods = read_positive("periods_per_year", periods_per_year)
    rows, late = read_count("window", window, least=2), read_count("lag", lag, least=0)
    base = as_table(base_weights, what="base_weights")
    weights = base.values.reshape(-1)
    recent = _recent(asset_log_returns, base, len(weights), rows, late)
    earned = recent @ weights
    largest = float(np.abs(earned).max()) or 1.0  # the squares of tiny returns have no room
    volatility = float((earned / largest).std(ddof=1)) * largest * math.sqrt(periods)
    scale = highest if volatility == 0.0 else min(target / volatility, highest)
    return base.rows(weights * max(scale, lowest))


def _recent(asset_log_returns: Any, base: Table, size: int, window: int, lag: int) -> FloatArray:
    returns = as_table(asset_log_returns, what="asset_log_returns")
    if returns.is_vector or returns.values.shape[1] != size:
        raise BadInput(f"asset_log_returns has shape {returns.values.shape}, not (T, {size})")
    labels = base.index if base.is_vector else base.columns
    if labels is not None and returns.columns is not None and list(labels) != returns.labels:
        raise BadInput(f"base_weights is labelled {list(labels)}, the returns {returns.labels}")
    rows = len(returns.values)
    if rows < window + lag:
        raise BadInput(f"asset_log_returns has {rows} rows; window and lag need {window + lag}")
    return np.asarray(returns.values[rows - lag - window : rows - lag])
