"""The sizer of the first demonstration: Kelly, then a volatility of 12 % a year."""

from __future__ import annotations

from typing import Any

import numpy as np
from mts1b_quantkit.arrays import as_table
from mts1b_quantkit.covariance import ledoit_wolf
from mts1b_quantkit.errors import BadInput

from mts1b_portfolio.inputs import read_positive
from mts1b_portfolio.kelly import kelly_fraction, names_of
from mts1b_portfolio.volatility_target import vol_target_weights

__all__ = ["kelly_voltarget_12"]

_RISK_AVERSION = 2.0
_CAP = 0.20
_TARGET = 0.12
_WINDOW = 63


def kelly_voltarget_12(signal: Any, returns: Any, nav_usd: float) -> Any:
    """Return dollar positions: half Kelly, each name at most 20 %, scaled to 12 % a year.

    The weights are inv(S) signal / 2, S being the Ledoit-Wolf covariance of ``returns``, clipped to
    20 % of NAV, then scaled so that their volatility over the last 63 rows is 12 % a year, at most
    threefold.

    :param signal: (A,) expected excess returns per period; its kind is the result's.
    :param returns: (T, A) simple returns, T at least 63.
    :param nav_usd: what the weights are fractions of; 1 gives the weights themselves.
    :raises BadInput: for shapes that do not fit, too few rows, or a NAV that is not positive.

    >>> import numpy as np
    >>> from mts1b_portfolio import kelly_voltarget_12
    >>> returns = np.random.default_rng(1).normal(0.001, 0.01, (80, 2))
    >>> kelly_voltarget_12(np.array([0.001, 0.0]), returns, 1.0).round(2).tolist()
    [0.6, 0.0]
    """
    nav = read_positive("nav_usd", nav_usd)
    table = as_table(returns)
    if table.is_vector:
        raise BadInput("returns is one series; give a (T, A) matrix")
    if (table.values <= -1.0).any():
        raise BadInput("returns holds a total loss; it has no logarithm")
    covariance = np.asarray(ledoit_wolf(table.values).covariance)
    named = as_table(signal, what="signal")
    names = names_of(named)
    if names is not None and table.columns is not None and names != table.labels:
        raise BadInput(f"signal is labelled {names}, the returns {table.labels}")
    base = kelly_fraction(
        named.values.reshape(-1), covariance, risk_aversion=_RISK_AVERSION, cap=_CAP
    )
    scaled = vol_target_weights(
        base, np.log1p(table.values), target_ann_vol=_TARGET, window=_WINDOW
    )
    return named.rows(np.asarray(scaled) * nav)
