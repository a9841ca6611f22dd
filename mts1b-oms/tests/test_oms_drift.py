"""The account moves without an order (D9), and executions that no history tells any more (B10)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from mts1b_brokers.paper import VenueProfile
from mts1b_foundation import Order, OrderStatus, OrderType, Symbol, TimeInForce
from mts1b_foundation.commands import Resolution, ResolveOrder
from mts1b_foundation.positions import Position
from mts1b_foundation.protocols import AccountSnapshot
from mts1b_oms.errors import ResolutionRefused
from mts1b_oms.resolve import Resolver, sign_resolution
from mts1b_platform.rng import SeededRng
from mts1b_platform.signing import KeyRing

SPX, NDX = Symbol("SPX"), Symbol("NDX")
HISTORY_S = 3_600.0


def split(account: AccountSnapshot) -> AccountSnapshot:
    (held,) = account.positions
    return account.with_(positions=(held.with_(quantity=held.quantity * 2),))


def transfer(account: AccountSnapshot) -> AccountSnapshot:
    (held,) = account.positions
    return account.with_(positions=(held, Position(**held.model_dump() | {"symbol": NDX})))


def money(amount: str) -> Any:
    return lambda account: account.with_(cash_usd=account.cash_usd + Decimal(amount))


def spin_off(account: AccountSnapshot) -> AccountSnapshot:
    return money("50")(transfer(account))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("move", "named", "kind"),
    [
        (split, "SPX: ledger 10, venue 20", "positions alone moved: a split"),
        (transfer, "NDX: ledger 0, venue 10", "positions alone moved"),
        (money("12.34"), "cash: ledger", "money alone moved: a dividend"),
        (money("-3.10"), "cash: ledger", "money alone moved"),
        (spin_off, "NDX: ledger 0, venue 10", "positions and money moved"),
    ],
)
async def test_d9_what_moves_without_an_order_is_no_execution_and_nobodys(
    new_desk: Any, order: Any, move: Any, named: str, kind: str
) -> None:
    desk = await new_desk()
    await desk.orders.submit(order("k-1"))
    await desk.tick(1, {SPX: ("100", "101")})
    true, books = desk.venue.account_snapshot, desk.record.ledger

    async def moved() -> AccountSnapshot:
        found: AccountSnapshot = move(await true())
        return found

    desk.venue.account_snapshot = moved
    await desk.reconciler.reconcile()

    report = (await desk.reports())[-1]
    assert not desk.gate.is_open
    assert any(line.startswith(named) for line in report.breaks), report.breaks
    assert report.reason.startswith(kind)
    assert not [line for line in report.breaks if "not ours" in line], "it is no external order"
    assert desk.record.ledger.books == books.books, "it is attributed to somebody"
    assert desk.record.unhalted == set(), "no strategy did this"

    desk.venue.account_snapshot = true
    await desk.reconciler.reconcile()
    assert desk.gate.is_open
    assert (await desk.reports())[-1].reason == ""


def patient(order: Any) -> Order:
    found: Order = order(
        "k-1", order_type=OrderType.LIMIT, limit_price=Decimal(50), tif=TimeInForce.GTC
    )
    return found


async def outage(new_desk: Any, order: Any) -> tuple[Any, Order]:
    """Return a desk that was away while its order was filled and the history moved on."""
    profile = VenueProfile(
        fee_bps_per_side=Decimal(0), initial_cash=Decimal(1_000_000), fill_history_s=HISTORY_S
    )
    desk = await new_desk(profile=profile)
    sent = await desk.orders.submit(patient(order))
    await desk.venue.paper.overfill(sent.order_id, quantity=Decimal(10), price=Decimal(50))
    desk.clock.advance(2 * HISTORY_S)
    await desk.reconciler.reconcile()
    return desk, sent


def word(ring: KeyRing, order: Order, **changes: Any) -> ResolveOrder:
    terms: dict[str, Any] = {
        "order_id": order.order_id,
        "order_version": order.version,
        "resolution": Resolution.FILLED,
        "filled_quantity": Decimal(10),
        "average_price": Decimal(50),
        "reason": "the venue's statement of the 2nd",
        "signed_by": "operator:ann",
        "requested_at": datetime(2020, 1, 3, tzinfo=UTC),
    }
    return sign_resolution(ring, ResolveOrder(**(terms | changes)))


async def test_b10_what_a_short_history_lost_is_attributed_to_nobody_in_silence(
    new_desk: Any, order: Any
) -> None:
    desk, sent = await outage(new_desk, order)
    assert not desk.gate.is_open
    assert "SPX: ledger 0, venue 10" in desk.gate.reason
    assert (await desk.record.order(sent.order_id)).filled_quantity == 0
    assert desk.record.ledger.quantities() == {}
    assert "executions that the venue's history does not tell" in (await desk.reports())[-1].reason


async def test_b10_an_operators_signed_word_books_it_once_and_opens_the_gate(
    new_desk: Any, order: Any
) -> None:
    desk, sent = await outage(new_desk, order)
    ring = KeyRing(desk.home / "keys", SeededRng(5))
    ring.create("operator-ann")
    current = await desk.record.order(sent.order_id)

    with pytest.raises(ResolutionRefused, match="is accepted"):
        nothing = word(ring, current, resolution=Resolution.CANCELED, filled_quantity=Decimal(0))
        await Resolver(desk.orders, ring).resolve(nothing)

    done = await Resolver(desk.orders, ring).resolve(word(ring, current))
    assert (done.status, done.filled_quantity) == (OrderStatus.FILLED, 10)
    assert "orders.resolved" in await desk.verbs(), "an explicit entry, tagged as such"
    await desk.reconciler.reconcile()
    assert desk.gate.is_open
    assert desk.record.ledger.book("alpha", "trend").holdings[SPX].quantity == 10


async def test_a_working_order_is_not_resolved_while_the_books_agree(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(patient(order))
    ring = KeyRing(desk.home / "keys", SeededRng(5))
    ring.create("operator-ann")
    with pytest.raises(ResolutionRefused, match="only an order in doubt"):
        await Resolver(desk.orders, ring).resolve(word(ring, sent))
    assert desk.record.ledger.quantities() == {}
