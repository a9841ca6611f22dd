"""Does a factor tell what comes? Rows are dates, columns assets; NaN is left out pairwise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.arrays import FloatArray, Table, as_table
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.factors.cross_section import average_ranks
from mts1b_quantkit.labels import require_same_columns, require_same_rows
from mts1b_quantkit.scalars import read_choice, read_count

__all__ = [
    "InformationCoefficient",
    "information_coefficient",
    "information_coefficient_summary",
    "neutralize",
    "quantile_returns",
    "turnover",
]

_FEWEST_PAIRS = 3
_MOST_QUANTILES = 10_000


@dataclass(frozen=True, slots=True)
class InformationCoefficient:
    """A series of coefficients in numbers: their mean, deviation (ddof=1), the ratio of the two,
    and t-statistics for independent and for autocorrelated coefficients."""

    mean: float
    standard_deviation: float
    information_ratio: float
    t_statistic: float
    t_newey_west: float


def information_coefficient(
    factor: Any, forward_returns: Any, *, method: Literal["spearman", "pearson"] = "spearman"
) -> Any:
    """Return the correlation of factor and forward returns across assets, one for each row.

    :param factor: (T, A). :param forward_returns: (T, A), the returns AFTER the row.
    :return: (T,), NaN where fewer than three pairs are known or one side does not vary.
    :raises BadInput: for shapes that differ, or another method.

    >>> from mts1b_quantkit.factors import information_coefficient
    >>> information_coefficient([[1.0, 2.0, 3.0]], [[0.1, 0.3, 0.2]]).tolist()
    [0.5]
    """
    read_choice("method", method, ("spearman", "pearson"))
    table, x, y = _pairs(factor, forward_returns)
    if method == "spearman":
        x, y = average_ranks(x), average_ranks(y)
    count = (~np.isnan(x)).sum(axis=1)
    enough = (count >= _FEWEST_PAIRS) & _varies(x) & _varies(y)
    a, b = _centred(x), _centred(y)
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
        values = np.where(enough & (size > 0.0), (a * b).sum(axis=1) / size, np.nan)
    return _by_row(table, values)


def information_coefficient_summary(ic: Any, *, lags: int = 4) -> InformationCoefficient:
    """Sum up a series of coefficients; rows with NaN are left out.

    ``t_newey_west`` is the mean over sqrt(V / T), V being the autocovariances up to ``lags`` with
    Bartlett's weights, without a small-sample correction (Newey and West 1987).

    :raises BadInput: for fewer than two coefficients, or a negative number of lags.

    >>> from mts1b_quantkit.factors import information_coefficient_summary
    >>> round(information_coefficient_summary([0.1, 0.3, 0.2, 0.0, 0.1]).information_ratio, 6)
    1.227881
    """
    table = as_table(ic, what="ic", allow_nan=True)
    values = table.values[~np.isnan(table.values)] if table.is_vector else np.empty(0)
    if len(values) < 2:
        raise BadInput("ic is one series with two coefficients or more")
    lags = read_count("lags", lags, least=0)
    rows, level = len(values), float(values.mean())
    rest = values - level
    if (values == values[0]).all():  # and not what rounding leaves of it
        level, rest = float(values[0]), np.zeros(rows)
    spread = math.sqrt(float(rest @ rest) / (rows - 1))
    variance = float(rest @ rest) / rows
    for lag in range(1, min(lags, rows - 1) + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * float(rest[lag:] @ rest[:-lag]) / rows
    return InformationCoefficient(
        mean=level,
        standard_deviation=spread,
        information_ratio=_ratio(level, spread),
        t_statistic=_ratio(level, spread / math.sqrt(rows)),
        t_newey_west=_ratio(level, math.sqrt(max(variance, 0.0) / rows)),
    )


def quantile_returns(factor: Any, forward_returns: Any, *, n_quantiles: int = 5) -> FloatArray:
    """Return the mean forward return of each quantile of the factor, one row for each date.

    Quantile q (from 0, the lowest) holds the ranks above q / n and up to (q + 1) / n of the known
    pairs; equal factors share their mean rank and so their quantile.

    :return: (T, n_quantiles), NaN for an empty quantile.
    :raises BadInput: for shapes that differ, or fewer than two quantiles.

    >>> from mts1b_quantkit.factors import quantile_returns
    >>> quantile_returns([[1.0, 2.0]], [[0.1, 0.3]], n_quantiles=2).tolist()
    [[0.1, 0.3]]
    """
    n_quantiles = read_count("n_quantiles", n_quantiles, least=2, most=_MOST_QUANTILES)
    _, x, y = _pairs(factor, forward_returns)
    count = (~np.isnan(x)).sum(axis=1)[:, None]
    with np.errstate(invalid="ignore"):
        share = average_ranks(x) / np.maximum(count, 1)
        place = np.ceil(share * n_quantiles - 1e-9) - 1.0
    place = np.where(np.isnan(x), -1, np.clip(np.nan_to_num(place), 0, n_quantiles - 1))
    result = np.full((len(x), n_quantiles), np.nan)
    for q in range(n_quantiles):
        inside = place == q
        held = inside.sum(axis=1)
        total = np.where(inside, y, 0.0).sum(axis=1)
        result[:, q] = total / np.where(held > 0, held, np.nan)
    return result


def turnover(weights: Any) -> Any:
    """Return sum|w_t - w_{t-1}| / 2 across assets, one for each row; NaN in the first.

    A missing weight is a weight of zero. One half, so that replacing the whole portfolio is 1.

    :param weights: (T, A).
    :raises BadInput: for a vector, which could be one row or one asset.

    >>> from mts1b_quantkit.factors import turnover
    >>> turnover([[0.5, 0.5], [1.0, 0.0]]).tolist()
    [nan, 0.5]
    """
    table = as_table(weights, what="weights", allow_nan=True)
    if table.is_vector:
        raise BadInput("weights is one row; turnover needs a (T, A) matrix")
    held = np.nan_to_num(table.values, nan=0.0)
    values = np.full(len(held), np.nan)
    values[1:] = np.abs(np.diff(held, axis=0)).sum(axis=1) / 2.0
    return _by_row(table, values)


def neutralize(values: Any, exposures: Any) -> Any:
    """Return what a regression of each row on exposures and a constant leaves.

    :param values: (T, A); NaN stays NaN.
    :param exposures: (A,) or (A, K) numbers that do not change with time; or, in the shape of
        ``values``, one that does; groups (sectors) as K columns of zeros and ones.
    :return: the residuals, in the kind of ``values``; their mean and their products with the
        exposures are zero in each row.
    :raises BadInput: for shapes that do not fit.

    >>> from mts1b_quantkit.factors import neutralize
    >>> neutralize([1.0, 2.0, 4.0], [0.0, 1.0, 2.0]).round(6).tolist()
    [0.166667, -0.333333, 0.166667]
    """
    table = as_table(values, what="values", allow_nan=True)
    rows = table.values[None, :] if table.is_vector else table.values
    named = as_table(exposures, what="exposures")
    given = named.values
    moving = not table.is_vector and given.shape == rows.shape
    if moving:
        require_same_columns(table, named, "exposures", beside="values")
    assets = table if moving or table.is_vector else replace(table, index=table.columns)
    require_same_rows(assets, named, "exposures", beside="values")
    fixed = given[:, None] if given.ndim == 1 else given
    if not moving and len(fixed) != rows.shape[1]:
        raise BadInput(f"exposures has shape {given.shape}; values has {rows.shape[1]} assets")
    result = np.full_like(rows, np.nan)
    for row, line in enumerate(rows):
        known = ~np.isnan(line)
        if not known.any():
            continue
        columns = given[row][:, None] if moving else fixed
        size = np.abs(columns[known]).max(axis=0)
        # In units of their largest: beside market values in dollars the constant would be lost.
        scaled = columns[known] / np.where(size > 0.0, size, 1.0)
        design = np.column_stack((np.ones(len(scaled)), scaled))
        fitted, *_ = np.linalg.lstsq(design, line[known], rcond=None)
        result[row, known] = line[known] - design @ fitted
    return table.rows(result)


def _pairs(factor: Any, forward_returns: Any) -> tuple[Table, FloatArray, FloatArray]:
    table = as_table(factor, what="factor", allow_nan=True)
    other = as_table(forward_returns, what="forward_returns", allow_nan=True)
    if table.is_vector or table.values.shape != other.values.shape:
        raise BadInput(
            f"factor has shape {table.values.shape}, forward_returns {other.values.shape}; "
            "give two (T, A) matrices"
        )
    require_same_rows(table, other, "forward_returns", beside="factor")
    require_same_columns(table, other, "forward_returns", beside="factor")
    missing = np.isnan(table.values) | np.isnan(other.values)
    return (
        table,
        np.where(missing, np.nan, table.values),
        np.where(missing, np.nan, other.values),
    )


def _centred(rows: FloatArray) -> FloatArray:
    known = ~np.isnan(rows)
    count = np.maximum(known.sum(axis=1), 1)
    level = np.where(known, rows, 0.0).sum(axis=1) / count
    return np.where(known, rows - level[:, None], 0.0)


def _varies(rows: FloatArray) -> NDArray[np.bool_]:
    """Tell in which rows two values differ; what rounding leaves about a mean is no difference."""
    return np.asarray(np.fmax.reduce(rows, axis=1) > np.fmin.reduce(rows, axis=1))


def _by_row(table: Table, values: FloatArray) -> Any:
    return Table(values, table.kind, index=table.index).rows(values)


def _ratio(top: float, bottom: float) -> float:
    if bottom > 0.0:
        return top / bottom
    return math.nan if top == 0.0 else math.copysign(math.inf, top)
