"""``python -m tools.agreement.papers``: printed numbers beside computed ones, as a page.

Inputs are typed in from the sources. A printed number has a last digit; the page shows how many
units of it the computed number is away. Half a unit is rounding; more than that comes from inputs
that are printed rounded themselves, and each row states its limit.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mts1b_quantkit import allocators as a
from mts1b_quantkit import covariance, cv, microstructure, options, risk
from mts1b_quantkit import metrics as m
from mts1b_quantkit.cost_models import almgren_impact
from mts1b_quantkit.risk import GarchParameters

from tools.agreement.inputs import (
    CLA_COVARIANCE,
    CLA_MEAN,
    FOUR_ASSETS,
    HE_COVARIANCE,
    HE_MARKET,
    IDZOREK_COVARIANCE,
    IDZOREK_MARKET,
    IDZOREK_VIEWS,
    MONTHS,
    NIST_SHIFTED,
    NIST_SMOOTHED,
    RU_COVARIANCE,
    RU_MEAN,
)

__all__ = ["PAGE", "PRINTED", "Printed", "main", "render", "units_off"]

PAGE = Path("docs") / "quantkit-papers.md"


@dataclass(frozen=True)
class Printed:
    """Numbers of a source as it prints them, and how to compute them."""

    source: str
    what: str
    function: str
    printed: str
    compute: Callable[[], Any]
    limit: float = 0.51


def units_off(row: Printed) -> float:
    """Return the largest distance from a printed number, in units of its last digit."""
    texts = row.printed.split()
    values = np.atleast_1d(np.asarray(row.compute(), dtype=float))
    if len(texts) != len(values):
        raise ValueError(f"{row.what}: {len(texts)} numbers are printed, {len(values)} computed")
    return max(
        abs(float(value) - float(text)) * 10.0 ** _places(text)
        for text, value in zip(texts, values, strict=True)
    )


def _places(text: str) -> int:
    return len(text.partition(".")[2])


def _ten_assets() -> np.ndarray:
    """Return the series of Lopez de Prado 2016: five, and five noisy copies."""
    normal, uniform = np.random.RandomState(12345), random.Random(12345)
    base = normal.normal(0, 1, size=(10_000, 5))
    copied = [int(uniform.random() * 5) for _ in range(5)]
    return np.hstack([base, base[:, copied] + normal.normal(0, 0.25, size=(10_000, 5))])


def _he(field: str) -> Any:
    germany = {"symbols": [3, 2, 5], "weights": [1, -0.295, -0.705], "expected": 0.05}
    found = a.black_litterman(
        None,
        covariance=HE_COVARIANCE,
        market_weights=HE_MARKET,
        views=[germany],
        omega=[0.05 * 0.021],
    )
    return (found.weights if field == "weights" else found.diagnostics[field]) * 100


def _idzorek(field: str) -> Any:
    found = a.black_litterman(
        None,
        covariance=IDZOREK_COVARIANCE,
        market_weights=IDZOREK_MARKET,
        views=IDZOREK_VIEWS,
        risk_aversion=3.07,
        tau=0.025,
    ).diagnostics
    if field == "weights":
        return np.linalg.solve(3.07 * IDZOREK_COVARIANCE, found["posterior_mean"]) * 100
    return np.diag(found["omega"]) if field == "omega" else found[field] * 100


def _least() -> Any:
    return a.efficient_return(
        None, covariance=RU_COVARIANCE, expected_returns=RU_MEAN, target_return=0.011
    )


def _tails(measure: Callable[..., float]) -> list[float]:
    spread = float(np.sqrt(0.00378529))
    return [measure(0.011, spread, confidence=c) for c in (0.90, 0.95, 0.99)]


def _line() -> Any:
    return a.efficient_frontier(None, covariance=CLA_COVARIANCE, expected_returns=CLA_MEAN)


def _impact(volume: float, outstanding: float, volatility: float) -> list[float]:
    found: list[float] = []
    for days in (0.1, 0.2, 0.5):
        impact = almgren_impact(
            0.1 * volume,
            average_daily_volume=volume,
            shares_outstanding=outstanding,
            daily_volatility=volatility,
            horizon_days=days,
        )
        found += [impact.temporary * 1e4, impact.cost * 1e4]
    return found


def _greeks() -> list[float]:
    found = options.bs_greeks(49, 50, 0.3846, 0.05, 0.2)
    return [found.delta, found.gamma, found.vega, found.theta, found.rho]


HULL = "Hull, Options, Futures and Other Derivatives"
LDP = "Lopez de Prado 2016"
BLP = "Bailey and Lopez de Prado"
RU = "Rockafellar and Uryasev 2000"
PRINTED = [
    Printed(
        LDP,
        "HRP weights, %",
        "allocators.hrp_weights",
        "7.00 7.59 10.84 19.03 9.72 10.19 6.62 9.10 7.12 12.79",
        lambda: a.hrp_weights(_ten_assets()).weights * 100,
    ),
    Printed(
        LDP,
        "inverse-variance weights, %",
        "allocators.inverse_variance",
        "10.36 10.28 10.36 10.25 10.31 9.74 9.80 9.65 9.64 9.61",
        lambda: a.inverse_variance(_ten_assets()).weights * 100,
    ),
    Printed(
        f"{BLP} 2013, table 2",
        "turning points: return",
        "allocators.efficient_frontier",
        "1.180 1.160 1.111 1.108 1.022 1.015 0.973 0.950 0.803",
        lambda: _line().expected_returns[-9:],
    ),
    Printed(
        f"{BLP} 2013, table 2",
        "turning points: risk",
        "allocators.efficient_frontier",
        "0.546 0.417 0.267 0.265 0.230 0.228 0.220 0.216 0.205",
        lambda: np.sqrt(_line().variances[-9:]),
    ),
    Printed(
        f"{BLP} 2013, table 2",
        "turning points: lambda",
        "allocators.efficient_frontier",
        "4.174 1.946 0.165 0.147 0.056 0.052 0.037 0.031 0.000",
        lambda: _line().lambdas[-9:],
    ),
    Printed(
        f"{BLP} 2013",
        "highest Sharpe ratio",
        "allocators.max_sharpe",
        "4.4535",
        lambda: a.max_sharpe(
            None, covariance=CLA_COVARIANCE, expected_returns=CLA_MEAN
        ).diagnostics["objective"],
    ),
    Printed(
        "Maillard, Roncalli and Teiletche 2010",
        "equal risk contributions, %",
        "allocators.risk_parity",
        "38.4 19.2 24.3 18.2",
        lambda: a.risk_parity(None, covariance=FOUR_ASSETS).weights * 100,
    ),
    Printed(
        "Maillard, Roncalli and Teiletche 2010",
        "minimum variance, %",
        "allocators.min_variance",
        "74.5 0.0 15.2 10.3",
        lambda: a.min_variance(None, covariance=FOUR_ASSETS).weights * 100,
    ),
    Printed(
        RU,
        "least variance at a return of 0.011",
        "allocators.efficient_return",
        "0.452013 0.115573 0.432414",
        lambda: _least().weights,
        2.0,
    ),
    Printed(
        RU,
        "its variance",
        "allocators.efficient_return",
        "0.00378529",
        lambda: _least().diagnostics["objective"],
    ),
    Printed(
        RU,
        "VaR at 90, 95, 99 %",
        "risk.value_at_risk_from_moments",
        "0.067847 0.090200 0.132128",
        lambda: _tails(risk.value_at_risk_from_moments),
        1.0,
    ),
    Printed(
        RU,
        "CVaR at 90, 95, 99 %",
        "risk.expected_shortfall_from_moments",
        "0.096975 0.115908 0.152977",
        lambda: _tails(risk.expected_shortfall_from_moments),
        1.0,
    ),
    Printed(
        "He and Litterman 1999, table 2",
        "equilibrium returns, %",
        "allocators.black_litterman",
        "3.9 6.9 8.4 9.0 4.3 6.8 7.6",
        lambda: _he("prior_mean"),
    ),
    Printed(
        "He and Litterman 1999, table 4",
        "returns with the view, %",
        "allocators.black_litterman",
        "4.3 7.6 9.3 11.0 4.5 7.0 8.1",
        lambda: _he("posterior_mean"),
        0.55,
    ),
    Printed(
        "He and Litterman 1999, table 4",
        "weights with the view, %",
        "allocators.black_litterman",
        "1.5 2.1 -4.0 35.4 11.0 -9.5 58.6",
        lambda: _he("weights"),
        2.5,
    ),
    Printed(
        "Idzorek 2005",
        "implied returns, %",
        "allocators.black_litterman",
        "0.08 0.67 6.41 4.08 7.43 3.70 4.80 6.60",
        lambda: _idzorek("prior_mean"),
        1.6,
    ),
    Printed(
        "Idzorek 2005",
        "omega",
        "allocators.black_litterman",
        "0.000709 0.000141 0.000866",
        lambda: _idzorek("omega"),
    ),
    Printed(
        "Idzorek 2005",
        "combined returns, %",
        "allocators.black_litterman",
        "0.07 0.50 6.50 4.32 7.59 3.94 4.93 6.84",
        lambda: _idzorek("posterior_mean"),
        0.8,
    ),
    Printed(
        "Idzorek 2005",
        "weights, %",
        "allocators.black_litterman",
        "29.88 15.59 9.35 14.82 1.04 1.65 27.81 3.49",
        lambda: _idzorek("weights"),
        4.5,
    ),
    Printed(
        "Lo 2002, table 1",
        "standard errors (1.5, 60), (0.5, 12)",
        "metrics.sharpe_standard_error_from_moments",
        "0.188 0.306",
        lambda: [m.sharpe_standard_error_from_moments(*x) for x in ((1.5, 60), (0.5, 12))],
    ),
    Printed(
        f"{BLP} 2012",
        "PSR of 0.458 a month, 24 months: normal, and as it is",
        "metrics.probabilistic_sharpe_from_moments",
        "0.982 0.913",
        lambda: [
            m.probabilistic_sharpe_from_moments(0.458, 24, skewness=s, excess_kurtosis=k)
            for s, k in ((0.0, 0.0), (-2.448, 7.164))
        ],
    ),
    Printed(
        f"{BLP} 2012",
        "minimum track record, years: 2 against 1",
        "metrics.min_track_record_length_from_moments",
        "2.73",
        lambda: m.min_track_record_length_from_moments(2 / 252**0.5, benchmark=1 / 252**0.5) / 252,
    ),
    Printed(
        f"{BLP} 2014",
        "expected maximum of 100 trials, and DSR",
        "metrics.deflated_sharpe_from_moments",
        "0.1132 0.9004",
        lambda: [
            m.expected_max_sharpe(100, 0.5 / 250),
            m.deflated_sharpe_from_moments(
                2.5 / 250**0.5,
                1250,
                n_trials=100,
                variance=0.5 / 250,
                skewness=-3.0,
                excess_kurtosis=7.0,
            ),
        ],
    ),
    Printed(
        "Bacon 2008",
        "downside deviation at 0.5 %, and kurtosis",
        "metrics.downside_deviation",
        "0.0255 2.43",
        lambda: [
            m.downside_deviation(MONTHS, threshold=0.005, periods_per_year=1),
            m.kurtosis(MONTHS) + 3,
        ],
    ),
    Printed(
        "Bacon 2008",
        "Martin ratio, and skewness over kurtosis",
        "metrics.ulcer_index",
        "1.70 -0.034",
        lambda: [
            m.cagr(MONTHS, periods_per_year=12) / m.ulcer_index(MONTHS),
            m.skewness(MONTHS) / (m.kurtosis(MONTHS) + 3),
        ],
        0.6,
    ),
    Printed(
        "Lopez de Prado 2018, section 12.4",
        "splits and paths of six folds, two tested",
        "cv.CombinatorialPurgedKFold",
        "15 5",
        lambda: [
            cv.CombinatorialPurgedKFold(6, 2).get_n_splits(),
            cv.CombinatorialPurgedKFold(6, 2).n_paths,
        ],
    ),
    Printed(
        HULL,
        "call and put",
        "options.bs_price",
        "4.76 0.81",
        lambda: [options.bs_price(42, 40, 0.5, 0.1, 0.2, kind) for kind in ("call", "put")],
    ),
    Printed(
        HULL,
        "delta, gamma, vega, theta, rho",
        "options.bs_greeks",
        "0.522 0.066 12.1 -4.31 8.91",
        _greeks,
    ),
    Printed(
        HULL,
        "GARCH: next variance, and in ten days",
        "risk.GarchParameters",
        "0.00023516 0.0002942",
        lambda: [
            GarchParameters(omega=2e-6, alpha=0.13, beta=0.86).following(0.016**2, 0.01),
            GarchParameters(omega=1.3465e-6, alpha=0.083394, beta=0.910116).ahead(3e-4, 10),
        ],
    ),
    Printed(
        "Basel Committee 1996",
        "multipliers of 4 to 10 breaches",
        "risk.basel_traffic_light",
        "3.00 3.40 3.50 3.65 3.75 3.85 4.00",
        lambda: [risk.basel_traffic_light(n).multiplier for n in range(4, 11)],
    ),
    Printed(
        "Almgren et al. 2005, IBM",
        "temporary impact and cost in bp, 0.1, 0.2, 0.5 days",
        "cost_models.almgren_impact",
        "22 32 15 25 8 18",
        lambda: _impact(6.561e6, 1728e6, 0.0157),
        0.6,
    ),
    Printed(
        "Almgren et al. 2005, DRI",
        "temporary impact and cost in bp, 0.1, 0.2, 0.5 days",
        "cost_models.almgren_impact",
        "32 43 21 32 12 23",
        lambda: _impact(1.929e6, 168e6, 0.0226),
        0.6,
    ),
    Printed(
        "NIST/SEMATECH handbook 6.3.2.3.1",
        "CUSUM, rows 13 to 20",
        "microstructure.Cusum",
        "3.01 4.94 7.45 10.63 11.99 14.44 16.00 19.04",
        lambda: microstructure.Cusum(target=325.0, slack=0.3175, threshold=4.1959).batch(
            NIST_SHIFTED
        )["upper"][12:],
        0.6,
    ),
    Printed(
        "NIST/SEMATECH handbook 6.3.2.4",
        "EWMA chart, rows 11 to 20",
        "microstructure.EwmaChart",
        "50.11 49.36 49.52 50.05 49.38 49.92 50.73 51.23 51.94 51.99",
        lambda: microstructure.EwmaChart(
            target=50.0, smoothing=0.3, standard_deviation=2.0539
        ).batch(NIST_SMOOTHED)["value"][10:],
        0.6,
    ),
    Printed(
        "Higham 2002, section 3",
        "nearest correlation matrix",
        "covariance.nearest_psd",
        "0.7607 0.1573",
        lambda: covariance.nearest_psd(np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]]))[0, 1:],
    ),
]

_HEAD = """# Printed numbers

Examples of papers and handbooks, typed in, beside what `mts1b_quantkit` computes. The fourth column
counts units of the last printed digit: up to half of one is rounding; more comes from inputs that
the source prints rounded too. `python -m tools.agreement.papers --write` computes this page again
and a test fails where it is stale or a limit is exceeded.

| source | what | function | printed | units off | limit |
|---|---|---|---|---|---|
"""


def render() -> str:
    """Return the page."""
    return _HEAD + "".join(
        f"| {row.source} | {row.what} | `{row.function}` | {row.printed} | "
        f"{units_off(row):.2f} | {row.limit:g} |\n"
        for row in PRINTED
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when a limit is exceeded."""
    parser = argparse.ArgumentParser(prog="python -m tools.agreement.papers", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}")
    options_ = parser.parse_args(arguments)
    beyond = [row for row in PRINTED if not units_off(row) <= row.limit]
    for row in beyond:
        print(f"{row.source}, {row.what}: {units_off(row):.2f} units off", file=sys.stderr)
    if options_.write and not beyond:
        PAGE.write_text(render(), encoding="utf-8")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
