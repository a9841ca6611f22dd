"""Run the strategies on one bar: decide once, write it down, then send."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa
from mts1b_foundation.nats import (
    RESEARCH_INTENTS_DECIDED,
    RESEARCH_SIGNALS_PUBLISHED,
    with_fund,
)
from mts1b_foundation.orders import Order
from mts1b_foundation.risk import ActiveHalt
from mts1b_foundation.signals import IntentDecision, Signal
from mts1b_foundation.symbology import Symbol
from mts1b_platform.eventbus.port import RemoteError
from mts1b_platform.ids import derive_id
from mts1b_platform.store import Store
from pydantic import TypeAdapter

from mts1b_research.errors import StrategyFailed
from mts1b_research.fence import fenced
from mts1b_research.history import BarHistory
from mts1b_research.pipeline import IntentPipeline, Work
from mts1b_research.strategy import MarketView, Strategy, StrategyBook, flat_signal
from mts1b_research.tables import plans

__all__ = ["ReadBook", "Sleeve", "StrategyRunner"]

_ORDERS = TypeAdapter(list[Order])
Submit = Callable[[Order], Awaitable[Order]]
ReadBook = Callable[[str, str], Awaitable[StrategyBook]]
HaltOf = Callable[[str, str], ActiveHalt | None]


@dataclass(frozen=True, slots=True)
class Sleeve:
    """One strategy in one fund, with the pipeline that trades it."""

    strategy: Strategy
    pipeline: IntentPipeline

    @property
    def fund_id(self) -> str:
        """Return the fund that the strategy trades for."""
        return self.pipeline.mandate.fund_id


class StrategyRunner:
    """Run sleeves against bars.

    A plan (the signals and the orders that follow) is committed before the first order is sent.
    After a crash the plan is sent again as it was, so that a half-sent decision is finished and
    never made anew from a book that it has already changed.

    While a halt of a fund lets reduce-only orders pass, its sleeves leave their positions; what
    they want otherwise goes to risk as ever, which denies it.
    """

    def __init__(
        self,
        store: Store,
        history: BarHistory,
        sleeves: Sequence[Sleeve],
        *,
        submit: Submit,
        read_book: ReadBook,
        halt_of: HaltOf,
    ) -> None:
        self._store = store
        self._history = history
        self._sleeves = tuple(sleeves)
        self._submit = submit
        self._read_book = read_book
        self._halt_of = halt_of
        self._resumed: set[str] = set()

    async def on_bar(self, as_of: datetime) -> int:
        """Let every sleeve act on the bars that end at ``as_of``; return the orders sent."""
        sent = 0
        for sleeve in self._sleeves:
            sent += await self.act(sleeve, as_of)
        return sent

    async def act(self, sleeve: Sleeve, as_of: datetime) -> int:
        """Let one sleeve act on the bars that end at ``as_of``; return the orders sent.

        :raises StrategyFailed: when the strategy could not decide; nothing is on record then.
        """
        strategy = sleeve.strategy
        seen = self._history.bars_seen(strategy.symbols, as_of)
        halt = self.leaves(sleeve)
        if seen == 0 and halt is None:
            return 0
        acts = halt is not None or _is_due(strategy, seen)
        # After a restart a plan may be half sent although nothing calls for one any more.
        if not acts and strategy.strategy_id in self._resumed:
            return 0
        plan_id = derive_id("plan", strategy.strategy_id, as_of.isoformat())
        orders = await self._known_plan(plan_id)
        if orders is None:
            orders = await self._new_plan(plan_id, sleeve, as_of, seen, halt) if acts else []
        await self._send(orders)
        self._resumed.add(strategy.strategy_id)
        return len(orders)

    async def leave(self, sleeve: Sleeve, halt: ActiveHalt, end: datetime, now: datetime) -> int:
        """Let a sleeve leave what it holds, once for a halt and the newest bars (``end``).

        What it decided on those bars may be on record, under their end; so this is at ``now``.
        """
        strategy_id = sleeve.strategy.strategy_id
        plan_id = derive_id("plan", strategy_id, "leave", halt.halt_id, end.isoformat())
        orders = await self._known_plan(plan_id)
        if orders is None:
            book = await self._read_book(sleeve.fund_id, strategy_id)
            at = await self.own_moment(strategy_id, now)
            orders = await self._exit_plan(plan_id, sleeve, book, halt, at)
        await self._send(orders)
        return len(orders)

    async def own_moment(self, strategy_id: str, now: datetime) -> datetime:
        """Return ``now``, or just after the last plan: the keys of orders name this moment."""
        last = sa.select(sa.func.max(plans.c.as_of)).where(plans.c.strategy_id == strategy_id)
        async with self._store.read() as connection:
            found: datetime | None = await connection.scalar(last)
        return now if found is None else max(now, found + timedelta(microseconds=1))

    def leaves(self, sleeve: Sleeve) -> ActiveHalt | None:
        """Return the halt that asks a sleeve to leave its positions, None where none does."""
        halt = self._halt_of(sleeve.fund_id, sleeve.strategy.strategy_id)
        return halt if halt is not None and halt.reduce_only_allowed else None

    async def _send(self, orders: Sequence[Order]) -> None:
        """Send the orders of a plan; one that is refused keeps none that reduces from its way.

        :raises RemoteError: the first refusal, once the others are sent.
        """
        refused: RemoteError | None = None
        for order in orders:
            if refused is None or order.reduce_only:
                try:
                    await self._submit(order)
                except RemoteError as error:
                    refused = refused or error
        if refused is not None:
            raise refused

    async def trade(
        self, sleeve: Sleeve, signal: Signal, book: StrategyBook, as_of: datetime
    ) -> list[Order]:
        """Act on one signal from outside, as on those of a bar; return the orders sent."""
        plan_id = derive_id("plan", sleeve.strategy.strategy_id, signal.signal_id)
        orders = await self._known_plan(plan_id)
        if orders is None:
            work = sleeve.pipeline.run([signal], book, as_of)
            await self._record(plan_id, sleeve.strategy.strategy_id, work)
            orders = [planned.order for planned in work.orders]
        await self._send(orders)
        return orders

    async def refuse(
        self, sleeve: Sleeve, signal: Signal, as_of: datetime, code: str, reason: str
    ) -> list[Order]:
        """Record why a signal from outside is left alone; finish it if it was not."""
        plan_id = derive_id("plan", sleeve.strategy.strategy_id, signal.signal_id)
        orders = await self._known_plan(plan_id)
        if orders is None:
            decision = IntentDecision(
                signal_id=signal.signal_id,
                fund_id=sleeve.fund_id,
                strategy_id=sleeve.strategy.strategy_id,
                symbol=signal.symbol,
                outcome=code,
                reason=reason,
                decided_at=as_of,
            )
            book = StrategyBook(Decimal(0), {}, {})
            work = Work([], book, as_of, asked=(signal,), decisions=[decision])
            await self._record(plan_id, sleeve.strategy.strategy_id, work)
        await self._send(orders or [])
        return orders or []

    async def _known_plan(self, plan_id: str) -> list[Order] | None:
        if not self._store.keeps:
            return None
        async with self._store.read() as connection:
            text = await connection.scalar(
                sa.select(plans.c.orders).where(plans.c.plan_id == plan_id)
            )
        return None if text is None else _ORDERS.validate_json(text)

    async def _new_plan(
        self,
        plan_id: str,
        sleeve: Sleeve,
        as_of: datetime,
        seen: int,
        halt: ActiveHalt | None,
    ) -> list[Order]:
        strategy = sleeve.strategy
        book = await self._read_book(sleeve.fund_id, strategy.strategy_id)
        if halt is not None and _holds(book):
            return await self._exit_plan(plan_id, sleeve, book, halt, as_of)
        if seen == 0:
            return []
        work = fenced(
            strategy.strategy_id,
            lambda: _decide(
                sleeve, self._history.view(strategy.symbols, as_of, strategy.history), book, seen
            ),
        )
        if self._store.keeps:
            try:
                await self._record(plan_id, strategy.strategy_id, work)
            except sa.exc.IntegrityError as error:
                raise StrategyFailed(
                    f"strategy {strategy.strategy_id}: an id of its signals was there before; "
                    "each signal needs its own, and each symbol one signal a bar"
                ) from error
        return [planned.order for planned in work.orders]

    async def _exit_plan(
        self,
        plan_id: str,
        sleeve: Sleeve,
        book: StrategyBook,
        halt: ActiveHalt,
        as_of: datetime,
    ) -> list[Order]:
        """Decide to leave what a book holds; nothing is on record where there is nothing to do."""
        left = book.leaving()
        signals = self._exits(sleeve, left, halt, as_of)
        if not signals:
            return []
        work = sleeve.pipeline.run(signals, left, as_of)
        if self._store.keeps:
            await self._record(plan_id, sleeve.strategy.strategy_id, work)
        return [planned.order for planned in work.orders]

    async def _record(self, plan_id: str, strategy_id: str, work: Work) -> None:
        orders = _ORDERS.dump_json([planned.order for planned in work.orders]).decode()
        events = [
            (
                signal.signal_id,
                with_fund(RESEARCH_SIGNALS_PUBLISHED, signal.fund_id or ""),
                signal.model_dump_json().encode(),
            )
            for signal in work.asked
        ]
        events += [
            (
                derive_id("dec", decision.signal_id),
                with_fund(RESEARCH_INTENTS_DECIDED, decision.fund_id),
                decision.model_dump_json().encode(),
            )
            for decision in work.decisions
        ]
        async with self._store.transaction() as tx:
            await tx.execute(
                plans.insert().values(
                    plan_id=plan_id, strategy_id=strategy_id, as_of=work.as_of, orders=orders
                )
            )
            await self._store.outbox.add_many(tx, events)

    def _exits(
        self, sleeve: Sleeve, book: StrategyBook, halt: ActiveHalt, as_of: datetime
    ) -> list[Signal]:
        """Return a flat signal for each position that is not already being closed.

        Whatever the strategy holds is left, also what its configuration does not list any more.
        """
        held = sorted(symbol for symbol in book.positions if book.exposure(symbol) != 0)
        prices = {symbol: self._price(symbol, book, as_of) for symbol in held}
        return [
            flat_signal(
                as_of=as_of,
                price=price,
                strategy_id=sleeve.strategy.strategy_id,
                symbol=symbol,
                thesis=f"leave the position: {halt.scope} is halted ({halt.reason})",
            ).with_(fund_id=sleeve.fund_id)
            for symbol, price in prices.items()
            if price
        ]

    def _price(self, symbol: Symbol, book: StrategyBook, as_of: datetime) -> Decimal | None:
        """Return the last close that is known, or else the last price of the book."""
        close = self._history.last_close(symbol, as_of)
        return book.prices.get(symbol) if close is None else Decimal(repr(close))


def _is_due(strategy: Strategy, seen: int) -> bool:
    return fenced(strategy.strategy_id, lambda: strategy.is_due(seen))


def _decide(sleeve: Sleeve, view: MarketView, book: StrategyBook, seen: int) -> Work:
    """Return what the strategy's code and its pipeline make of a bar."""
    signals = sleeve.strategy.generate_intents(view) if sleeve.strategy.is_due(seen) else []
    signals = [signal.with_(fund_id=sleeve.fund_id) for signal in signals]
    return sleeve.pipeline.run(signals, book, view.as_of)


def _holds(book: StrategyBook) -> bool:
    return any(quantity != 0 for quantity in book.positions.values())
