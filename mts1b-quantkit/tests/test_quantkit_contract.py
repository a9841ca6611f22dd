"""The numerical API as users know it: every name, every keyword, every default.

Each line of the table is a signature. A function may take more keywords; what is written here must
be there, in this order, of this kind, with this default. ``...`` stands for a default that is not
part of the contract.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from typing import Any

import pytest

CONTRACT: dict[str, str] = {
    "covariance": """
        sample_covariance(returns, *, ddof=1)
        ewma_covariance(returns, *, halflife)
        ledoit_wolf(returns, *, target="identity", ddof=1)
        oas(returns)
        denoised_covariance(returns)
        gerber_covariance(returns)
        semi_covariance(returns)
        nearest_psd(matrix)
        returns_from_prices(prices, *, log=False)
    """,
    "allocators": """
        hrp_weights(returns, *, covariance=None, linkage="single", distance="euclidean",
            leaf_order=False)
        herc_weights(returns, *, covariance=None)
        nco_weights(returns, *, covariance=None)
        equal_weights(returns, *, covariance=None)
        inverse_volatility(returns, *, covariance=None)
        inverse_variance(returns, *, covariance=None)
        min_variance(returns, *, covariance=None, bounds=(0, 1), budget=1.0)
        max_sharpe(returns, *, covariance=None, expected_returns=None, risk_free_rate=0.0,
            bounds=(0, 1))
        mean_variance(returns, *, covariance=None, expected_returns=None, risk_aversion=1.0,
            bounds=(0, 1))
        efficient_return(returns, *, covariance=None, expected_returns=None, target_return,
            bounds=(0, 1))
        efficient_frontier(returns, *, covariance=None, expected_returns=None, bounds=(0, 1))
        risk_parity(returns, *, covariance=None, budgets=None)
        max_diversification(returns, *, covariance=None, bounds=(0, 1))
        min_cvar(returns, *, confidence=0.95, bounds=(0, 1))
        min_mad(returns, *, bounds=(0, 1))
        min_cdar(returns, *, bounds=(0, 1))
        black_litterman(returns, *, covariance=None, market_caps=None, market_weights=None,
            views=(), risk_aversion=2.5, tau=0.05, omega="proportional")
        black_litterman_posterior(prior_mean, covariance, P, Q, *, omega, tau)
    """,
    "metrics": """
        total_return(returns)
        cagr(returns, *, periods_per_year=252, years=None)
        annual_volatility(returns, *, periods_per_year=252)
        downside_deviation(returns, *, periods_per_year=252)
        sharpe(returns, *, risk_free_rate=0.0, periods_per_year=252)
        sortino(returns, *, risk_free_rate=0.0, threshold=..., periods_per_year=252)
        calmar(returns, *, periods_per_year=252)
        max_drawdown(returns)
        drawdown_series(returns)
        drawdown_table(returns)
        average_drawdown(returns)
        ulcer_index(returns, *, ddof=0)
        pain_index(returns)
        conditional_drawdown_at_risk(returns, *, confidence=0.95)
        omega(returns, *, threshold=0.0)
        tail_ratio(returns)
        skewness(returns, *, bias=True)
        kurtosis(returns, *, bias=True)
        mean_absolute_deviation(returns)
        semi_deviation(returns)
        value_at_risk(returns, *, confidence=0.95, method="historical")
        expected_shortfall(returns, *, confidence=0.95, method="fractional")
        entropic_value_at_risk(returns, *, confidence=0.95)
        beta(returns, benchmark)
        alpha(returns, benchmark, *, risk_free_rate=0.0, periods_per_year=252)
        tracking_error(returns, benchmark, *, periods_per_year=252)
        information_ratio(returns, benchmark, *, periods_per_year=252)
        capture_ratio(returns, benchmark, *, periods_per_year=252)
        up_capture(returns, benchmark, *, periods_per_year=252)
        down_capture(returns, benchmark, *, periods_per_year=252)
        win_rate(returns)
        profit_factor(returns)
        payoff_ratio(returns)
        stability(returns)
        rolling(returns, metric, window)
        sharpe_standard_error(returns, *, method="iid")
        sharpe_standard_error_from_moments(sharpe, n_observations, *, method="iid", skewness=0.0,
            excess_kurtosis=0.0)
        annualise_sharpe(sharpe, q, autocorrelations=...)
        probabilistic_sharpe(returns, *, benchmark=0.0)
        probabilistic_sharpe_from_moments(sharpe, n_observations, *, skewness=0.0,
            excess_kurtosis=0.0, benchmark=0.0)
        expected_max_sharpe(n_trials, variance)
        deflated_sharpe(returns, *, n_trials, variance)
        deflated_sharpe_from_moments(sharpe, n_observations, *, n_trials, variance, skewness=0.0,
            excess_kurtosis=0.0)
        min_track_record_length(returns, *, benchmark=0.0, confidence=0.95)
        min_track_record_length_from_moments(sharpe, *, benchmark=0.0, confidence=0.95,
            skewness=0.0, excess_kurtosis=0.0)
        min_backtest_length(n_trials, *, target_sharpe=1.0)
        probability_of_backtest_overfitting(matrix, *, n_splits=16)
    """,
    "cv": """
        WalkForward(train_size, test_size, *, step=None, expanding=False, purge=0, embargo=0)
        PurgedKFold(n_splits, *, label_end=None, embargo=0)
        CombinatorialPurgedKFold(n_folds, n_test_folds, *, purge=0, embargo=0)
        walk_forward(factor, params_grid, universe, start=None, end=None, *, train_window=252,
            test_window=63, step=..., rebal=..., sizing=..., cost_bps=...)
    """,
    "risk": """
        value_at_risk(returns, *, confidence=0.95, method="historical", df=None)
        expected_shortfall(returns, *, confidence=0.95, method="historical", df=None)
        value_at_risk_from_moments(mean, standard_deviation, *, confidence=0.95, method="gaussian",
            df=None, skewness=0.0, excess_kurtosis=0.0)
        expected_shortfall_from_moments(mean, standard_deviation, *, confidence=0.95,
            method="gaussian", df=None, skewness=0.0, excess_kurtosis=0.0)
        component_var(weights, covariance, confidence=0.95)
        ewma_volatility(returns, *, decay=0.94)
        garch_forecast(returns, *, horizon=1)
        kupiec(breaches, *, confidence=0.95)
        christoffersen(breaches)
        conditional_coverage(breaches, *, confidence=0.95)
        acerbi_szekely_z2(returns, expected_shortfall, breaches, *, confidence=0.95)
        basel_traffic_light(n_breaches, *, n_observations=250, confidence=0.99)
    """,
    "factors": """
        register(name)
        get(name)
        f_momentum_12_1(panel, /, *, h_long=252, h_skip=21, raw=False)
        f_reversal(panel, /, *, raw=False)
        f_realized_vol(panel, /, *, h=21, ema_alpha=..., raw=False)
        zscore_cross_sectional(values, *, method="standard", ddof=0)
        rank_cross_sectional(values, *, percent=False)
        winsorize(values, *, lower=0.05, upper=0.95)
        neutralize(values, exposures)
        information_coefficient(factor, forward_returns, *, method="spearman")
        information_coefficient_summary(ic, *, lags=4)
        quantile_returns(factor, forward_returns, *, n_quantiles=5)
        turnover(weights)
    """,
    "cost_models": """
        PerShareFee(*, per_share, minimum=..., maximum_fraction=...)
        BpsFee(*, bps)
        TieredFee(*, tiers, trailing_volume=...)
        VenueFee(*, models, venue=None)
        FixedBpsSlippage(*, bps)
        SpreadSlippage(*, spread_bps)
        SquareRootSlippage(*, average_daily_volume, daily_volatility, coefficient=...)
        EwmaSlippage(*, decay=..., average=None)
        almgren_impact(shares, *, average_daily_volume, shares_outstanding, daily_volatility,
            horizon_days, gamma=0.314, eta=0.142)
    """,
    "universe_filters": """
        average_daily_volume(volume, *, window=21)
        passes_adv_filter(volume, *, minimum, window=21)
    """,
    "microstructure": """
        amihud_illiquidity(close, volume, *, window=None)
        roll_spread(close)
        bulk_buy_fraction(price_change, standard_deviation)
        vpin(close, volume, *, bucket_volume, window=50, price_change_std=None)
        cusum_filter(values, *, threshold)
        Cusum(*, target, slack, threshold)
        EwmaChart(*, target, smoothing, standard_deviation, width=3.0)
    """,
    "volatility": """
        parkinson(high, low, *, window=None, periods_per_year=252)
        garman_klass(open, high, low, close, *, window=None, periods_per_year=252)
        rogers_satchell(open, high, low, close, *, window=None, periods_per_year=252)
        yang_zhang(open, high, low, close, *, window=None, periods_per_year=252)
        realized_volatility(close, *, periods_per_year=252)
    """,
    "options": """
        bs_price(spot, strike, t, r, vol, option="call")
        bs_greeks(spot, strike, t, r, vol, option="call")
        implied_volatility(price, spot, strike, t, r, option="call")
    """,
}
CALL = re.compile(r"\w+\((?:[^()]|\([^()]*\))*\)")
LINES = [
    (module, " ".join(line.split()))
    for module, lines in CONTRACT.items()
    for line in CALL.findall(lines)
]
NAMES = [line.partition("(")[0] for _, line in LINES]


def parameters_of(line: str) -> tuple[str, list[tuple[str, str, Any]]]:
    """Return the name, and (parameter, kind, default) in order; kinds as inspect names them."""
    name = line.partition("(")[0]
    tree = ast.parse(f"def {line}: ...").body[0]
    assert isinstance(tree, ast.FunctionDef)
    given = tree.args
    placed = [*given.posonlyargs, *given.args]
    defaults: list[Any] = [None] * (len(placed) - len(given.defaults)) + list(given.defaults)
    kinds = ["POSITIONAL_ONLY"] * len(given.posonlyargs)
    kinds += ["POSITIONAL_OR_KEYWORD"] * len(given.args)
    rows = list(zip(placed, kinds, defaults, strict=True))
    rows += [
        (one, "KEYWORD_ONLY", default)
        for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    return name, [
        (one.arg, kind, inspect.Parameter.empty if node is None else ast.literal_eval(node))
        for one, kind, node in rows
    ]


def differences(line: str, function: Any) -> list[str]:
    """Return what a function lacks of its line."""
    _, wanted = parameters_of(line)
    have = inspect.signature(function).parameters
    found: list[str] = []
    for name, kind, default in wanted:
        if name not in have:
            found.append(f"no parameter {name}")
            continue
        if have[name].kind.name != kind:
            found.append(f"{name} is {have[name].kind.name}, not {kind}")
        if default is not ... and have[name].default != default:
            found.append(f"{name} defaults to {have[name].default!r}, not {default!r}")
    placed = [name for name, kind, _ in wanted if kind != "KEYWORD_ONLY"]
    if list(have)[: len(placed)] != placed:
        found.append(f"the order is {list(have)}")
    listed = {name for name, _, _ in wanted}
    needed = [
        name
        for name, one in have.items()
        if one.default is inspect.Parameter.empty
        and one.kind.name not in ("VAR_KEYWORD", "VAR_POSITIONAL")
        and name not in listed
    ]
    return found + [f"{name} has no default" for name in needed]


@pytest.mark.parametrize(
    ("module", "line"), LINES, ids=[line.partition("(")[0] for _, line in LINES]
)
def test_the_signature_is_there(module: str, line: str) -> None:
    room = importlib.import_module(f"mts1b_quantkit.{module}")
    name = line.partition("(")[0]
    assert name in room.__all__
    assert differences(line, getattr(room, name)) == []


def test_a_planted_difference_is_told() -> None:
    def near(returns: Any, window: int, *, ddof: int = 0) -> None: ...

    found = differences("near(returns, *, window, ddof=1, periods=252)", near)
    assert len(found) == 3
    assert differences("near(returns)", near) == ["window has no default"]


def test_thirty_factors_and_more() -> None:
    from mts1b_quantkit.factors import FACTOR_REGISTRY

    assert len(FACTOR_REGISTRY) >= 30


def test_errors_are_in_the_root_and_in_errors() -> None:
    import mts1b_quantkit
    from mts1b_quantkit import errors

    for name in ("NaNInput", "NotPositiveDefinite", "Infeasible", "BadInput"):
        assert getattr(mts1b_quantkit, name) is getattr(errors, name)


ROOMS = sorted([*CONTRACT, "errors"])


@pytest.mark.parametrize("room", ROOMS)
def test_an_import_brings_nothing_heavy(room: str) -> None:
    heavy = ["numba", "pandas", "polars", "cvxpy", "sklearn", "scipy", "matplotlib", "statsmodels"]
    code = (
        f"import sys, mts1b_quantkit.{room}\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
