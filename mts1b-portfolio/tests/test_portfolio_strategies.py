"""Many strategies as few orders: by hand, by conservation laws, in any order."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.orders import Side
from mts1b_foundation.symbology import Symbol
from mts1b_portfolio import BadTarget, NetOrder, OrderDelta, net_strategies, net_to_orders

D = Decimal
AAPL, MSFT, XOM = (Symbol(name) for name in ("AAPL", "MSFT", "XOM"))
BOOKS = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]),
    st.dictionaries(
        st.sampled_from([AAPL, MSFT, XOM]), st.decimals(-500, 500, places=1), max_size=3
    ),
    max_size=4,
)
LOTS = st.sampled_from([D("0.1"), D(1), D(10), D(100)])


def test_opposite_wants_cross_and_the_rest_is_one_order() -> None:
    netted = net_strategies(
        {"trend": {AAPL: D(300)}, "value": {AAPL: D(100)}, "pairs": {AAPL: D(-100)}}, {}
    )
    (crossing,) = netted.crossings
    assert crossing.shares == {"trend": 75, "value": 25, "pairs": -100}
    (item,) = netted.orders
    assert (item.order.side, item.order.quantity) == (Side.BUY, 300)
    assert item.shares == {"trend": 225, "value": 75}
    assert netted.attributed() == {
        "trend": {AAPL: 300},
        "value": {AAPL: 100},
        "pairs": {AAPL: -100},
    }


def test_wants_that_cancel_need_no_market() -> None:
    netted = net_strategies({"a": {AAPL: D(50)}, "b": {}}, {"b": {AAPL: D(50)}})
    assert netted.orders == ()
    assert netted.crossings[0].shares == {"a": 50, "b": -50}


def test_a_book_that_flips_closes_and_opens_and_both_are_attributed() -> None:
    netted = net_strategies(
        {"a": {AAPL: D(-60)}, "b": {AAPL: D(-30)}}, {"a": {AAPL: D(40)}, "b": {AAPL: D(20)}}
    )
    close, opening = netted.orders
    assert (close.order.side, close.order.quantity, close.order.reduce_only) == (Side.SELL, 60, 1)
    assert close.shares == {"a": -40, "b": -20}
    assert (opening.order.side, opening.order.quantity) == (Side.SHORT, 90)
    assert opening.shares == {"a": -60, "b": -30}


@settings(max_examples=50, deadline=None)
@given(targets=BOOKS, current=BOOKS, lot=LOTS)
def test_nobody_gets_more_than_they_want_and_nothing_is_lost(
    targets: dict[str, dict[Symbol, Decimal]],
    current: dict[str, dict[Symbol, Decimal]],
    lot: Decimal,
) -> None:
    netted = net_strategies(targets, current, lot_size=lot)
    for item in netted.orders:
        assert sum(item.shares.values()) == item.order.signed_quantity
    for crossing in netted.crossings:
        assert sum(crossing.shares.values()) == 0
        assert any(share > 0 for share in crossing.shares.values())
    changes = netted.attributed()
    for name in {*targets, *current}:
        for symbol in (AAPL, MSFT, XOM):
            held = current.get(name, {}).get(symbol, D(0))
            want = targets.get(name, {}).get(symbol, D(0)) - held
            got = changes.get(name, {}).get(symbol, D(0))
            assert got * want >= 0
            assert abs(got) <= abs(want)
            assert got % lot == 0


@settings(max_examples=50, deadline=None)
@given(targets=BOOKS, current=BOOKS, lot=LOTS)
def test_the_orders_are_those_of_the_book_as_a_whole(
    targets: dict[str, dict[Symbol, Decimal]],
    current: dict[str, dict[Symbol, Decimal]],
    lot: Decimal,
) -> None:
    netted = net_strategies(targets, current, lot_size=lot)
    for symbol in (AAPL, MSFT, XOM):
        held = sum((book.get(symbol, D(0)) for book in current.values()), D(0))
        wanted = D(0)
        for name in {*targets, *current}:
            change = targets.get(name, {}).get(symbol, D(0))
            change -= current.get(name, {}).get(symbol, D(0))
            wanted += int(change / lot) * lot
        orders = tuple(item.order for item in netted.orders if item.order.symbol == symbol)
        assert orders == net_to_orders({symbol: held + wanted}, {symbol: held}, lot_size=lot)


@settings(max_examples=30, deadline=None)
@given(targets=BOOKS, current=BOOKS)
def test_the_order_in_which_strategies_come_decides_nothing(
    targets: dict[str, dict[Symbol, Decimal]], current: dict[str, dict[Symbol, Decimal]]
) -> None:
    turned = {name: dict(reversed(book.items())) for name, book in reversed(targets.items())}
    assert net_strategies(turned, current) == net_strategies(targets, current)


@settings(max_examples=50, deadline=None)
@given(
    wants=st.dictionaries(st.sampled_from("abcd"), st.integers(1, 900), min_size=1),
    part=st.decimals(0, 1, places=3),
)
def test_partial_fills_are_split_in_proportion(wants: dict[str, int], part: Decimal) -> None:
    whole = sum(wants.values())
    order = OrderDelta(symbol=AAPL, side=Side.SELL, quantity=D(whole), reduce_only=True)
    item = NetOrder(order, {name: D(-want) for name, want in wants.items()})
    filled = whole * part
    parts = item.split(filled)
    assert sum(parts.values()) == -filled
    for name, want in wants.items():
        assert 0 <= -parts[name] <= want
        assert abs(-parts[name] - want * part) <= 2
    assert item.split(D(whole)) == dict(item.shares)


def test_a_split_rounds_each_running_total_half_up() -> None:
    order = OrderDelta(symbol=AAPL, side=Side.BUY, quantity=D(3), reduce_only=False)
    item = NetOrder(order, {"a": D(1), "b": D(1), "c": D(1)})
    assert item.split(D(1)) == {"a": 0, "b": 1, "c": 0}
    assert item.split(D(2)) == {"a": 1, "b": 0, "c": 1}
    assert item.split(D("1.5")) == {"a": D("0.5"), "b": 1, "c": 0}


WHOLE = st.dictionaries(
    st.sampled_from("abcd"),
    st.dictionaries(st.just(AAPL), st.integers(-50, 50).map(D), min_size=1),
    min_size=1,
)


@settings(max_examples=50, deadline=None)
@given(targets=WHOLE, current=WHOLE)
def test_whole_wants_are_met_exactly_also_through_zero(
    targets: dict[str, dict[Symbol, Decimal]], current: dict[str, dict[Symbol, Decimal]]
) -> None:
    changes = net_strategies(targets, current).attributed()
    for name in {*targets, *current}:
        want = targets.get(name, {}).get(AAPL, D(0)) - current.get(name, {}).get(AAPL, D(0))
        assert changes.get(name, {}).get(AAPL, D(0)) == want


def test_thirty_digits_are_kept_by_a_caller_of_six() -> None:
    size = D("123456789012.123456789012345678")
    with localcontext(prec=6):
        netted = net_strategies({"a": {AAPL: size}, "b": {}}, {"b": {AAPL: size}}, lot_size=LOT)
        assert netted.attributed() == {"a": {AAPL: size}, "b": {AAPL: size.copy_negate()}}
        (item,) = net_strategies({"a": {AAPL: size.copy_negate()}}, {}, lot_size=LOT).orders
        assert item.split(size) == {"a": size.copy_negate()}


LOT = D("1E-18")


def test_small_orders_are_left_out_with_their_parts() -> None:
    netted = net_strategies({"a": {AAPL: D(5)}}, {}, min_quantity=D(10))
    assert netted.orders == ()
    assert netted.attributed() == {}


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(BadTarget, match="a has"):
        net_strategies({"a": {AAPL: D("NaN")}}, {})
    with pytest.raises(BadTarget, match="a has"):
        net_strategies({"a": {AAPL: 1.5}}, {})  # type: ignore[dict-item]
    with pytest.raises(BadTarget, match="lot_size"):
        net_strategies({}, {}, lot_size=D(0))
    with pytest.raises(BadTarget, match="min_quantity"):
        net_strategies({"a": {AAPL: D(5)}}, {}, min_quantity=D(-1))
    item = net_strategies({"a": {AAPL: D(5)}}, {}).orders[0]
    for wrong in (D(-1), D(6)):
        with pytest.raises(BadTarget, match="the order is 5"):
            item.split(wrong)
