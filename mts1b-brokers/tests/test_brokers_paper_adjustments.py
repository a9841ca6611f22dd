"""What moves a paper account without an order: as at a real venue, once, and through restarts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mts1b_brokers import BrokerRefused, PaperClient
from mts1b_brokers.paper import VenueProfile
from mts1b_foundation import Bar, Order, OrderStatus, Side
from mts1b_foundation.adjustments import AdjustBooks, AdjustmentKind

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
KIND = AdjustmentKind


def words(kind: AdjustmentKind, name: str = "a-1", **changes: Any) -> AdjustBooks:
    owner = {} if kind is KIND.SPLIT else {"fund_id": "f", "strategy_id": "s"}
    fields: dict[str, Any] = {
        "adjustment_id": name,
        "kind": kind,
        "reason": "a test",
        "signed_by": "operator:ann",
        "requested_at": NOW,
    }
    return AdjustBooks(**fields | owner | changes)


def split(ratio: str = "2", price: str = "50", name: str = "a-1") -> AdjustBooks:
    terms = {"symbol": "AAPL", "ratio": Decimal(ratio), "price": Decimal(price)}
    return words(KIND.SPLIT, name, **terms)


def venue_of(home: Path | None) -> PaperClient:
    profile = VenueProfile(initial_cash=Decimal(10_000), fee_bps_per_side=Decimal(0))
    venue = PaperClient(profile=profile, home=home)
    venue.set_time(NOW)
    return venue


def order(key: str = "k-1", **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "order_id": f"o-{key}",
        "idempotency_key": key,
        "symbol": "AAPL",
        "side": Side.BUY,
        "quantity": Decimal(10),
        "fund_id": "f",
        "strategy_id": "s",
        "created_at": NOW,
    }
    return Order(**fields | changes)


async def bar(venue: PaperClient, minute: int, price: str) -> None:
    prices = dict.fromkeys(("open", "high", "low", "close"), Decimal(price))
    at = NOW + timedelta(minutes=minute)
    await venue.on_bars([Bar(symbol="AAPL", interval="1m", timestamp=at, **prices)])


async def bought(venue: PaperClient) -> str:
    """Buy ten at 100; return the execution."""
    await venue.submit(order())
    await bar(venue, 1, "100")
    (fill,) = (await venue.fills_since(None))[0]
    return fill.fill_id


async def books(venue: PaperClient) -> tuple[Decimal, dict[str, tuple[Decimal, Decimal]]]:
    account = await venue.account_snapshot()
    held = {str(p.symbol): (p.quantity, p.average_price) for p in account.positions}
    return account.cash_usd, held


@pytest.mark.parametrize(
    ("kind", "amount", "cash"),
    [
        (KIND.DEPOSIT, "500", "10500"),
        (KIND.WITHDRAWAL, "-500", "9500"),
        (KIND.DIVIDEND, "12.5", "10012.5"),
        (KIND.FEE, "-3", "9997"),
    ],
)
async def test_money_moves_once_and_is_there_after_a_restart(
    tmp_path: Path, kind: AdjustmentKind, amount: str, cash: str
) -> None:
    venue = venue_of(tmp_path)
    one = words(kind, cash_usd=Decimal(amount))
    await venue.play_adjustment(one)
    await venue.play_adjustment(one)
    await venue.close()
    venue = venue_of(tmp_path)
    await venue.play_adjustment(one)
    assert await books(venue) == (Decimal(cash), {})
    with pytest.raises(BrokerRefused, match="says something else"):
        await venue.play_adjustment(one.with_(cash_usd=Decimal(amount) * 2))
    await venue.close()


async def test_more_than_there_is_can_not_be_withdrawn() -> None:
    venue = venue_of(None)
    with pytest.raises(BrokerRefused, match="10000"):
        await venue.play_adjustment(words(KIND.WITHDRAWAL, cash_usd=Decimal(-10_001)))


async def test_stock_that_comes_can_be_sold_by_its_owner(tmp_path: Path) -> None:
    venue = venue_of(tmp_path)
    terms = {"symbol": "AAPL", "quantity": Decimal(4), "price": Decimal(90)}
    await venue.play_adjustment(words(KIND.TRANSFER, **terms))
    await venue.close()
    venue = venue_of(tmp_path)
    assert await books(venue) == (10_000, {"AAPL": (4, 90)})
    await venue.submit(order(side=Side.SELL, quantity=Decimal(4), reduce_only=True))
    await bar(venue, 1, "100")
    assert await books(venue) == (10_400, {})
    await venue.close()


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_split_moves_units_and_price_and_no_money(tmp_path: Path, restarts: bool) -> None:
    venue = venue_of(tmp_path)
    await bought(venue)
    await venue.play_adjustment(split())
    if restarts:
        await venue.close()
        venue = venue_of(tmp_path)
    assert await books(venue) == (9_000, {"AAPL": (20, 50)})
    (held,) = (await venue.account_snapshot()).positions
    assert (held.last_price, held.unrealized_pnl_usd) == (50, 0)
    await venue.close()


async def test_what_is_open_in_the_symbol_ends_with_the_split() -> None:
    venue = venue_of(None)
    await venue.submit(order(order_type="limit", limit_price=Decimal(90), tif="gtc"))
    await venue.play_adjustment(split())
    found = await venue.get_order_by_key("k-1")
    assert found is not None
    assert found.status is OrderStatus.CANCELED


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_correction_of_an_execution_from_before_a_split_counts_in_units_of_after(
    tmp_path: Path, restarts: bool
) -> None:
    venue = venue_of(tmp_path)
    fill_id = await bought(venue)
    await venue.play_adjustment(split())
    if restarts:
        await venue.close()
        venue = venue_of(tmp_path)
    await venue.amend(fill_id, quantity=Decimal(6), price=Decimal(100))
    assert await books(venue) == (9_400, {"AAPL": (12, 50)})
    await venue.submit(order("k-2", side=Side.SELL, quantity=Decimal(12), reduce_only=True))
    await bar(venue, 3, "50")
    assert await books(venue) == (10_000, {})
    await venue.close()
