"""Costs against printed values, in Decimal, float and arrays alike."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.orders import Liquidity
from mts1b_quantkit import BadInput
from mts1b_quantkit.cost_models import (
    BpsFee,
    EwmaSlippage,
    FeeModel,
    FeeTier,
    FixedBpsSlippage,
    PerShareFee,
    SlippageModel,
    SpreadSlippage,
    SquareRootSlippage,
    TieredFee,
    VenueFee,
    almgren_impact,
)
from mts1b_quantkit.universe_filters import average_daily_volume, passes_adv_filter

D = Decimal

TIERED = TieredFee(
    tiers=(
        FeeTier(from_volume=D(0), maker_bps=D(40), taker_bps=D(60)),
        FeeTier(from_volume=D(10_000), maker_bps=D(-1), taker_bps=D(20)),
    )
)
FEES: list[Any] = [
    PerShareFee(per_share=D("0.005"), minimum=D(1), maximum_fraction=D("0.01")),
    BpsFee(bps=D(5)),
    TIERED,
]
SLIPPAGE: list[Any] = [
    FixedBpsSlippage(bps=D(2)),
    SpreadSlippage(spread_bps=D(10)),
    SquareRootSlippage(average_daily_volume=D(1_000_000), daily_volatility=D("0.02")),
]


def test_per_share_fee_has_a_floor_and_a_ceiling() -> None:
    fee = FEES[0]
    assert fee.fee(D(1000), D(25)) == D(5)
    assert fee.fee(D(-100), D(25)) == D(1)
    assert fee.fee(D(10), D("0.25")) == D("0.025")
    assert fee.fee(D(0), D(25)) == 0


def test_bps_and_tiers_by_hand() -> None:
    assert BpsFee(bps=D(5)).fee(D(-100), D("50.10")) == D("2.505")
    assert TIERED.fee(D(1), D(10_000)) == D(60)
    assert TIERED.fee(D(1), D(10_000), liquidity=Liquidity.MAKER) == D(40)
    grown = TIERED.with_trailing_volume(D(10_000))
    assert grown.fee(D(1), D(10_000)) == D(20)
    assert grown.fee(D(1), D(10_000), liquidity=Liquidity.MAKER) == D(-1)


def test_slippage_is_always_adverse() -> None:
    fixed = SLIPPAGE[0]
    assert fixed.fill_price(D(10), D(100)) == D("100.02")
    assert fixed.fill_price(D(-10), D(100)) == D("99.98")
    assert fixed.fill_price(D(0), D(100)) == D(100)
    assert SLIPPAGE[1].fill_price(D(1), D(100)) == D("100.05")
    assert SLIPPAGE[2].fraction(D(10_000), D(100)) == D("0.002")
    assert SLIPPAGE[2].fraction(D(-40_000), D(100)) == D("0.004")


@pytest.mark.parametrize("model", FEES + SLIPPAGE)
@settings(max_examples=20, deadline=None)
@given(quantity=st.integers(-10_000, 10_000), cents=st.integers(1, 100_000))
def test_decimal_float_and_array_agree(model: Any, quantity: int, cents: int) -> None:
    price = D(cents) / 100
    compute = model.fee if isinstance(model, FeeModel) else model.fill_price
    exact = compute(D(quantity), price)
    assert isinstance(exact, D)
    assert compute(quantity, price) == exact
    assert compute(float(quantity), float(price)) == pytest.approx(float(exact), rel=1e-12)
    array = compute(np.array([float(quantity)] * 2), np.array([float(price)] * 2))
    np.testing.assert_allclose(array, float(exact), rtol=1e-12)


def test_models_are_their_protocols() -> None:
    assert all(isinstance(model, FeeModel) for model in FEES)
    assert all(isinstance(model, SlippageModel) for model in SLIPPAGE)
    assert not isinstance(FEES[0], SlippageModel)


@pytest.mark.parametrize(
    ("stock", "permanent", "temporary", "cost"),
    [
        ((6.561e6, 1728e6, 0.0157), 20, (22, 15, 8), (32, 25, 18)),
        ((1.929e6, 168e6, 0.0226), 22, (32, 21, 12), (43, 32, 23)),
    ],
    ids=["IBM", "DRI"],
)
def test_almgren_table_of_examples(
    stock: tuple[float, float, float],
    permanent: int,
    temporary: tuple[int, ...],
    cost: tuple[int, ...],
) -> None:
    """Almgren et al. 2005: a purchase of 10 % of daily volume over 0.1, 0.2 and 0.5 days, in bp."""
    volume, outstanding, volatility = stock
    for days, k, j in zip((0.1, 0.2, 0.5), temporary, cost, strict=True):
        impact = almgren_impact(
            0.1 * volume,
            average_daily_volume=volume,
            shares_outstanding=outstanding,
            daily_volatility=volatility,
            horizon_days=days,
        )
        assert round(impact.permanent * 1e4) == permanent
        assert round(impact.temporary * 1e4) == k
        assert round(impact.cost * 1e4) == j
        sale = almgren_impact(
            -0.1 * volume,
            average_daily_volume=volume,
            shares_outstanding=outstanding,
            daily_volatility=volatility,
            horizon_days=days,
        )
        assert sale.cost == -impact.cost


def test_bad_parameters_are_refused() -> None:
    for call in (
        lambda: BpsFee(bps=D(-1)),
        lambda: TieredFee(tiers=()),
        lambda: TieredFee(tiers=(FeeTier(from_volume=D(1), maker_bps=D(0), taker_bps=D(0)),)),
        lambda: TieredFee(tiers=TIERED.tiers[:1] * 2),
        lambda: SquareRootSlippage(average_daily_volume=D(0), daily_volatility=D(1)),
        lambda: almgren_impact(
            1, average_daily_volume=1, shares_outstanding=1, daily_volatility=0.1, horizon_days=0
        ),
    ):
        with pytest.raises(BadInput):
            call()


def test_average_daily_volume_and_its_filter() -> None:
    volume = np.array([[100.0, 10.0], [200.0, np.nan], [300.0, 30.0], [400.0, 50.0]])
    average = average_daily_volume(volume, window=2)
    np.testing.assert_array_equal(average[:, 0], [np.nan, 150.0, 250.0, 350.0])
    np.testing.assert_array_equal(average[:, 1], [np.nan, np.nan, np.nan, 40.0])
    passes = passes_adv_filter(volume, minimum=250.0, window=2)
    assert passes.dtype == bool
    assert passes.tolist() == [[False] * 2, [False] * 2, [True, False], [True, False]]
    with pytest.raises(BadInput, match="negative"):
        average_daily_volume([-1.0])
    with pytest.raises(BadInput, match="window"):
        average_daily_volume([1.0], window=0)


VENUES = VenueFee(models={"XNAS": FEES[0], "CRYPTO": TIERED}, venue="XNAS")


def test_fees_by_venue() -> None:
    assert VENUES.fee(D(1000), D(25)) == D(5)
    assert VENUES.fee(D(1), D(10_000), venue="CRYPTO", liquidity=Liquidity.MAKER) == D(40)
    assert isinstance(VENUES, FeeModel)
    with pytest.raises(BadInput, match="'LSE'; known: CRYPTO, XNAS"):
        VENUES.fee(D(1), D(1), venue="LSE")
    with pytest.raises(BadInput, match="give venue="):
        VenueFee(models={"XNAS": FEES[0]}).fee(D(1), D(1))
    with pytest.raises(BadInput, match="no venue"):
        VenueFee(models={})
    with pytest.raises(BadInput, match="'LSE'"):
        VenueFee(models={"XNAS": FEES[0]}, venue="LSE")


def test_slippage_learned_from_fills() -> None:
    """By hand: 20 bps, then 0.9 x 20 + 0.1 x (-10) = 17 bps."""
    model = EwmaSlippage(decay=D("0.9"))
    with pytest.raises(BadInput, match="no fill"):
        model.fraction(D(1), D(100))
    first = model.after(D(10), D(100), D("100.2"))
    assert first.fraction(D(1), D(50)) == D("0.002")
    second = first.after(D(-10), D(100), D("100.1"))
    assert second.average == D("0.0017")
    assert second.n_fills == 2
    assert second.fill_price(D(-1), D(100)) == D("99.83")
    np.testing.assert_allclose(
        second.fill_price(np.array([1.0, -1.0, 0.0]), 100.0), [100.17, 99.83, 100]
    )
    assert model.n_fills == 0
    better = model.after(D(10), D(100), D(99))
    assert better.average == D("-0.01")
    assert better.fraction(D(1), D(100)) == 0
    for quantity, price, paid in ((0, 1, 1), (1, 0, 1), (1, 1, -1), (1, float("nan"), 1)):
        with pytest.raises(BadInput, match=r"quantity is 0|price is"):
            model.after(quantity, price, paid)
    with pytest.raises(BadInput, match="decay is 1"):
        EwmaSlippage(decay=D(1))


@settings(max_examples=50, deadline=None)
@given(
    fills=st.lists(st.integers(-50, 50), min_size=1, max_size=20),
    decay=st.sampled_from(["0", "0.5", "0.94"]),
)
def test_learned_slippage_stays_among_its_fills(fills: list[int], decay: str) -> None:
    model = EwmaSlippage(decay=D(decay))
    for bps in fills:
        model = model.after(D(1), D(100), D(100) + D(bps) / 100)
    assert model.average is not None
    seen = [D(bps) / 10_000 for bps in fills]
    assert min(seen) - D("1e-20") <= model.average <= max(seen) + D("1e-20")
    if decay == "0":
        assert model.average == seen[-1]
