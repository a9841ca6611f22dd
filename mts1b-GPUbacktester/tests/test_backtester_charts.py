"""What a report draws: axes that tell values apart, falls from the starting capital."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from mts1b_GPUbacktester import charts, rules, run_portfolio, run_single

r = rules


def beside(drawn: str) -> list[str]:
    """Return what is written at the lines of a chart, from below."""
    return re.findall(r'text-anchor="end">([^<]*)</text>', drawn)[:4]


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.0, 6.0, ["0", "2", "4", "6"]),
        (0.99984, 1.00034, ["0.99984", "1.00001", "1.00017", "1.00034"]),
        (295_000.0, 1_030_000.0, ["0.29M", "0.54M", "0.79M", "1.03M"]),
        (12_000.0, 12_030.0, ["12.000k", "12.010k", "12.020k", "12.030k"]),
    ],
)
def test_the_values_of_an_axis_differ_and_fit(low: float, high: float, texts: list[str]) -> None:
    drawn = charts.line(np.array([low, high]), "Equity")
    assert beside(drawn) == texts
    assert max(map(len, texts)) <= 8


def test_a_small_fall_is_told_in_per_cent() -> None:
    drawn = charts.line(np.array([0.0, -0.0003]), "Drawdown", percent=True, filled=True)
    assert beside(drawn) == ["-0.030%", "-0.020%", "-0.010%", "0%"]


def test_a_value_that_never_moves_has_one_line() -> None:
    assert beside(charts.line(np.ones(5), "Equity")) == ["1"]


def test_sets_that_differ_in_the_last_bit_are_drawn() -> None:
    drawn = charts.bars(np.array([0.5, np.nextafter(0.5, 1.0)]), "Sets")
    assert drawn.count("<rect") == 1
    assert beside(drawn) == ["0", "1", "2", "3"]


def test_numbers_are_written_whole_where_they_are() -> None:
    assert [charts.text_of(value) for value in (12_345.0, 0.123456, None, -0.0, float("nan"))] == [
        "12,345", "0.1235", "–", "0", "–",
    ]  # fmt: skip


def test_the_starting_capital_is_the_first_peak_of_the_drawn_fall(tmp_path: Path) -> None:
    close = np.array([100.0, 100.0, 90.0, 90.0])
    found = run_single(
        panel={"close": close, "open": np.full(4, 100.0)},
        rule=r.long_when(r.close > 0),
        fees_bps=0,
        start=2,
    )
    assert found.max_drawdown == pytest.approx(-0.1)
    found.report(tmp_path / "one.html")
    page = (tmp_path / "one.html").read_text()
    assert ">-10.0%</text>" in page
    assert "long side" in page


def test_a_portfolio_has_no_side(tmp_path: Path) -> None:
    found = run_portfolio({"close": np.full((3, 1), 5.0)}, -np.ones((3, 1)), fill="next_close")
    found.report(tmp_path / "one.html")
    assert "long side" not in (tmp_path / "one.html").read_text()
