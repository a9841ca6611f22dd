"""Bet sizes that maximise the growth of capital (Kelly 1956; Thorp 2006)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mts1b_quantkit.arrays import FloatArray, Kind, Table, as_table
from mts1b_quantkit.errors import BadInput, NotPositiveDefinite

from mts1b_portfolio.inputs import LARGEST, read_cap, read_number, read_positive

__all__ = ["kelly_binary", "kelly_binary_growth", "kelly_fraction", "kelly_growth", "names_of"]


def kelly_fraction(
    expected_returns: Any, cov: Any, *, risk_aversion: float = 1.0, cap: float | None = None
) -> Any:
    """Return inv(cov) mu / ``risk_aversion``, the continuous-time growth-optimal weights.

    :param expected_returns: (A,) excess returns over cash per period.
    :param cov: (A, A) covariance for the same period.
    :param risk_aversion: 1 is full Kelly, 2 half Kelly.
    :param cap: bound on the absolute weight of each name, applied last; None for none.
    :raises NotPositiveDefinite: when ``cov`` has no inverse.
    :raises BadInput: for shapes or labels that do not fit, or a parameter out of range.

    >>> import numpy as np
    >>> from mts1b_portfolio import kelly_fraction
    >>> kelly_fraction(np.array([0.08, 0.04]), np.diag([0.04, 0.04])).round(6).tolist()
    [2.0, 1.0]
    """
    table = as_table(expected_returns, what="expected_returns")
    aversion, limit = read_positive("risk_aversion", risk_aversion), read_cap("cap", cap)
    mean = _one_row(table)
    weights = _solve(_covariance(cov, table, len(mean)), mean) / aversion
    _require_sized(weights, table)
    return table.rows(np.clip(weights, -limit, limit))


def kelly_growth(
    weights: Any, expected_returns: Any, cov: Any, *, risk_free_rate: float = 0.0
) -> float:
    """Return r + w'(mu - r) - w'Sw / 2, the growth rate per period of holding ``weights``.

    :raises BadInput: for shapes or labels that do not fit, or a ``cov`` that is not symmetric.
    :raises NotPositiveDefinite: when ``cov`` gives these weights a negative variance.

    >>> from mts1b_portfolio import kelly_growth
    >>> round(kelly_growth([1.0], [0.08], [[0.04]]), 6)
    0.06
    """
    table = as_table(expected_returns, what="expected_returns")
    mean = _one_row(table)
    given = as_table(weights, what="weights")
    held = _one_row(given)
    if held.shape != mean.shape:
        raise BadInput(f"weights has shape {held.shape}, expected_returns {mean.shape}")
    names, others = names_of(given), names_of(table)
    if names is not None and others is not None and names != others:
        raise BadInput(f"weights is labelled {names}, expected_returns {others}")
    matrix = _covariance(cov, table, len(mean))
    cash = read_number("risk_free_rate", risk_free_rate)
    drift = cash + float(held @ (mean - cash))
    variance = float(held @ matrix @ held)
    if variance < -1e-9 * float(np.abs(held) @ np.abs(matrix) @ np.abs(held)):
        raise NotPositiveDefinite("cov gives the weights a negative variance; repair its source")
    return drift - 0.5 * variance


def kelly_binary(p: float, b: float, *, cap: float | None = None) -> float:
    """Return p - (1 - p) / b, the fraction to stake on a bet that pays ``b`` to one.

    A negative value says that the bet has no edge.

    :param p: probability of winning.
    :param cap: bound on the absolute fraction; None for none.
    :raises BadInput: for p outside [0, 1] or b not positive.

    >>> from mts1b_portfolio import kelly_binary
    >>> round(kelly_binary(0.6, 1.0), 6)
    0.2
    """
    chance, odds = _bet(p, b)
    limit = read_cap("cap", cap)
    return min(max(chance - (1.0 - chance) / odds, -limit), limit)


def kelly_binary_growth(fraction: float, p: float, b: float) -> float:
    """Return p log(1 + b f) + (1 - p) log(1 - f), the expected log growth per bet.

    Minus infinity where the stake can ruin.

    :raises BadInput: for p outside [0, 1] or b not positive.

    >>> from mts1b_portfolio import kelly_binary_growth
    >>> round(kelly_binary_growth(0.2, 0.6, 1.0), 6)
    0.020136
    """
    winning, odds = _bet(p, b)
    stake = read_number("fraction", fraction)
    growth = 0.0
    for chance, wealth in ((winning, 1.0 + odds * stake), (1.0 - winning, 1.0 - stake)):
        if chance > 0.0:
            growth += chance * math.log(wealth) if wealth > 0.0 else -math.inf
    return growth


def names_of(table: Table) -> list[Any] | None:
    """Return the labels of one number per name, None where it has none."""
    labels = table.index if table.is_vector else table.columns
    return None if labels is None else list(labels)


def _one_row(table: Table) -> FloatArray:
    values = table.values
    if not table.is_vector and len(values) != 1:
        raise BadInput(f"expected one number per name, not a matrix of {values.shape}")
    return np.asarray(values.reshape(-1))


def _covariance(cov: Any, names: Table, size: int) -> FloatArray:
    table = as_table(cov, what="cov")
    if table.values.shape != (size, size):
        raise BadInput(f"cov has shape {table.values.shape}, {size} names ask for ({size}, {size})")
    labels = names_of(names)
    if labels is not None and table.columns is not None and labels != table.labels:
        raise BadInput(f"cov is labelled {table.labels}, expected_returns {labels}")
    if table.kind is Kind.PANDAS and list(table.index) != table.labels:
        raise BadInput("cov has rows and columns in different order; reorder one")
    if not np.allclose(table.values, table.values.T, rtol=1e-8, atol=0.0):
        raise BadInput("cov is not symmetric; give the covariance of the same names on both sides")
    return table.values


def _solve(matrix: FloatArray, mean: FloatArray) -> FloatArray:
    if not _has_inverse(matrix):
        raise NotPositiveDefinite(
            "cov has no inverse (a name repeats others or does not vary, or there are fewer rows "
            "than names); shrink it"
        )
    return np.asarray(np.linalg.solve(matrix, mean))


def _has_inverse(matrix: FloatArray) -> bool:
    """Return whether the correlation matrix is positive definite beyond its rounding errors."""
    variances = np.diag(matrix)
    if not (variances > 0.0).all():
        return False
    spread = np.sqrt(variances)
    values = np.linalg.eigvalsh(matrix / spread / spread[:, None])
    return bool(values[0] > len(values) * np.finfo(float).eps * values[-1])


def _require_sized(weights: FloatArray, table: Table) -> None:
    beyond = ~(np.abs(weights) <= LARGEST)
    if beyond.any():
        place = int(beyond.argmax())
        labels = table.index if table.is_vector else table.columns
        name = place if labels is None else list(labels)[place]
        raise BadInput(
            f"the weight of {name!r} is {weights[place]:g}; its variance is no match for its "
            "expected return: give both for the same period and unit"
        )


def _bet(p: Any, b: Any) -> tuple[float, float]:
    chance = read_number("p", p, least=0.0, most=1.0, wanted="a probability")
    return chance, read_positive("b", b)
