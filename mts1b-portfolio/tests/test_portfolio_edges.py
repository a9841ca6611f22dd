"""Hard numbers meet every numerical function: a typed error, or finite weights; never NaN."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_portfolio import (
    PortfolioError,
    compose,
    equal_weight_long,
    equal_weight_ls,
    fixed_weight,
    kelly_fraction,
    kelly_growth,
    kelly_log_optimal,
    kelly_voltarget_12,
    vol_target_weights,
)
from mts1b_quantkit import BadInput, NotPositiveDefinite, QuantError

RNG = np.random.default_rng(17)
PLAIN = RNG.normal(0.0003, 0.01, (80, 3))
MATRICES: dict[str, Any] = {
    "plain": PLAIN,
    "a missing value": np.where(np.arange(240).reshape(80, 3) == 7, np.nan, PLAIN),
    "infinite": np.where(np.arange(240).reshape(80, 3) == 7, np.inf, PLAIN),
    "constant": np.full((80, 3), 0.001),
    "zero": np.zeros((80, 3)),
    "one row": PLAIN[:1],
    "fewer rows than names": PLAIN[:2],
    "empty": np.empty((0, 3)),
    "no names": np.empty((80, 0)),
    "twins": PLAIN[:, [0, 0, 1]],
    "one dead name": PLAIN * [1.0, 0.0, 1.0],
    "all losing": -np.abs(PLAIN),
    "all winning": np.abs(PLAIN),
    "tiny": PLAIN * 1e-150,
    "tiniest": PLAIN * 1e-300,
    "huge": PLAIN * 1e150,
    "hugest": PLAIN * 1e300,
    "whole numbers": (PLAIN * 100).astype(int),
    "objects": PLAIN.astype(object),
    "text": np.full((80, 3), "a"),
    "a total loss": np.where(np.arange(240).reshape(80, 3) == 7, -1.0, PLAIN),
    "pandas": pd.DataFrame(PLAIN, columns=list("abc")),
    "pandas in a zone": pd.DataFrame(
        PLAIN, columns=list("abc"), index=pd.date_range("2026-01-01", periods=80, tz="UTC")
    ),
    "polars": pl.DataFrame(PLAIN, schema=["a", "b", "c"]),
    "a vector": PLAIN[:, 0],
}
Numbers = Callable[[Any], Any]


def mean_of(returns: Any) -> Any:
    values = np.asarray(returns)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return values.astype(float).mean(axis=0) if values.ndim == 2 else values


def cov_of(returns: Any) -> Any:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.cov(np.asarray(returns).astype(float).T)


CALLS: dict[str, Numbers] = {
    "equal_weight_long": lambda r: equal_weight_long(r, n=2),
    "equal_weight_ls": lambda r: equal_weight_ls(r, n_long=1, n_short=1),
    "fixed_weight": lambda r: fixed_weight(r, gross=1.0),
    "kelly_log_optimal": lambda r: kelly_log_optimal(r),
    "kelly_log_optimal, free": lambda r: kelly_log_optimal(r, bounds=(-2, 2), budget=None),
    "kelly_fraction": lambda r: kelly_fraction(mean_of(r), cov_of(r)),
    "kelly_growth": lambda r: kelly_growth([0.2, 0.3, 0.5], mean_of(r), cov_of(r)),
    "kelly_voltarget_12": lambda r: kelly_voltarget_12([0.001, 0.002, -0.001], r, 1e6),
    "vol_target_weights": lambda r: vol_target_weights([0.2, 0.3, 0.5], r, target_ann_vol=0.1),
    "compose": lambda r: compose(
        {name: {"weights": {"A": 1.0}} for name in "abc"}, overlay="hrp", returns=r
    ).weights["A"],
}


def finite(result: Any) -> bool:
    values = list(result.values()) if isinstance(result, dict) else result
    return bool(np.isfinite(np.asarray(values, dtype=float)).all())


@pytest.mark.parametrize("kind", MATRICES)
@pytest.mark.parametrize("name", CALLS)
def test_a_typed_error_or_finite_weights(name: str, kind: str) -> None:
    if kind == "text" and name in ("kelly_fraction", "kelly_growth"):
        return  # the moments of text are not theirs to make
    try:
        result = CALLS[name](MATRICES[kind])
    except (QuantError, PortfolioError):
        result = None
    if result is None:
        assert kind not in ("plain", "pandas", "polars")
    else:
        assert finite(result), (name, kind)


def test_names_that_repeat_have_no_kelly_weights_whatever_the_rounding() -> None:
    for seed in range(50):
        returns = np.random.default_rng(seed).normal(0, 0.01, (80, 2))[:, [0, 0, 1]]
        with pytest.raises(NotPositiveDefinite, match="repeats"):
            kelly_fraction(mean_of(returns), cov_of(returns))
    exact = kelly_fraction([1e-9, 1.0], np.diag([1e-18, 1.0]))
    np.testing.assert_allclose(exact, [1e9, 1.0], rtol=1e-12)  # small is not singular


def test_returns_of_zero_have_no_fastest_growth() -> None:
    for returns in (np.zeros((9, 2)), np.full((9, 2), 1e-300)):
        with pytest.raises(BadInput, match="standing still"):
            kelly_log_optimal(returns)


@settings(max_examples=50, deadline=None)
@given(
    name=st.sampled_from(list(CALLS)),
    scale=st.floats(-308, 308),
    seed=st.integers(0, 1000),
    rows=st.integers(0, 70),
)
def test_at_every_scale(name: str, scale: float, seed: int, rows: int) -> None:
    with np.errstate(over="ignore"):
        returns = np.random.default_rng(seed).normal(0, 1, (rows, 3)) * 10.0**scale
    try:
        result = CALLS[name](returns)
    except (QuantError, PortfolioError):
        return
    assert finite(result)
