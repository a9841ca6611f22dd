"""Printed examples of metrics, risk, splits, costs, charts and options."""

from __future__ import annotations

from mts1b_quantkit import cv, microstructure, options, risk
from mts1b_quantkit import metrics as m
from mts1b_quantkit.cost_models import almgren_impact
from mts1b_quantkit.risk import GarchParameters

from tools.agreement.inputs import MONTHS, NIST_SHIFTED, NIST_SMOOTHED
from tools.agreement.printed import MANUAL, RESTATED, SOURCE, Printed

__all__ = ["MEASURES"]

HULL = "Hull, Options, Futures and Other Derivatives"
BLP = "Bailey and Lopez de Prado"
DROP = "DROP (lakshmiDRIP), its samples for the two shares"
SP_500 = GarchParameters(omega=1.3465e-6, alpha=0.083394, beta=0.910116)


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


def _kupiec(breaches: int, days: int, confidence: float) -> tuple[float, float]:
    found = risk.kupiec([1] * breaches + [0] * (days - breaches), confidence=confidence)
    return found.statistic, found.p_value


def _kupiec_regions() -> list[int]:
    """Return, around the counts that a test at 95 % lets pass, the nearest that it does not."""
    found: list[int] = []
    for confidence, days in ((0.99, 510), (0.99, 1000), (0.95, 255), (0.95, 510), (0.95, 1000)):
        kept = [n for n in range(90) if _kupiec(n, days, confidence)[1] > 0.05]
        found += [min(kept) - 1, max(kept) + 1]
    return found


def _greeks() -> list[float]:
    found = options.bs_greeks(49, 50, 0.3846, 0.05, 0.2)
    return [found.delta, found.gamma, found.vega, found.theta, found.rho]


def _normalised_impact() -> list[float]:
    """Return permanent impact of IBM and DRI, then temporary impact, at a volatility of one."""
    found = [
        almgren_impact(
            0.1 * volume,
            average_daily_volume=volume,
            shares_outstanding=outstanding,
            daily_volatility=1.0,
            horizon_days=days,
        )
        for volume, outstanding, days in (
            (6.561e6, 1728e6, 0.1),
            (1.929e6, 168e6, 0.1),
            (1.929e6, 168e6, 0.2),
            (1.929e6, 168e6, 0.5),
        )
    ]
    return [*(one.permanent for one in found[:2]), *(one.temporary for one in found[1:])]


def _haug_prices() -> list[float]:
    price = options.bs_price
    return [
        price(60, 65, 0.25, 0.08, 0.30),
        price(100, 95, 0.5, 0.10, 0.20, "put", dividend_yield=0.05),
        price(19, 19, 0.75, 0.10, 0.28, "put", dividend_yield=0.10),
        price(1.56, 1.6, 0.5, 0.06, 0.12, dividend_yield=0.08),
        price(75, 70, 0.5, 0.10, 0.35, "put", dividend_yield=0.05),
    ]


def _haug_greeks() -> list[float]:
    call = options.bs_greeks(105, 100, 0.5, 0.1, 0.36, dividend_yield=0.1)
    put = options.bs_greeks(105, 100, 0.5, 0.1, 0.36, "put", dividend_yield=0.1)
    share = options.bs_greeks(55, 60, 0.75, 0.1, 0.3)
    index = options.bs_greeks(430, 405, 1 / 12, 0.07, 0.2, "put", dividend_yield=0.05)
    rho = options.bs_greeks(72, 75, 1, 0.09, 0.19).rho
    return [call.delta, put.delta, share.gamma, share.vega, index.theta, rho]


def _sample_kurtosis() -> float:
    """Return the raw kurtosis with the deviation of the sample and its small-sample factor."""
    n = len(MONTHS)
    excess: float = m.kurtosis(MONTHS, bias=False)
    return excess + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))


MEASURES = [
    Printed(
        "Lo 2002, table 1",
        "standard errors of 1.5 and 3.0 in 60 months",
        "metrics.sharpe_standard_error_from_moments",
        "0.188 0.303",
        lambda: [m.sharpe_standard_error_from_moments(sharpe, 60) for sharpe in (1.5, 3.0)],
        checked="another author's test cites the table",
    ),
    Printed(
        "Lo 2002, table 2",
        "factor of twelve months, autocorrelation 0.2",
        "metrics.annualise_sharpe",
        "2.88",
        lambda: m.annualise_sharpe(1.0, 12, [0.2**lag for lag in range(1, 12)]),
        checked="another author's example cites the table",
    ),
    Printed(
        f"{BLP} 2012; The Sharp Razor, pp. 16-17",
        "PSR of 0.458 a month: 24 months if normal and as it is, 36 months as it is",
        "metrics.probabilistic_sharpe_from_moments",
        "0.982 0.913 0.953",
        lambda: [
            m.probabilistic_sharpe_from_moments(0.458, n, skewness=s, excess_kurtosis=k)
            for n, s, k in ((24, 0.0, 0.0), (24, -2.448, 7.164), (36, -2.448, 7.164))
        ],
        checked="tests of rubenbriones/Probabilistic-Sharpe-Ratio and others; the last one is cut",
    ),
    Printed(
        f"{BLP} 2012, equation 13",
        "minimum track record, years, 2 against 1: days, weeks, months, months of a skewed index",
        "metrics.min_track_record_length_from_moments",
        "2.73 2.83 3.24 4.99",
        lambda: [
            m.min_track_record_length_from_moments(
                2 / p**0.5, benchmark=1 / p**0.5, skewness=s, excess_kurtosis=k
            )
            / p
            for p, s, k in ((252, 0, 0), (52, 0, 0), (12, 0, 0), (12, -0.72, 2.78))
        ],
        checked=RESTATED,
    ),
    Printed(
        f"{BLP} 2012",
        "minimum track record of two indices against nothing, years",
        "metrics.min_track_record_length_from_moments",
        "0.7152 1.1593",
        lambda: [
            m.min_track_record_length_from_moments(sharpe, skewness=s, excess_kurtosis=k) / 12
            for sharpe, s, k in ((0.7079, -0.2250, -0.0430), (0.8183, -1.4455, 4.0497))
        ],
        checked="tests of rubenbriones/Probabilistic-Sharpe-Ratio, named paper examples",
    ),
    Printed(
        "Bailey, Borwein, Lopez de Prado and Zhu 2014, proposition 2.1",
        "expected maximum of ten standard normals",
        "metrics.expected_max_sharpe",
        "1.57",
        lambda: m.expected_max_sharpe(10, 1.0),
        checked="another author's test cites the proposition",
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
        f"{HULL}, examples 19.1, 19.4, 19.6, 19.2, 19.7",
        "delta, gamma, vega, theta, rho",
        "options.bs_greeks",
        "0.522 0.066 12.1 -4.31 8.91",
        _greeks,
        checked="tests of another author's package (hullkit) cite the examples",
    ),
    Printed(
        "Haug 1998, pp. 2-8",
        "prices: share, index, future, currency, index",
        "options.bs_price",
        "2.1334 2.4648 1.7011 0.0291 4.0870",
        _haug_prices,
        checked="QuantLib's test of European options cites the pages",
    ),
    Printed(
        "Haug 1998, pp. 11-16",
        "delta of call and put, gamma, vega, theta, rho",
        "options.bs_greeks",
        "0.5946 -0.3566 0.0278 18.9358 -31.1924 38.7325",
        _haug_greeks,
        checked="QuantLib's test of European options cites the pages",
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
        "Hull, Risk Management and Financial Institutions, pp. 247 and 251",
        "GARCH: long-run variance, volatility in 10 and 500 days, %",
        "risk.GarchParameters",
        "0.0002075 1.72 1.45",
        lambda: [
            SP_500.long_run_variance,
            *(SP_500.ahead(3e-4, days) ** 0.5 * 100 for days in (10, 500)),
        ],
        checked="another author's test cites the pages",
    ),
    Printed(
        f"{HULL}, 11th edition, pp. 554-555",
        "GARCH: long-run variance of table 23.1",
        "risk.GarchParameters",
        "0.0001391",
        lambda: GarchParameters(omega=3.9818e-6, alpha=0.223793, beta=0.747577).long_run_variance,
        checked="tests of another author's package (hullkit) cite the pages",
    ),
    Printed(
        "MathWorks, Risk Management Toolbox, example of pof",
        "57 breaches of 5 % in 1,043 days: statistic and p-value",
        "risk.kupiec",
        "0.46147 0.49694",
        lambda: list(_kupiec(57, 1043, 0.95)),
        checked=SOURCE,
    ),
    Printed(
        "Kupiec 1995, as Jorion prints it",
        "too few and too many breaches of 1 % in 510 and 1,000 days, of 5 % in 255, 510, 1,000",
        "risk.kupiec",
        "1 11 4 17 6 21 16 36 37 65",
        _kupiec_regions,
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
        checked=DROP,
    ),
    Printed(
        "Almgren et al. 2005, DRI",
        "temporary impact and cost in bp, 0.1, 0.2, 0.5 days",
        "cost_models.almgren_impact",
        "32 43 21 32 12 23",
        lambda: _impact(1.929e6, 168e6, 0.0226),
        checked=DROP,
    ),
    Printed(
        "Almgren et al. 2005, IBM and DRI",
        "impact over volatility: permanent of both, temporary in 0.1, 0.2, 0.5 days",
        "cost_models.almgren_impact",
        "0.126 0.096 0.142 0.094 0.054",
        _normalised_impact,
        checked=DROP,
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
