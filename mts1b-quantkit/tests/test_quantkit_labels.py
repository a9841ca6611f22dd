"""Two inputs that name their rows or columns otherwise are refused, not paired by position."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from mts1b_foundation import UniversePanel
from mts1b_quantkit import BadInput
from mts1b_quantkit.allocators import black_litterman_posterior, hrp_weights
from mts1b_quantkit.covariance import returns_from_prices
from mts1b_quantkit.cv import walk_forward
from mts1b_quantkit.factors import get, information_coefficient, neutralize, quantile_returns
from mts1b_quantkit.metrics import max_drawdown, omega, sharpe, sortino, win_rate
from mts1b_quantkit.microstructure import amihud_illiquidity, vpin
from mts1b_quantkit.risk import acerbi_szekely_z2
from mts1b_quantkit.volatility import parkinson

ROWS, NAMES = 8, list("ABC")
RNG = np.random.default_rng(5)
DAYS = pd.date_range("2024-01-01", periods=ROWS)
VALUES = RNG.normal(0.0, 0.01, (ROWS, len(NAMES)))
FRAME = pd.DataFrame(VALUES, DAYS, NAMES)
PRICES = 100.0 * (1.0 + FRAME).cumprod()
SERIES, PRICE = FRAME["A"], PRICES["A"]
HITS = (SERIES < 0.0).astype(int)
RISK = pd.DataFrame(np.diag([1.0, 2.0, 3.0]), NAMES, NAMES)
MEAN, PICK = pd.Series([0.1, 0.2, 0.3], NAMES), pd.DataFrame([[1.0, -1.0, 0.0]], ["v"], NAMES)


def later(data: Any) -> Any:
    """Return the same numbers a day later."""
    return data.set_axis(data.index + pd.Timedelta(days=1))


def turned(data: Any) -> Any:
    """Return the same columns in another order."""
    return data[NAMES[::-1]]


PAIRS: dict[str, Callable[[Any], Any]] = {
    "IC, columns": lambda change: information_coefficient(FRAME, change(turned)),
    "IC, rows": lambda change: information_coefficient(FRAME, change(later)),
    "quantiles": lambda change: quantile_returns(FRAME, change(turned)),
    "exposures of a time": lambda change: neutralize(FRAME, change(turned)),
    "exposures": lambda change: neutralize(FRAME, change(lambda f: f.T[DAYS[0]][::-1])),
    "risk-free rate": lambda change: sharpe(FRAME, risk_free_rate=change(lambda f: later(f["A"]))),
    "rate of sortino": lambda change: sortino(
        FRAME, risk_free_rate=change(lambda f: later(f["A"]))
    ),
    "threshold": lambda change: omega(FRAME, threshold=change(lambda f: later(f["A"]))),
    "breaches": lambda change: acerbi_szekely_z2(
        SERIES, 0.1, change(lambda f: later((f["A"] < 0).astype(int)))
    ),
    "shortfall": lambda change: acerbi_szekely_z2(
        SERIES, change(lambda f: later(f["A"] * 0 + 0.1)), HITS
    ),
    "volume": lambda change: amihud_illiquidity(PRICES, change(lambda f: turned(f * 0 + 1.0))),
    "volume of VPIN": lambda change: vpin(
        PRICE, change(lambda f: later(f["A"] * 0 + 1.0)), bucket_volume=2.0
    ),
    "high and low": lambda change: parkinson(PRICES + 1, change(lambda f: turned(f * 0 + 1.0))),
    "fields of a panel": lambda change: get("f_price_volume_correlation")(
        UniversePanel(
            close=PRICES,
            high=PRICES,
            low=PRICES,
            volume=change(lambda f: turned(f * 0 + 1.0)),
            dates=DAYS,
            symbols=NAMES,
        ),
        h=3,
    ),
    "prior": lambda change: black_litterman_posterior(
        change(lambda _: MEAN[::-1]), RISK, PICK, [0.1], omega=[0.1], tau=0.1
    ),
    "views": lambda change: black_litterman_posterior(
        MEAN, RISK, change(lambda _: turned(PICK)), [0.1], omega=[0.1], tau=0.1
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_named_otherwise_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="align"):
        PAIRS[name](lambda make: make(FRAME))


@pytest.mark.parametrize("name", PAIRS)
def test_the_same_numbers_without_names_are_paired_by_position(name: str) -> None:
    assert PAIRS[name](lambda make: make(FRAME).to_numpy()) is not None


def test_series_of_a_mapping_have_one_index() -> None:
    with pytest.raises(BadInput, match=r"returns, column 'B' has other row labels than 'A'"):
        hrp_weights({"A": SERIES, "B": later(FRAME["B"])})
    assert hrp_weights({"A": SERIES, "B": FRAME["B"].to_numpy(), "C": FRAME["C"]}).weights


@pytest.mark.parametrize(
    "given",
    [
        FRAME[::-1],
        SERIES[::-1],
        SERIES[::-1].set_axis(list(DAYS.date)[::-1]),
        SERIES[::-1].to_period("D"),
        SERIES[::-1].tz_localize("Asia/Kolkata"),
        pl.DataFrame({"day": [date(2024, 1, 9) - timedelta(days=n) for n in range(3)], "A": 0.01}),
        {"A": SERIES[::-1]},
    ],
)
def test_rows_from_the_newest_to_the_oldest_are_refused(given: Any) -> None:
    with pytest.raises(BadInput, match=r"run back from 2024-01-0.* sort them by time"):
        max_drawdown(given)


def test_prices_from_the_newest_to_the_oldest_give_no_returns() -> None:
    with pytest.raises(BadInput, match="prices run back"):
        returns_from_prices(PRICES[::-1])


def test_rows_in_no_order_of_time_are_taken_as_they_come() -> None:
    drawn = pd.concat([SERIES, SERIES[:3]])
    assert win_rate(drawn) == win_rate(drawn.to_numpy())
    assert max_drawdown(pd.Series([0.1, -0.1], [2, 1])) == pytest.approx(-0.1)
    assert max_drawdown(SERIES[:1]) == pytest.approx(min(0.0, SERIES.iloc[0]))
    for first in (None, "x"):
        mixed = pd.Series([0.1, -0.1], pd.Index([DAYS[0], first], dtype=object))
        assert max_drawdown(mixed) == pytest.approx(-0.1)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_scores_whose_columns_stand_in_another_order_are_refused(kind: str) -> None:
    """A pivot sorts columns by name: the scores of C would trade A."""
    close = 100.0 * np.cumprod(1.0 + RNG.normal(0.0, 0.01, (80, 3)), axis=0)
    days = [date(2020, 1, 1) + timedelta(days=n) for n in range(80)]
    panel = UniversePanel(
        close=close, high=close, low=close, volume=close * 0, dates=days, symbols=list("CAB")
    )

    def factor(panel: UniversePanel, /, *, names: str) -> Any:
        frame = pd.DataFrame(np.asarray(panel.close), list(panel.dates), list(panel.symbols))
        named = frame[list(names)]
        return named if kind == "pandas" else pl.DataFrame(dict(named))

    terms: dict[str, Any] = {"train_window": 30, "test_window": 10, "rebal": 5}
    walk_forward(factor, [{"names": "CAB"}], panel, **terms)
    with pytest.raises(BadInput, match="labels its columns A, B, C; the symbols are C, A, B"):
        walk_forward(factor, [{"names": "ABC"}], panel, **terms)
