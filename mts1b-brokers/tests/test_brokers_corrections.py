"""Busts, amends, fees, overfills and orders by hand: books stay exact, history stays as it was."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_brokers import BrokerRefused, PaperClient, VenueProfile
from mts1b_brokers.paper.state import AccountPosition
from mts1b_foundation import OrderStatus, Side, TimeInForce
from mts1b_foundation.orders import CorrectionKind
from mts1b_foundation.protocols import CorrectionHistory
from mts1b_platform.clock import VirtualClock

D = Decimal
START = datetime(2008, 10, 6, 20, tzinfo=UTC)
CASH = D(1_000_000)
GTC = {"tif": TimeInForce.GTC}


@pytest.fixture
async def filled(make_order, make_bar):
    """Return a client with one order of 10, filled at 100 with a fee of 0.50."""
    client = PaperClient(clock=VirtualClock(START))
    await client.submit(make_order())
    await client.on_bars([make_bar(1, 100)])
    return client


async def _only_fill(client):
    (fill,) = (await client.fills_since(None))[0]
    return fill


async def test_a_bust_takes_back_quantity_money_and_fees(filled):
    assert isinstance(filled, CorrectionHistory)
    fill = await _only_fill(filled)
    told = await filled.bust(fill.fill_id, "clearly erroneous")
    assert (told.kind, told.fill_id, told.order_id) == ("bust", fill.fill_id, "order-k1")
    account = await filled.account_snapshot()
    assert (account.cash_usd, account.positions) == (CASH, ())
    order = await filled.get_order_by_key("k1")
    assert (order.status, order.filled_quantity) == (OrderStatus.CANCELED, 0)
    assert order.average_fill_price is None
    assert await _only_fill(filled) == fill
    assert await filled.corrections_since(None) == ([told], "1")
    assert await filled.corrections_since("1") == ([], "1")


async def test_an_amend_states_quantity_and_price_and_leaves_the_fees(filled):
    fill = await _only_fill(filled)
    told = await filled.amend(fill.fill_id, quantity=D(8), price=D(99))
    assert (told.quantity, told.price, told.fees) == (8, 99, None)
    account = await filled.account_snapshot()
    assert account.cash_usd == CASH - 8 * 99 - D("0.50")
    assert (account.positions[0].quantity, account.positions[0].average_price) == (8, 99)
    told = await filled.fee(fill.fill_id, fees=D("0.20"), reason="tier")
    assert (told.fees, told.kind) == (D("0.20"), CorrectionKind.FEE)
    assert (await filled.account_snapshot()).cash_usd == CASH - 8 * 99 - D("0.20")
    corrections, _ = await filled.corrections_since(None)
    assert len({one.correction_id for one in corrections}) == 2


async def test_what_is_unknown_or_taken_back_can_not_be_corrected(filled):
    with pytest.raises(BrokerRefused, match="no execution"):
        await filled.bust("fill-of-another")
    fill = await _only_fill(filled)
    await filled.bust(fill.fill_id)
    for act in (filled.bust(fill.fill_id), filled.fee(fill.fill_id, fees=D(1))):
        with pytest.raises(BrokerRefused) as refused:
            await act
        assert refused.value.code == "ALREADY_BUSTED"
    with pytest.raises(ValueError, match="1 corrections"):
        await filled.corrections_since("2")


async def test_an_open_order_gets_its_busted_quantity_back(make_order, make_quote):
    profile = VenueProfile(max_fill_quantity=D(4))
    client = PaperClient(profile=profile, clock=VirtualClock(START))
    await client.submit(make_order(**GTC))
    await client.on_quote(make_quote(1, 100, 100))
    fill = await _only_fill(client)
    assert fill.quantity == 4
    await client.bust(fill.fill_id)
    assert (await client.get_order_by_key("k1")).status is OrderStatus.ACCEPTED
    for second in (2, 3, 4):
        await client.on_quote(make_quote(second, 101 + second, 101 + second))
    order = await client.get_order_by_key("k1")
    assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, 10)
    (held,) = await client.get_positions()
    assert held.quantity == 10


async def test_what_was_busted_can_not_be_reduced(filled, make_order, make_bar):
    fill = await _only_fill(filled)
    await filled.amend(fill.fill_id, quantity=D(4))
    await filled.submit(make_order("out", Side.SELL, 10, reduce_only=True))
    await filled.on_bars([make_bar(2, 100)])
    (out,) = (await filled.fills_since("1"))[0]
    assert out.quantity == 4


async def test_executions_under_every_id_of_a_replaced_order_count(make_order, make_quote):
    profile = VenueProfile(max_fill_quantity=D(2), replace_changes_id=True)
    client = PaperClient(profile=profile, clock=VirtualClock(START))
    limit = {"order_type": "limit", "limit_price": D(100)}
    await client.submit(make_order(**limit, **GTC))
    for second in (1, 2):
        await client.on_quote(make_quote(second, 90, 100 - second))
        await client.replace("order-k1", quantity=D(20 + second), limit_price=None)
    first, second = (await client.fills_since(None))[0]
    assert first.broker_order_id != second.broker_order_id
    await client.bust(second.fill_id)
    assert (await client.get_order_by_key("k1")).filled_quantity == 2
    await client.overfill("order-k1", quantity=D(3), price=D(98))
    assert (await client.get_order_by_key("k1")).filled_quantity == 5
    await client.bust(first.fill_id)
    assert (await client.get_order_by_key("k1")).filled_quantity == 3


async def test_an_overfill_and_a_fill_after_the_cancel_are_booked(filled, make_order):
    await filled.overfill("order-k1", quantity=D(1), price=D(101))
    order = await filled.get_order_by_key("k1")
    assert (order.status, order.filled_quantity, order.quantity) == (OrderStatus.FILLED, 11, 10)
    assert order.average_fill_price == D(1101) / 11
    await filled.submit(make_order("k2", symbol="IXIC", **GTC))
    await filled.cancel("order-k2")
    late = await filled.overfill("order-k2", quantity=D(3), price=D(50))
    order = await filled.get_order_by_key("k2")
    assert (order.status, order.filled_quantity) == (OrderStatus.CANCELED, 3)
    held = {str(p.symbol): p.quantity for p in await filled.get_positions()}
    assert held == {"SPX": 11, "IXIC": 3}
    assert (await filled.fills_since("2"))[0] == [late]
    with pytest.raises(BrokerRefused, match="no order"):
        await filled.overfill("nothing", quantity=D(1), price=D(1))


async def test_an_order_by_hand_needs_no_message_budget(make_order, make_quote):
    profile = VenueProfile(orders_per_s=1, burst=2)
    client = PaperClient(profile=profile, clock=VirtualClock(START))
    await client.submit(make_order())
    with pytest.raises(BrokerRefused):
        await client.submit(make_order("k2"))
    await client.external(make_order("by-hand", Side.SELL, 7, strategy_id="someone"))
    assert len(await client.get_open_orders()) == 2
    await client.on_quote(make_quote(1, 99, 101))
    (held,) = await client.get_positions()
    assert held.quantity == 3


_acts = st.lists(
    st.one_of(
        st.tuples(
            st.just("trade"),
            st.sampled_from(list(Side)),
            st.integers(1, 30),
            st.integers(90, 110),
        ),
        st.tuples(st.just("bust"), st.integers(0, 30), st.none(), st.none()),
        st.tuples(st.just("amend"), st.integers(0, 30), st.integers(1, 40), st.integers(90, 110)),
        st.tuples(st.just("fee"), st.integers(0, 30), st.integers(-5, 9), st.none()),
        st.tuples(st.just("overfill"), st.integers(0, 30), st.integers(1, 9), st.none()),
        st.tuples(st.just("restart"), st.none(), st.none(), st.none()),
    ),
    min_size=3,
    max_size=20,
)


class Books:
    """Play acts on a venue on disk, and keep the executions as they should stand."""

    def __init__(self, home, make_order, make_quote):
        self.home, self.order, self.quote = home, make_order, make_quote
        self.clock = VirtualClock(START)
        self.client = self._connect()
        self.stands = {}
        self.trades = 0

    def _connect(self):
        profile = VenueProfile(fill="quote", initial_cash=CASH)
        return PaperClient(profile=profile, home=self.home, clock=self.clock)

    async def trade(self, side, quantity, price):
        self.trades += 1
        self.clock.advance(1)
        await self.client.submit(self.order(f"k{self.trades}", side, quantity))
        await self.client.on_quote(self.quote(self.trades, price, price))
        await self._take_new()

    async def _take_new(self):
        for fill in (await self.client.fills_since(str(len(self.stands))))[0]:
            self.stands[fill.fill_id] = fill

    def _standing(self, which):
        left = [fill for fill in self.stands.values() if fill is not None]
        return left[which % len(left)] if left else None

    async def bust(self, which, *_):
        if (fill := self._standing(which)) is not None:
            await self.client.bust(fill.fill_id)
            self.stands[fill.fill_id] = None

    async def amend(self, which, quantity, price):
        if (fill := self._standing(which)) is not None:
            await self.client.amend(fill.fill_id, quantity=D(quantity), price=D(price))
            self.stands[fill.fill_id] = fill.with_(quantity=D(quantity), price=D(price))

    async def fee(self, which, fees, _):
        if (fill := self._standing(which)) is not None:
            await self.client.fee(fill.fill_id, fees=D(fees))
            self.stands[fill.fill_id] = fill.with_(fees=D(fees))

    async def overfill(self, which, quantity, _):
        if self.trades:
            order_id = f"order-k{which % self.trades + 1}"
            await self.client.overfill(order_id, quantity=D(quantity), price=D(100))
            await self._take_new()

    async def restart(self, *_):
        await self.client.close()
        self.client = self._connect()


@settings(max_examples=25, deadline=None)
@given(_acts)
async def test_cash_positions_and_orders_are_those_of_the_executions_that_stand(
    tmp_path_factory, make_order, make_quote, acts
):
    books = Books(tmp_path_factory.mktemp("venue"), make_order, make_quote)
    for name, *values in acts:
        await getattr(books, name)(*values)
        account = await books.client.account_snapshot()
        done = [fill for fill in books.stands.values() if fill is not None]
        assert account.cash_usd == CASH - sum(f.signed_quantity * f.price + f.fees for f in done)
        expected = AccountPosition("SPX")
        for fill in done:
            expected = expected.after(fill)
        held = account.positions[0] if account.positions else None
        assert (held.quantity if held else 0) == expected.quantity
        if held is not None:
            assert (held.average_price, held.realized_pnl_usd) == (
                expected.average_price,
                expected.realized_pnl,
            )
        for number in range(1, books.trades + 1):
            order = await books.client.get_order_by_key(f"k{number}")
            mine = sum((f.quantity for f in done if f.order_id == order.order_id), D(0))
            assert order.filled_quantity == mine
            assert (order.status is OrderStatus.FILLED) == (mine >= order.quantity)
    await books.client.close()


async def test_corrections_survive_a_restart(tmp_path, make_order, make_quote):
    books = Books(tmp_path, make_order, make_quote)
    for n in range(4):
        await books.trade(Side.BUY, 5, 100 + n)
    await books.bust(0)
    await books.amend(1, 7, 90)
    expected = await books.client.corrections_since(None)
    await books.restart()
    assert await books.client.corrections_since(None) == expected
    with pytest.raises(BrokerRefused, match="taken back"):
        await books.client.bust(expected[0][0].fill_id)
    later = await books.client.fee(expected[0][1].fill_id, fees=D(0))
    assert later.timestamp == START + timedelta(seconds=4)
    await books.client.close()
