"""A run whose state ends with it decides as one that keeps everything in a store."""

import asyncio
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from mts1b_foundation import Fill, Order, OrderStatus, Side, Symbol
from mts1b_foundation.limits import MessageLimits, RiskLimits
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import HaltStore
from mts1b_platform.signing import HmacSigner
from mts1b_platform.store import Store, VolatileStore
from mts1b_riskengine import HaltRecord, RiskBook, RiskEngine, metadata
from riskengine_desk import AT, Desk, make_bar, make_envelope, make_nav, make_order

LIMITS = RiskLimits(
    messages=MessageLimits(strategy_new=8, window_s=30.0),
    buying_power_multiple=Decimal(1),
    duplicate_window_s=2.0,
)
SHIFT = st.tuples(
    st.sampled_from(
        ["buy", "sell", "again", "same key", "part", "end", "late", "old", "nav", "bar"]
    ),
    st.integers(0, 7),
    st.integers(1, 90),
)


class Run:
    """One engine, and the orders that it has approved."""

    def __init__(self, store: Store, home: Path) -> None:
        self.clock = VirtualClock(AT)
        halts = HaltStore(home / "halt")
        engine = RiskEngine(
            store,
            book=RiskBook(store, clock=self.clock, limits=LIMITS),
            signer=HmacSigner(b"k" * 32),
            halts=HaltRecord(halts),
            clock=self.clock,
        )
        self.desk = Desk(home, self.clock, store, halts, engine, None)  # type: ignore[arg-type]
        self.asked: list[Order] = []
        self.open: dict[str, Order] = {}
        self.ended: list[Order] = []
        self.fills = 0

    async def start(self) -> None:
        await self.desk.engine.start()
        await self.desk.engine.seed_envelope(make_envelope(daily_loss_halt_pct=0.2))
        await self.desk.feed(make_bar("AAPL"), make_nav("100000", cash_usd=Decimal(20_000)))

    async def step(self, what: str, which: int, size: int) -> object:
        """Let one thing happen; return what the engine says of it."""
        self.clock.advance(1.0)
        now = self.clock.now()
        match what:
            case "buy" | "sell":
                side = Side.BUY if what == "buy" else Side.SELL
                number = len(self.asked)
                wanted = make_order(number, side=side, quantity=Decimal(size), created_at=now)
                self.asked.append(wanted)
                return await self._ask(wanted)
            case "again" | "same key" if self.asked:
                known = self.asked[which % len(self.asked)]
                if what == "same key":
                    known = known.with_(order_id=f"other-{len(self.asked)}")
                return await self._ask(known)
            case "part" | "end" if self.open:
                order = list(self.open.values())[which % len(self.open)]
                return await (self._fill(order, size) if what == "part" else self._end(order))
            case "late" | "old" if self.ended:
                order = self.ended[which % len(self.ended)]
                if what == "late":
                    return await self._fill(order, size)
                return await self.desk.feed(order.with_(status=OrderStatus.ACCEPTED, version=1))
            case "nav":
                nav = make_nav(str(70_000 + 1000 * size), now, cash_usd=Decimal(200 * size))
                return await self.desk.feed(nav)
            case "bar":
                return await self.desk.feed(make_bar("AAPL", str(size + 50), now))
        return None

    async def _ask(self, order: Order) -> object:
        decision = await self.desk.engine.check(order)
        if decision.approved and order in self.asked and order not in self.ended:
            self.open.setdefault(order.order_id, order)
        return decision

    async def _fill(self, order: Order, size: int) -> None:
        self.fills += 1
        units = max(min(Decimal(size), order.quantity - order.filled_quantity), Decimal(1))
        fill = Fill(
            fill_id=f"f-{self.fills}",
            order_id=order.order_id,
            symbol=Symbol("AAPL"),
            side=order.side,
            quantity=units,
            price=Decimal(100),
            venue="paper",
            timestamp=self.clock.now(),
            fund_id=order.fund_id,
            strategy_id=order.strategy_id,
        )
        await self.desk.feed(fill)
        if order.order_id in self.open:
            filled = order.filled_quantity + units
            self.open[order.order_id] = order.with_(filled_quantity=filled)

    async def _end(self, order: Order) -> None:
        del self.open[order.order_id]
        self.ended.append(order)
        await self.desk.feed(order.with_(status=OrderStatus.CANCELED, version=9))

    def state(self) -> object:
        book = self.desk.book
        lines = {
            key: (line.quantity, line.open_buy, line.open_sell, line.value)
            for key, line in book.positions.of_fund("alpha").lines.items()
        }
        held = {name: book.reservations.get(name) for name in book.reservations.open_ids()}
        fund = book.funds.get("alpha")
        return lines, held, book.cash.get("alpha"), fund.marks, fund.breach


@given(st.lists(SHIFT, min_size=8, max_size=25))
@example([*[("buy", 0, 1)] * 5, ("same key", 0, 1), ("same key", 1, 1), ("same key", 1, 1)])
@settings(max_examples=10, deadline=None)
def test_without_a_store_everything_is_decided_as_with_one(
    shifts: Sequence[tuple[str, int, int]],
) -> None:
    async def scenario(home: Path) -> None:
        kept = await Store.open(home / "r.sqlite", metadata=metadata, name="riskengine")
        runs = [Run(kept, home), Run(VolatileStore("riskengine"), home)]
        for run in runs:
            await run.start()
        for shift in shifts:
            told = [await run.step(*shift) for run in runs]
            assert told[0] == told[1], shift
            assert runs[0].state() == runs[1].state(), shift
        await kept.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(scenario(Path(folder)))
