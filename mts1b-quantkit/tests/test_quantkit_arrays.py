"""The same kind comes out, labels stay, and nothing is silently repaired."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from mts1b_quantkit import BadInput, NaNInput, QuantError, factors, metrics
from mts1b_quantkit.allocators import hrp_weights
from mts1b_quantkit.covariance import returns_from_prices, sample_covariance
from mts1b_quantkit.factors import zscore_cross_sectional
from mts1b_quantkit.metrics import drawdown_series, sharpe

NAMES = ["C", "A", "B"]
DAYS = [date(2020, 1, 1) + timedelta(days=i) for i in range(60)]


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(1).normal(0.0005, 0.01, (60, 3))


def test_importing_everything_needs_neither_pandas_nor_polars_nor_scipy_stats() -> None:
    code = """
import sys
import mts1b_quantkit
for room in "allocators covariance metrics risk factors cost_models universe_filters".split():
    __import__("mts1b_quantkit." + room)
from mts1b_quantkit.allocators import hrp_weights
import numpy as np
hrp_weights(np.random.default_rng(0).normal(size=(50, 4)))
print([name for name in ("pandas", "polars", "scipy.stats", "sklearn") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_package_imports_no_scipy() -> None:
    code = "import sys, mts1b_quantkit; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_matrix_results_keep_kind_labels_and_values(values: np.ndarray) -> None:
    expected = sample_covariance(values)
    frame = sample_covariance(pd.DataFrame(values, columns=NAMES))
    assert list(frame.index) == list(frame.columns) == NAMES
    np.testing.assert_array_equal(frame.to_numpy(), expected)
    table = sample_covariance(pl.DataFrame(values, schema=NAMES))
    assert table.columns == NAMES
    np.testing.assert_array_equal(table.to_numpy(), expected)
    columns = sample_covariance({name: values[:, j] for j, name in enumerate(NAMES)})
    np.testing.assert_array_equal(columns["A"], expected[1])


def test_row_results_keep_the_index(values: np.ndarray) -> None:
    expected = drawdown_series(values)
    frame = drawdown_series(pd.DataFrame(values, columns=NAMES, index=DAYS))
    assert list(frame.index) == DAYS
    np.testing.assert_array_equal(frame.to_numpy(), expected)
    series = drawdown_series(pd.Series(values[:, 0], index=DAYS, name="fund"))
    assert series.name == "fund"
    np.testing.assert_array_equal(series.to_numpy(), expected[:, 0])
    assert isinstance(drawdown_series(pl.Series("fund", values[:, 0])), pl.Series)


def test_a_polars_time_column_labels_rows_and_is_never_data(values: np.ndarray) -> None:
    frame = pl.DataFrame(values, schema=NAMES).insert_column(0, pl.Series("day", DAYS))
    result = drawdown_series(frame)
    assert result.columns == ["day", *NAMES]
    assert result["day"].to_list() == DAYS
    np.testing.assert_array_equal(result.drop("day").to_numpy(), drawdown_series(values))
    assert returns_from_prices(frame.with_columns(pl.exclude("day").exp()))["day"][0] == DAYS[1]


def test_reductions_give_a_float_for_one_series_and_one_number_per_column(
    values: np.ndarray,
) -> None:
    one = sharpe(values[:, 0])
    assert type(one) is float
    assert type(sharpe(pd.Series(values[:, 0]))) is float
    frame = sharpe(pd.DataFrame(values, columns=NAMES))
    assert list(frame.index) == NAMES
    assert frame["C"] == pytest.approx(one, rel=1e-12)
    assert sharpe(pl.DataFrame(values, schema=NAMES))["C"][0] == frame["C"]
    assert sharpe({"C": values[:, 0]}) == {"C": pytest.approx(one, rel=1e-12)}


def test_weights_by_kind_in_input_order(values: np.ndarray) -> None:
    array = hrp_weights(values).weights
    assert isinstance(array, np.ndarray)
    series = hrp_weights(pd.DataFrame(values, columns=NAMES))["weights"]
    assert list(series.index) == NAMES
    np.testing.assert_array_equal(series.to_numpy(), array)
    frame = hrp_weights(pl.DataFrame(values, schema=NAMES)).weights
    assert frame.row(0) == tuple(array)
    assert hrp_weights(dict(zip(NAMES, values.T, strict=True))).weights["A"] == array[1]


@pytest.mark.parametrize("kind", ["pandas", "polars", "numpy"])
def test_a_missing_value_is_named(values: np.ndarray, kind: str) -> None:
    values[7, 1] = np.nan
    values[9, 2] = np.nan
    data = {
        "pandas": pd.DataFrame(values, columns=NAMES, index=DAYS),
        "polars": pl.DataFrame(values, schema=NAMES).insert_column(0, pl.Series("day", DAYS)),
        "numpy": values,
    }[kind]
    with pytest.raises(NaNInput) as caught:
        sample_covariance(data)
    assert caught.value.asset == (1 if kind == "numpy" else "A")
    assert caught.value.row == (7 if kind == "numpy" else DAYS[7])
    assert caught.value.count == 2
    assert str(caught.value.row) in str(caught.value).replace(
        "datetime.date(2020, 1, 8)", "2020-01-08"
    )


def test_pandas_and_polars_nulls_are_missing_values() -> None:
    with pytest.raises(NaNInput):
        sharpe(pd.Series([1, None, 2], dtype="Int64"))
    with pytest.raises(NaNInput):
        sharpe(pl.Series([1, None, 2]))


@pytest.mark.parametrize(
    "data",
    [
        np.array([]),
        np.empty((5, 0)),
        np.zeros((2, 2, 2)),
        np.array(["1", "2"]),
        np.array([1.0, np.inf]),
        np.array([1 + 2j, 3.0]),
        pd.DataFrame({"A": ["x", "y"]}),
        pl.DataFrame({"A": ["x", "y"]}),
        {"A": [1.0, 2.0], "B": [1.0]},
    ],
)
def test_what_is_no_table_of_numbers_is_refused(data: object) -> None:
    with pytest.raises(BadInput):
        drawdown_series(data)


def test_every_error_is_a_quant_error_and_a_value_error() -> None:
    assert issubclass(NaNInput, QuantError)
    assert issubclass(QuantError, ValueError)


def test_decimals_are_numbers() -> None:
    assert sharpe([Decimal("0.1"), Decimal("-0.1"), Decimal("0.2")]) == sharpe([0.1, -0.1, 0.2])


def test_inputs_are_not_changed(values: np.ndarray) -> None:
    before = values.copy()
    hrp_weights(values)
    zscore_cross_sectional(values)
    np.testing.assert_array_equal(values, before)


def test_returns_from_prices() -> None:
    prices = pd.DataFrame({"A": [100.0, 110.0, 99.0]}, index=DAYS[:3])
    returns = returns_from_prices(prices)
    assert list(returns.index) == DAYS[1:3]
    np.testing.assert_allclose(returns["A"], [0.1, -0.1])
    np.testing.assert_allclose(returns_from_prices(prices, log=True)["A"], np.log([1.1, 0.9]))
    with pytest.raises(BadInput, match="not positive"):
        returns_from_prices([1.0, 0.0])
    with pytest.raises(BadInput, match="needs two"):
        returns_from_prices([1.0])


def test_what_is_masked_is_missing() -> None:
    """``numpy.asarray`` would bring back the number under the mask."""
    masked = np.ma.masked_array([[0.1, 0.2], [9.0, 0.1]], mask=[[False, False], [True, False]])
    with pytest.raises(NaNInput) as caught:
        metrics.total_return(masked)
    assert caught.value.row == 1
    assert metrics.total_return(np.ma.masked_array([0.1, 0.1])) == pytest.approx(0.21)
    whole = np.ma.masked_array([1, 2], mask=[False, True])
    with pytest.raises(NaNInput):
        metrics.total_return(whole)


def test_one_number_a_row_of_a_mapping_of_columns() -> None:
    weights = {"a": [0.5, 1.0], "b": [0.5, 0.0]}
    np.testing.assert_array_equal(factors.turnover(weights), [np.nan, 0.5])
    ic = factors.information_coefficient(
        {"a": [1.0], "b": [2.0], "c": [3.0]}, {"a": [0.1], "b": [0.3], "c": [0.2]}
    )
    assert ic.tolist() == pytest.approx([0.5])
