"""Laws and edges of what takes no table of data: moments, counts, schedules, single numbers."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.orders import Liquidity
from mts1b_quantkit import BadInput, NotPositiveDefinite, allocators, metrics, microstructure, risk
from mts1b_quantkit.cost_models import (
    BpsFee,
    FixedBpsSlippage,
    PerShareFee,
    SpreadSlippage,
    VenueFee,
    almgren_impact,
)
from mts1b_quantkit.cv import Sizing
from mts1b_quantkit.risk import GarchParameters
from scipy import stats

D = Decimal
EACH = settings(max_examples=50, deadline=None)
ratios = st.floats(-0.5, 0.5)
confidences = st.floats(0.51, 0.999)


@EACH
@given(sharpe=ratios, rows=st.integers(3, 5000), skew=st.floats(-3, 3), tail=st.floats(9, 20))
def test_moments_move_the_answers_the_right_way(
    sharpe: float, rows: int, skew: float, tail: float
) -> None:
    """More data is more certain, fat tails and a left skew less; more trials ask for more."""
    shape = {"skewness": skew, "excess_kurtosis": tail}
    errors = [
        metrics.sharpe_standard_error_from_moments(sharpe, n, method="mertens", **shape)
        for n in (rows, rows + 1, 4 * rows)
    ]
    assert all(later < earlier for earlier, later in pairwise(errors))
    assert errors[2] == pytest.approx(errors[0] / 2, rel=1e-12)
    sure = [
        metrics.probabilistic_sharpe_from_moments(sharpe, rows, benchmark=b, **shape)
        for b in (-0.1, 0.0, 0.1)
    ]
    assert 0.0 <= sure[2] <= sure[1] <= sure[0] <= 1.0
    deflated = [
        metrics.deflated_sharpe_from_moments(sharpe, rows, n_trials=n, variance=0.01, **shape)
        for n in (1, 5, 500)
    ]
    assert deflated[0] == pytest.approx(sure[1], rel=1e-12)
    assert deflated[0] >= deflated[1] >= deflated[2]
    needed = [
        metrics.min_track_record_length_from_moments(sharpe, confidence=c, **shape)
        for c in (0.9, 0.95, 0.99)
    ]
    assert needed == sorted(needed)
    assert needed[0] == math.inf if sharpe <= 0.0 else needed[0] > 1.0


@EACH
@given(trials=st.integers(1, 10_000), variance=st.floats(1e-6, 10), target=st.floats(0.1, 3))
def test_the_best_of_more_trials_is_better(trials: int, variance: float, target: float) -> None:
    one, more = (metrics.expected_max_sharpe(n, variance) for n in (trials, trials + 1))
    assert 0.0 <= one < more
    assert metrics.expected_max_sharpe(trials, 4 * variance) == pytest.approx(2 * one, rel=1e-12)
    years = metrics.min_backtest_length(trials, target_sharpe=target)
    assert years * target**2 == pytest.approx(one**2 / variance, rel=1e-9, abs=1e-300)


@EACH
@given(sharpe=ratios, q=st.integers(1, 60), rho=st.floats(0.01, 0.4))
def test_annual_ratios_fall_with_autocorrelation(sharpe: float, q: int, rho: float) -> None:
    assert metrics.annualise_sharpe(sharpe, q) == pytest.approx(sharpe * math.sqrt(q), rel=1e-12)
    decay = [rho**k for k in range(1, q)]
    trending = metrics.annualise_sharpe(sharpe, q, decay)
    assert abs(trending) <= abs(sharpe) * math.sqrt(q) + 1e-15


@EACH
@given(
    mean=st.floats(-0.1, 0.1),
    spread=st.floats(1e-4, 1.0),
    method=st.sampled_from(["gaussian", "student_t"]),
    low=confidences,
    high=confidences,
)
def test_more_confidence_is_more_risk(
    mean: float, spread: float, method: str, low: float, high: float
) -> None:
    low, high = sorted((low, high))
    terms = {"method": method, "df": 4.0 if method == "student_t" else None}
    one, other = (
        risk.value_at_risk_from_moments(mean, spread, confidence=c, **terms) for c in (low, high)
    )
    assert one <= other + 1e-12
    beyond = risk.expected_shortfall_from_moments(mean, spread, confidence=high, **terms)
    assert other < beyond
    moved = risk.value_at_risk_from_moments(mean + 0.5, 3 * spread, confidence=high, **terms)
    assert moved == pytest.approx(3 * (other + mean) - mean - 0.5, rel=1e-9, abs=1e-12)


@EACH
@given(hits=st.lists(st.booleans(), min_size=2, max_size=300))
def test_breaches_are_judged_by_their_number_and_order(hits: list[bool]) -> None:
    breaches = np.array(hits, dtype=float)
    count, rows = int(breaches.sum()), len(breaches)
    turned = breaches[np.random.default_rng(0).permutation(rows)]
    rate = risk.kupiec(breaches, confidence=0.9)
    assert rate.statistic == pytest.approx(risk.kupiec(turned, confidence=0.9).statistic, abs=1e-9)
    order = risk.christoffersen(breaches)
    both = risk.conditional_coverage(breaches, confidence=0.9)
    assert both.statistic == pytest.approx(rate.statistic + order.statistic, abs=1e-9)
    for found, freedom in ((rate, 1), (order, 1), (both, 2)):
        assert found.statistic >= 0.0
        assert found.p_value == pytest.approx(stats.chi2.sf(found.statistic, freedom), abs=1e-12)
    lights = [risk.basel_traffic_light(n, n_observations=rows).multiplier for n in range(rows + 1)]
    assert lights == sorted(lights)
    # A loss of exactly the expected shortfall at every breach, as often as expected: zero.
    z2 = risk.acerbi_szekely_z2(-breaches, 1.0, breaches, confidence=0.9)
    assert z2 == pytest.approx(1.0 - count / (rows * 0.1), abs=1e-9)


@EACH
@given(
    omega=st.floats(1e-8, 1e-2),
    alpha=st.floats(0.0, 0.5),
    beta=st.floats(0.0, 0.49),
    variance=st.floats(1e-8, 1.0),
)
def test_the_variance_goes_home(omega: float, alpha: float, beta: float, variance: float) -> None:
    model = GarchParameters(omega=omega, alpha=alpha, beta=beta)
    home = model.long_run_variance
    assert model.ahead(variance, 0) == pytest.approx(variance, rel=1e-9)
    gaps = [abs(model.ahead(variance, k) - home) for k in (0, 1, 5, 50)]
    assert all(later <= earlier + 1e-15 for earlier, later in pairwise(gaps))
    mean_shock = model.following(variance, math.sqrt(variance))
    assert mean_shock == pytest.approx(model.ahead(variance, 1), rel=1e-9)


@EACH
@given(change=st.floats(-50, 50), spread=st.floats(1e-3, 50))
def test_bulk_classification_is_the_normal_distribution(change: float, spread: float) -> None:
    """The share bought is Phi(change / sd): one half at rest, and what is not bought is sold."""
    share = microstructure.bulk_buy_fraction(change, spread)
    assert share == pytest.approx(stats.norm.cdf(change / spread), rel=1e-9, abs=1e-300)
    rest = microstructure.bulk_buy_fraction(-change, spread)
    assert share + rest == pytest.approx(1.0, abs=1e-12)


@EACH
@given(shares=st.floats(1, 1e6), more=st.floats(1.01, 10), days=st.floats(0.01, 5))
def test_impact_grows_with_size_and_has_its_sign(shares: float, more: float, days: float) -> None:
    terms = {
        "average_daily_volume": 1e6,
        "shares_outstanding": 1e8,
        "daily_volatility": 0.02,
        "horizon_days": days,
    }
    one, larger = almgren_impact(shares, **terms), almgren_impact(shares * more, **terms)
    assert 0.0 < one.cost < larger.cost
    assert larger.permanent == pytest.approx(one.permanent * more, rel=1e-9)
    assert larger.temporary == pytest.approx(one.temporary * more**0.6, rel=1e-9)
    sold = almgren_impact(-shares, **terms)
    assert (sold.permanent, sold.temporary) == (-one.permanent, -one.temporary)
    slower = almgren_impact(shares, **{**terms, "horizon_days": 2 * days})
    assert slower.permanent == one.permanent
    assert slower.temporary < one.temporary


@EACH
@given(
    quantity=st.integers(-1000, 1000),
    cents=st.integers(1, 10_000),
    venue=st.sampled_from(["A", "B"]),
    liquidity=st.sampled_from(list(Liquidity)),
)
def test_a_venue_charges_what_its_model_charges(
    quantity: int, cents: int, venue: str, liquidity: Liquidity
) -> None:
    models = {"A": BpsFee(bps=D(5)), "B": PerShareFee(per_share=D("0.01"))}
    fees = VenueFee(models=models, venue="A")
    price = D(cents) / 100
    charged = fees.fee(D(quantity), price, liquidity=liquidity, venue=venue)
    assert charged == models[venue].fee(D(quantity), price, liquidity=liquidity)
    assert fees.fee(D(quantity), price) == models["A"].fee(D(quantity), price)


def test_volatility_and_mean_variance_are_their_formulas() -> None:
    """numpy's deviation; and without bounds the weights solve a linear system."""
    rng = np.random.default_rng(2)
    returns = rng.normal(0.0005, 0.01, (200, 5))
    found = metrics.annual_volatility(returns)
    np.testing.assert_allclose(found, returns.std(axis=0, ddof=1) * math.sqrt(252), rtol=1e-13)
    covariance, mean = np.cov(returns.T), returns.mean(axis=0)
    inverse = np.linalg.inv(covariance)
    ones = np.ones(5)
    for aversion in (1.0, 7.0):
        price = (ones @ inverse @ mean - aversion) / (ones @ inverse @ ones)
        expected = inverse @ (mean - price) / aversion
        own = allocators.mean_variance(returns, risk_aversion=aversion, bounds=None)
        np.testing.assert_allclose(own.weights, expected, rtol=1e-8)


@pytest.mark.parametrize("name", sorted(metrics.ROLLING_METRICS - {"deflated_sharpe"}))
def test_a_column_does_not_depend_on_those_beside_it(name: str) -> None:
    """Many columns are worked on in groups; not a bit of a result tells which."""
    values = np.random.default_rng(4).normal(0.0005, 0.01, (600, 400))
    function = getattr(metrics, name)
    together = function(values)
    for start, stop in ((0, 30), (130, 190), (370, 400)):
        np.testing.assert_array_equal(together[start:stop], function(values[:, start:stop]))


def test_captures_by_hand() -> None:
    """Growth over growth of the benchmark: in all rows, and in those in which it fell."""
    own, other = [0.02, -0.01, 0.03, 0.0], [0.01, -0.03, 0.02, -0.01]
    whole = (1.02 * 0.99 * 1.03) ** (4 / 4) - 1, (1.01 * 0.97 * 1.02 * 0.99) ** (4 / 4) - 1
    ratio = metrics.capture_ratio(own, other, periods_per_year=4)
    assert ratio == pytest.approx(whole[0] / whole[1])
    down = 0.99 ** (4 / 2) - 1, (0.97 * 0.99) ** (4 / 2) - 1
    found = metrics.down_capture(own, other, periods_per_year=4)
    assert found == pytest.approx(down[0] / down[1])


def test_weights_by_hand() -> None:
    scores = np.array([3.0, np.nan, 1.0, 2.0, 5.0])
    pair = Sizing(n_long=1, n_short=1).weights(scores)
    assert pair.tolist() == [0.0, 0.0, -0.5, 0.0, 0.5]
    long = Sizing(method="equal_weight_long", n_long=2, gross=2.0).weights(scores)
    assert long.tolist() == [1.0, 0.0, 0.0, 0.0, 1.0]
    spread = Sizing(method="score_weighted").weights(scores)
    np.testing.assert_allclose(spread, np.array([0.25, 0, -1.75, -0.75, 2.25]) / 5.0)
    for wrong in ({"n_long": 0}, {"n_short": 1.5}, {"gross": math.inf}, {"method": "magic"}):
        with pytest.raises(BadInput):
            Sizing(**wrong)


@pytest.mark.parametrize(
    "call",
    [
        lambda: metrics.sharpe_standard_error_from_moments(0.1, 1),
        lambda: metrics.sharpe_standard_error_from_moments(math.inf, 9),
        lambda: metrics.deflated_sharpe_from_moments(0.1, 9, n_trials=0, variance=1.0),
        lambda: metrics.deflated_sharpe_from_moments(0.1, 9, n_trials=5, variance=-1.0),
        lambda: risk.expected_shortfall_from_moments(0.0, math.nan),
        lambda: risk.expected_shortfall_from_moments(0.0, 1.0, method="student_t", df=2),
        lambda: PerShareFee(per_share=D("-0.01")),
        lambda: PerShareFee(per_share=D(1), maximum_fraction=D(-1)),
        lambda: FixedBpsSlippage(bps=D(-1)),
        lambda: SpreadSlippage(spread_bps=D("Infinity")),
        lambda: allocators.black_litterman_posterior(
            [0.1], [[1.0]], [[1.0, 0.0]], [0.1], omega=0.1, tau=0.05
        ),
        lambda: allocators.black_litterman_posterior(
            [0.1], [[1.0]], [[1.0]], [0.1], omega=-0.1, tau=0.05
        ),
        lambda: allocators.black_litterman_posterior(
            [0.1], [[1.0]], [[1.0]], [0.1], omega=0.1, tau=0.0
        ),
    ],
)
def test_what_is_refused(call: object) -> None:
    with pytest.raises(BadInput):
        call()  # type: ignore[operator]


def test_two_certain_views_that_contradict() -> None:
    with pytest.raises(NotPositiveDefinite, match="views"):
        allocators.black_litterman_posterior(
            [0.1, 0.2], np.eye(2), [[1.0, 0.0], [1.0, 0.0]], [0.1, 0.3], omega=[0, 0], tau=0.05
        )


@EACH
@given(seed=st.integers(0, 10_000), tau=st.floats(0.01, 1.0), size=st.integers(2, 6))
def test_a_view_without_weight_changes_nothing_and_a_certain_one_holds(
    seed: int, tau: float, size: int
) -> None:
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(size, size)) + np.eye(size)
    covariance, mean = factor @ factor.T / 100, rng.normal(0, 0.05, size)
    pick, wanted = rng.normal(size=(1, size)), np.array([0.1])
    vague = allocators.black_litterman_posterior(
        mean, covariance, pick, wanted, omega=1e12, tau=tau
    )
    np.testing.assert_allclose(vague.posterior_mean, mean, atol=1e-9)
    certain = allocators.black_litterman_posterior(
        mean, covariance, pick, wanted, omega=0.0, tau=tau
    )
    assert pick @ certain.posterior_mean == pytest.approx(wanted, abs=1e-9)
    spread = certain.posterior_covariance - covariance
    assert np.linalg.eigvalsh(spread)[0] >= -1e-12
    assert pick[0] @ spread @ pick[0] == pytest.approx(0.0, abs=1e-10)
