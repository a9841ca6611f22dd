"""What fills, when, at which price: the venue as a state machine."""

from datetime import timedelta
from decimal import Decimal

import pytest
from mts1b_brokers.errors import BrokerRefused, DuplicateOrderId, KeyReuseMismatch
from mts1b_brokers.paper import PaperVenue, VenueProfile
from mts1b_foundation import ExecutionMode, Liquidity, OrderStatus, OrderType, Side, TimeInForce
from pydantic import ValidationError

D = Decimal

GTC = TimeInForce.GTC


class Desk:
    """Drive a venue: act, apply, look."""

    def __init__(self, start, **profile):
        defaults = {"fee_bps_per_side": D(5), "max_participation": D("0.1")}
        self.venue = PaperVenue(name="paper", profile=VenueProfile(**defaults | profile))
        self.start = start

    def submit(self, order, after=timedelta()):
        taken, draft = self.venue.submit(order, self.start + after)
        if draft is not None:
            self.venue.state.apply(draft)
        return taken

    def bars(self, *bars):
        draft = self.venue.on_bars(bars)
        self.venue.state.apply(draft)
        return draft.fills

    def quote(self, quote):
        draft = self.venue.on_quote(quote)
        self.venue.state.apply(draft)
        return draft.fills

    def cancel(self, order_id):
        done, draft = self.venue.cancel(order_id, self.start)
        if draft is not None:
            self.venue.state.apply(draft)
        return done

    def view(self, key="k1"):
        return self.venue.order_by_key(key)


@pytest.fixture
def desk(start):
    return Desk(start)


def test_market_order_fills_at_the_next_open_with_slippage_and_fee(start, make_order, make_bar):
    desk = Desk(start, slippage_bps=D(2))
    desk.submit(make_order())
    (fill,) = desk.bars(make_bar(1, 100, 104, 99, 103))
    assert fill.price == D("100.02")
    assert fill.fees == D("0.50")
    assert fill.timestamp == start + timedelta(days=1)
    assert (fill.fund_id, fill.strategy_id, fill.liquidity) == (
        "fund-a",
        "trend",
        Liquidity.TAKER,
    )
    assert desk.view().status is OrderStatus.FILLED
    assert desk.venue.state.cash == D(1_000_000) - D("1000.20") - D("0.50")


def test_seller_slips_downwards(start, make_order, make_bar):
    desk = Desk(start, slippage_bps=D(2))
    desk.submit(make_order(side=Side.SHORT))
    assert desk.bars(make_bar(1, 100))[0].price == D("99.98")


def test_no_price_is_ever_made_up(desk, make_order, make_bar):
    desk.submit(make_order())
    assert desk.bars(make_bar(1, 50, symbol="IXIC")) == []
    assert desk.view().status is OrderStatus.ACCEPTED


def test_the_bar_in_which_an_order_was_submitted_does_not_fill_it(desk, make_order, make_bar):
    desk.submit(make_order(tif=GTC), after=timedelta(hours=1))
    assert desk.bars(make_bar(1, 100)) == []
    assert desk.bars(make_bar(2, 101))[0].price == D(101)


def test_an_early_close_does_not_delay_the_next_open(desk, make_order, make_bar):
    desk.bars(make_bar(0, 99))
    desk.submit(make_order())
    early = make_bar(1 - 3 / 24, 100)
    assert early.start < desk.start
    assert desk.bars(early)[0].price == D(100)


def test_latency_delays_an_intraday_fill(start, make_order, make_bar):
    desk = Desk(start, latency_ms=D(1500))
    desk.submit(make_order())
    minute = timedelta(minutes=1)
    first, second = (
        make_bar(0, price, interval="1m", timestamp=start + minute * n)
        for n, price in ((1, 100), (2, 101))
    )
    assert desk.bars(first) == []
    assert desk.bars(second)[0].price == D(101)


@pytest.mark.parametrize(
    ("side", "limit", "bar", "price", "liquidity"),
    [
        (Side.BUY, 100, (102, 103, 99, 101), 100, Liquidity.MAKER),
        (Side.BUY, 100, (98, 103, 97, 101), 98, Liquidity.TAKER),
        (Side.BUY, 100, (102, 103, 101, 101), None, None),
        (Side.SELL, 100, (98, 101, 97, 99), 100, Liquidity.MAKER),
        (Side.SELL, 100, (103, 104, 97, 99), 103, Liquidity.TAKER),
        (Side.SELL, 100, (98, 99, 97, 99), None, None),
    ],
)
def test_limit_fills_at_the_limit_or_better(
    desk, make_order, make_bar, side, limit, bar, price, liquidity
):
    desk.submit(make_order(side=side, order_type=OrderType.LIMIT, limit_price=D(limit), tif=GTC))
    fills = desk.bars(make_bar(1, *bar))
    assert [(f.price, f.liquidity) for f in fills] == ([(D(price), liquidity)] if price else [])


def test_marketable_limit_slips_but_never_through_its_limit(start, make_order, make_bar):
    desk = Desk(start, slippage_bps=D(100))
    kind = OrderType.MARKETABLE_LIMIT
    desk.submit(make_order("near", order_type=kind, limit_price=D("100.5")))
    desk.submit(make_order("far", order_type=kind, limit_price=D(110)))
    near, far = desk.bars(make_bar(1, 100))
    assert near.price == D("100.5")
    assert far.price == D(101)


@pytest.mark.parametrize(
    ("side", "stop", "bar", "price"),
    [
        (Side.BUY, 105, (100, 106, 99, 104), 105),
        (Side.BUY, 105, (107, 108, 104, 106), 107),
        (Side.BUY, 105, (100, 104, 99, 103), None),
        (Side.SELL, 95, (100, 101, 94, 96), 95),
        (Side.SELL, 95, (90, 96, 89, 92), 90),
    ],
)
def test_stop_triggers_inside_the_bar_or_at_the_gap(
    desk, make_order, make_bar, side, stop, bar, price
):
    desk.submit(make_order(side=side, order_type=OrderType.STOP, stop_price=D(stop), tif=GTC))
    assert [f.price for f in desk.bars(make_bar(1, *bar))] == ([D(price)] if price else [])


def test_stop_limit_stays_triggered_and_rests(desk, make_order, make_bar):
    order = make_order(
        order_type=OrderType.STOP_LIMIT, stop_price=D(105), limit_price=D(104), tif=GTC
    )
    desk.submit(order)
    assert desk.bars(make_bar(1, 100, 107, 99, 106)) == []
    (fill,) = desk.bars(make_bar(2, 106, 107, 103, 106))
    assert (fill.price, fill.liquidity) == (D(104), Liquidity.MAKER)


def test_stop_limit_fills_in_its_bar_where_only_the_close_proves_it(desk, make_order, make_bar):
    order = make_order(
        order_type=OrderType.STOP_LIMIT, stop_price=D(105), limit_price=D(104), tif=GTC
    )
    desk.submit(order)
    assert desk.bars(make_bar(1, 100, 107, 99, 103))[0].price == D(104)


def test_participation_caps_a_bar_over_all_orders_and_the_rest_goes_on(desk, make_order, make_bar):
    desk.submit(make_order("a", quantity=70, tif=GTC))
    desk.submit(make_order("b", quantity=70, tif=GTC))
    first = desk.bars(make_bar(1, 100, volume=1009))
    assert [(f.order_id, f.quantity) for f in first] == [("order-a", 70), ("order-b", 30)]
    assert desk.view("b").status is OrderStatus.PARTIALLY_FILLED
    second = desk.bars(make_bar(2, 102, volume=1009))
    assert [(f.order_id, f.quantity) for f in second] == [("order-b", 40)]
    view = desk.view("b")
    assert view.status is OrderStatus.FILLED
    assert view.average_fill_price == (30 * D(100) + 40 * D(102)) / 70
    assert len({f.fill_id for f in first + second}) == 3


def test_day_order_ends_with_its_session(desk, make_order, make_bar):
    desk.submit(make_order(quantity=100))
    desk.bars(make_bar(1, 100, volume=600))
    view = desk.view()
    assert (view.status, view.filled_quantity) == (OrderStatus.EXPIRED, 60)
    assert desk.bars(make_bar(2, 100)) == []


def test_day_order_lives_through_the_minutes_of_its_day(desk, start, make_order, make_bar):
    order = make_order(order_type=OrderType.LIMIT, limit_price=D(90))
    desk.submit(order)

    def minute(at, price):
        return make_bar(0, price, interval="1m", timestamp=at)

    desk.bars(minute(start + timedelta(minutes=1), 100))
    desk.bars(minute(start + timedelta(hours=4), 100))
    assert desk.view().status is OrderStatus.ACCEPTED
    assert desk.bars(minute(start + timedelta(hours=18), 80)) == []
    assert desk.view().status is OrderStatus.EXPIRED


@pytest.mark.parametrize(
    ("tif", "filled", "status"),
    [
        (TimeInForce.IOC, 60, OrderStatus.CANCELED),
        (TimeInForce.FOK, 0, OrderStatus.CANCELED),
        (TimeInForce.OPG, 60, OrderStatus.EXPIRED),
        (TimeInForce.GTC, 60, OrderStatus.PARTIALLY_FILLED),
    ],
)
def test_what_a_time_in_force_does_with_the_rest(desk, make_order, make_bar, tif, filled, status):
    desk.submit(make_order(quantity=100, tif=tif))
    desk.bars(make_bar(1, 100, volume=600))
    assert (desk.view().filled_quantity, desk.view().status) == (filled, status)


def test_immediate_orders_see_the_open_alone(desk, make_order, make_bar):
    desk.submit(make_order(order_type=OrderType.LIMIT, limit_price=D(99), tif=TimeInForce.IOC))
    assert desk.bars(make_bar(1, 100, 101, 98, 100)) == []
    assert desk.view().status is OrderStatus.CANCELED


def test_gtd_order_fills_only_at_the_open_of_the_bar_in_which_it_ends(desk, make_order, make_bar):
    end = desk.start + timedelta(days=1, hours=2)
    for key, limit in (("touch", 99), ("open", 100)):
        desk.submit(
            make_order(
                key,
                order_type=OrderType.LIMIT,
                limit_price=D(limit),
                tif=TimeInForce.GTD,
                expires_at=end,
            )
        )
    desk.bars(make_bar(1, 101))
    (fill,) = desk.bars(make_bar(2, 100, 101, 98, 100))
    assert fill.order_id == "order-open"
    assert desk.view("touch").status is OrderStatus.EXPIRED


def test_reduce_only_never_flips_and_cancels_the_excess(desk, make_order, make_bar):
    desk.submit(make_order("open"))
    desk.bars(make_bar(1, 100))
    desk.submit(make_order("close", Side.SELL, 25, reduce_only=True, tif=GTC))
    desk.submit(make_order("again", Side.SELL, 5, reduce_only=True, tif=GTC))
    (fill,) = desk.bars(make_bar(2, 100))
    assert (fill.order_id, fill.quantity) == ("order-close", 10)
    assert desk.view("close").status is OrderStatus.CANCELED
    assert (desk.view("again").status, desk.view("again").filled_quantity) == (
        OrderStatus.CANCELED,
        0,
    )
    assert desk.venue.positions(desk.start) == []


def test_reduce_only_looks_at_the_owner_not_at_the_other_fund(desk, make_order, make_bar):
    desk.submit(make_order("long", Side.BUY, 10))
    desk.submit(make_order("short", Side.SHORT, 30, fund_id="fund-b"))
    desk.bars(make_bar(1, 100))
    desk.submit(make_order("out", Side.SELL, 10, reduce_only=True))
    desk.bars(make_bar(2, 100))
    assert desk.view("out").status is OrderStatus.FILLED
    (position,) = desk.venue.positions(desk.start)
    assert position.quantity == -30


def test_same_key_gives_the_same_order_for_ever(desk, make_order, make_bar):
    first = desk.submit(make_order())
    assert desk.submit(make_order()) == first
    desk.bars(make_bar(1, 100))
    again = desk.submit(make_order(), after=timedelta(days=900))
    assert again.broker_order_id == first.broker_order_id
    assert again.status is OrderStatus.FILLED
    assert desk.bars(make_bar(2, 100)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": D(11)},
        {"side": Side.SHORT},
        {"symbol": "IXIC"},
        {"tif": GTC},
        {"reduce_only": True},
        {"fund_id": "fund-b"},
        {"order_type": OrderType.LIMIT, "limit_price": D(1)},
    ],
)
def test_same_key_with_other_economics_is_refused(desk, make_order, change):
    desk.submit(make_order())
    with pytest.raises(KeyReuseMismatch, match="k1"):
        desk.submit(make_order().with_(**change))
    assert len(desk.venue.state.orders) == 1


def test_orders_that_can_not_be_here_are_refused(desk, make_order):
    desk.submit(make_order())
    with pytest.raises(DuplicateOrderId):
        desk.submit(make_order("k2", order_id="order-k1"))
    for wrong in ({"mode": ExecutionMode.LIVE}, {"status": OrderStatus.FILLED}):
        with pytest.raises(BrokerRefused):
            desk.submit(make_order("k3", **wrong))


def test_broker_ids_are_eight_digits_and_differ_even_where_the_digits_collide(desk, make_order):
    taken = desk.submit(make_order())
    assert taken.broker_order_id.startswith("PAPER-")
    assert len(taken.broker_order_id) == len("PAPER-") + 8
    again = PaperVenue(name="paper", profile=VenueProfile())
    again.state.by_broker_id[taken.broker_order_id] = 99
    other, _ = again.submit(make_order(), desk.start)
    assert other.broker_order_id != taken.broker_order_id


def test_cancel_is_true_once_by_either_id_and_no_fill_follows(desk, make_order, make_bar):
    taken = desk.submit(make_order())
    assert desk.cancel(taken.broker_order_id)
    assert not desk.cancel("order-k1")
    assert not desk.cancel("unknown")
    assert desk.bars(make_bar(1, 100)) == []
    assert desk.view().status is OrderStatus.CANCELED


def test_the_same_bar_twice_and_an_older_bar_do_nothing(desk, make_order, make_bar):
    desk.submit(make_order(quantity=100, tif=GTC))
    bar = make_bar(2, 100, volume=100)
    assert len(desk.bars(bar)) == 1
    assert desk.bars(bar) == []
    assert desk.bars(make_bar(1, 100, volume=100)) == []


def test_quotes_fill_at_the_touch_up_to_the_quoted_size(desk, make_order, make_quote):
    desk.submit(make_order("buy", quantity=8, tif=GTC))
    desk.submit(make_order("more", quantity=8, tif=GTC))
    desk.submit(make_order("sell", Side.SHORT, 3))
    assert desk.quote(make_quote(-1, 99, 101)) == []
    fills = desk.quote(make_quote(1, 99, 101, size=10))
    assert [(f.order_id, f.quantity, f.price) for f in fills] == [
        ("order-buy", 8, D(101)),
        ("order-more", 2, D(101)),
        ("order-sell", 3, D(99)),
    ]
    assert desk.quote(make_quote(1, 99, 101, size=10)) == []


def test_quote_policy_ignores_bars(start, make_order, make_bar, make_quote):
    desk = Desk(start, fill="quote")
    desk.submit(make_order())
    assert desk.bars(make_bar(1, 100)) == []
    assert len(desk.quote(make_quote(2, 99, 101))) == 1


def test_immediate_policy_fills_at_the_last_price_and_rests_without_one(
    start, make_order, make_bar, make_quote
):
    desk = Desk(start, fill="immediate")
    assert desk.submit(make_order("first", tif=GTC)).status is OrderStatus.ACCEPTED
    desk.cancel("order-first")
    desk.bars(make_bar(0, 100, 104, 99, 103))
    assert desk.submit(make_order("second")).average_fill_price == D(103)
    desk.quote(make_quote(5, 105, 106))
    assert desk.submit(make_order("third")).average_fill_price == D(106)


def test_fractions_fill_in_units_of_the_orders_last_digit(desk, make_order, make_bar):
    desk.submit(make_order(quantity="0.25", symbol="BTC-USD", tif=GTC))
    fills = desk.bars(make_bar(1, 60000, symbol="BTC-USD", volume="1.2345"))
    assert [f.quantity for f in fills] == [D("0.12")]


def test_slippage_that_leaves_a_seller_no_price_is_refused_when_it_is_stated():
    """Each bar that would fill a sale ended in an error instead, the bars of others with it."""
    with pytest.raises(ValidationError, match="less than 10000"):
        VenueProfile(slippage_bps=D(10_000))
    assert VenueProfile(slippage_bps=D(9_999)).slipped(D("0.000001"), -1) > 0
