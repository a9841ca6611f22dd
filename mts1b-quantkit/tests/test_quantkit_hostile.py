"""Every single-number, switch and choice argument of every public function meets hostile values.

The answer is a typed error that names the argument, or what the function documents; never a bare
error of numpy or Python, never a silent NaN. What is an argument is read off the signatures: a new
function without a plain call, or a new parameter without a kind, fails.
"""

from __future__ import annotations

import importlib
import inspect
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from mts1b_foundation.market_data import UniversePanel
from mts1b_quantkit import QuantError, factors
from mts1b_quantkit.cost_models import (
    BpsFee,
    EwmaSlippage,
    FeeTier,
    FixedBpsSlippage,
    PerShareFee,
    SpreadSlippage,
    SquareRootSlippage,
    TieredFee,
    VenueFee,
)
from mts1b_quantkit.microstructure import Cusum, EwmaChart, Vpin
from mts1b_quantkit.risk import GarchParameters

ROOMS = (
    *("covariance", "allocators", "metrics", "cv", "risk", "factors", "cost_models"),
    *("universe_filters", "microstructure", "volatility", "options"),
)
RESULTS = {
    *("Allocation", "Frontier", "Posterior", "ShrunkCovariance", "Overfitting", "Fold"),
    *("WalkForwardResult", "SizingMethod", "Verdict", "ComponentVar", "CoverageTest"),
    *("TrafficLight", "GarchForecast", "InformationCoefficient", "FeeModel", "SlippageModel"),
    *("Impact", "CusumState", "EwmaState", "Greeks"),
}
"""Results, enumerations and protocols: nobody calls them with numbers."""

RNG = np.random.default_rng(29)
RETURNS = RNG.normal(0.001, 0.01, (60, 3))
ONE = RETURNS[:, 0]
PRICES = 100.0 * np.cumprod(1.0 + RETURNS, axis=0)
COVARIANCE = np.cov(RETURNS.T)
BREACHES = (np.arange(60) % 20 == 0).astype(float)
BARS = {"open": PRICES, "high": PRICES * 1.01, "low": PRICES * 0.99, "close": PRICES}
PANEL = UniversePanel(
    close=PRICES,
    high=PRICES * 1.01,
    low=PRICES * 0.99,
    volume=1e5 * (2.0 + np.sin(np.arange(180.0))).reshape(60, 3),
    open=PRICES,
    dates=[date(2026, 1, 1) + timedelta(days=k) for k in range(60)],
    symbols=["A", "B", "C"],
)
TEN = Decimal(10)
TIER = {"from_volume": Decimal(0), "maker_bps": Decimal(1), "taker_bps": Decimal(2)}
TRADE = {"quantity": TEN, "price": Decimal(50)}
ALMGREN = {
    "shares": 1e5,
    "average_daily_volume": 1e6,
    "shares_outstanding": 1e8,
    "daily_volatility": 0.02,
    "horizon_days": 0.5,
}
OPTION = {"spot": 42.0, "strike": 40.0, "t": 0.5, "r": 0.1}
WALK = {
    "factor": factors.f_reversal,
    "params_grid": {"h": [3]},
    "universe": PANEL,
    "train_window": 20,
    "rebal": "weekly",
    "test_window": 10,
    "sizing": {"n_long": 1, "n_short": 1},
}

PLAIN: dict[str, Any] = {
    **dict.fromkeys(("returns", "matrix", "weights", "values", "factor"), RETURNS),
    **{"forward_returns": RETURNS, "covariance": COVARIANCE, "prices": PRICES, "ic": ONE},
    **{
        "close": PRICES,
        "volume": np.full((60, 3), 1e5),
        "benchmark": RNG.normal(0.001, 0.01, 60),
        "breaches": BREACHES,
    },
    **{"halflife": 9.0, "target_return": 0.0011, "tau": 0.05, "sharpe": 0.1, "q": 12},
    **{"n_trials": 10, "variance": 0.01, "n_observations": 100, "mean": 0.001, "threshold": 0.5},
    **{"standard_deviation": 0.02, "n_folds": 4, "n_test_folds": 2, "n_splits": 4},
    **{"train_size": 5, "test_size": 3, "in_sample": 1.5, "out_of_sample": 1.0, "n_breaches": 6},
    **{"metric": "sharpe", "window": 5, "minimum": 100.0, "target": 0.0, "slack": 0.5},
    **{"smoothing": 0.3, "bucket_volume": 1e4, "price_change_std": 0.5, "exposures": [1.0, 0, 2]},
    **{"omega": 1e-6, "alpha": 0.1, "beta": 0.8, "bps": TEN, "spread_bps": TEN, "vol": 0.2},
    **{"per_share": Decimal("0.01"), "daily_volatility": 0.02, "name": "f_momentum"},
    **{"average_daily_volume": Decimal(10**6), "expected_shortfall": 0.02, "price": 4.76},
    **{"price_change": 0.1, "high": BARS["high"], "low": BARS["low"], "open": BARS["open"]},
    **{"panel": PANEL, "market_weights": [0.3, 0.3, 0.4], **OPTION},
}
"""What an argument without a default is given, or one whose default hides it, by its name."""

OWN: dict[str, dict[str, Any]] = {
    "allocators.black_litterman": {
        "views": [{"symbols": [0], "weights": [1.0], "expected": 0.01, "confidence": 0.5}]
    },
    "allocators.black_litterman_posterior": {
        **{"prior_mean": [0.0, 0.0, 0.0], "P": [[1.0, 0.0, 0.0]], "Q": [0.01], "omega": [0.001]},
    },
    "cost_models.FeeTier": TIER,
    "cost_models.TieredFee": {"tiers": (FeeTier(**TIER),)},
    "cost_models.VenueFee": {"models": {"A": BpsFee(bps=TEN)}},
    "cost_models.almgren_impact": ALMGREN,
    "cv.walk_forward": WALK,
    "factors.register": {"name": "f_never_entered"},
    "microstructure.bulk_buy_fraction": {"standard_deviation": 0.01},
    "microstructure.vpin": {"close": PRICES[:, 0], "volume": np.full(60, 1e4)},
    "microstructure.roll_spread": {"close": np.tile([[10.0], [10.1]], (30, 3))},
    "microstructure.cusum_filter": {"values": PRICES[:, 0]},
    "risk.garch_forecast": {
        "returns": ONE,
        "parameters": GarchParameters(omega=1e-6, alpha=0.1, beta=0.8),
    },
    "risk.component_var": {"weights": [0.3, 0.3, 0.4]},
    "risk.acerbi_szekely_z2": {"returns": ONE},
    "metrics.min_track_record_length": {"benchmark": 0.0},
    "metrics.min_track_record_length_from_moments": {"benchmark": 0.0},
    "metrics.probabilistic_sharpe": {"benchmark": 0.0},
    "metrics.probabilistic_sharpe_from_moments": {"benchmark": 0.0},
    "metrics.sortino": {"threshold": None},
    "metrics.omega": {"threshold": 0.0},
    "metrics.summary": {"threshold": 0.0},
    "metrics.downside_deviation": {"threshold": 0.0},
    "metrics.drawdown_table": {"returns": ONE},
    "covariance.semi_covariance": {"benchmark": 0.0},
    "covariance.nearest_psd": {"matrix": COVARIANCE, "minimum": 0.0},
    "microstructure.Cusum": {"threshold": 2.0},
    "factors.neutralize": {"values": RETURNS},
    "risk.garch_forecast.mean": {},
}

FLOW = Vpin(bucket_volume=5.0, price_change_std=0.5, window=1)
for price in (1.0, 1.2, 1.1):
    FLOW.update(price, 5.0)
METHODS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "BpsFee.fee": (BpsFee(bps=TEN).fee, TRADE),
    "PerShareFee.fee": (PerShareFee(per_share=TEN).fee, TRADE),
    "TieredFee.fee": (TieredFee(tiers=(FeeTier(**TIER),)).fee, TRADE),
    "TieredFee.with_trailing_volume": (
        TieredFee(tiers=(FeeTier(**TIER),)).with_trailing_volume,
        {"volume": TEN},
    ),
    "VenueFee.fee": (VenueFee(models={"A": BpsFee(bps=TEN)}, venue="A").fee, TRADE),
    "VenueFee.at": (VenueFee(models={"A": BpsFee(bps=TEN)}).at, {"venue": "A"}),
    **{
        f"{type(model).__name__}.{name}": (getattr(model, name), TRADE)
        for model in (
            FixedBpsSlippage(bps=TEN),
            SpreadSlippage(spread_bps=TEN),
            SquareRootSlippage(average_daily_volume=Decimal(10**6), daily_volatility=TEN),
            EwmaSlippage(average=Decimal("0.001")),
        )
        for name in ("fraction", "fill_price")
    },
    "EwmaSlippage.after": (EwmaSlippage().after, {**TRADE, "fill_price": Decimal(51)}),
    "Cusum.update": (Cusum(target=0.0, slack=0.5, threshold=2.0).update, {"x": 1.0}),
    "EwmaChart.update": (
        EwmaChart(target=0.0, smoothing=0.5, standard_deviation=1.0).update,
        {"x": 1.0},
    ),
    "Vpin.update": (
        FLOW.update,
        {"close": 1.0, "volume": 5.0},
    ),
    "GarchParameters.following": (
        GarchParameters(omega=1e-6, alpha=0.1, beta=0.8).following,
        {"variance": 1e-4, "returned": 0.01},
    ),
    "GarchParameters.ahead": (
        GarchParameters(omega=1e-6, alpha=0.1, beta=0.8).ahead,
        {"variance": 1e-4, "periods": 3},
    ),
}

DATA = {
    *("returns", "covariance", "expected_returns", "benchmark", "close", "volume", "open", "high"),
    *("low", "prices", "matrix", "values", "weights", "factor", "forward_returns", "ic", "panel"),
    *("exposures", "breaches", "market_caps", "market_weights", "views", "budgets", "label_end"),
    *("autocorrelations", "prior_mean", "P", "Q", "X", "y", "groups", "scores", "universe"),
    *("params_grid", "start", "end", "sizing", "parameters", "metrics", "tiers", "models"),
}
"""Arguments that hold many numbers, or no number; ``test_quantkit_everywhere`` and others meet
them. A name that is both (``benchmark`` of a Sharpe ratio, ``start`` of a GARCH path) is in
``SINGLE``."""

SINGLE = {
    *("covariance.semi_covariance.benchmark", "metrics.min_track_record_length.benchmark"),
    *("metrics.min_track_record_length_from_moments.benchmark", "risk.garch_forecast.start"),
    *("metrics.probabilistic_sharpe.benchmark", "Vpin.update.close", "Vpin.update.volume"),
    *("metrics.probabilistic_sharpe_from_moments.benchmark",),
    *("TieredFee.with_trailing_volume.volume",),
}

NUMBERS: list[Any] = [
    *(math.nan, math.inf, -math.inf, 0, -1, 2.5, 0.5, 1e-300, 5e-324, 1e300, 10**400, 1e75, 1e-75),
    *(Decimal("0.5"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1E+400")),
    *(np.float64("nan"), np.float32(0.5), np.int64(3), np.array(0.5), np.array(math.nan)),
    *(2**31, 10**9, 1_000_001),
]
STRANGE: list[Any] = [
    *(None, True, np.True_, "20", "", "0.95", b"1", 1j, np.complex128(1), object()),
    *({}, {"A": 1.0}, {1}, np.array("x"), np.datetime64("2026-01-01"), timedelta(1)),
    *([], [1.0], (0.5, "x"), np.array([]), np.array([0.5]), np.array([math.nan] * 60)),
]
HOSTILE = NUMBERS + STRANGE
TABLES: list[Any] = [
    *(np.full((60, 3), "a"), np.full((60, 3), math.nan), np.full((60, 3), math.inf)),
    *(np.empty((0, 3)), np.ones((2, 2, 2)), np.array([[1j]]), np.zeros((60, 3))),
    *(np.full((60, 3), 1e300), [[1, 2], [3]], [1, None], {"A": [1, "x"]}, {"A": 1.0, "B": [1, 2]}),
    *(pd.DataFrame({"a": ["x"]}), pl.DataFrame({"a": ["x"]}), pd.Series(dtype=float)),
    *(pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]), pd.Series([pd.NaT]), iter([1.0])),
    pd.DataFrame({"a": [pd.Timestamp("2026-01-01")]}),
]
NEVER: list[Any] = ["20", "", b"1", 1j, object(), timedelta(1), {1}]
"""No argument means any of these: an answer would mean that nobody looks at it."""

UNDEFINED_IS_DOCUMENTED = (
    *("factors.f_", "volatility.", "universe_filters.", "metrics.rolling.window"),
    *("microstructure.amihud_illiquidity.window", "microstructure.vpin."),
    *("options.implied_volatility.", "factors.zscore_cross_sectional.ddof"),
    *("metrics.cagr.", "metrics.calmar.", "metrics.alpha.", "metrics.summary."),
    *("metrics.capture_ratio.", "metrics.up_capture.", "metrics.down_capture."),
    *("metrics.beta.risk_free_rate", "metrics.sharpe.risk_free_rate", "metrics.sortino."),
    *("metrics.rolling.", "factors.quantile_returns.", "factors.turnover.", "allocators.black_"),
    *("metrics.omega.threshold", "metrics.min_track_record_length"),
)
"""NaN in a warm-up, for a price that no volatility gives, a quantile without assets, confidence in
an asset that no view moves; infinite for growth beyond the range of numbers; either for a ratio
without losses or a deviation (what a level of 1e75 leaves of returns)."""


def arguments_of(call: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    found = inspect.signature(call).parameters
    return {name: parameter for name, parameter in found.items() if parameter.kind not in kinds}


def public() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    for room in ROOMS:
        module = importlib.import_module(f"mts1b_quantkit.{room}")
        for name in module.__all__:
            one = getattr(module, name)
            if callable(one) and name not in RESULTS:
                found[f"{room}.{name}"] = one
    return found


FUNCTIONS = public()
CALLS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    **{
        name: (
            call,
            {
                key: PLAIN[key]
                for key, parameter in arguments_of(call).items()
                if key in PLAIN
                and (parameter.default is inspect.Parameter.empty or key == "market_weights")
            }
            | OWN.get(name, {}),
        )
        for name, call in FUNCTIONS.items()
    },
    **METHODS,
}


def single_arguments(name: str) -> list[str]:
    """Return the arguments of a call that take one number, one switch or one choice."""
    found = arguments_of(CALLS[name][0])
    return [key for key in found if key not in DATA or f"{name}.{key}" in SINGLE]


def numbers_in(result: Any) -> list[float]:
    """Return every number of a result."""
    if isinstance(result, bool | str | bytes | Enum | date) or result is None:
        return []
    if isinstance(result, int | float | Decimal | np.number):
        return [float(result)]
    if isinstance(result, np.ndarray):
        return [] if result.dtype.kind not in "fiu" else [float(x) for x in result.flat]
    if is_dataclass(result) and not isinstance(result, type):
        return [n for field in fields(result) for n in numbers_in(getattr(result, field.name))]
    if isinstance(result, Mapping):
        return [number for value in result.values() for number in numbers_in(value)]
    if isinstance(result, tuple | list):
        return [number for value in result for number in numbers_in(value)]
    return []


def meet(name: str, given: Mapping[str, Any], varied: str = "") -> str:
    """Call; return what a typed error says, or "" after a look at the numbers of the result."""
    call = CALLS[name][0]
    kinds = arguments_of(call)
    ordered = [given[key] for key, p in kinds.items() if key in given and p.kind in (0, 1)]
    named = {key: value for key, value in given.items() if kinds[key].kind not in (0, 1)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            result = call(*ordered, **named)
    except QuantError as error:
        return str(error)
    if hasattr(result, "get_n_splits"):
        list_of_splits(result)
    numbers = numbers_in(result)
    undefined = f"{name}.{varied}".startswith(UNDEFINED_IS_DOCUMENTED)
    assert undefined or all(map(math.isfinite, numbers)), (name, varied, result)
    return ""


def list_of_splits(splitter: Any) -> None:
    try:
        for number, _ in enumerate(splitter.split(RETURNS)):
            if number > 50:
                return
    except QuantError:
        return


def test_a_kind_of_argument_is_told_for_each_that_is_no_single_number() -> None:
    known = {key for call, _ in CALLS.values() for key in arguments_of(call)}
    assert known >= DATA - {"X", "y", "groups", "scores"}, "DATA names what no function takes"
    assert {f"{name}.{key}" for name in CALLS for key in single_arguments(name)} >= SINGLE


def test_every_function_has_a_plain_call() -> None:
    for name, (call, given) in CALLS.items():
        needed = {
            key for key, p in arguments_of(call).items() if p.default is inspect.Parameter.empty
        }
        assert needed <= set(given), f"{name} needs a plain value of {sorted(needed - set(given))}"
    rooms = [importlib.import_module(f"mts1b_quantkit.{room}") for room in ROOMS]
    classes = [
        one
        for room in rooms
        for key in room.__all__
        if inspect.isclass(one := getattr(room, key)) and key not in RESULTS
    ]
    methods = {
        f"{one.__name__}.{key}"
        for one in classes
        for key, value in vars(one).items()
        if inspect.isfunction(value) and not key.startswith("_") and len(arguments_of(value)) > 1
    }
    others = ("split", "get_n_splits", "batch", "weights")  # they take data alone
    assert {name for name in methods if not name.endswith(others)} == set(METHODS)


@pytest.mark.parametrize("name", CALLS)
def test_a_plain_call_has_an_answer(name: str) -> None:
    assert meet(name, CALLS[name][1]) == ""


@pytest.mark.parametrize(
    ("name", "argument"),
    [(name, argument) for name in CALLS for argument in single_arguments(name)],
)
def test_a_hostile_value_is_refused_by_name_or_answered(name: str, argument: str) -> None:
    for value in HOSTILE:
        said = meet(name, {**CALLS[name][1], argument: value}, argument)
        assert not said or argument in said, f"{name}, {argument}={value!r}: {said}"
    for value in NEVER:
        assert meet(name, {**CALLS[name][1], argument: value}), f"{name} takes {argument}={value!r}"


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        (name, argument)
        for name in CALLS
        for argument in arguments_of(CALLS[name][0])
        if argument not in single_arguments(name)
    ],
)
def test_hostile_data_is_a_typed_error_or_answered(name: str, argument: str) -> None:
    call, given = CALLS[name]
    for value in HOSTILE + TABLES:
        asked = {**given, argument: value}
        kinds = arguments_of(call)
        ordered = [asked[key] for key, p in kinds.items() if key in asked and p.kind in (0, 1)]
        named = {key: one for key, one in asked.items() if kinds[key].kind not in (0, 1)}
        said = "it was answered, as every table of numbers may be"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            try:
                call(*ordered, **named)
            except QuantError as error:
                said = str(error)
        assert len(said.split()) > 3, f"{name}, {argument}={value!r}: {said}"
