"""Regressions and robust errors beside statsmodels."""

from __future__ import annotations

import numpy as np
import statsmodels.api as sm
from mts1b_quantkit import covariance as c
from mts1b_quantkit import factors as f
from mts1b_quantkit import metrics as m
from statsmodels.stats.correlation_tools import corr_nearest

from tools.agreement.comparison import Comparison, Data

__all__ = ["COMPARISONS", "DISTRIBUTION"]

DISTRIBUTION = "statsmodels"


def _line(data: Data) -> np.ndarray:
    fitted = sm.OLS(data.series.to_numpy(), sm.add_constant(data.benchmark.to_numpy())).fit()
    return np.array([(1 + fitted.params[0]) ** 252 - 1, fitted.params[1]])


def _robust(data: Data) -> float:
    values = data.series.to_numpy()
    fitted = sm.OLS(values, np.ones(len(values))).fit(
        cov_type="HAC", cov_kwds={"maxlags": 4, "use_correction": False}
    )
    return float(fitted.tvalues[0])


def _broken(data: Data) -> np.ndarray:
    """Return a correlation matrix that pairs of assets gave and that no set of assets has."""
    kept = np.corrcoef(data.values[:, :8].T)
    kept[0, 1] = kept[1, 0] = -0.9
    return np.asarray(kept)


COMPARISONS = [
    Comparison(
        "covariance.nearest_psd",
        "stats.correlation_tools.corr_nearest",
        lambda d: c.nearest_psd(_broken(d)),
        lambda d: corr_nearest(_broken(d), threshold=0.0, n_fact=200),
        1e-6,
        "both project in turn, each to its own tolerance",
    ),
    Comparison(
        "metrics.alpha",
        "OLS",
        lambda d: [m.alpha(d.series, d.benchmark), m.beta(d.series, d.benchmark)],
        _line,
        why="with metrics.beta",
    ),
    Comparison(
        "factors.information_coefficient_summary",
        "OLS(cov_type='HAC')",
        lambda d: f.information_coefficient_summary(d.series, lags=4).t_newey_west,
        _robust,
        why="Bartlett, 4 lags, no small-sample correction",
    ),
    Comparison(
        "factors.neutralize",
        "OLS.resid",
        lambda d: f.neutralize(d.values[:1], d.values[1:4].T)[0],
        lambda d: sm.OLS(d.values[0], sm.add_constant(d.values[1:4].T)).fit().resid,
    ),
]
