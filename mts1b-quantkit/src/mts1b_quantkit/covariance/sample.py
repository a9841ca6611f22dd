"""Covariance matrices of simple returns: sample, exponentially weighted, shrunk.

Every function takes (T, N) simple returns and gives an (N, N) matrix that is not annualised, with
the columns' labels on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.arrays import LARGEST, FloatArray, Table, as_table, require_prices
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.scalars import read_choice, read_count, read_flag, read_number

__all__ = [
    "ShrunkCovariance",
    "ewma_covariance",
    "ledoit_wolf",
    "matrix_of",
    "oas",
    "require_variances",
    "returns_from_prices",
    "sample_covariance",
    "sample_covariance_of",
    "symmetric",
]


_SHORTEST = 0.05
"""Half-life, in rows, below which a single row counts."""


@dataclass(frozen=True, slots=True, eq=False)
class ShrunkCovariance:
    """A covariance pulled towards a target.

    ``covariance`` (N, N) is ``shrinkage * target + (1 - shrinkage) * sample``, in the input's
    kind; ``shrinkage`` lies in [0, 1]. ``numpy.asarray(result)`` is the matrix.
    """

    covariance: Any
    shrinkage: float

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the matrix as numpy."""
        return np.array(as_table(self.covariance, what="covariance").values, dtype=dtype)


def returns_from_prices(prices: Any, *, log: bool = False) -> Any:
    """Return simple (or log) returns of (T,) or (T, N) prices, one row fewer.

    :raises NaNInput: for a missing price.
    :raises BadInput: for fewer than two rows, or a price that is not positive.

    >>> from mts1b_quantkit.covariance import returns_from_prices
    >>> returns_from_prices([100.0, 125.0, 100.0]).round(6).tolist()
    [0.25, -0.2]
    """
    in_logs = read_flag("log", log)
    table = as_table(prices, what="prices")
    matrix = table.matrix
    if len(matrix) < 2:
        raise BadInput("prices has one row; a return needs two")
    require_prices(table, "price")
    ratio = table.values[1:] / table.values[:-1]
    values = np.log(ratio) if in_logs else ratio - 1.0
    index = None if table.index is None else table.index[1:]
    return Table(values, table.kind, table.columns, index, table.name).rows(values)


def sample_covariance(returns: Any, *, ddof: int = 1) -> Any:
    """Return the sample covariance, divided by T - ``ddof``.

    :raises BadInput: when T does not exceed ``ddof``.

    >>> import numpy as np
    >>> from mts1b_quantkit.covariance import sample_covariance
    >>> returns = np.array([[0.01, 0.02], [-0.02, 0.01], [0.03, -0.01], [0.0, 0.02]])
    >>> sample_covariance(returns).round(6).tolist()
    [[0.000433, -0.000167], [-0.000167, 0.0002]]
    """
    table = matrix_of(returns)
    _, sample = _centred(table, ddof)
    return table.square(sample)


def ewma_covariance(returns: Any, *, halflife: float) -> Any:
    """Return the exponentially weighted covariance around the weighted mean.

    A row's weight halves every ``halflife`` rows of age. The result is corrected for bias with
    reliability weights, 1 - sum(w^2), so that an endless half-life gives the sample covariance
    with ddof=1 (and every half-life gives the last block of pandas' ``ewm(halflife=).cov()``).

    :param returns: (T, N), two rows or more.
    :raises BadInput: for fewer rows, or a half-life below 0.05 rows.

    >>> import numpy as np
    >>> from mts1b_quantkit.covariance import ewma_covariance
    >>> returns = np.array([[0.01, 0.02], [-0.02, 0.01], [0.03, -0.01], [0.0, 0.02]])
    >>> ewma_covariance(returns, halflife=2).round(6).tolist()
    [[0.00043, -0.000211], [-0.000211, 0.000229]]
    """
    table = matrix_of(returns)
    halflife = read_number(
        "halflife", halflife, least=_SHORTEST, most=np.inf, wanted="a number of rows, 0.05 or more"
    )
    rows = len(table.values)
    if rows < 2:
        raise BadInput("returns has one row; a covariance needs two")
    weights = 0.5 ** (np.arange(rows - 1, -1, -1) / halflife)
    weights /= weights.sum()
    mean = weights @ table.values
    centred = table.values - mean
    correction = 1.0 - float(weights @ weights)
    sample = symmetric((centred * weights[:, None]).T @ centred / correction)
    _still(table.values, mean, centred, sample)
    return table.square(sample)


def ledoit_wolf(
    returns: Any,
    *,
    target: Literal["identity", "constant_correlation", "single_factor"] = "identity",
    ddof: int = 1,
) -> ShrunkCovariance:
    """Shrink the sample covariance by the intensity that minimises the expected squared error.

    ``identity``: Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional
    covariance matrices", towards the mean variance times I. ``constant_correlation``: 2004, "Honey,
    I shrunk the sample covariance matrix". ``single_factor``: 2003, "Improved estimation of the
    covariance matrix of stock returns", the factor being the equally weighted mean of the columns.

    :param ddof: 1 divides by T - 1 throughout, as the authors' code does for returns whose mean
        was removed; 0 divides by T, as the 2004 paper does.
    :raises BadInput: for an unknown target, T <= ddof, or an asset without variance.

    >>> import numpy as np
    >>> from mts1b_quantkit.covariance import ledoit_wolf
    >>> returns = np.array([[0.01, 0.02], [-0.02, 0.01], [0.03, -0.01], [0.0, 0.02]])
    >>> round(ledoit_wolf(returns).shrinkage, 6)
    0.83557
    """
    read_choice("target", target, _TARGETS)
    table, ddof = matrix_of(returns), read_count("ddof", ddof, least=0)
    centred, sample = _centred(table, ddof)
    if target != "identity":
        require_variances(np.diag(sample), table.labels)
    n = len(centred) - ddof
    squares = centred**2
    pi = squares.T @ squares / n - sample**2
    prior, rho = _TARGETS[target](centred, sample, pi, n)
    distance = float(((sample - prior) ** 2).sum())
    intensity = 0.0 if distance == 0.0 else (float(pi.sum()) - rho) / distance / n
    shrinkage = min(1.0, max(0.0, intensity))
    covariance = symmetric(shrinkage * prior + (1.0 - shrinkage) * sample)
    return ShrunkCovariance(table.square(covariance), shrinkage)


def oas(
    returns: Any, *, formula: Literal["simplified", "paper"] = "simplified"
) -> ShrunkCovariance:
    """Shrink towards the mean variance times I by the oracle approximating intensity.

    Chen, Wiesel, Eldar and Hero 2010, "Shrinkage algorithms for MMSE covariance estimation",
    equation 23, on the covariance divided by T. ``paper`` is the equation as printed;
    ``simplified`` leaves out its 2/N terms, as scikit-learn does.

    :raises BadInput: for an unknown formula.

    >>> import numpy as np
    >>> from mts1b_quantkit.covariance import oas
    >>> returns = np.array([[0.01, 0.02], [-0.02, 0.01], [0.03, -0.01], [0.0, 0.02]])
    >>> round(oas(returns).shrinkage, 6)
    1.0
    """
    read_choice("formula", formula, ("simplified", "paper"))
    table = matrix_of(returns)
    centred, sample = _centred(table, 0)
    n, size = centred.shape
    correction = 2.0 / size if formula == "paper" else 0.0
    trace = float(np.trace(sample))
    squared = float((sample**2).sum())
    top = (1.0 - correction) * squared + trace**2
    bottom = (n + 1.0 - correction) * (squared - trace**2 / size)
    shrinkage = 1.0 if bottom <= 0.0 else min(1.0, top / bottom)
    prior = np.eye(size) * (trace / size)
    covariance = shrinkage * prior + (1.0 - shrinkage) * sample
    return ShrunkCovariance(table.square(covariance), shrinkage)


def matrix_of(returns: Any) -> Table:
    """Read a (T, N) matrix.

    :raises BadInput: for a single series.
    """
    table = as_table(returns)
    if table.is_vector:
        raise BadInput("returns is one series; a covariance needs a (T, N) matrix")
    return table


def sample_covariance_of(table: Table, ddof: int) -> FloatArray:
    """Return the sample covariance of a table."""
    return _centred(table, ddof)[1]


def _centred(table: Table, ddof: int) -> tuple[FloatArray, FloatArray]:
    rows, ddof = len(table.values), read_count("ddof", ddof, least=0)
    if rows <= ddof:
        raise BadInput(f"returns has {rows} rows; a covariance with ddof={ddof} needs {ddof + 1}")
    mean = table.values.mean(axis=0)
    centred = table.values - mean
    sample = centred.T @ centred  # one symmetric product: both halves are the same numbers
    sample /= rows - ddof
    _still(table.values, mean, centred, sample)
    return centred, sample


def _still(values: FloatArray, mean: FloatArray, centred: FloatArray, sample: FloatArray) -> None:
    """Make the moments of constant columns zero: their mean is rounded, and no value is it."""
    rounding = len(values) * np.finfo(float).eps * np.abs(mean)
    for j in np.flatnonzero(np.diag(sample) <= rounding**2):
        if (values[:, j] == values[0, j]).all():
            centred[:, j] = sample[j] = sample[:, j] = 0.0


def symmetric(matrix: FloatArray) -> FloatArray:
    """Return the mean of a matrix and its transpose."""
    return (matrix + matrix.T) / 2.0


def require_variances(variances: FloatArray, labels: list[Any]) -> FloatArray:
    """Return variances (N,) of which none is zero, or so small that its inverse has no room.

    :raises BadInput: naming the first such asset.
    """
    flat = variances < 1.0 / LARGEST**2
    if flat.any():
        j = int(flat.argmax())
        told = "no variance" if variances[j] <= 0.0 else f"the variance {variances[j]:.3g}"
        raise BadInput(f"asset {labels[j]!r} has {told}; drop it, or use larger units")
    return variances


def _identity(
    centred: FloatArray, sample: FloatArray, pi: FloatArray, n: int
) -> tuple[FloatArray, float]:
    return np.eye(len(sample)) * (float(np.trace(sample)) / len(sample)), 0.0


def _constant_correlation(
    centred: FloatArray, sample: FloatArray, pi: FloatArray, n: int
) -> tuple[FloatArray, float]:
    size = len(sample)
    variance = np.diag(sample)
    deviation = np.sqrt(variance)
    outer = np.outer(deviation, deviation)
    if size == 1:
        return sample.copy(), float(pi.sum())
    mean = (float((sample / outer).sum()) - size) / (size * (size - 1))
    prior = mean * outer
    np.fill_diagonal(prior, variance)
    theta = (centred**3).T @ centred / n - variance[:, None] * sample
    np.fill_diagonal(theta, 0.0)
    off = mean * float((np.outer(1.0 / deviation, deviation) * theta).sum())
    return prior, float(np.trace(pi)) + off


def _single_factor(
    centred: FloatArray, sample: FloatArray, pi: FloatArray, n: int
) -> tuple[FloatArray, float]:
    market = centred.mean(axis=1)
    variance = float(market @ market) / n
    beta = centred.T @ market / n
    if variance == 0.0:
        raise BadInput("the mean of the assets never moves; use target='identity'")
    prior = np.outer(beta, beta) / variance
    np.fill_diagonal(prior, np.diag(sample))
    scaled = centred * market[:, None]
    first = (centred**2).T @ scaled / n - beta[:, None] * sample
    second = scaled.T @ scaled / n - variance * sample
    np.fill_diagonal(first, 0.0)
    np.fill_diagonal(second, 0.0)
    cross = float((first * beta[None, :]).sum()) / variance
    own = float((second * np.outer(beta, beta)).sum()) / variance**2
    return prior, float(np.trace(pi)) + 2.0 * cross - own


_TARGETS = {
    "identity": _identity,
    "constant_correlation": _constant_correlation,
    "single_factor": _single_factor,
}
