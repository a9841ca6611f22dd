"""Splitting and timing: exact sums, within a lot of the curve, inside the window."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_oms_algos.schedule import slice_offsets, split_quantity
from mts1b_platform.rng import SeededRng

WEIGHTS = st.lists(st.integers(0, 50).map(Fraction), min_size=1, max_size=40).filter(any)


@settings(max_examples=50, deadline=None)
@given(
    weights=WEIGHTS,
    quantity=st.decimals("0.01", 1_000_000, places=2),
    lot=st.sampled_from([Decimal("0.01"), Decimal(1), Decimal(100)]),
)
def test_parts_follow_the_curve_within_a_lot_and_sum_exactly(
    weights: list[Fraction], quantity: Decimal, lot: Decimal
) -> None:
    parts = split_quantity(quantity, weights, lot_size=lot)
    assert sum(parts) == quantity
    total, whole = sum(weights), quantity // lot
    odd = quantity - whole * lot
    riders = [i for i, part in enumerate(parts) if part % lot]
    assert len(riders) == (1 if odd else 0)
    running, reached = Decimal(0), Fraction(0)
    for i, (part, weight) in enumerate(zip(parts, weights, strict=True)):
        lots = (part - (odd if i in riders else 0)) / lot
        share = Fraction(whole) * weight / total
        assert lots == int(lots)
        assert share - 1 < lots < share + 1
        running += lots
        reached += share
        assert abs(Fraction(running) - reached) <= Fraction(1, 2)
        if not weight:
            assert part == 0


def test_few_lots_spread_over_many_slices() -> None:
    parts = split_quantity(Decimal(3), [Fraction(1)] * 12)
    assert [i for i, part in enumerate(parts) if part] == [1, 5, 9]


def test_less_than_a_lot_is_one_part() -> None:
    parts = split_quantity(Decimal("0.25"), [Fraction(1), Fraction(2), Fraction(0)])
    assert parts == (0, Decimal("0.25"), 0)


@settings(max_examples=50, deadline=None)
@given(
    count=st.integers(1, 60),
    minutes=st.integers(0, 400),
    jitter=st.floats(0, 0.5),
    seed=st.integers(0, 1000),
)
def test_times_rise_inside_the_window_and_repeat_with_the_seed(
    count: int, minutes: int, jitter: float, seed: int
) -> None:
    horizon = timedelta(minutes=minutes)
    offsets = slice_offsets(horizon, count, jitter_pct=jitter, rng=SeededRng(seed))
    again = slice_offsets(horizon, count, jitter_pct=jitter, rng=SeededRng(seed))
    assert offsets == again
    assert offsets[0] == timedelta(0)
    assert list(offsets) == sorted(offsets)
    assert offsets[-1] <= horizon
    interval = horizon / count
    for i, offset in enumerate(offsets):
        assert abs(offset - interval * i) <= interval * jitter + timedelta(microseconds=2)
