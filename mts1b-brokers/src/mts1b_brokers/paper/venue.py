"""The paper venue as a pure state machine: each act returns a draft of what it changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from mts1b_foundation import (
    Bar,
    ExecutionMode,
    Order,
    OrderStatus,
    Position,
    Quote,
)
from mts1b_platform.ids import derive_id

from mts1b_brokers.errors import BrokerRefused, DuplicateOrderId, KeyReuseMismatch
from mts1b_brokers.paper.matching import match_bar, match_now, match_quote
from mts1b_brokers.paper.profile import FillPolicy, VenueProfile
from mts1b_brokers.paper.state import AccountPosition, Draft, VenueState, WorkingOrder

__all__ = ["PaperVenue"]

_ECONOMICS = (
    "symbol",
    "side",
    "quantity",
    "order_type",
    "limit_price",
    "stop_price",
    "tif",
    "expires_at",
    "reduce_only",
    "fund_id",
    "strategy_id",
    "account",
)
_SIMULATED = frozenset({ExecutionMode.PAPER, ExecutionMode.BACKTEST})


class PaperVenue:
    """Decide what orders, bars and quotes do. No clock, no input or output.

    Acts leave :attr:`state` as it is and return a draft; once the draft is on record, hand it to
    ``state.apply``. That keeps memory and disk equal whatever fails in between.
    """

    def __init__(
        self, *, name: str, profile: VenueProfile, state: VenueState | None = None
    ) -> None:
        self.name = name
        self.profile = profile
        self.state = state or VenueState(cash=profile.initial_cash)

    def submit(self, order: Order, now: datetime) -> tuple[Order, Draft | None]:
        """Take an order; a known key gives the order that has it, and no draft.

        :raises KeyReuseMismatch: when the key belongs to an order with other economics.
        :raises BrokerRefused: when the order can not be taken here.
        """
        known = self.order_by_key(order.idempotency_key)
        if known is not None:
            self._require_same(order, known)
            return known, None
        self._require_takeable(order)
        working = self._accept(order, now)
        draft = Draft(self.state)
        draft.put(working)
        if self.profile.fill is FillPolicy.IMMEDIATE:
            self._fill_at_once(draft, working, now)
        return draft.orders[working.position].order, draft

    def _require_same(self, order: Order, known: Order) -> None:
        for name in _ECONOMICS:
            asked, held = getattr(order, name), getattr(known, name)
            if asked != held:
                raise KeyReuseMismatch(
                    f"idempotency key {order.idempotency_key!r} is that of order {known.order_id} "
                    f"with {name} {held}, not {asked}; use a new key for a new order"
                )

    def _require_takeable(self, order: Order) -> None:
        if order.order_id in self.state.by_order_id:
            raise DuplicateOrderId(
                f"order id {order.order_id} was used with another idempotency key; "
                "derive the id from the key"
            )
        if order.mode not in _SIMULATED:
            raise BrokerRefused(
                f"{self.name} is a simulated venue and takes no {order.mode.value} order",
                code="WRONG_MODE",
            )
        if order.is_terminal:
            raise BrokerRefused(
                f"order {order.order_id} is {order.status.value} already", code="TERMINAL_ORDER"
            )

    def _accept(self, order: Order, now: datetime) -> WorkingOrder:
        accepted = order.with_(
            status=OrderStatus.ACCEPTED,
            submitted_at=now,
            accepted_at=now,
            broker_order_id=self._broker_id(order.idempotency_key),
        )
        return WorkingOrder(
            position=len(self.state.orders) + 1,
            order=accepted,
            arrives_at=now + self.profile.latency,
        )

    def _broker_id(self, key: str) -> str:
        """Derive an id from the key; eight digits collide, so the next free one is taken."""
        attempt = 0
        while True:
            digits = derive_id("paper", self.name, key, str(attempt)).rpartition("-")[2][:8]
            if f"PAPER-{digits}" not in self.state.by_broker_id:
                return f"PAPER-{digits}"
            attempt += 1

    def _fill_at_once(self, draft: Draft, working: WorkingOrder, now: datetime) -> None:
        symbol = str(working.order.symbol)
        quote = self.state.quotes.get(symbol)
        known = self.state.prices.get(symbol)
        if known is None:
            return
        price = known[1]
        if quote is not None and quote.timestamp >= known[0]:
            price = quote.ask if working.order.side.sign > 0 else quote.bid
        match_now(draft, working, price, at=now, venue=self.name, profile=self.profile)

    def cancel(self, order_id: str) -> Draft | None:
        """Cancel what is open of an order; None when nothing was."""
        working = self.state.find(order_id)
        if working is None or working.order.is_terminal:
            return None
        draft = Draft(self.state)
        self._cancel_in(draft, working)
        return draft

    def cancel_all(self) -> Draft:
        """Cancel every open order."""
        draft = Draft(self.state)
        for working in self.state.open_orders():
            self._cancel_in(draft, working)
        return draft

    def _cancel_in(self, draft: Draft, working: WorkingOrder) -> None:
        draft.put(replace(working, order=working.order.with_(status=OrderStatus.CANCELED)))

    def on_bars(self, bars: Sequence[Bar]) -> Draft:
        """Match bars in order of time and symbol."""
        draft = Draft(self.state)
        for bar in sorted(bars, key=lambda bar: (bar.timestamp, bar.symbol, bar.interval)):
            match_bar(draft, bar, venue=self.name, profile=self.profile)
        return draft

    def on_quote(self, quote: Quote) -> Draft:
        """Match a quote; one that is older than the last, or equal to it, does nothing."""
        draft = Draft(self.state)
        last = self.state.quotes.get(str(quote.symbol))
        if last is None or (quote != last and quote.timestamp >= last.timestamp):
            match_quote(draft, quote, venue=self.name, profile=self.profile)
            draft.quotes[str(quote.symbol)] = quote
        return draft

    def order_by_key(self, key: str) -> Order | None:
        """Return the order with an idempotency key, in any state."""
        place = self.state.by_key.get(key)
        return None if place is None else self.state.orders[place].order

    def positions(self, now: datetime) -> list[Position]:
        """Return the account's net positions that are not flat, by symbol."""
        held = (p for _, p in sorted(self.state.positions.items()) if p.quantity != 0)
        return [self._position(position, now) for position in held]

    def _position(self, held: AccountPosition, now: datetime) -> Position:
        known = self.state.prices.get(held.symbol)
        last = known[1] if known is not None else held.average_price
        return Position.model_validate(
            {
                "symbol": held.symbol,
                "quantity": held.quantity,
                "average_price": held.average_price,
                "last_price": last,
                "market_value_usd": held.quantity * last,
                "realized_pnl_usd": held.realized_pnl,
                "unrealized_pnl_usd": held.quantity * (last - held.average_price),
                "account": self.name,
                "as_of": now,
            }
        )

    def equity(self) -> Decimal:
        """Return cash plus positions at their last known price."""
        value = self.state.cash
        for symbol, held in self.state.positions.items():
            known = self.state.prices.get(symbol)
            value += held.quantity * (known[1] if known is not None else held.average_price)
        return value
