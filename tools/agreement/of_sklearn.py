"""Shrinkage and splits beside scikit-learn."""

from __future__ import annotations

import numpy as np
from mts1b_quantkit import covariance as c
from mts1b_quantkit import cv
from sklearn.covariance import OAS, LedoitWolf
from sklearn.model_selection import TimeSeriesSplit

from tools.agreement.comparison import Comparison

__all__ = ["COMPARISONS", "DISTRIBUTION"]

DISTRIBUTION = "scikit-learn"

COMPARISONS = [
    Comparison(
        "covariance.ledoit_wolf",
        "LedoitWolf",
        lambda d: c.ledoit_wolf(d.values, ddof=0).covariance,
        lambda d: LedoitWolf().fit(d.values).covariance_,
        why='target="identity", ddof=0',
    ),
    Comparison(
        "covariance.oas",
        "OAS",
        lambda d: c.oas(d.values).covariance,
        lambda d: OAS().fit(d.values).covariance_,
        why='formula="simplified"',
    ),
    Comparison(
        "cv.WalkForward",
        "TimeSeriesSplit",
        lambda d: [t[0] for _, t in cv.WalkForward(200, 100, purge=5).split(np.zeros(805))],
        lambda d: [t[0] for _, t in TimeSeriesSplit(6, test_size=100, gap=5).split(np.zeros(805))],
        why="first rows of the test windows",
    ),
]
