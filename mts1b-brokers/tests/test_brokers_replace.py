"""Replacing: the total is kept across partial fills, ids chain, refusals change nothing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_brokers import BrokerRefused, PaperClient, VenueProfile
from mts1b_foundation import OrderStatus, OrderType, Quote, TimeInForce
from mts1b_foundation.protocols import ReplaceOrders
from mts1b_platform.clock import VirtualClock

D = Decimal
START = datetime(2008, 10, 6, 20, tzinfo=UTC)
GTC = {"tif": TimeInForce.GTC}
LIMIT = {"order_type": OrderType.LIMIT, "limit_price": D(100), **GTC}


def _client(home=None, **profile):
    return PaperClient(
        profile=VenueProfile(**{"fill": "quote"} | profile), home=home, clock=VirtualClock(START)
    )


def _quote(seconds: int, price: object, size: int = 0) -> Quote:
    return Quote(
        symbol="SPX",
        bid=D(str(price)),
        ask=D(str(price)),
        bid_size=size,
        ask_size=size,
        venue="test",
        timestamp=START + timedelta(seconds=seconds),
    )


async def test_a_replace_that_crosses_a_partial_fill_keeps_the_total(make_order):
    client = _client()
    assert isinstance(client, ReplaceOrders)
    await client.submit(make_order(quantity=100, **LIMIT))
    await client.on_quote(_quote(1, 100, size=30))
    changed = await client.replace("order-k1", quantity=D(80), limit_price=D(101))
    assert (changed.quantity, changed.filled_quantity, changed.remaining_quantity) == (80, 30, 50)
    assert (changed.status, changed.limit_price) == (OrderStatus.PARTIALLY_FILLED, 101)
    await client.on_quote(_quote(2, 101))
    fills, _ = await client.fills_since(None)
    assert [(fill.quantity, fill.price) for fill in fills] == [(30, 100), (50, 101)]
    assert (await client.get_order_by_key("k1")).status is OrderStatus.FILLED


async def test_every_id_of_the_chain_finds_the_order_also_after_a_restart(tmp_path, make_order):
    client = _client(tmp_path, replace_changes_id=True)
    taken = await client.submit(make_order(quantity=10, **LIMIT))
    ids = [taken.broker_order_id]
    for quantity in (20, 30):
        changed = await client.replace(ids[0], quantity=D(quantity), limit_price=None)
        ids.append(changed.broker_order_id)
    assert len(set(ids)) == 3
    for restart in (False, True):
        found = _client(tmp_path, replace_changes_id=True) if restart else client
        assert len(await found.get_open_orders()) == 1
        again = await found.replace(ids[1], quantity=D(30), limit_price=None)
        assert again.broker_order_id == ids[2]
        if restart:
            assert await found.cancel(ids[0])
        await found.close()


async def test_a_replaced_order_is_still_the_one_that_was_asked_for(tmp_path, make_order):
    client = _client(tmp_path)
    order = make_order(quantity=10, **LIMIT)
    await client.submit(order)
    await client.replace("order-k1", quantity=D(4), limit_price=D(99))
    assert (await client.submit(order)).quantity == 4
    restarted = _client(tmp_path)
    assert (await restarted.submit(order)).limit_price == 99
    await client.close()
    await restarted.close()


@pytest.mark.parametrize(
    ("quantity", "limit", "code"),
    [
        (30, 100, "BELOW_FILLED"),
        (20, None, "BELOW_FILLED"),
        (0, None, "INVALID_REPLACE"),
        ("NaN", None, "INVALID_REPLACE"),
        (50, 0, "INVALID_REPLACE"),
        (50, "Infinity", "INVALID_REPLACE"),
    ],
)
async def test_a_refused_replace_changes_nothing(make_order, quantity, limit, code):
    client = _client()
    await client.submit(make_order(quantity=100, **LIMIT))
    await client.on_quote(_quote(1, 100, size=30))
    before = await client.get_order_by_key("k1")
    price = None if limit is None else D(limit)
    with pytest.raises(BrokerRefused) as refused:
        await client.replace("order-k1", quantity=D(quantity), limit_price=price)
    assert refused.value.code == code
    assert await client.get_order_by_key("k1") == before


async def test_what_ended_is_unknown_or_has_no_limit_can_not_be_replaced(make_order):
    client = _client()
    await client.submit(make_order("done", **GTC))
    await client.on_quote(_quote(1, 100))
    await client.submit(make_order("market", symbol="IXIC", **GTC))
    for order_id, limit, code in (
        ("order-done", None, "TOO_LATE"),
        ("nothing", None, "UNKNOWN_ORDER"),
        ("order-market", D(5), "INVALID_REPLACE"),
    ):
        with pytest.raises(BrokerRefused) as refused:
            await client.replace(order_id, quantity=D(10), limit_price=limit)
        assert refused.value.code == code
    with pytest.raises(BrokerRefused, match="replaces no orders"):
        await _client(replaces=False).replace("x", quantity=D(1), limit_price=None)


async def test_no_bar_that_opened_before_the_replace_fills_at_its_terms(make_order, make_bar):
    client = PaperClient(clock=(clock := VirtualClock(START)))
    await client.submit(make_order(quantity=10, **LIMIT | {"limit_price": D(50)}))
    clock.advance(3600)
    await client.replace("order-k1", quantity=D(10), limit_price=D(100))
    await client.on_bars([make_bar(1, 90)])
    assert (await client.fills_since(None))[0] == []
    await client.on_bars([make_bar(2, 95)])
    assert [fill.price for fill in (await client.fills_since(None))[0]] == [95]


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("replace"), st.integers(1, 60), st.integers(98, 102)),
        st.tuples(st.just("quote"), st.integers(98, 102), st.integers(1, 15)),
        st.tuples(st.just("restart"), st.none(), st.none()),
    ),
    max_size=20,
)


@settings(max_examples=25, deadline=None)
@given(steps=_steps, new_ids=st.booleans())
async def test_fills_never_exceed_the_total_of_the_last_replace(
    tmp_path_factory, make_order, steps, new_ids
):
    home = tmp_path_factory.mktemp("venue")
    client, total = _client(home, replace_changes_id=new_ids), D(20)
    await client.submit(make_order(quantity=total, **LIMIT))
    for second, (what, first, second_value) in enumerate(steps, start=1):
        if what == "replace":
            filled = (await client.get_order_by_key("k1")).filled_quantity
            try:
                changed = await client.replace(
                    "order-k1", quantity=D(first), limit_price=D(second_value)
                )
            except BrokerRefused:
                assert first <= filled or filled == total
                continue
            total = D(first)
            assert (changed.quantity, changed.filled_quantity) == (total, filled)
        elif what == "quote":
            await client.on_quote(_quote(second, first, second_value))
        else:
            await client.close()
            client = _client(home, replace_changes_id=new_ids)
        view = await client.get_order_by_key("k1")
        fills, _ = await client.fills_since(None)
        assert sum(fill.quantity for fill in fills) == view.filled_quantity <= total
        assert len({fill.fill_id for fill in fills}) == len(fills)
    await client.close()
