"""What holds for any sequence of orders, cancels, bars and restarts."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_brokers.paper import PaperClient, VenueProfile
from mts1b_foundation import Bar, Order, OrderStatus, OrderType, Side, TimeInForce
from mts1b_platform.clock import VirtualClock

D = Decimal

START = datetime(2008, 10, 6, 20, 0, tzinfo=UTC)
CASH = D(1_000_000)
SYMBOLS = ("SPX", "IXIC")

_price = st.integers(80, 120).map(D)
_orders = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from(SYMBOLS),
        "side": st.sampled_from(list(Side)),
        "quantity": st.integers(1, 60).map(D),
        "tif": st.sampled_from([t for t in TimeInForce if t is not TimeInForce.GTD]),
        "strategy_id": st.sampled_from(["trend", "parity"]),
        "reduce_only": st.booleans(),
        "kind": st.sampled_from(list(OrderType)),
        "limit": _price,
        "stop": _price,
    }
)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("order"), _orders),
        st.tuples(st.just("again"), st.integers(0, 20)),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.just("bar"), st.tuples(_price, _price, _price, _price, st.integers(0, 400))),
        st.tuples(st.just("same bar"), st.none()),
        st.tuples(st.just("restart"), st.none()),
    ),
    min_size=5,
    max_size=30,
)


class Run:
    """Play steps on one venue, in memory or on disk."""

    def __init__(self, home):
        self.home = home
        self.clock = VirtualClock(START)
        self.orders = []
        self.confirmed = {}
        self.last = []
        self.client = self._connect()

    def _connect(self):
        profile = VenueProfile(slippage_bps=D(2), initial_cash=CASH)
        return PaperClient(profile=profile, home=self.home, clock=self.clock)

    async def play(self, steps):
        for name, value in steps:
            await getattr(self, "_" + name.replace(" ", "_"))(value)

    async def _order(self, value):
        kind = value["kind"]
        key = f"k{len(self.orders)}"
        order = Order(
            order_id=f"o{len(self.orders)}",
            idempotency_key=key,
            symbol=value["symbol"],
            side=value["side"],
            quantity=value["quantity"],
            tif=value["tif"],
            order_type=kind,
            limit_price=value["limit"] if kind.needs_limit_price else None,
            stop_price=value["stop"] if kind.needs_stop_price else None,
            reduce_only=value["reduce_only"],
            fund_id="fund",
            strategy_id=value["strategy_id"],
            created_at=self.clock.now(),
        )
        self.orders.append(order)
        await self.client.submit(order)

    async def _again(self, which):
        if which < len(self.orders):
            await self.client.submit(self.orders[which])

    async def _cancel(self, which):
        if which < len(self.orders):
            order = self.orders[which]
            if await self.client.cancel(order.order_id):
                view = await self.client.get_order_by_key(order.idempotency_key)
                self.confirmed[order.order_id] = view.filled_quantity

    async def _bar(self, value):
        *prices, volume = value
        self.clock.advance(timedelta(days=1).total_seconds())
        self.last = [
            Bar(
                symbol=symbol,
                interval="1d",
                open=prices[0],
                close=prices[1],
                high=max(prices),
                low=min(prices),
                volume=D(volume),
                timestamp=self.clock.now(),
            )
            for symbol in SYMBOLS
        ]
        await self.client.on_bars(self.last)

    async def _same_bar(self, _):
        await self.client.on_bars(self.last)

    async def _restart(self, _):
        if self.home is not None:
            # No close: the process is gone. What was acknowledged must be on disk.
            self.abandoned = [*getattr(self, "abandoned", []), self.client]
            self.client = self._connect()

    async def end(self):
        for client in [*getattr(self, "abandoned", []), self.client]:
            await client.close()

    async def seen(self):
        fills, cursor = await self.client.fills_since(None)
        views = [await self.client.get_order_by_key(o.idempotency_key) for o in self.orders]
        return fills, cursor, views, await self.client.account_snapshot()


@settings(max_examples=50, deadline=None)
@given(_steps)
async def test_fills_positions_and_cash_add_up(steps):
    run = Run(None)
    await run.play(steps)
    fills, cursor, views, account = await run.seen()
    assert cursor == str(len(fills)) == str(len({fill.fill_id for fill in fills}))
    for view in views:
        filled = sum((f.quantity for f in fills if f.order_id == view.order_id), D(0))
        assert filled == view.filled_quantity <= view.quantity
        assert (view.status is OrderStatus.FILLED) == (filled == view.quantity)
        if view.order_id in run.confirmed:
            assert filled == run.confirmed[view.order_id]
    for symbol in SYMBOLS:
        held = sum((p.quantity for p in account.positions if p.symbol == symbol), D(0))
        assert held == sum((f.signed_quantity for f in fills if f.symbol == symbol), D(0))
    paid = sum((f.signed_quantity * f.price + f.fees for f in fills), D(0))
    assert account.cash_usd == CASH - paid


@settings(max_examples=50, deadline=None)
@given(_steps)
async def test_reduce_only_fills_never_grow_or_flip_their_owner(steps):
    run = Run(None)
    await run.play(steps)
    fills, _, views, _ = await run.seen()
    reduce_only = {view.order_id for view in views if view.reduce_only}
    held = {}
    for fill in fills:
        owner = (fill.strategy_id, fill.symbol)
        before = held.get(owner, D(0))
        after = before + fill.signed_quantity
        if fill.order_id in reduce_only:
            assert abs(after) < abs(before)
            assert after * before >= 0
        held[owner] = after


@settings(max_examples=50, deadline=None)
@given(_steps)
async def test_what_the_venue_made_itself_passes_every_check_of_its_model(steps):
    run = Run(None)
    await run.play(steps)
    fills, _, views, _ = await run.seen()
    for one in (*fills, *views):
        values = {name: getattr(one, name) for name in type(one).model_fields}
        checked = type(one).model_validate(values, strict=True)
        assert checked == one
        assert checked.model_dump_json() == one.model_dump_json()
        assert checked.model_fields_set == one.model_fields_set


@settings(max_examples=12, deadline=None)
@given(_steps)
async def test_restarts_change_nothing(tmp_path_factory, steps):
    with_restarts = Run(tmp_path_factory.mktemp("venue"))
    await with_restarts.play(steps)
    straight = Run(None)
    await straight.play(steps)
    *theirs, account = await with_restarts.seen()
    *ours, expected = await straight.seen()
    assert theirs == ours
    assert _books(account) == _books(expected)
    await with_restarts.end()


def _books(account):
    """Return what an account holds, without the last price of the market."""
    held = [(p.symbol, p.quantity, p.average_price, p.realized_pnl_usd) for p in account.positions]
    return account.cash_usd, held
