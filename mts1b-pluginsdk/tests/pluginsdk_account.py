"""The account of the exemplar: orders, the dead-man timer, the rate and the market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from mts1b_foundation import Bar, ExecutionMode, Fill, Order, OrderStatus, TimeInForce
from mts1b_foundation.protocols import DedupePolicy
from pluginsdk_books import Books, Traits

_NOTHING = Decimal(0)
_CENT = Decimal("0.01")
_TERMS = (
    *("symbol", "side", "quantity", "order_type", "limit_price", "stop_price", "tif"),
    *("fund_id", "strategy_id", "reduce_only"),
)
_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG)


@dataclass
class Entry:
    """One order at the venue."""

    order: Order
    first: Order
    arrived: datetime
    shown_at: datetime
    triggered: bool = False
    day: date | None = None


class Account(Books):
    """The venue's side: it outlives every client."""

    def __init__(self, traits: Traits) -> None:
        super().__init__(traits)
        self.entries: list[Entry] = []
        self.deadline: datetime | None = None
        self.budget = float(traits.burst)
        self.refilled: datetime | None = None
        self.numbers = 0

    # Time

    def set_time(self, now: datetime) -> None:
        """Move on; a dead-man timer that ends cancels everything."""
        self.now = max(self.now, now)
        if self.deadline is not None and self.now >= self.deadline:
            self.deadline = None
            self.cancel_all()

    def arm(self, seconds: float) -> None:
        """Set the dead-man timer."""
        longest = self.traits.dead_man_max_s or 0.0
        if not 0.0 <= seconds <= longest:
            raise ValueError(f"the timer takes 0 to {longest} s, not {seconds}")
        self.deadline = self.now + timedelta(seconds=seconds) if seconds else None

    def spends(self) -> bool:
        """Take one message out of the budget, when there is one."""
        if self.traits.rate is None:
            return True
        before = self.refilled or self.now
        gained = (self.now - before).total_seconds() * self.traits.rate
        self.budget = min(float(self.traits.burst), self.budget + gained)
        self.refilled = self.now
        if self.budget < 1.0:
            return False
        self.budget -= 1.0
        return True

    # Orders

    def submit(self, order: Order) -> Order:
        """Take an order, or give it back rejected."""
        known = self.by_key(order.idempotency_key)
        if known is not None and self.remembers(known):
            if self.is_same(order, known.first):
                return known.order
            return self.rejected(order, "KEY_REUSE_MISMATCH")
        reason = self.objection(order)
        if reason:
            return self.rejected(order, reason)
        if not self.spends():
            return self.rejected(order, "RATE_LIMITED")
        entry = Entry(self.accepted(order), order, self.now, self.shown_from(self.now))
        self.entries.append(entry)
        return entry.order

    def by_key(self, key: str) -> Entry | None:
        """Return the newest order with a key."""
        found = [one for one in self.entries if one.order.idempotency_key == key]
        return found[-1] if found else None

    def remembers(self, entry: Entry) -> bool:
        """Tell whether the key of an order still counts."""
        policy = self.traits.dedupe
        if policy is DedupePolicy.WINDOW:
            age = (self.now - entry.arrived).total_seconds()
            return not entry.order.is_terminal or age <= (self.traits.window_s or 0.0)
        if policy is DedupePolicy.OPEN_ORDERS:
            return not entry.order.is_terminal
        return policy is DedupePolicy.PERMANENT

    def is_same(self, order: Order, known: Order) -> bool:
        """Tell whether two uses of a key mean one order."""
        return all(getattr(order, name) == getattr(known, name) for name in _TERMS)

    def objection(self, order: Order) -> str:
        """Return why an order can not be taken, or an empty text."""
        if order.order_type not in self.traits.types:
            return "UNSUPPORTED_TYPE"
        if order.tif not in self.traits.tifs:
            return "UNSUPPORTED_TIF"
        if order.mode is ExecutionMode.LIVE:
            return "WRONG_MODE"
        if order.is_terminal:
            return "TERMINAL_ORDER"
        for one in self.entries:
            same = one.order.order_id == order.order_id
            if same and one.order.idempotency_key != order.idempotency_key:
                return "DUPLICATE_ORDER_ID"
        return ""

    def rejected(self, order: Order, code: str) -> Order:
        """Return an order as refused."""
        changes = {"status": OrderStatus.REJECTED, "submitted_at": self.now}
        return order.with_(**changes, rejected_code=code, rejected_reason="refused")

    def accepted(self, order: Order) -> Order:
        """Return an order as taken."""
        return order.with_(
            status=OrderStatus.ACCEPTED,
            submitted_at=self.now,
            accepted_at=self.now,
            broker_order_id=self.new_id(),
        )

    def new_id(self) -> str:
        """Return an id that was never used."""
        self.numbers += 1
        return f"X-{self.numbers}"

    def open_entries(self) -> list[Entry]:
        """Return what works, oldest first."""
        return [one for one in self.entries if not one.order.is_terminal]

    def find(self, order_id: str) -> Entry | None:
        """Return the working order with an id of the client's or of the venue's."""
        for one in self.open_entries():
            if order_id in (one.order.order_id, one.order.broker_order_id):
                return one
        return None

    def cancel(self, order_id: str) -> bool:
        """Cancel what works of an order."""
        entry = self.find(order_id)
        if entry is None:
            return False
        entry.order = entry.order.with_(status=OrderStatus.CANCELED)
        return True

    def cancel_all(self) -> list[str]:
        """Cancel everything that works; return the ids."""
        names = [one.order.order_id for one in self.open_entries()]
        for name in names:
            self.cancel(name)
        return names

    def replace(self, order_id: str, quantity: Decimal, limit: Decimal | None) -> Order:
        """Change total quantity and limit of an order that works."""
        entry = self.find(order_id)
        if entry is None:
            raise ValueError(f"no working order {order_id}")
        if quantity <= entry.order.filled_quantity:
            raise ValueError(f"{entry.order.filled_quantity} have filled, {quantity} are too few")
        changes: dict[str, object] = {"quantity": quantity, "limit_price": limit}
        if self.traits.changes_id:
            changes["broker_order_id"] = self.new_id()
        entry.order = entry.order.with_(**changes)
        return entry.order

    # Market

    def on_bars(self, bars: Sequence[Bar]) -> None:
        """Match working orders against bars; a bar has its effect once."""
        for bar in bars:
            last = self.marks.get(bar.symbol)
            if last is not None and bar.timestamp <= last.timestamp:
                continue
            self.marks[bar.symbol] = bar
            depth = bar.volume / 10
            for entry in self.open_entries():
                depth -= self.meet(entry, bar, depth)

    def meet(self, entry: Entry, bar: Bar, depth: Decimal) -> Decimal:
        """Let one order meet one bar; return what it took of the depth."""
        if bar.start < entry.arrived:
            return _NOTHING
        if self.is_over(entry, bar):
            entry.order = entry.order.with_(status=OrderStatus.EXPIRED)
            return _NOTHING
        entry.day = entry.day or bar.timestamp.date()
        order = entry.order
        taken = min(order.remaining_quantity, depth) if self.can_trade(entry, bar) else _NOTHING
        if order.reduce_only:
            taken = min(taken, max(_NOTHING, -self.held(order.symbol) * order.side.sign))
        if order.tif is TimeInForce.FOK and taken < order.quantity:
            taken = _NOTHING
        if taken > 0:
            self.fill(entry, taken, bar.open)
        if order.tif in _AT_ONCE and not entry.order.is_terminal:
            entry.order = entry.order.with_(status=OrderStatus.CANCELED)
        return taken

    def is_over(self, entry: Entry, bar: Bar) -> bool:
        """Tell whether an order's time had passed before the bar."""
        order, today = entry.order, bar.timestamp.date()
        if order.expires_at is not None and order.expires_at <= bar.start:
            return True
        return order.tif is TimeInForce.DAY and entry.day is not None and today > entry.day

    def can_trade(self, entry: Entry, bar: Bar) -> bool:
        """Tell whether the order's terms allow the bar's price."""
        order, sign = entry.order, entry.order.side.sign
        if order.stop_price is not None and not entry.triggered:
            entry.triggered = (bar.open - order.stop_price) * sign >= 0
            if not entry.triggered:
                return False
        return order.limit_price is None or (order.limit_price - bar.open) * sign >= 0

    def fill(self, entry: Entry, quantity: Decimal, price: Decimal) -> None:
        """Execute a part of an order."""
        order = entry.order
        fill = Fill(
            fill_id=f"F-{len(self.fills) + 1}",
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=price,
            fees=(quantity * price / 2000).quantize(_CENT),
            venue=self.name,
            timestamp=self.now,
            broker_order_id=order.broker_order_id,
            fund_id=order.fund_id,
            strategy_id=order.strategy_id,
        )
        self.fills.append((fill, self.shown_from(self.now)))
        total = order.filled_quantity + quantity
        paid = (order.average_fill_price or _NOTHING) * order.filled_quantity + fill.notional
        done = OrderStatus.FILLED if total >= order.quantity else OrderStatus.PARTIALLY_FILLED
        entry.order = order.with_(
            filled_quantity=total, average_fill_price=paid / total, status=done
        )
