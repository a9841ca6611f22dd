"""The paper client: the six rules of every broker, durability, cancellation, streams."""

import asyncio
import inspect
import sqlite3
import sys
from datetime import UTC, timedelta, timezone
from decimal import Decimal

import pytest
from mts1b_brokers import PaperClient, VenueProfile, VenueUnavailable
from mts1b_foundation import OrderStatus, OrderType, Side, TimeInForce
from mts1b_foundation.protocols import (
    AccountQuery,
    BrokerProtocol,
    CancelAllOrders,
    FillHistory,
    OrderQuery,
    SimulatedVenue,
)
from mts1b_platform.clock import VirtualClock

D = Decimal


@pytest.fixture
def clock(start):
    return VirtualClock(start)


@pytest.fixture
async def client(tmp_path, clock):
    client = PaperClient(home=tmp_path, clock=clock)
    yield client
    await client.close()


def test_it_is_a_broker_with_every_capability():
    client = PaperClient()
    for protocol in (
        BrokerProtocol,
        OrderQuery,
        FillHistory,
        AccountQuery,
        CancelAllOrders,
        SimulatedVenue,
    ):
        assert isinstance(client, protocol)
    for name in ("submit", "cancel", "get_open_orders", "get_positions", "stream_fills"):
        method = getattr(client, name)
        assert inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)


def test_the_documented_arguments_work():
    client = PaperClient(name="paper", fee_bps_per_side=7.5)
    assert (client.name, client.profile.fee_bps_per_side) == ("paper", D("7.5"))
    assert PaperClient().fee_bps_per_side == 5


async def test_must_1_name_is_stable(client):
    assert client.name == client.name == "paper"


async def test_must_2_submit_is_idempotent(client, make_order, make_bar):
    taken = await asyncio.gather(*(client.submit(make_order()) for _ in range(5)))
    assert len({order.broker_order_id for order in taken}) == 1
    await client.on_bars([make_bar(1, 100)])
    assert len((await client.fills_since(None))[0]) == 1


async def test_must_3_submitted_at_is_set(client, clock, make_order):
    order = await client.submit(make_order())
    assert order.submitted_at == order.accepted_at == clock.now()


async def test_must_4_cancel_is_true_only_when_confirmed(client, make_order, make_bar):
    await client.submit(make_order())
    assert await client.cancel("order-k1") is True
    await client.on_bars([make_bar(1, 100)])
    assert (await client.fills_since(None))[0] == []
    await client.submit(make_order("k2"))
    await client.on_bars([make_bar(2, 100)])
    assert await client.cancel("order-k2") is False


async def test_must_5_fills_carry_fees_in_the_base_currency(client, make_order, make_bar):
    await client.submit(make_order(quantity=3))
    await client.on_bars([make_bar(1, "101.01")])
    ((fill,), _) = await client.fills_since(None)
    assert (fill.fees, fill.fee_currency) == (D("0.15"), "USD")


async def test_must_6_the_stream_survives_a_restart(client, tmp_path, clock, make_order, make_bar):
    for n in (1, 2, 3):
        await client.submit(make_order(f"k{n}"))
        await client.on_bars([make_bar(n, 100 + n)])
    expected, cursor = await client.fills_since(None)
    restarted = PaperClient(home=tmp_path, clock=clock)
    stream = restarted.stream_fills()
    assert [await anext(stream) for _ in expected] == expected
    await stream.aclose()
    assert (await restarted.fills_since(cursor))[0] == []
    assert (await restarted.fills_since("1"))[0] == expected[1:]
    await restarted.close()


async def test_a_stream_waits_for_the_next_fill_and_ends_at_close(client, make_order, make_bar):
    seen = []

    async def read():
        async for fill in client.stream_fills():
            seen.append(fill.order_id)

    reader = asyncio.create_task(read())
    await client.submit(make_order())
    await client.on_bars([make_bar(1, 100)])
    await client.submit(make_order("k2"))
    await client.on_bars([make_bar(2, 100)])
    await client.close()
    await asyncio.wait_for(reader, 5)
    assert seen == ["order-k1", "order-k2"]


async def test_a_caller_that_gives_up_leaves_memory_and_disk_equal(
    client, tmp_path, clock, make_order, make_bar
):
    await client.open()
    for n in range(12):
        task = asyncio.create_task(client.submit(make_order(f"k{n}", tif=TimeInForce.GTC)))
        for _ in range(n):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await client.on_bars([make_bar(1, 100)])
    other = PaperClient(home=tmp_path, clock=clock)
    assert await other.fills_since(None) == await client.fills_since(None)
    assert await other.account_snapshot() == (await client.account_snapshot())
    await other.close()


async def test_a_failed_record_is_unavailable_and_changes_nothing(client, tmp_path, make_order):
    await client.submit(make_order())
    blocker = sqlite3.connect(tmp_path / "db" / "venue-paper.sqlite", isolation_level=None)
    blocker.execute("DROP TABLE venue_orders")
    blocker.close()
    with pytest.raises(VenueUnavailable, match="by key"):
        await client.submit(make_order("k2"))
    assert await client.get_order_by_key("k2") is None
    assert len(await client.get_open_orders()) == 1


async def test_a_record_that_is_no_database_says_so(tmp_path):
    path = tmp_path / "db" / "venue-paper.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(VenueUnavailable, match="can not read its record"):
        await PaperClient(home=tmp_path).open()


async def test_cancel_all_names_what_it_cancelled(client, make_order, make_bar):
    for key in ("a", "b", "c"):
        await client.submit(make_order(key))
    await client.cancel("order-b")
    assert await client.cancel_all() == ["order-a", "order-c"]
    assert await client.cancel_all() == []
    assert await client.get_open_orders() == []


async def test_account_and_positions(client, make_order, make_bar):
    await client.submit(make_order())
    await client.on_bars([make_bar(1, 100, 120, 100, 110)])
    account = await client.account_snapshot()
    (position,) = account.positions
    assert (position.quantity, position.average_price, position.last_price) == (10, 100, 110)
    assert position.unrealized_pnl_usd == 100
    assert account.cash_usd == 1_000_000 - 1000 - D("0.50")
    assert await client.get_positions() == [position]


async def test_venue_time_can_be_set_and_never_runs_backwards(start, make_order):
    client = PaperClient()
    client.set_time(start)
    client.set_time(start.replace(year=2001))
    assert (await client.submit(make_order())).submitted_at == start
    with pytest.raises(ValueError, match="aware"):
        client.set_time(start.replace(tzinfo=None))


async def test_a_clock_goes_on_after_the_time_was_set(start, make_order):
    clock = VirtualClock(start)
    client = PaperClient(clock=clock)
    client.set_time(start + timedelta(seconds=5))
    first = await client.submit(make_order("k1"))
    clock.advance(60)
    later = await client.submit(make_order("k2"))
    assert first.submitted_at == start + timedelta(seconds=5)
    assert later.submitted_at == start + timedelta(seconds=60)


async def test_quotes_fill_in_real_time(client, make_order, make_quote):
    order = await client.submit(make_order())
    assert order.status is OrderStatus.ACCEPTED
    await client.on_quote(make_quote(1, 99, 101))
    assert (await client.get_order_by_key("k1")).average_fill_price == 101


@pytest.mark.parametrize("cursor", ["7", "-1", "x"])
async def test_a_foreign_cursor_is_refused(client, cursor):
    with pytest.raises(ValueError, match="cursor"):
        await client.fills_since(cursor)


async def test_a_closed_venue_takes_nothing(make_order):
    client = PaperClient(profile=VenueProfile())
    await client.close()
    with pytest.raises(VenueUnavailable, match="closed"):
        await client.submit(make_order())


_VICTIM = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from datetime import UTC, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from mts1b_brokers import PaperClient
from mts1b_foundation import Bar, Order, Side

async def main():
    start = datetime(2008, 10, 6, 20, tzinfo=UTC)
    client = PaperClient(home=Path(sys.argv[1]))
    client.set_time(start)
    for n in range(100_000):
        order = Order(order_id=f"o{n}", idempotency_key=f"k{n}", symbol="SPX", side=Side.BUY,
                      quantity=1, fund_id="f", strategy_id="s", created_at=start)
        await client.submit(order)
        print("order", n, flush=True)
        at, price = start + timedelta(days=n + 1), Decimal(100 + n)
        client.set_time(at)
        await client.on_bars([Bar(symbol="SPX", interval="1d", open=price, high=price, low=price,
                                  close=price, timestamp=at)])
        print("fills", (await client.fills_since(None))[1], flush=True)

asyncio.run(main())
"""


async def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path):
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _VICTIM, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    for _ in range(25):
        await victim.stdout.readline()
    victim.kill()
    rest = (await victim.stdout.read()).decode().splitlines()
    await victim.wait()
    orders = 13 + sum(line.startswith("order") for line in rest)
    acknowledged = 12 + sum(line.startswith("fills") for line in rest)
    client = PaperClient(home=tmp_path)
    fills, _ = await client.fills_since(None)
    assert len(fills) >= acknowledged
    assert len({fill.fill_id for fill in fills}) == len(fills)
    for n in range(orders):
        assert await client.get_order_by_key(f"k{n}") is not None
    (position,) = await client.get_positions()
    assert position.quantity == len(fills)
    cash = (await client.account_snapshot()).cash_usd
    assert cash == 1_000_000 - sum(fill.notional + fill.fees for fill in fills)
    await client.close()


async def test_a_restart_restores_stops_partial_fills_owners_and_the_early_close(
    client, tmp_path, clock, start, make_order, make_bar
):
    gtc = {"tif": TimeInForce.GTC}
    await client.submit(make_order("held"))
    await client.on_bars([make_bar(1, 100)])
    stop = {"order_type": OrderType.STOP_LIMIT, "stop_price": D(105), "limit_price": D(104)}
    await client.submit(make_order("stop", **stop, **gtc))
    await client.submit(make_order("part", quantity=30, **gtc))
    await client.on_bars([make_bar(2, 100, 107, 99, 106, volume=100)])
    restarted = PaperClient(home=tmp_path, clock=clock)
    await restarted.submit(make_order("out", Side.SELL, 45, reduce_only=True))
    await restarted.on_bars([make_bar(3, "103.5", "104.5", 103, 104)])
    fills, _ = await restarted.fills_since("2")
    assert [(f.order_id, f.quantity, f.price) for f in fills] == [
        ("order-stop", 10, D("103.5")),
        ("order-part", 20, D("103.5")),
        ("order-out", 45, D("103.5")),
    ]
    assert len({f.fill_id for f in (await restarted.fills_since(None))[0]}) == 5
    await restarted.on_bars([make_bar(4, 100)])
    clock.advance_to(start + timedelta(days=4))
    await restarted.submit(make_order("late"))
    again = PaperClient(home=tmp_path, clock=clock)
    await again.on_bars([make_bar(5 - 3 / 24, 99)])
    assert (await again.get_order_by_key("late")).status is OrderStatus.FILLED
    await restarted.close()
    await again.close()


async def test_a_venue_that_fills_at_the_last_price_knows_it_after_a_restart(
    tmp_path, clock, make_order, make_bar
):
    profile = VenueProfile(fill="immediate")
    first = PaperClient(profile=profile, home=tmp_path, clock=clock)
    await first.on_bars([make_bar(0, 100, 104, 99, 103)])
    again = PaperClient(profile=profile, home=tmp_path, clock=clock)
    assert (await again.submit(make_order())).average_fill_price == 103
    await first.close()
    await again.close()


async def test_a_trading_day_is_one_of_utc_in_whatever_zone_the_time_is_set(
    start, make_order, make_bar
):
    client = PaperClient(profile=VenueProfile(fill="immediate"))
    await client.on_bars([make_bar(0, 100)])
    client.set_time(start.astimezone(timezone(timedelta(hours=9))))  # there it is tomorrow
    taken = await client.submit(make_order(order_type="limit", limit_price=D(90)))
    assert (taken.submitted_at, taken.submitted_at.tzinfo) == (start, UTC)
    await client.on_bars([make_bar(5 / 24, 80, interval="1h")])
    assert (await client.get_order_by_key("k1")).status is OrderStatus.EXPIRED
