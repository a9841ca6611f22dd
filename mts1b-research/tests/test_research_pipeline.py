"""Signals become orders, and every signal ends in one decision."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from mts1b_foundation import Side, Symbol
from mts1b_research import IntentPipeline, Mandate, StrategyBook
from mts1b_research.pipeline import Work
from mts1b_research.registry import StrategyRegistry
from mts1b_research.sleeves import sleeves_of
from research_desk import AAA, BBB, START, book, signal
from research_office import fund_settings

CCC = Symbol("CCC")
PIPELINE = IntentPipeline(Mandate("s1", "f1", frozenset({AAA, BBB})))


def outcomes(work: Work) -> dict[str, str]:
    return {decision.symbol: decision.outcome for decision in work.decisions}


def orders(work: Work) -> list[tuple[str, Side, Decimal, bool]]:
    found = [planned.order for planned in work.orders]
    return [(one.symbol, one.side, one.quantity, one.reduce_only) for one in found]


def test_a_weight_becomes_whole_lots_of_the_strategys_nav() -> None:
    work = PIPELINE.run([signal(AAA, 0.5, price=33.0)], book(nav=1000), START)
    assert orders(work) == [("AAA", Side.BUY, Decimal(15), False)]
    assert work.decisions[0].order_ids == (work.orders[0].order.order_id,)


def test_each_symbol_has_its_lot() -> None:
    lots = IntentPipeline(
        Mandate("s1", "f1", frozenset({AAA, BBB})), lots={AAA: Decimal(100), BBB: Decimal("0.01")}
    )
    signals = [signal(BBB, 0.3, price=33.0), signal(AAA, 0.5, price=33.0)]
    work = lots.run(signals, book(nav=10_000), START)
    assert orders(work) == [
        ("AAA", Side.BUY, Decimal(100), False),
        ("BBB", Side.BUY, Decimal("90.90"), False),
    ]
    held = book(nav=10_000, positions={AAA: Decimal(250)})
    closed = lots.run([signal(AAA, 0.0)], held, START)
    assert [quantity for _, _, quantity, _ in orders(closed)] == [Decimal(200), Decimal(50)]
    assert len({planned.order.idempotency_key for planned in closed.orders}) == 2


def test_the_lots_are_those_of_the_settings() -> None:
    rule = {"strategy_id": "s1", "fund_id": "f1", "kind": "rule", "symbols": ["AAA"]}
    lot = {"symbol": "AAA", "asset_class": "equities", "lot_size": 100}
    known = fund_settings(
        rule | {"params": {"long_when": "close > 1"}},
        instruments=[lot],
        limits={"check_increments": True},
    )
    (sleeve,) = sleeves_of(known, StrategyRegistry())
    assert (sleeve.pipeline.lot_of(AAA), sleeve.pipeline.lot_of(BBB)) == (Decimal(100), Decimal(1))


def test_what_is_working_counts_as_held() -> None:
    held = book(nav=10_000, positions={AAA: 20}, working={AAA: 20})
    work = PIPELINE.run([signal(AAA, 0.5)], held, START)
    assert orders(work) == [("AAA", Side.BUY, Decimal(10), False)]


def test_a_small_change_is_left_undone() -> None:
    near = book(nav=100_000, positions={AAA: 491})
    far = book(nav=100_000, positions={AAA: 490})
    kept = PIPELINE.run([signal(AAA, 0.5)], near, START)
    assert (orders(kept), outcomes(kept)) == ([], {"AAA": "NO_CHANGE"})
    assert orders(PIPELINE.run([signal(AAA, 0.5)], far, START)) == [
        ("AAA", Side.BUY, Decimal(10), False)
    ]


@pytest.mark.parametrize("nav", [100_000, 0, -5])
@pytest.mark.parametrize(("held", "side"), [(1, Side.SELL), (-1, Side.COVER)])
def test_a_close_always_happens_and_may_only_reduce(nav: int, held: int, side: Side) -> None:
    work = PIPELINE.run([signal(AAA, 0.0)], book(nav, positions={AAA: held}), START)
    assert orders(work) == [("AAA", side, Decimal(1), True)]


@pytest.mark.parametrize(
    ("held", "closed"), [("151.5", ["151", "0.5"]), ("-0.25", ["0.25"]), ("3", ["3"])]
)
def test_a_close_leaves_no_odd_lot(held: str, closed: list[str]) -> None:
    """As a split makes one. Each order has a key of its own: the OMS takes a key once."""
    owned = StrategyBook(Decimal(100_000), {AAA: Decimal(held)}, {})
    work = PIPELINE.run([signal(AAA, 0.0)], owned, START)
    assert [quantity for _, _, quantity, _ in orders(work)] == [Decimal(one) for one in closed]
    assert all(reduce_only for *_, reduce_only in orders(work))
    assert len({planned.order.idempotency_key for planned in work.orders}) == len(closed)


@pytest.mark.parametrize("symbol", [AAA, CCC])
def test_a_signal_without_a_weight_sells_nothing(symbol: Symbol) -> None:
    """It was taken for the weight zero, and its position was sold."""
    owned = book(positions={symbol: 7})
    work = PIPELINE.run([signal(symbol, 0.5).with_(target_weight=None)], owned, START)
    assert (orders(work), outcomes(work)) == (
        [],
        {str(symbol): "NO_WEIGHT" if symbol == AAA else "MANDATE_SYMBOL"},
    )


def test_what_the_mandate_does_not_list_can_be_left_and_nothing_else() -> None:
    owned = book(positions={CCC: 7})
    work = PIPELINE.run([signal(CCC, 0.0)], owned, START)
    assert orders(work) == [("CCC", Side.SELL, Decimal(7), True)]
    for weight, held in ((0.5, owned), (-0.5, owned), (0.0, book())):
        work = PIPELINE.run([signal(CCC, weight)], held, START)
        assert (orders(work), outcomes(work)) == ([], {"CCC": "MANDATE_SYMBOL"})


def test_without_a_nav_nothing_is_opened() -> None:
    work = PIPELINE.run([signal(AAA, 0.5), signal(BBB, 0.0)], book(0, positions={BBB: 3}), START)
    assert orders(work) == [("BBB", Side.SELL, Decimal(3), True)]
    assert outcomes(work) == {"AAA": "NO_NAV", "BBB": "ORDERED"}


def test_a_change_through_zero_closes_then_opens() -> None:
    work = PIPELINE.run([signal(AAA, -0.1)], book(10_000, positions={AAA: 5}), START)
    assert orders(work) == [
        ("AAA", Side.SELL, Decimal(5), True),
        ("AAA", Side.SHORT, Decimal(10), False),
    ]
    assert len(work.decisions[0].order_ids) == 2


def test_what_the_mandate_does_not_cover_is_decided_and_not_ordered() -> None:
    work = PIPELINE.run([signal(AAA, 0.5), signal(CCC, 0.5)], book(), START)
    assert outcomes(work) == {"AAA": "ORDERED", "CCC": "MANDATE_SYMBOL"}
    assert [one[0] for one in orders(work)] == ["AAA"]


def test_a_symbol_without_a_signal_is_left_alone() -> None:
    work = PIPELINE.run([signal(AAA, 0.5)], book(positions={BBB: 100}), START)
    assert [one[0] for one in orders(work)] == ["AAA"]


def test_ids_and_keys_are_the_same_again_and_differ_between_bars() -> None:
    first = PIPELINE.run([signal(AAA, 0.5)], book(), START).orders[0].order
    again = PIPELINE.run([signal(AAA, 0.5)], book(), START).orders[0].order
    bigger = PIPELINE.run([signal(AAA, 0.9)], book(), START).orders[0].order
    later = PIPELINE.run([signal(AAA, 0.5)], book(), START.replace(day=3)).orders[0].order
    assert first == again
    assert (bigger.order_id, bigger.idempotency_key) == (first.order_id, first.idempotency_key)
    assert later.order_id != first.order_id
    assert later.idempotency_key != first.idempotency_key


WEIGHTS = st.floats(-1.0, 1.0, allow_nan=False)
HELD = st.integers(-500, 500)


@examples(max_examples=50, deadline=None)
@given(
    weights=st.tuples(WEIGHTS, WEIGHTS, WEIGHTS),
    held=st.tuples(HELD, HELD),
    working=HELD,
    nav=st.sampled_from([-1, 0, 1, 50_000]),
)
def test_every_signal_ends_in_exactly_one_decision(
    weights: tuple[float, float, float], held: tuple[int, int], working: int, nav: int
) -> None:
    signals = [signal(s, w) for s, w in zip((AAA, BBB, CCC), weights, strict=True)]
    owned = book(nav, positions={AAA: held[0], BBB: held[1]}, working={AAA: working})
    work = PIPELINE.run(signals, owned, START)
    decided = Counter(decision.signal_id for decision in work.decisions)
    assert decided == Counter(one.signal_id for one in signals)
    sent = {planned.order.order_id for planned in work.orders}
    named = [order_id for decision in work.decisions for order_id in decision.order_ids]
    assert sorted(named) == sorted(sent)
    for symbol in (AAA, BBB):  # never further than the target, and never past it
        change = sum(
            (p.order.signed_quantity for p in work.orders if p.order.symbol == symbol), Decimal(0)
        )
        if symbol in work.targets and change:
            assert owned.exposure(symbol) + change == work.targets[symbol]
