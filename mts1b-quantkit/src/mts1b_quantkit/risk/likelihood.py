"""The Gaussian likelihood of a GARCH(1, 1), with its gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mts1b_quantkit.arrays import FloatArray

__all__ = ["Likelihood"]

_BACKCAST_ROWS = 75
_BACKCAST_DECAY = 0.94


class Likelihood:
    """Returns (T,), and the rule for the variance before the first of them.

    ``sample``: the mean square of the errors, whatever the mean is. ``backcast``: of the first
    rows' distances from ``centre``, the same for every mean.

    Parameters are (mean, omega, alpha, beta). The variance and every derivative obey
    x_t = input_t + beta x_(t-1), which is one bidiagonal system for all of them.
    """

    def __init__(self, returns: FloatArray, *, start: str, centre: float) -> None:
        self.returns = returns
        self._backcast: float | None = None
        if start == "backcast":
            weights = _BACKCAST_DECAY ** np.arange(min(_BACKCAST_ROWS, len(returns)))
            first = (returns[: len(weights)] - centre) ** 2
            self._backcast = float(weights @ first / weights.sum())

    def variances(self, parameters: Sequence[float] | FloatArray) -> FloatArray:
        """Return the variance of each row given the rows before it (T,)."""
        mean, omega, alpha, beta = (float(x) for x in parameters)
        squares = (self.returns - mean) ** 2
        before = self._before(squares)
        given = omega + alpha * np.concatenate(([before], squares[:-1]))
        given[0] += beta * before
        return _filtered(given[:, None], beta)[:, 0]

    def negative(self, parameters: Sequence[float] | FloatArray) -> tuple[float, FloatArray]:
        """Return minus the log likelihood, and its gradient (4,)."""
        mean, _, alpha, beta = (float(x) for x in parameters)
        errors = self.returns - mean
        squares = errors**2
        h = self.variances(parameters)
        before = self._before(squares)
        of_mean = -2.0 * float(errors.mean()) if self._backcast is None else 0.0
        given = np.zeros((len(h), 4))
        given[1:, 0] = -2.0 * alpha * errors[:-1]
        given[0, 0] = (alpha + beta) * of_mean
        given[:, 1] = 1.0
        given[1:, 2] = squares[:-1]
        given[0, 2] = given[0, 3] = before
        given[1:, 3] = h[:-1]
        slopes = _filtered(given, beta)
        value = 0.5 * float((math.log(2.0 * math.pi) + np.log(h) + squares / h).sum())
        gradient = slopes.T @ (0.5 * (1.0 - squares / h) / h)
        gradient[0] -= float((errors / h).sum())
        return value, gradient

    def _before(self, squares: FloatArray) -> float:
        return float(squares.mean()) if self._backcast is None else self._backcast


def _filtered(given: FloatArray, beta: float) -> FloatArray:
    """Return x with x_t = given_t + beta x_(t-1) down each column of (T, K)."""
    from scipy.linalg import solve_banded

    bands = np.ones((2, len(given)))
    bands[1] = -beta
    return np.asarray(solve_banded((1, 0), bands, given, check_finite=False))
