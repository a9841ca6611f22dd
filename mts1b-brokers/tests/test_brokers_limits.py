"""What a venue limits: messages, the time without word, maintenance, what queries show."""

import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_brokers import BrokerRefused, PaperClient, VenueProfile, VenueUnavailable
from mts1b_brokers.paper import MaintenanceWindow
from mts1b_foundation import Order, OrderStatus, Quote, TimeInForce
from mts1b_foundation.protocols import DeadManTimer
from mts1b_platform.clock import VirtualClock

D = Decimal
START = datetime(2008, 10, 6, 20, tzinfo=UTC)
GTC = {"tif": TimeInForce.GTC}


@pytest.fixture
def clock():
    return VirtualClock(START)


def _client(clock, home=None, **profile):
    return PaperClient(profile=VenueProfile(**{"fill": "quote"} | profile), home=home, clock=clock)


async def test_orders_above_the_limit_are_refused_and_cancels_are_not(clock, make_order):
    client = _client(clock, orders_per_s=1, burst=10)
    for n in range(8):
        await client.submit(make_order(f"k{n}", **GTC))
    with pytest.raises(BrokerRefused) as refused:
        await client.submit(make_order("too-many"))
    assert refused.value.code == "RATE_LIMITED"
    assert await client.get_order_by_key("too-many") is None
    assert await client.cancel("order-k0")
    assert await client.cancel("order-k1")
    with pytest.raises(BrokerRefused, match="more than 1 messages"):
        await client.cancel("order-k2")
    clock.advance(1)
    with pytest.raises(BrokerRefused):
        await client.replace("order-k2", quantity=D(5), limit_price=None)
    assert len(await client.cancel_all()) == 6
    clock.advance(3)
    await client.submit(make_order("later"))


async def test_the_limit_is_no_other_after_a_restart(clock, tmp_path, make_order):
    client = _client(clock, tmp_path, orders_per_s=1, burst=2)
    await client.submit(make_order())
    restarted = _client(clock, tmp_path, orders_per_s=1, burst=2)
    with pytest.raises(BrokerRefused):
        await restarted.submit(make_order("k2"))
    clock.advance(1)
    await restarted.submit(make_order("k2"))
    await client.close()
    await restarted.close()


async def test_a_quiet_hour_saves_up_no_more_than_the_burst(clock, make_order):
    client = _client(clock, orders_per_s=1, burst=4)
    await client.submit(make_order("first"))
    clock.advance(3600)
    for n in range(3):
        await client.submit(make_order(f"k{n}"))
    with pytest.raises(BrokerRefused):
        await client.submit(make_order("too-many"))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["order", "cancel"]), st.integers(0, 800)), max_size=60),
    st.integers(2, 12),
)
async def test_no_window_sees_more_than_the_rate_and_orders_leave_a_fifth(
    make_order, messages, burst
):
    clock = VirtualClock(START)
    client = _client(clock, orders_per_s=2, burst=burst)
    taken = []
    for n, (what, wait_ms) in enumerate(messages):
        clock.advance(wait_ms / 1000)
        try:
            if what == "order":
                await client.submit(make_order(f"k{n}"))
            else:
                await client.cancel("nothing")
        except BrokerRefused:
            continue
        taken.append((clock.monotonic(), what))
    for i, (begin, _) in enumerate(taken):
        for j in range(i, len(taken)):
            seen = taken[i : j + 1]
            room = burst + 2 * (taken[j][0] - begin) + 1e-6
            assert len(seen) <= room
            orders = sum(what == "order" for _, what in seen)
            assert orders <= room - max(burst / 5, 1)


async def test_the_dead_man_timer_cancels_by_the_clock_unless_called_again(clock, make_order):
    client = _client(clock, dead_man_max_s=60)
    assert isinstance(client, DeadManTimer)
    await client.submit(make_order(**GTC))
    await client.cancel_all_after(10)
    clock.advance(9)
    await client.cancel_all_after(10)
    clock.advance(9)
    assert len(await client.get_open_orders()) == 1
    clock.advance(1)
    assert (await client.get_order_by_key("k1")).status is OrderStatus.CANCELED
    await client.submit(make_order("k2", **GTC))
    clock.advance(1000)
    assert len(await client.get_open_orders()) == 1


async def test_the_dead_man_timer_can_be_disarmed_and_has_a_longest(clock, make_order):
    client = _client(clock, dead_man_max_s=60)
    await client.submit(make_order(**GTC))
    await client.cancel_all_after(10)
    await client.cancel_all_after(0)
    clock.advance(11)
    assert len(await client.get_open_orders()) == 1
    for seconds in (61, -1, float("nan")):
        with pytest.raises(BrokerRefused, match="0 to 60 s"):
            await client.cancel_all_after(seconds)
    with pytest.raises(BrokerRefused, match="no dead-man"):
        await _client(clock).cancel_all_after(1)


async def test_the_dead_man_timer_fires_before_the_market_of_that_moment(
    clock, make_order, make_quote
):
    client = _client(clock, dead_man_max_s=60)
    await client.submit(make_order(**GTC))
    await client.cancel_all_after(10)
    await client.on_quote(make_quote(10, 100, 100))
    assert (await client.fills_since(None))[0] == []
    assert await client.cancel("order-k1") is False


async def test_the_dead_man_timer_runs_on_while_its_client_is_dead(clock, tmp_path, make_order):
    client = _client(clock, tmp_path, dead_man_max_s=60)
    await client.submit(make_order(**GTC))
    await client.cancel_all_after(10)
    clock.advance(10)
    restarted = _client(clock, tmp_path, dead_man_max_s=60)
    assert await restarted.get_open_orders() == []
    again = _client(clock, tmp_path, dead_man_max_s=60)
    assert (await again.get_order_by_key("k1")).status is OrderStatus.CANCELED
    for one in (client, restarted, again):
        await one.close()


async def test_a_venue_in_maintenance_answers_nobody_and_fills_nothing(
    clock, make_order, make_quote, make_bar
):
    window = MaintenanceWindow(
        begins=START + timedelta(minutes=1), ends=START + timedelta(minutes=2)
    )
    client = _client(clock, maintenance=(window,), dead_man_max_s=60, fill="next_open")
    await client.submit(make_order(**GTC))
    clock.advance(60)
    for act in (
        client.submit(make_order("k2")),
        client.cancel("order-k1"),
        client.cancel_all(),
        client.replace("order-k1", quantity=D(1), limit_price=None),
        client.cancel_all_after(1),
        client.get_open_orders(),
        client.get_order_by_key("k1"),
        client.get_positions(),
        client.account_snapshot(),
        client.fills_since(None),
        client.corrections_since(None),
    ):
        with pytest.raises(VenueUnavailable, match="maintenance until 2008-10-06T20:02"):
            await act
    await client.on_quote(make_quote(90, 100, 100))
    await client.on_bars([make_bar(90 / 86_400, 100, interval="1m")])
    clock.advance(60)
    assert (await client.fills_since(None))[0] == []
    assert await client.get_order_by_key("k2") is None
    await client.on_quote(make_quote(120, 100, 100))
    assert len((await client.fills_since(None))[0]) == 1
    with pytest.raises(ValueError, match="end after it begins"):
        MaintenanceWindow(begins=START, ends=START)


async def test_orders_and_fills_are_shown_late_in_queries(clock, make_order, make_quote):
    client = _client(clock, visibility_lag_s=30)
    await client.submit(make_order(**GTC))
    await client.submit(make_order("other", symbol="IXIC", **GTC))
    assert await client.get_order_by_key("k1") is None
    assert await client.get_open_orders() == []
    clock.advance(20)
    await client.on_quote(make_quote(20, 100, 100))
    clock.advance(10)
    assert (await client.get_order_by_key("k1")).status is OrderStatus.FILLED
    assert len(await client.get_open_orders()) == 1
    assert await client.fills_since(None) == ([], "0")
    clock.advance(20)
    fills, cursor = await client.fills_since("0")
    assert (len(fills), cursor) == (1, "1")
    stream = client.stream_fills()
    assert await anext(stream) == fills[0]
    await stream.aclose()


async def test_fills_can_be_read_as_far_back_as_the_venue_keeps_them(clock, make_order, make_quote):
    client = _client(clock, fill_history_s=100)
    for n in range(3):
        await client.submit(make_order(f"k{n}"))
        await client.on_quote(make_quote(60 * n, 100 + n, 100 + n))
        clock.advance(60)
    fills, cursor = await client.fills_since(None)
    assert ([fill.price for fill in fills], cursor) == ([102], "3")
    stream = client.stream_fills()
    assert (await anext(stream)).price == 102
    await stream.aclose()
    assert (await client.account_snapshot()).positions[0].quantity == 30


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 90), min_size=1, max_size=12), st.integers(0, 200))
async def test_what_is_shown_follows_the_order_of_fills_not_of_their_times(seconds, passed):
    clock = VirtualClock(START)
    lag, reach = timedelta(seconds=30), timedelta(seconds=60)
    client = _client(clock, visibility_lag_s=30, fill_history_s=60)
    for n, second in enumerate(seconds):
        made, price = START + timedelta(seconds=second), D(100)
        order = {"order_id": f"o{n}", "idempotency_key": f"k{n}", "symbol": f"S{n}"}
        owner = {"fund_id": "f", "strategy_id": "s"}
        await client.submit(Order(**order, **owner, side="buy", quantity=1, created_at=START))
        await client.on_quote(
            Quote(symbol=f"S{n}", bid=price, ask=price, venue="test", timestamp=made)
        )
    clock.advance(passed)
    now, times = clock.now(), [START + timedelta(seconds=second) for second in seconds]
    shown = next((n for n, made in enumerate(times) if made > now - lag), len(times))
    kept = next((n for n, made in enumerate(times) if made >= now - reach), len(times))
    fills, cursor = await client.fills_since(None)
    assert [fill.order_id for fill in fills] == [f"o{n}" for n in range(kept, shown)]
    assert cursor == str(shown)
    assert await client.fills_since(cursor) == ([], cursor)


async def test_large_orders_fill_in_parts(clock, make_order, make_quote):
    client = _client(clock, max_fill_quantity=D(4))
    await client.submit(make_order(**GTC))
    await client.submit(make_order("all", tif=TimeInForce.FOK))
    for n in (1, 2, 3, 4):
        await client.on_quote(make_quote(n, 100 + n, 100 + n))
    fills, _ = await client.fills_since(None)
    assert [fill.quantity for fill in fills] == [4, 4, 2]
    assert (await client.get_order_by_key("all")).status is OrderStatus.CANCELED


async def test_a_record_of_the_first_version_is_lifted_and_keeps_everything(
    clock, tmp_path, make_order, make_quote
):
    profile = {"dedupe": "none"}
    client = _client(clock, tmp_path, **profile)
    await client.submit(make_order())
    await client.on_quote(make_quote(1, 100, 100))
    expected = await client.get_order_by_key("k1")
    await client.close()
    _back_to_version_1(tmp_path / "db" / "venue-paper.sqlite")
    lifted = _client(clock, tmp_path, **profile)
    assert await lifted.get_order_by_key("k1") == expected
    await lifted.submit(make_order())
    assert len(await lifted.get_open_orders()) == 1
    await lifted.close()


def _back_to_version_1(path):
    with sqlite3.connect(path) as db:
        for table in ("venue_replaces", "venue_corrections", "venue_limits"):
            db.execute(f"DROP TABLE {table}")
        db.execute("CREATE UNIQUE INDEX one_key ON venue_orders (idempotency_key)")
        db.execute("CREATE UNIQUE INDEX one_id ON venue_orders (order_id)")
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        versions = [n for n in names if "schema" in n]
        assert len(versions) == 1
        db.execute(f"UPDATE {versions[0]} SET version = 1 WHERE name = 'venue_paper'")
    db.close()
