"""Significance, overfitting, benchmarks, drawdown tables: printed values, edges, properties."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mts1b_quantkit import BadInput
from mts1b_quantkit import metrics as m
from scipy import stats

PRECISE = {"rel": 1e-12, "abs": 1e-15}
NOISE = np.random.default_rng(7).normal(0.0004, 0.01, (500, 4))
series = arrays(float, st.integers(3, 60), elements=st.floats(-0.4, 0.4))


class TestPrintedValues:
    """Numbers as the papers print them."""

    def test_deflated_sharpe_of_the_paper(self) -> None:
        """Bailey and Lopez de Prado 2014, section "a numerical example": 2.5 a year, T = 1250."""
        variance = 0.5 / 250
        assert m.expected_max_sharpe(100, variance) == pytest.approx(0.1132, abs=5e-5)
        value = m.deflated_sharpe_from_moments(
            2.5 / math.sqrt(250),
            1250,
            n_trials=100,
            variance=variance,
            skewness=-3.0,
            excess_kurtosis=7.0,
        )
        assert value == pytest.approx(0.9004, abs=5e-5)

    def test_minimum_backtest_length_of_the_paper(self) -> None:
        """Bailey et al. 2014: five years allow no more than 45 trials."""
        assert m.min_backtest_length(45) == pytest.approx(5.0, abs=0.05)

    def test_minimum_track_record_of_the_paper(self) -> None:
        """Bailey and Lopez de Prado 2012, table: annual 2 against 1 at 95 %, daily, normal."""
        years = m.min_track_record_length_from_moments(
            2.0 / math.sqrt(252), benchmark=1.0 / math.sqrt(252)
        )
        assert years / 252 == pytest.approx(2.73, abs=5e-3)

    def test_sharpe_error_of_lo(self) -> None:
        """Lo 2002, table 1: T = 60, SR 1.5 gives 0.188; T = 12, SR 0.5 gives 0.306."""
        assert m.sharpe_standard_error_from_moments(1.5, 60) == pytest.approx(0.188, abs=5e-4)
        assert m.sharpe_standard_error_from_moments(0.5, 12) == pytest.approx(0.306, abs=5e-4)

    def test_annualisation_of_lo(self) -> None:
        """Lo 2002, table 2: monthly to annual at first-order autocorrelation -0.2 and 0.2."""
        for rho, factor in ((-0.2, 4.17), (0.0, 3.46), (0.2, 2.88)):
            decay = [rho**k for k in range(1, 12)]
            assert m.annualise_sharpe(1.0, 12, decay) == pytest.approx(factor, abs=0.03)


def test_the_forms_on_returns_agree_with_the_forms_on_moments() -> None:
    for column in NOISE.T:
        ratio, skew = m.sharpe(column, periods_per_year=1), m.skewness(column)
        shape = {"skewness": skew, "excess_kurtosis": m.kurtosis(column)}
        n = len(column)
        pairs = [
            (
                m.probabilistic_sharpe(column),
                m.probabilistic_sharpe_from_moments(ratio, n, **shape),
            ),
            (
                m.deflated_sharpe(column, n_trials=9, variance=0.001),
                m.deflated_sharpe_from_moments(ratio, n, n_trials=9, variance=0.001, **shape),
            ),
            (
                m.min_track_record_length(column, benchmark=-0.1),
                m.min_track_record_length_from_moments(ratio, benchmark=-0.1, **shape),
            ),
            (
                m.sharpe_standard_error(column, method="mertens"),
                m.sharpe_standard_error_from_moments(ratio, n, method="mertens", **shape),
            ),
            (m.sharpe_standard_error(column), m.sharpe_standard_error_from_moments(ratio, n)),
        ]
        for of_returns, of_moments in pairs:
            assert of_returns == pytest.approx(of_moments, **PRECISE)


def test_psr_is_one_half_at_its_own_ratio_and_falls_with_the_benchmark() -> None:
    ratio = m.sharpe(NOISE[:, 0], periods_per_year=1)
    assert m.probabilistic_sharpe(NOISE[:, 0], benchmark=ratio) == pytest.approx(0.5)
    ladder = [m.probabilistic_sharpe(NOISE[:, 0], benchmark=b) for b in (-0.1, 0.0, 0.1, 0.2)]
    assert ladder == sorted(ladder, reverse=True)
    assert m.deflated_sharpe(NOISE[:, 0], n_trials=1, variance=1.0) == pytest.approx(
        m.probabilistic_sharpe(NOISE[:, 0])
    )


def test_the_length_that_is_needed_reaches_the_confidence() -> None:
    length = m.min_track_record_length_from_moments(0.1, benchmark=0.02, confidence=0.9)
    whole = math.ceil(length)
    assert m.probabilistic_sharpe_from_moments(0.1, whole, benchmark=0.02) >= 0.9
    assert m.probabilistic_sharpe_from_moments(0.1, whole - 1, benchmark=0.02) < 0.9
    assert m.min_track_record_length_from_moments(0.1, benchmark=0.1) == math.inf


def test_undefined_ratios_stay_undefined() -> None:
    assert math.isnan(m.probabilistic_sharpe([0.01, 0.01, 0.01]))
    assert math.isnan(m.probabilistic_sharpe([0.01]))
    assert math.isnan(m.min_track_record_length([0.0, 0.0]))
    assert m.omega([0.1, 0.2]) == math.inf
    assert math.isnan(m.omega([0.0, 0.0]))
    assert math.isnan(m.win_rate([0.0, 0.0]))
    assert math.isnan(m.payoff_ratio([0.1, 0.2]))
    assert math.isnan(m.stability([0.0, 0.0, 0.0]))
    assert math.isnan(m.semi_deviation([0.1]))
    assert m.semi_deviation([0.1, 0.1]) == 0.0
    assert math.isnan(m.ulcer_index([0.1], ddof=1))


class TestOverfitting:
    """Combinatorially symmetric cross-validation."""

    def test_by_hand(self) -> None:
        """Every number by the definition, split by split, with pandas' ranks."""
        blocks, matrix = 6, NOISE[3:].copy()
        kept = matrix[len(matrix) % blocks :].reshape(blocks, -1, 4)
        logits, inside, outside = [], [], []
        for chosen in itertools.combinations(range(blocks), blocks // 2):
            rest = [b for b in range(blocks) if b not in chosen]
            first = np.concatenate(kept[list(chosen)])
            second = np.concatenate(kept[rest])
            ratio = [x.mean(axis=0) / x.std(axis=0, ddof=1) for x in (first, second)]
            best = int(ratio[0].argmax())
            share = stats.rankdata(ratio[1])[best] / 5
            logits.append(math.log(share / (1 - share)))
            inside.append(ratio[0][best])
            outside.append(ratio[1][best])
        result = m.probability_of_backtest_overfitting(matrix, n_splits=blocks)
        np.testing.assert_allclose(result.logits, logits, atol=1e-9)
        assert result.probability == np.mean(np.array(logits) <= 0)
        line = stats.linregress(inside, outside)
        assert result.degradation_slope == pytest.approx(line.slope, rel=1e-9)
        assert result.degradation_intercept == pytest.approx(line.intercept, rel=1e-9)
        assert result.probability_of_loss == np.mean(np.array(outside) < 0)

    def test_skill_is_seen_and_luck_is_seen(self) -> None:
        noise = np.random.default_rng(1).normal(0, 0.01, (400, 20))
        skilled = noise.copy()
        skilled[:, 3] += 0.01
        assert m.probability_of_backtest_overfitting(skilled, n_splits=8).probability == 0.0
        assert m.probability_of_backtest_overfitting(noise, n_splits=8).probability > 0.2

    def test_order_and_scale_of_the_trials_change_nothing(self) -> None:
        base = m.probability_of_backtest_overfitting(NOISE, n_splits=8)
        moved = m.probability_of_backtest_overfitting(NOISE[:, ::-1] * 7.0, n_splits=8)
        np.testing.assert_allclose(base.logits, moved.logits, atol=1e-9)

    def test_bad_input(self) -> None:
        with pytest.raises(BadInput, match="even"):
            m.probability_of_backtest_overfitting(NOISE, n_splits=5)
        with pytest.raises(BadInput, match="too few"):
            m.probability_of_backtest_overfitting(NOISE[:3], n_splits=16)
        with pytest.raises(BadInput, match="one column"):
            m.probability_of_backtest_overfitting(NOISE[:, 0])
        still = NOISE.copy()
        still[:250, 2] = 0.001
        with pytest.raises(BadInput, match="trial 'c' does not move"):
            frame = pd.DataFrame(still, columns=list("abcd"))
            m.probability_of_backtest_overfitting(frame, n_splits=4)


class TestBesideABenchmark:
    """Regression and capture."""

    def test_alpha_and_beta_are_the_regression(self) -> None:
        r, b = NOISE[:, 0], NOISE[:, 1]
        line = stats.linregress(b - 0.0001, r - 0.0001)
        assert m.beta(r, b, risk_free_rate=0.0001) == pytest.approx(line.slope, rel=1e-12)
        expected = (1 + line.intercept) ** 252 - 1
        assert m.alpha(r, b, risk_free_rate=0.0001) == pytest.approx(expected, rel=1e-12)

    def test_a_benchmark_beside_itself(self) -> None:
        b = NOISE[:, 1]
        assert m.beta(b, b) == pytest.approx(1.0)
        assert m.alpha(b, b) == pytest.approx(0.0, abs=1e-12)
        assert m.tracking_error(b, b) == 0.0
        assert math.isnan(m.information_ratio(b, b))
        for capture in (m.capture_ratio, m.up_capture, m.down_capture):
            assert capture(b, b) == pytest.approx(1.0)

    def test_by_hand(self) -> None:
        r, b = [0.02, -0.01, 0.03, 0.0], [0.01, -0.03, 0.02, -0.01]
        active = np.array(r) - np.array(b)
        assert m.tracking_error(r, b, periods_per_year=4) == pytest.approx(active.std(ddof=1) * 2)
        assert m.information_ratio(r, b, periods_per_year=4) == pytest.approx(
            active.mean() / active.std(ddof=1) * 2
        )
        up = (1.02 * 1.03) ** (4 / 2) - 1, (1.01 * 1.02) ** (4 / 2) - 1
        assert m.up_capture(r, b, periods_per_year=4) == pytest.approx(up[0] / up[1])
        assert math.isnan(m.up_capture([0.1], [-0.1]))

    def test_rows_must_match(self) -> None:
        with pytest.raises(BadInput, match="one series of 500 rows"):
            m.beta(NOISE, NOISE[:9, 0])
        days = pd.date_range("2026-01-01", periods=3)
        left, right = pd.Series([1.0, 2, 3], days), pd.Series([1.0, 2, 3], days + days.freq)
        with pytest.raises(BadInput, match="align"):
            m.beta(left, right)
        assert list(m.beta(pd.DataFrame({"x": left, "y": left}), left)) == [1.0, 1.0]


class TestUnderWater:
    """Drawdown tables and indices."""

    RETURNS = (0.1, -0.2, 0.3, -0.05, -0.1)

    def test_the_table(self) -> None:
        table = m.drawdown_table(self.RETURNS)
        assert table["peak"] == [0, 2]
        assert table["valley"] == [1, 4]
        assert table["recovery"] == [2, None]
        np.testing.assert_allclose(table["depth"], [-0.2, -0.145])

    def test_its_labels_are_those_of_the_input(self) -> None:
        days = pd.date_range("2026-01-01", periods=5, tz="UTC")
        table = m.drawdown_table(pd.Series(self.RETURNS, days))
        assert list(table["valley"]) == [days[1], days[4]]
        assert table["recovery"].isna().tolist() == [False, True]
        assert m.drawdown_table(pl.Series(self.RETURNS))["recovery"].to_list() == [2, None]
        assert len(m.drawdown_table(pd.Series([0.1, 0.2]))) == 0

    def test_the_starting_capital_is_a_peak_without_a_row(self) -> None:
        table = m.drawdown_table([-0.1, 0.5])
        assert table["peak"] == [None]
        assert table["recovery"] == [1]
        with pytest.raises(BadInput, match="one table for each"):
            m.drawdown_table(NOISE)

    def test_indices_by_hand(self) -> None:
        path = m.drawdown_series(np.array(self.RETURNS))
        assert m.ulcer_index(self.RETURNS) == pytest.approx(math.sqrt((path**2).mean()))
        assert m.ulcer_index(self.RETURNS, ddof=1) == pytest.approx(math.sqrt((path**2).sum() / 4))
        assert m.pain_index(self.RETURNS) == pytest.approx(-path.mean())
        assert m.conditional_drawdown_at_risk(self.RETURNS, confidence=0.6) == pytest.approx(
            np.sort(path)[:2].mean()
        )

    @settings(max_examples=50, deadline=None)
    @given(series)
    def test_the_table_and_the_series_tell_one_story(self, returns: np.ndarray) -> None:
        table = m.drawdown_table(returns)
        path = m.drawdown_series(returns)
        assert min(table["depth"], default=0.0) == m.max_drawdown(returns)
        under = sum(
            (len(path) if end is None else end) - (-1 if start is None else start) - 1
            for start, end in zip(table["peak"], table["recovery"], strict=True)
        )
        assert under == (path < 0).sum()
        worst = m.conditional_drawdown_at_risk(returns)
        assert m.max_drawdown(returns) - 1e-12 <= worst <= m.average_drawdown(returns) + 1e-12


def test_outcomes_by_hand() -> None:
    returns = [0.1, -0.05, 0.02, 0.0, -0.01]
    assert m.omega(returns) == pytest.approx(0.12 / 0.06)
    assert m.profit_factor(returns) == m.omega(returns)
    assert m.payoff_ratio(returns) == pytest.approx(0.06 / 0.03)
    assert m.win_rate(returns) == 0.5
    assert m.omega(returns, threshold=0.01) == pytest.approx(0.1 / 0.09)
    assert m.tail_ratio(np.arange(-50, 51) / 100) == pytest.approx(1.0)
    assert m.stability(np.expm1(np.full(9, 0.01))) == pytest.approx(1.0)
    line = stats.linregress(range(500), np.cumsum(np.log1p(NOISE[:, 0])))
    assert m.stability(NOISE[:, 0]) == pytest.approx(line.rvalue**2)
    assert m.mean_absolute_deviation([1.0, 3.0]) == 1.0
    assert m.semi_deviation([1.0, 3.0]) == 1.0
    with pytest.raises(BadInput, match="upper one"):
        m.tail_ratio(returns, quantile=0.05)


class TestEntropicValueAtRisk:
    """The bound by its definition."""

    def test_normal_closed_form(self) -> None:
        """Of a normal loss: mean - sd sqrt(-2 log tail) (Ahmadi-Javid 2012)."""
        levels = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
        expected = 0.01 - 0.02 * math.sqrt(-2 * math.log(0.05))
        assert m.entropic_value_at_risk(0.01 + 0.02 * levels) == pytest.approx(expected, rel=2e-3)

    @settings(max_examples=50, deadline=None)
    @given(series, st.sampled_from([0.5, 0.9, 0.99]))
    def test_it_lies_between_the_worst_return_and_the_shortfall(
        self, returns: np.ndarray, confidence: float
    ) -> None:
        value = m.entropic_value_at_risk(returns, confidence=confidence)
        shortfall = m.expected_shortfall(returns, confidence=confidence)
        assert returns.min() - 1e-9 <= value <= shortfall + 1e-7
        scaled = m.entropic_value_at_risk(returns * 3.0 + 0.01, confidence=confidence)
        assert scaled == pytest.approx(value * 3.0 + 0.01, abs=1e-6)

    def test_a_constant_is_its_own_bound(self) -> None:
        assert m.entropic_value_at_risk([0.01, 0.01]) == 0.01


class TestRolling:
    """A metric over a moving window."""

    @pytest.mark.parametrize("name", sorted(m.ROLLING_METRICS - {"deflated_sharpe"}))
    def test_every_metric_equals_itself_on_the_window(self, name: str) -> None:
        rolled = m.rolling(NOISE[:60], name, 50)
        assert np.isnan(rolled[:49]).all()
        for end in (50, 60):
            direct = getattr(m, name)(NOISE[end - 50 : end])
            np.testing.assert_array_equal(rolled[end - 1], direct)

    def test_kinds_functions_and_errors(self) -> None:
        days = pd.date_range("2026-01-01", periods=500)
        frame = m.rolling(pd.DataFrame(NOISE, days), "sharpe", 20, periods_per_year=1)
        assert frame.index.equals(days)
        own = m.rolling(NOISE[:, 0], lambda x: x.sum(axis=0), 3)
        np.testing.assert_allclose(own[2:], np.convolve(NOISE[:, 0], [1, 1, 1], "valid"))
        assert np.isnan(m.rolling(NOISE, "sharpe", 501)).all()
        with pytest.raises(BadInput, match="known: "):
            m.rolling(NOISE, "drawdown_table", 5)
        with pytest.raises(BadInput, match="window"):
            m.rolling(NOISE, "sharpe", 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: m.sharpe_standard_error([0.1, 0.2], method="lo"),  # type: ignore[arg-type]
        lambda: m.probabilistic_sharpe([0.1], benchmark=math.nan),
        lambda: m.probabilistic_sharpe_from_moments(0.1, 1),
        lambda: m.expected_max_sharpe(0, 1.0),
        lambda: m.expected_max_sharpe(5, -1.0),
        lambda: m.min_backtest_length(5, target_sharpe=0.0),
        lambda: m.annualise_sharpe(1.0, 0),
        lambda: m.annualise_sharpe(1.0, 12, [2.0]),
        lambda: m.annualise_sharpe(1.0, 12, [-1.0] * 11),
        lambda: m.ulcer_index([0.1], ddof=2),  # type: ignore[arg-type]
        lambda: m.entropic_value_at_risk([]),
    ],
)
def test_bad_input_has_a_typed_error(call: object) -> None:
    with pytest.raises(BadInput):
        call()  # type: ignore[operator]


@pytest.mark.parametrize("level", [0.001, 0.1, 1 / 3])
def test_nothing_has_a_slope_on_a_benchmark_that_stands_still(level: float) -> None:
    returns = np.random.default_rng(0).normal(0, 0.01, (60, 2))
    still = np.full(60, level)
    assert np.isnan(m.beta(returns, still)).all()
    assert np.isnan(m.alpha(returns, still)).all()
