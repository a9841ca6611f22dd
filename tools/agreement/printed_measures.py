"""Printed examples of metrics, risk, splits, costs, charts and options."""

from __future__ import annotations

from mts1b_quantkit import cv, microstructure, options, risk
from mts1b_quantkit import metrics as m
from mts1b_quantkit.cost_models import almgren_impact
from mts1b_quantkit.risk import GarchParameters

from tools.agreement.inputs import MONTHS, NIST_SHIFTED, NIST_SMOOTHED
from tools.agreement.printed import MANUAL, RESTATED, Printed

__all__ = ["MEASURES"]

HULL = "Hull, Options, Futures and Other Derivatives"
BLP = "Bailey and Lopez de Prado"


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


def _sample_kurtosis() -> float:
    """Return the raw kurtosis with the deviation of the sample and its small-sample factor."""
    n = len(MONTHS)
    return m.kurtosis(MONTHS, bias=False) + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))


MEASURES = [
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
        f"{BLP} 2012, equation 13",
        "minimum track record, years: 2 against 1",
        "metrics.min_track_record_length_from_moments",
        "2.73",
        lambda: m.min_track_record_length_from_moments(2 / 252**0.5, benchmark=1 / 252**0.5) / 252,
        checked=RESTATED,
    ),
    Printed(
        f"{BLP} 2014, pp. 9-10",
        "expected maximum of 100 trials, and DSR of 100 and of 46",
        "metrics.deflated_sharpe_from_moments",
        "0.1132 0.9004 0.9505",
        lambda: [
            m.expected_max_sharpe(100, 0.5 / 250),
            *(
                m.deflated_sharpe_from_moments(
                    2.5 / 250**0.5,
                    1250,
                    n_trials=trials,
                    variance=0.5 / 250,
                    skewness=-3.0,
                    excess_kurtosis=7.0,
                )
                for trials in (100, 46)
            ),
        ],
        checked=RESTATED,
    ),
    Printed(
        "Bacon 2008, p. 62",
        "mean absolute deviation",
        "metrics.mean_absolute_deviation",
        "0.0310",
        lambda: m.mean_absolute_deviation(MONTHS),
        1.0,
        "the manual of R's PerformanceAnalytics cites the page; it cuts 0.03108 to four places",
    ),
    Printed(
        "Bacon 2008, pp. 84-85",
        "kurtosis, that of the sample, and its excess",
        "metrics.kurtosis",
        "2.43 3.03 -0.41",
        lambda: [m.kurtosis(MONTHS) + 3, _sample_kurtosis(), m.kurtosis(MONTHS, bias=False)],
        checked=MANUAL,
    ),
    Printed(
        "Bacon 2008, p. 89",
        "pain index",
        "metrics.pain_index",
        "0.04",
        lambda: m.pain_index(MONTHS),
        checked=MANUAL,
    ),
    Printed(
        "Bacon 2008, p. 91",
        "Martin ratio",
        "metrics.ulcer_index",
        "1.70",
        lambda: m.cagr(MONTHS, periods_per_year=12) / m.ulcer_index(MONTHS),
        0.6,
        MANUAL,
    ),
    Printed(
        "Bacon 2008",
        "downside deviation at 0.5 %",
        "metrics.downside_deviation",
        "0.0255",
        lambda: m.downside_deviation(MONTHS, threshold=0.005, periods_per_year=1),
        checked=RESTATED,
    ),
    Printed(
        "Bacon 2008, p. 95",
        "Bernardo-Ledoit ratio",
        "metrics.profit_factor",
        "1.78",
        lambda: m.profit_factor(MONTHS),
        checked=MANUAL,
    ),
    Printed(
        "Bacon 2008, p. 100",
        "skewness over kurtosis",
        "metrics.skewness",
        "-0.034",
        lambda: m.skewness(MONTHS) / (m.kurtosis(MONTHS) + 3),
        checked=MANUAL,
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
        checked=RESTATED,
    ),
    Printed(
        HULL,
        "call and put of example 15.6 (9th edition)",
        "options.bs_price",
        "4.76 0.81",
        lambda: [options.bs_price(42, 40, 0.5, 0.1, 0.2, kind) for kind in ("call", "put")],
        checked=RESTATED,
    ),
    Printed(
        HULL,
        "delta, gamma, vega, theta, rho",
        "options.bs_greeks",
        "0.522 0.066 12.1 -4.31 8.91",
        _greeks,
    ),
    Printed(
        f"{HULL}, example 23.2",
        "GARCH: next variance",
        "risk.GarchParameters",
        "0.00023516",
        lambda: GarchParameters(omega=2e-6, alpha=0.13, beta=0.86).following(0.016**2, 0.01),
        checked="a text of the chapter (section 23.3)",
    ),
    Printed(
        HULL,
        "GARCH: variance in ten days",
        "risk.GarchParameters",
        "0.0002942",
        lambda: GarchParameters(omega=1.3465e-6, alpha=0.083394, beta=0.910116).ahead(3e-4, 10),
    ),
    Printed(
        "Basel Committee 1996",
        "multipliers of 4 to 10 breaches",
        "risk.basel_traffic_light",
        "3.00 3.40 3.50 3.65 3.75 3.85 4.00",
        lambda: [risk.basel_traffic_light(n).multiplier for n in range(4, 11)],
        checked=RESTATED,
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
        RESTATED,
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
        checked=RESTATED,
    ),
]
