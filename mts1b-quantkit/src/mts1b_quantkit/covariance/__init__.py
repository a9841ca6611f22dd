"""Covariance matrices of simple returns: sample, weighted, shrunk, cleaned, repaired.

Every function takes (T, N) simple returns and gives an (N, N) matrix that is not annualised, with
the columns' labels on both sides.
"""

from mts1b_quantkit.covariance.robust import (
    denoised_covariance,
    gerber_covariance,
    nearest_psd,
    semi_covariance,
)
from mts1b_quantkit.covariance.sample import (
    ShrunkCovariance,
    ewma_covariance,
    ledoit_wolf,
    oas,
    returns_from_prices,
    sample_covariance,
)

__all__ = [
    "ShrunkCovariance",
    "denoised_covariance",
    "ewma_covariance",
    "gerber_covariance",
    "ledoit_wolf",
    "nearest_psd",
    "oas",
    "returns_from_prices",
    "sample_covariance",
    "semi_covariance",
]
