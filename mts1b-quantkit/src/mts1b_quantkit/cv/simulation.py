"""The returns of a strategy that trades towards target weights, net of costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.errors import NaNInput

__all__ = ["net_returns"]


def net_returns(
    returns: FloatArray,
    targets: Mapping[int, FloatArray],
    rows: range,
    *,
    cost: float,
    labels: tuple[list[Any], list[Any]],
    held: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return the net returns of ``rows`` and the weights held after the last of them.

    A target of row t is traded at the close of t and earns from row t + 1 on. Between two targets
    the weights drift with the prices. Trading costs ``cost`` of the value traded, charged to the
    return of the next row.

    :param returns: (T, A). :param targets: row -> (A,).
    :param labels: of rows and assets, for messages.
    :param held: weights before the first row; None for cash alone.
    :raises NaNInput: naming the row and a held asset whose return is missing in it.
    """
    weights = np.zeros(returns.shape[1]) if held is None else held
    result = np.empty(len(rows))
    for place, row in enumerate(rows):
        target = targets.get(row - 1)
        paid = 0.0
        if target is not None:
            paid = cost * float(np.abs(target - weights).sum())
            weights = target
        moved = returns[row]
        gain = np.where(weights != 0.0, weights * moved, 0.0)
        total = float(gain.sum())
        if np.isnan(total):
            missing = np.isnan(gain)
            at = int(np.argmax(missing))
            raise NaNInput(
                "close", asset=labels[1][at], row=labels[0][row], count=int(missing.sum())
            )
        result[place] = total - paid
        weights = (weights + gain) / (1.0 + total) if total > -1.0 else np.zeros_like(weights)
    return result, weights
