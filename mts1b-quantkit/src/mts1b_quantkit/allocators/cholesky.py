"""Cholesky factors of scipy, imported when they are first needed."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from mts1b_quantkit.arrays import FloatArray

__all__ = ["Factor", "factor", "solve"]

Factor: TypeAlias = tuple[FloatArray, bool]


def factor(matrix: FloatArray) -> Factor:
    """Return the lower factor of a positive definite matrix.

    :raises numpy.linalg.LinAlgError: when it is not.
    """
    from scipy.linalg import cho_factor

    lower, is_lower = cho_factor(matrix, lower=True, check_finite=False)
    return np.asarray(lower), bool(is_lower)


def solve(of: Factor, right: FloatArray) -> FloatArray:
    """Return x of A x = ``right`` (N,) or (N, K), A having the given factor."""
    from scipy.linalg import cho_solve

    return np.asarray(cho_solve(of, right, check_finite=False))
