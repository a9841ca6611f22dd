"""Covariances that look at a part of the moves, or take noise out."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.covariance.sample import (
    matrix_of,
    require_variances,
    sample_covariance_of,
    symmetric,
)
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.scalars import read_choice, read_number, read_positive

__all__ = ["denoised_covariance", "gerber_covariance", "nearest_psd", "semi_covariance"]


def denoised_covariance(returns: Any, *, ratio: float | None = None, ddof: int = 1) -> Any:
    """Replace the eigenvalues of the correlation that random data would have by their mean.

    Those at or below (1 + sqrt(N / T))^2, the edge of Marchenko and Pastur 1967, count as noise;
    the trace is kept and the diagonal set back to one (Lopez de Prado 2020, constant residual
    eigenvalues).

    :param ratio: T / N of the edge; None for that of the returns.
    :raises BadInput: for an asset without variance, or a ratio that is not positive.

    >>> import numpy as np
    >>> from mts1b_quantkit.covariance import denoised_covariance
    >>> returns = np.array([[0.01, 0.02], [-0.02, 0.01], [0.03, -0.01], [0.0, 0.02]])
    >>> denoised_covariance(returns).round(6).tolist()
    [[0.000433, 0.0], [0.0, 0.0002]]
    """
    table = matrix_of(returns)
    sample = sample_covariance_of(table, ddof)
    rows, size = table.values.shape
    wanted = "T / N, a positive number"
    quotient = rows / size if ratio is None else read_positive("ratio", ratio, wanted=wanted)
    deviation = _deviation(sample, table.labels)
    values, vectors = np.linalg.eigh(sample / np.outer(deviation, deviation))
    noise = values <= (1.0 + math.sqrt(1.0 / quotient)) ** 2
    if noise.any():
        values = np.where(noise, values[noise].mean(), values)
    clean = (vectors * values) @ vectors.T
    scale = np.sqrt(np.diag(clean))
    correlation = clean / np.outer(scale, scale)
    return table.square(symmetric(correlation * np.outer(deviation, deviation)))


def gerber_covariance(returns: Any, *, threshold: float = 0.5, ddof: int = 1) -> Any:
    """Count joint moves instead of averaging products.

    Gerber, Markowitz, Ernst, Miao, Javid and Sargen 2022. The correlation of two assets is
    (concordant - discordant) / (T - both within their thresholds), the paper's second form, which
    is positive semidefinite; an asset's threshold is ``threshold`` standard deviations from zero.

    :param ddof: of these deviations.
    :raises BadInput: for a threshold below zero, or an asset without variance.

    >>> import numpy as np
    >>> from mts1b_quantkit.covariance import gerber_covariance
    >>> returns = np.array([[0.01, 0.02], [-0.02, 0.01], [0.03, -0.01], [0.0, 0.02]])
    >>> gerber_covariance(returns).round(6).tolist()
    [[0.000433, -0.000147], [-0.000147, 0.0002]]
    """
    threshold = read_number(
        "threshold", threshold, least=0.0, most=1e9, wanted="zero or more standard deviations"
    )
    table = matrix_of(returns)
    sample = sample_covariance_of(table, ddof)
    deviation = _deviation(sample, table.labels)
    limit = threshold * deviation
    rises = (table.values >= limit).astype(float)
    falls = (table.values <= -limit).astype(float)
    if threshold == 0.0:
        falls = (table.values < 0.0).astype(float)
    still = 1.0 - np.maximum(rises, falls)
    agree = rises.T @ rises + falls.T @ falls
    differ = rises.T @ falls + falls.T @ rises
    counted = len(table.values) - still.T @ still
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.where(counted > 0.0, (agree - differ) / counted, 0.0)
    np.fill_diagonal(correlation, 1.0)
    return table.square(symmetric(correlation * np.outer(deviation, deviation)))


def semi_covariance(returns: Any, *, benchmark: float = 0.0) -> Any:
    """Return mean(min(r_i - b, 0) min(r_j - b, 0)) over all T rows (Estrada 2008).

    :param benchmark: per period.

    >>> import numpy as np
    >>> from mts1b_quantkit.covariance import semi_covariance
    >>> returns = np.array([[0.01, 0.02], [-0.02, 0.01], [0.03, -0.01], [0.0, 0.02]])
    >>> semi_covariance(returns).round(6).tolist()
    [[0.0001, 0.0], [0.0, 2.5e-05]]
    """
    benchmark = read_number("benchmark", benchmark, wanted="a finite return per period")
    table = matrix_of(returns)
    below = np.minimum(table.values - benchmark, 0.0)
    return table.square(symmetric(below.T @ below / len(below)))


def nearest_psd(
    matrix: Any, *, method: Literal["higham", "clip"] = "higham", minimum: float = 0.0
) -> Any:
    """Return the nearest symmetric matrix without a negative eigenvalue.

    ``higham``: the nearest with the SAME diagonal, by alternating projections (Higham 2002, applied
    to the correlation matrix). ``clip``: the nearest of all in the Frobenius norm; its diagonal
    grows (Higham 1988).

    :param minimum: the smallest eigenvalue, of the correlation for ``higham``.
    :raises BadInput: for a matrix that is not square, or a diagonal that is not positive.

    >>> from mts1b_quantkit.covariance import nearest_psd
    >>> nearest_psd([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])[0].round(4).tolist()
    [1.0, 0.7607, 0.1573]
    """
    read_choice("method", method, ("higham", "clip"))
    minimum = read_number(
        "minimum", minimum, least=0.0, below=1.0, wanted="an eigenvalue from 0, below 1"
    )
    table = matrix_of(matrix)
    values = table.values
    if values.shape[0] != values.shape[1]:
        raise BadInput(f"matrix has shape {values.shape}; give an (N, N) matrix")
    square = symmetric(values)
    if method == "clip":
        return table.square(_above(square, minimum))
    deviation = _deviation(square, table.labels)
    correlation = _nearest_correlation(square / np.outer(deviation, deviation), minimum)
    return table.square(symmetric(correlation * np.outer(deviation, deviation)))


def _nearest_correlation(matrix: FloatArray, minimum: float) -> FloatArray:
    """Project in turn onto the cone and onto the unit diagonal, with Dykstra's correction."""
    point, correction = matrix.copy(), np.zeros_like(matrix)
    for _ in range(1000):
        shifted = point - correction
        cone = _above(shifted, minimum)
        correction = cone - shifted
        following = cone.copy()
        np.fill_diagonal(following, 1.0)
        change = float(np.abs(following - point).max())
        point = following
        if change < 1e-12:
            break
    lowest = float(np.linalg.eigvalsh(point)[0])
    if lowest < minimum:  # what is left of the last step, spread over the diagonal
        lift = minimum - lowest
        point = (point + lift * np.eye(len(point))) / (1.0 + lift)
        np.fill_diagonal(point, 1.0)
    return point


def _above(matrix: FloatArray, minimum: float) -> FloatArray:
    values, vectors = np.linalg.eigh(matrix)
    return symmetric((vectors * np.maximum(values, minimum)) @ vectors.T)


def _deviation(matrix: FloatArray, labels: list[Any]) -> FloatArray:
    return np.asarray(np.sqrt(require_variances(np.diag(matrix), labels)))
