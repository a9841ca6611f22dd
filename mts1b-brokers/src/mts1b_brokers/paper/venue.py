"""The paper venue as a pure state machine: each act returns a draft of what it changes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from mts1b_foundation import Bar, ExecutionMode, Order, OrderStatus, Position, Quote
from mts1b_platform.ids import derive_id

from mts1b_brokers.errors import BrokerRefused, DuplicateOrderId, VenueUnavailable
from mts1b_brokers.paper.budget import spend
from mts1b_brokers.paper.keys import remembered, require_same
from mts1b_brokers.paper.matching import match_bar, match_now, match_quote
from mts1b_brokers.paper.profile import FillPolicy, VenueProfile
from mts1b_brokers.paper.replacing import replaced
from mts1b_brokers.paper.state import AccountPosition, Draft, VenueState, WorkingOrder

__all__ = ["PaperVenue"]

_SIMULATED = (ExecutionMode.PAPER, ExecutionMode.BACKTEST)


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
        self._latest: list[datetime] = []

    def require_open(self, now: datetime) -> None:
        """Answer, or be in maintenance.

        :raises VenueUnavailable: in maintenance.
        """
        until = self.profile.closed_until(now)
        if until is not None:
            raise VenueUnavailable(
                f"venue {self.name} is in maintenance until {until.isoformat()}; ask then"
            )

    def fired(self, now: datetime) -> Draft | None:
        """Return what the dead-man timer does that ran out by ``now``; None when none did."""
        if self.state.timer is None or now < self.state.timer:
            return None
        draft = Draft(self.state)
        draft.timer = None
        for working in self.state.open_orders():
            self._cancel_in(draft, working)
        return draft

    def set_timer(self, seconds: float, now: datetime) -> Draft | None:
        """Arm the dead-man timer anew; 0 disarms it.

        :raises BrokerRefused: ``UNSUPPORTED`` or ``INVALID_TIMER``.
        :raises VenueUnavailable: in maintenance.
        """
        self.require_open(now)
        longest = self.profile.dead_man_max_s
        if longest is None:
            raise BrokerRefused(f"venue {self.name} has no dead-man timer", code="UNSUPPORTED")
        if not 0.0 <= seconds <= longest:
            raise BrokerRefused(
                f"a dead-man timer runs 0 to {longest:g} s here, not {seconds:g}",
                code="INVALID_TIMER",
            )
        draft = Draft(self.state)
        draft.timer = now + timedelta(seconds=seconds) if seconds else None
        return draft if draft.sets_timer else None

    def _message(self, now: datetime, *, cancels: bool = False) -> Draft:
        """Return a draft in which one message is taken out of the budget.

        :raises BrokerRefused: ``RATE_LIMITED``.
        :raises VenueUnavailable: in maintenance.
        """
        if self.profile.maintenance:
            self.require_open(now)
        draft = Draft(self.state)
        draft.budget = spend(self.state.budget, now, profile=self.profile, cancels=cancels)
        return draft

    def submit(self, order: Order, now: datetime) -> tuple[Order, Draft | None]:
        """Take an order; a key that is remembered gives the order that has it.

        :raises KeyReuseMismatch: when the key belongs to an order with other economics.
        :raises BrokerRefused: when the order can not be taken here.
        :raises VenueUnavailable: in maintenance.
        """
        draft = self._message(now)
        known = remembered(self.state, order.idempotency_key, now, profile=self.profile)
        if known is not None:
            require_same(order, known)
            return known.order, draft if draft.spends else None
        self.require_takeable(order, now)
        return self.take(order, now, draft), draft

    def take(self, order: Order, now: datetime, draft: Draft) -> Order:
        """Note a new order in ``draft``; return it as the venue has it."""
        working = WorkingOrder(
            position=len(self.state.orders) + 1,
            order=order.with_(
                status=OrderStatus.ACCEPTED,
                submitted_at=now,
                accepted_at=now,
                broker_order_id=self._broker_id(order.idempotency_key),
            ),
            arrives_at=now + self.profile.latency,
        )
        draft.put(working)
        if self.profile.fill is FillPolicy.IMMEDIATE:
            self._fill_at_once(draft, working, now)
        return draft.orders[working.position].order

    def require_takeable(self, order: Order, now: datetime) -> None:
        """Raise when no account state could make this order good; nothing is changed.

        :raises DuplicateOrderId: when its id came with another idempotency key before.
        :raises BrokerRefused: for a live order, and for one that has ended or whose time is over.
        """
        place = self.state.by_order_id.get(order.order_id)
        if place is not None and not self._is_again(order, self.state.orders[place].order):
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
        if order.expires_at is not None and order.expires_at <= now:
            raise BrokerRefused(
                f"the time of order {order.order_id} ended at {order.expires_at.isoformat()}",
                code="EXPIRED_ORDER",
            )

    def _is_again(self, order: Order, known: Order) -> bool:
        return order.idempotency_key == known.idempotency_key

    def _broker_id(self, key: str) -> str:
        """Derive an id from the key; eight digits collide, so the next free one is taken."""
        attempt = 0
        while True:
            digits = derive_id("paper", self.name, key, str(attempt)).removeprefix("paper-")[:8]
            broker_id = f"PAPER-{digits}"
            if broker_id not in self.state.by_broker_id:
                return broker_id
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

    def find(self, order_id: str) -> WorkingOrder | None:
        """Return an order by the client's id or one of the broker's.

        Where a venue took the same id twice, the newest that is open, else the newest.
        """
        working = self.state.find(order_id)
        if working is None or not working.order.is_terminal:
            return working
        again = [w for w in self.state.open_orders() if w.order.order_id == order_id]
        return again[-1] if again else working

    def cancel(self, order_id: str, now: datetime) -> tuple[bool, Draft | None]:
        """Cancel what is open of an order; tell whether anything was.

        :raises BrokerRefused: ``RATE_LIMITED``.
        """
        draft = self._message(now, cancels=True)
        working = self.find(order_id)
        if working is None or working.order.is_terminal:
            return False, draft if draft.spends else None
        self._cancel_in(draft, working)
        return True, draft

    def cancel_all(self, now: datetime) -> Draft:
        """Cancel every open order, as one message."""
        draft = self._message(now, cancels=True)
        for working in self.state.open_orders():
            self._cancel_in(draft, working)
        return draft

    def _cancel_in(self, draft: Draft, working: WorkingOrder) -> None:
        draft.put(working._replace(order=working.order.with_(status=OrderStatus.CANCELED)))

    def replace(
        self, order_id: str, *, quantity: Decimal, limit_price: Decimal | None, now: datetime
    ) -> tuple[Order, Draft | None]:
        """Change total quantity and limit; terms that hold already change nothing.

        :raises BrokerRefused: when it is not possible; the order then stands as it was.
        :raises VenueUnavailable: in maintenance.
        """
        self.require_open(now)
        if not self.profile.replaces:
            raise BrokerRefused(f"venue {self.name} replaces no orders", code="UNSUPPORTED")
        draft = self._message(now)
        working = self.find(order_id)
        if working is None:
            raise BrokerRefused(
                f"venue {self.name} has no order {order_id}; ask by key", code="UNKNOWN_ORDER"
            )
        order = working.order
        same = quantity == order.quantity and limit_price in (None, order.limit_price)
        if same and not order.is_terminal:
            return order, draft if draft.spends else None
        changed = replaced(
            working,
            quantity=quantity,
            limit_price=limit_price,
            now=now,
            profile=self.profile,
            broker_order_id=self._next_id(order),
        )
        draft.put(changed)
        return changed.order, draft

    def _next_id(self, order: Order) -> str:
        kept = order.broker_order_id or ""
        return self._broker_id(order.idempotency_key) if self.profile.replace_changes_id else kept

    def on_bars(self, bars: Sequence[Bar]) -> Draft:
        """Match bars in order of time and symbol."""
        draft = Draft(self.state)
        if len(bars) > 1:
            bars = sorted(bars, key=lambda bar: (bar.timestamp, bar.symbol, bar.interval))
        for bar in bars:
            match_bar(draft, bar, venue=self.name, profile=self.profile)
        return draft

    def on_quote(self, quote: Quote) -> Draft:
        """Match a quote; one that is older than the last, or equal to it, does nothing."""
        draft, symbol = Draft(self.state), str(quote.symbol)
        last = self.state.quotes.get(symbol)
        if last is None or (quote.timestamp >= last.timestamp and quote != last):
            match_quote(draft, quote, venue=self.name, profile=self.profile)
            draft.quotes[symbol] = quote
        return draft

    def order_by_key(self, key: str) -> Order | None:
        """Return the order with an idempotency key, in any state."""
        place = self.state.by_key.get(key)
        return None if place is None else self.state.orders[place].order

    def shows(self, order: Order, now: datetime) -> bool:
        """Return whether queries show an order yet."""
        taken = order.submitted_at
        return taken is None or now >= taken + self.profile.visibility_lag

    def shown_fills(self, now: datetime) -> int:
        """Return how many fills queries show; none behind one that is not shown yet."""
        if self.profile.visibility_lag_s == 0.0:
            return len(self.state.fills)
        return bisect_right(self._latest_fills(), now - self.profile.visibility_lag)

    def first_kept_fill(self, now: datetime) -> int:
        """Return the place of the oldest fill that can still be read."""
        reach = self.profile.fill_history_s
        if reach is None:
            return 0
        return bisect_left(self._latest_fills(), now - timedelta(seconds=reach))

    def _latest_fills(self) -> list[datetime]:
        """Return, for each fill, the latest time of it and of those before it: these only rise.

        Fills are in the order in which they were made, which need not be that of their times.
        """
        latest, fills = self._latest, self.state.fills
        for place in range(len(latest), len(fills)):
            moment = fills[place].timestamp
            latest.append(max(latest[-1], moment) if latest else moment)
        return latest

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
