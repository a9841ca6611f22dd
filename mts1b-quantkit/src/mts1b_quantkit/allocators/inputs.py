"""What an allocator is given: returns, or the moments that stand in for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mts1b_quantkit.arrays import LARGEST, FloatArray, Kind, Table, as_table, as_vector
from mts1b_quantkit.covariance import ShrunkCovariance, sample_covariance
from mts1b_quantkit.covariance.sample import require_variances
from mts1b_quantkit.errors import BadInput, NotPositiveDefinite

__all__ = ["Problem", "condition_number", "read_assets", "read_expected_returns", "read_problem"]

_ASYMMETRY = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """The assets (labels and kind of the result) and their (N, N) covariance."""

    assets: Table
    covariance: FloatArray

    @property
    def size(self) -> int:
        """Return N."""
        return len(self.covariance)

    @property
    def variances(self) -> FloatArray:
        """Return the diagonal (N,).

        :raises BadInput: naming the first asset without variance.
        """
        return require_variances(np.diag(self.covariance), self.assets.labels)


def read_assets(returns: Any, covariance: Any) -> Table:
    """Return the table that names the assets: the returns, or the covariance alone.

    :raises BadInput: when both are missing, or returns is a single series.
    """
    if returns is None and covariance is None:
        raise BadInput("give returns, or covariance=")
    if returns is None:
        return _covariance_table(covariance)
    table = as_table(returns)
    if table.is_vector:
        raise BadInput("returns is one series; an allocator needs a (T, N) matrix")
    return table


def read_problem(returns: Any, covariance: Any) -> Problem:
    """Read the assets and their covariance; without ``covariance`` the sample's, ddof=1.

    :raises BadInput: for a matrix that is not square, symmetric, or labelled like the returns.
    :raises NotPositiveDefinite: for a negative variance.
    """
    assets = read_assets(returns, covariance)
    if covariance is None:
        return Problem(assets, np.asarray(sample_covariance(assets.values)))
    table = _covariance_table(covariance)
    if len(table.values) != len(assets.labels):
        raise BadInput(f"covariance is for {len(table.values)} assets, not {len(assets.labels)}")
    named = table.columns is not None and assets.columns is not None
    if named and table.labels != assets.labels:
        raise BadInput(
            f"covariance is labelled {table.labels}, returns {assets.labels}; reorder one"
        )
    return Problem(assets, table.values)


def read_expected_returns(expected_returns: Any, problem: Problem, returns: Any) -> FloatArray:
    """Read (N,) expected returns per period; without them the sample means.

    :raises BadInput: when neither is given, or shape or labels do not fit.
    """
    if expected_returns is not None:
        return as_vector(expected_returns, problem.assets, what="expected_returns")
    if returns is None:
        raise BadInput("give returns, or expected_returns= beside covariance=")
    return np.asarray(problem.assets.values.mean(axis=0))


def condition_number(covariance: FloatArray) -> float:
    """Return the ratio of the largest to the smallest eigenvalue; infinite when singular."""
    values = np.linalg.eigvalsh(covariance)
    return float(values[-1] / values[0]) if values[0] > 0.0 else float("inf")


def _covariance_table(covariance: Any) -> Table:
    if isinstance(covariance, ShrunkCovariance):
        covariance = covariance.covariance
    table = as_table(covariance, what="covariance", largest=LARGEST**2)
    values = table.values
    if table.is_vector or values.shape[0] != values.shape[1]:
        raise BadInput(f"covariance has shape {values.shape}; give an (N, N) matrix")
    if table.kind is Kind.PANDAS and list(table.index) != table.labels:
        raise BadInput("covariance has rows and columns in different order; reorder one")
    if np.abs(values - values.T).max() > _ASYMMETRY * np.abs(values).max():
        raise BadInput("covariance is not symmetric; average it with its transpose, or check it")
    diagonal = np.diag(values)
    if (diagonal < 0.0).any():
        name = table.labels[int(np.argmax(diagonal < 0.0))]
        raise NotPositiveDefinite(f"covariance gives {name!r} a negative variance")
    symmetric = (values + values.T) / 2.0
    return Table(symmetric, table.kind, table.columns, table.index)
