"""Orders bring the position to its target, in whole lots, never through zero in one step."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.orders import Side
from mts1b_foundation.symbology import Symbol
from mts1b_portfolio import (
    BadTarget,
    MissingPrice,
    OrderDelta,
    PortfolioError,
    net_to_orders,
    weights_to_quantities,
)

D = Decimal
A, B, C = Symbol("AAA"), Symbol("BBB"), Symbol("CCC")
QUANTITY = st.decimals(-1000, 1000, places=2, allow_nan=False)
LOTS = st.sampled_from([D("0.01"), D("0.5"), D(1), D(7), D(100)])


def moves(target: str, held: str, **options: Any) -> list[tuple[str, Decimal, bool]]:
    orders = net_to_orders({A: D(target)}, {A: D(held)}, **options)
    return [(order.side.value, order.quantity, order.reduce_only) for order in orders]


@pytest.mark.parametrize(
    ("target", "held", "expected"),
    [
        ("10", "0", [("buy", D(10), False)]),
        ("10", "4", [("buy", D(6), False)]),
        ("4", "10", [("sell", D(6), True)]),
        ("0", "10", [("sell", D(10), True)]),
        ("-10", "0", [("short", D(10), False)]),
        ("-10", "-4", [("short", D(6), False)]),
        ("-4", "-10", [("cover", D(6), True)]),
        ("0", "-10", [("cover", D(10), True)]),
        ("-5", "10", [("sell", D(10), True), ("short", D(5), False)]),
        ("5", "-10", [("cover", D(10), True), ("buy", D(5), False)]),
        ("10", "10", []),
        ("0", "0", []),
    ],
)
def test_every_way_across_the_zero_line(
    target: str, held: str, expected: list[tuple[str, Decimal, bool]]
) -> None:
    assert moves(target, held) == expected


def test_sizes_are_whole_lots_toward_zero() -> None:
    assert moves("10.9", "0") == [("buy", D(10), False)]
    assert moves("-10.9", "0") == [("short", D(10), False)]
    assert moves("250", "0", lot_size=D(100)) == [("buy", D(200), False)]
    assert moves("0.9", "0") == []
    assert moves("0.37", "0", lot_size=D("0.01")) == [("buy", D("0.37"), False)]


def test_an_odd_lot_that_can_not_be_closed_stops_the_flip() -> None:
    assert moves("-5", "10.5") == [("sell", D(10), True)]
    assert moves("-5", "0.5") == []


def test_small_orders_are_left_out() -> None:
    assert moves("10", "6", min_quantity=D(5)) == []
    assert moves("11", "6", min_quantity=D(5)) == [("buy", D(5), False)]
    assert moves("-3", "10", min_quantity=D(5)) == [("sell", D(10), True)]
    assert moves("-9", "3", min_quantity=D(5)) == []


def test_the_band_stops_small_changes_but_no_close_and_no_flip() -> None:
    band = {"no_trade_band": D("0.1")}
    assert moves("100", "91", **band) == []
    assert moves("100", "90", **band) == [("buy", D(10), False)]
    assert moves("0", "1", **band) == [("sell", D(1), True)]
    assert moves("-100", "1", **band) == [("sell", D(1), True), ("short", D(100), False)]


def test_what_is_held_without_a_target_is_closed_unless_told_to_keep() -> None:
    held = {A: D(5), B: D(-3)}
    orders = net_to_orders({A: D(5), C: D(1)}, held)
    assert [(o.symbol, o.side) for o in orders] == [(B, Side.COVER), (C, Side.BUY)]
    kept = net_to_orders({A: D(5), C: D(1)}, held, absent="keep")
    assert [o.symbol for o in kept] == [C]


@settings(max_examples=50, deadline=None)
@given(target=QUANTITY, held=QUANTITY, lot=LOTS)
def test_orders_move_toward_the_target_and_never_past_it(
    target: Decimal, held: Decimal, lot: Decimal
) -> None:
    orders = net_to_orders({A: target}, {A: held}, lot_size=lot)
    position = held
    for order in orders:
        assert order.quantity > 0
        assert order.quantity % lot == 0
        after = position + order.signed_quantity
        assert position * after >= 0, "no single order crosses zero"
        assert order.reduce_only == (abs(after) < abs(position))
        assert abs(target - after) < abs(target - position)
        position = after
    if held * target >= 0 or held % lot == 0:
        assert abs(target - position) < lot
    if held % lot == 0 and target % lot == 0:
        assert position == target


@settings(max_examples=30, deadline=None)
@given(pairs=st.lists(st.tuples(QUANTITY, QUANTITY), min_size=3, max_size=3), lot=LOTS)
def test_symbols_do_not_touch_each_other_and_order_does_not_matter(
    pairs: list[tuple[Decimal, Decimal]], lot: Decimal
) -> None:
    names = (A, B, C)
    targets = {name: pair[0] for name, pair in zip(names, pairs, strict=True)}
    held = {name: pair[1] for name, pair in zip(names, pairs, strict=True)}
    together = net_to_orders(targets, held, lot_size=lot)
    alone: tuple[OrderDelta, ...] = ()
    for name in names:
        alone += net_to_orders({name: targets[name]}, {name: held[name]}, lot_size=lot)
    assert together == alone
    backwards = net_to_orders(dict(reversed(targets.items())), held, lot_size=lot)
    assert backwards == together


def test_weights_are_taken_as_they_print_and_rounded_toward_zero() -> None:
    prices = {"AAA": D(100), "BBB": D("33.33"), "CCC": D(7)}
    nav = D(1_000_000)
    weights = {"AAA": 0.3, "BBB": -0.1, "CCC": 0.0}
    assert weights_to_quantities(weights, nav, prices) == {
        "AAA": D(3000),
        "BBB": D(-3000),
        "CCC": 0,
    }
    fine = weights_to_quantities({"BBB": 0.1}, nav, prices, lot_size=D("0.01"))
    assert fine == {"BBB": D("3000.30")}


def test_a_weight_that_is_a_decimal_is_taken_whole() -> None:
    """As a float it has 17 digits, and bought more than its part."""
    weight = D("0.12345678901234567890")
    bought = weights_to_quantities({"AAA": weight}, D(10) ** 20, {"AAA": D(1)})
    assert bought == {"AAA": D("12345678901234567890")}


@settings(max_examples=50, deadline=None)
@given(
    weight=st.floats(-3, 3),
    nav=st.decimals(1, 10**12, places=2),
    price=st.decimals("0.01", 10**6, places=4),
    lot=LOTS,
)
def test_no_quantity_costs_more_than_its_weight(
    weight: float, nav: Decimal, price: Decimal, lot: Decimal
) -> None:
    quantity = weights_to_quantities({"AAA": weight}, nav, {"AAA": price}, lot_size=lot)["AAA"]
    wanted = D(repr(weight)) * nav
    assert quantity % lot == 0
    assert quantity * wanted >= 0
    assert abs(quantity) * price <= abs(wanted)
    assert (abs(quantity) + lot) * price > abs(wanted)


@pytest.mark.parametrize("price", [None, D("NaN"), D(0), D(-1), D("Infinity")])
def test_a_weight_without_a_usable_price_is_named(price: Decimal | None) -> None:
    prices = {} if price is None else {"AAA": price}
    with pytest.raises(MissingPrice, match="AAA") as caught:
        weights_to_quantities({"AAA": 0.1}, D(100), prices)
    assert caught.value.symbol == "AAA"
    assert weights_to_quantities({"AAA": 0.0}, D(100), prices) == {"AAA": 0}


def test_bad_numbers_are_refused() -> None:
    one: dict[str, Any] = {"AAA": D(1)}
    for call in (
        lambda: net_to_orders({A: D("NaN")}, {}),
        lambda: net_to_orders({}, {A: D("Infinity")}),
        lambda: net_to_orders({A: 1.5}, {}),  # type: ignore[dict-item]
        lambda: net_to_orders({}, {}, lot_size=D(0)),
        lambda: net_to_orders({}, {}, min_quantity=D(-1)),
        lambda: net_to_orders({}, {}, no_trade_band=D(1)),
        lambda: net_to_orders({}, {}, absent="sell"),  # type: ignore[arg-type]
        lambda: weights_to_quantities({"AAA": float("nan")}, D(1), one),
        lambda: weights_to_quantities({"AAA": 1.0}, D(0), one),
        lambda: weights_to_quantities({"AAA": 1.0}, D("NaN"), one),
        lambda: weights_to_quantities({"AAA": 1.0}, D(1), {"AAA": 1.0}),  # type: ignore[dict-item]
    ):
        with pytest.raises(BadTarget):
            call()
    assert issubclass(MissingPrice, PortfolioError)
    assert issubclass(PortfolioError, ValueError)
