"""A venue in memory that claims everything, for the cards to be tried on.

The tests change this text, one small defect at a time, and see which cards find it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from mts1b_foundation import (
    Bar,
    CorrectionKind,
    ExecutionMode,
    Fill,
    FillCorrection,
    Order,
    OrderStatus,
    OrderType,
    Position,
    TimeInForce,
)
from mts1b_foundation.protocols import AccountSnapshot, DedupePolicy, VenueCard

T = TypeVar("T")
_BEGIN = datetime(2000, 1, 1, tzinfo=UTC)
_NOTHING = Decimal(0)
_CENT = Decimal("0.01")
_TERMS = (
    *("symbol", "side", "quantity", "order_type", "limit_price", "stop_price", "tif"),
    *("fund_id", "strategy_id", "reduce_only"),
)
_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG)


@dataclass(frozen=True)
class Traits:
    """What one exemplar promises."""

    dedupe: DedupePolicy = DedupePolicy.PERMANENT
    window_s: float | None = None
    lag_s: float = 0.0
    history_s: float | None = None
    types: tuple[OrderType, ...] = tuple(OrderType)
    tifs: tuple[TimeInForce, ...] = tuple(TimeInForce)
    changes_id: bool = False
    rate: float | None = None
    burst: int = 12
    dead_man_max_s: float | None = 60.0


@dataclass
class Entry:
    """One order at the venue."""

    order: Order
    first: Order
    arrived: datetime
    shown_at: datetime
    triggered: bool = False
    day: date | None = None


@dataclass
class Holding:
    """One symbol's position, folded from its fills."""

    quantity: Decimal = _NOTHING
    average: Decimal = _NOTHING
    realized: Decimal = _NOTHING

    def book(self, signed: Decimal, price: Decimal) -> None:
        """Add a signed quantity at a price."""
        held, left = self.quantity, self.quantity + signed
        if held * signed >= 0:
            self.average = (held * self.average + signed * price) / left
        else:
            closed = min(abs(held), abs(signed)) * (1 if held > 0 else -1)
            self.realized += closed * (price - self.average)
            self.average = self.average if left * held > 0 else price
        self.quantity = left


class Account:
    """The venue's side: it outlives every client."""

    name = "exemplar"

    def __init__(self, traits: Traits) -> None:
        self.traits = traits
        self.entries: list[Entry] = []
        self.fills: list[tuple[Fill, datetime]] = []
        self.corrections: list[FillCorrection] = []
        self.marks: dict[str, Bar] = {}
        self.now = _BEGIN
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

    def shown_from(self, moment: datetime) -> datetime:
        """Return from when on something of this moment is shown."""
        return moment + timedelta(seconds=0.9 * self.traits.lag_s)

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

    # Books

    def standing(self) -> list[Fill]:
        """Return the fills as they are corrected."""
        found = {fill.fill_id: fill for fill, _ in self.fills}
        for one in self.corrections:
            if one.kind is CorrectionKind.BUST:
                found.pop(one.fill_id, None)
                continue
            stated = {"quantity": one.quantity, "price": one.price, "fees": one.fees}
            changes = {name: value for name, value in stated.items() if value is not None}
            found[one.fill_id] = found[one.fill_id].with_(**changes)
        return list(found.values())

    def cash(self) -> Decimal:
        """Return cash after every fill that stands."""
        paid = (-fill.signed_quantity * fill.price - fill.fees for fill in self.standing())
        return Decimal(1_000_000) + sum(paid, _NOTHING)

    def holdings(self) -> dict[str, Holding]:
        """Return the position of each symbol."""
        held: dict[str, Holding] = {}
        for fill in self.standing():
            held.setdefault(fill.symbol, Holding()).book(fill.signed_quantity, fill.price)
        return held

    def held(self, symbol: str) -> Decimal:
        """Return the signed quantity of one symbol."""
        return self.holdings().get(symbol, Holding()).quantity

    def positions(self) -> list[Position]:
        """Return what is not flat, by symbol."""
        rows = sorted(self.holdings().items())
        return [self.position(symbol, one) for symbol, one in rows if one.quantity]

    def position(self, symbol: str, holding: Holding) -> Position:
        """Return one row."""
        last = self.marks[symbol].close
        return Position.model_validate(
            {
                "symbol": symbol,
                "quantity": holding.quantity,
                "average_price": holding.average,
                "last_price": last,
                "market_value_usd": holding.quantity * last,
                "realized_pnl_usd": holding.realized,
                "unrealized_pnl_usd": holding.quantity * (last - holding.average),
                "as_of": self.now,
            }
        )

    def correct(self, fill_id: str, kind: CorrectionKind, **stated: Decimal) -> None:
        """Correct an execution; one that was taken back stays so."""
        if not any(fill.fill_id == fill_id for fill in self.standing()):
            raise ValueError(f"no execution {fill_id} stands")
        order_id = next(fill.order_id for fill, _ in self.fills if fill.fill_id == fill_id)
        self.corrections.append(
            FillCorrection.model_validate(
                {
                    "correction_id": f"C-{len(self.corrections) + 1}",
                    "fill_id": fill_id,
                    "order_id": order_id,
                    "kind": kind,
                    "venue": self.name,
                    "timestamp": self.now,
                    **stated,
                }
            )
        )

    def told(self, cursor: str | None) -> tuple[list[Fill], str]:
        """Return the fills that are shown after a cursor, and the new cursor."""
        start = self.place(cursor, len(self.fills))
        end = start
        while end < len(self.fills) and self.fills[end][1] <= self.now:
            end += 1
        return [fill for fill, _ in self.fills[start:end] if self.is_recent(fill)], str(end)

    def is_recent(self, fill: Fill) -> bool:
        """Tell whether the history still reaches back to a fill."""
        limit = self.traits.history_s
        return limit is None or (self.now - fill.timestamp).total_seconds() <= limit

    @staticmethod
    def place(cursor: str | None, last: int) -> int:
        """Return where a cursor stands."""
        if cursor is None:
            return 0
        if cursor.isdecimal() and int(cursor) <= last:
            return int(cursor)
        raise ValueError(f"cursor {cursor!r} is not of this account")


class Exemplar:
    """A sandbox: one account with its desk, its screen and its wire."""

    def __init__(self, traits: Traits | None = None) -> None:
        self.account = Account(traits or Traits())
        self.is_cut, self.loses = False, ""

    def connect(self) -> Client:
        """Return a new client."""
        return Client(self)

    async def bust(self, fill_id: str) -> None:
        """Take an execution back."""
        self.account.correct(fill_id, CorrectionKind.BUST)

    async def amend(self, fill_id: str, *, quantity: Decimal, price: Decimal) -> None:
        """Correct an execution."""
        self.account.correct(fill_id, CorrectionKind.AMEND, quantity=quantity, price=price)

    async def charge(self, fill_id: str, *, fees: Decimal) -> None:
        """Correct the fees of an execution."""
        self.account.correct(fill_id, CorrectionKind.FEE, fees=fees)

    async def enter(self, order: Order) -> None:
        """Enter an order by hand."""
        self.account.submit(order)

    def cut(self) -> None:
        """Cut the wire."""
        self.is_cut = True

    def mend(self) -> None:
        """Mend it."""
        self.is_cut = False

    def lose_request(self) -> None:
        """Lose the next call."""
        self.loses = "request"

    def lose_answer(self) -> None:
        """Lose the answer to the next call."""
        self.loses = "answer"


class Client:
    """The adapter's side: it ends with its process."""

    name = "exemplar"

    def __init__(self, sandbox: Exemplar) -> None:
        self._sandbox, self._account = sandbox, sandbox.account
        self._closed = False
        self._news = asyncio.Condition()

    async def _call(self, act: Callable[[], T]) -> T:
        """Carry a call to the venue and its answer back."""
        await asyncio.sleep(0)
        sandbox = self._sandbox
        if self._closed or sandbox.is_cut or sandbox.loses == "request":
            sandbox.loses = ""
            raise ConnectionError("the venue can not be reached")
        answer = act()
        await asyncio.sleep(0)
        if sandbox.loses == "answer":
            sandbox.loses = ""
            raise TimeoutError("no answer came")
        return answer

    def capabilities(self) -> VenueCard:
        """Return the card."""
        traits = self._account.traits
        return VenueCard(
            venue=self.name,
            dedupe=traits.dedupe,
            dedupe_window_s=traits.window_s,
            visibility_lag_s=traits.lag_s,
            fill_history_s=traits.history_s,
            order_types=traits.types,
            tifs=traits.tifs,
            replaces=True,
            replace_changes_id=traits.changes_id,
            cancels_all=True,
            corrects=True,
            dead_man_max_s=traits.dead_man_max_s,
            orders_per_s=traits.rate,
        )

    def set_time(self, now: datetime) -> None:
        """Tell the time."""
        self._account.set_time(now)

    async def submit(self, order: Order) -> Order:
        """Submit an order."""
        return await self._call(lambda: self._account.submit(order))

    async def cancel(self, order_id: str) -> bool:
        """Cancel an order."""
        return await self._call(lambda: self._account.cancel(order_id))

    async def cancel_all(self) -> list[str]:
        """Cancel all orders."""
        return await self._call(self._account.cancel_all)

    async def replace(
        self, order_id: str, *, quantity: Decimal, limit_price: Decimal | None
    ) -> Order:
        """Replace an order."""
        return await self._call(lambda: self._account.replace(order_id, quantity, limit_price))

    async def cancel_all_after(self, seconds: float) -> None:
        """Set the dead-man timer."""
        await self._call(lambda: self._account.arm(seconds))

    def _listed(self) -> list[Order]:
        entries, now = self._account.open_entries(), self._account.now
        return [one.order for one in entries if one.shown_at <= now]

    async def get_open_orders(self) -> list[Order]:
        """List what works and is shown."""
        return await self._call(self._listed)

    async def get_order_by_key(self, idempotency_key: str) -> Order | None:
        """Find an order by its key."""
        entry = await self._call(lambda: self._account.by_key(idempotency_key))
        shown = entry is not None and entry.shown_at <= self._account.now
        return entry.order if entry is not None and shown else None

    async def get_positions(self) -> list[Position]:
        """List positions."""
        return await self._call(self._account.positions)

    def _snapshot(self) -> AccountSnapshot:
        account = self._account
        rows = tuple(account.positions())
        return AccountSnapshot(
            account=self.name, cash_usd=account.cash(), positions=rows, as_of=account.now
        )

    async def account_snapshot(self) -> AccountSnapshot:
        """State cash and positions."""
        return await self._call(self._snapshot)

    async def fills_since(self, cursor: str | None) -> tuple[list[Fill], str]:
        """Tell fills after a cursor."""
        return await self._call(lambda: self._account.told(cursor))

    async def corrections_since(self, cursor: str | None) -> tuple[list[FillCorrection], str]:
        """Tell corrections after a cursor."""
        found = self._account.corrections
        start = self._account.place(cursor, len(found))
        return await self._call(lambda: (found[start:], str(len(found))))

    async def stream_fills(self) -> AsyncIterator[Fill]:
        """Tell every fill, then each new one."""
        place = 0
        while True:
            while place < len(self._account.fills):
                place += 1
                yield self._account.fills[place - 1][0]
            async with self._news:
                while not self._closed and place == len(self._account.fills):
                    await self._news.wait()
            if place == len(self._account.fills):
                return

    async def on_bars(self, bars: Sequence[Bar]) -> None:
        """Let the market move."""
        self._account.on_bars(bars)
        await self._tell()

    async def close(self) -> None:
        """End this client."""
        self._closed = True
        await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()
