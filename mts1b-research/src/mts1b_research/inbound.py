"""Act on signals from outside: each once, whatever stops in between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from mts1b_foundation.orders import Order
from mts1b_foundation.signals import Signal
from mts1b_platform.clock import Clock
from mts1b_platform.eventbus.port import BusError
from mts1b_platform.store import Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_research.history import BarHistory
from mts1b_research.runner import ReadBook, Sleeve, StrategyRunner
from mts1b_research.strategies.webhook import Webhook
from mts1b_research.tables import inbound

__all__ = ["InboundSignals"]

_LOOK_S = 0.25


class InboundSignals:
    """Take signals in with the pump's transaction, and trade them one after another.

    A plan is on record before its first order is sent, so a signal that was interrupted is
    finished as it was decided; the OMS takes each of its orders once.

    :param turn: held while a signal is decided and sent; see :class:`LiveBars`.
    """

    def __init__(
        self,
        store: Store,
        history: BarHistory,
        runner: StrategyRunner,
        sleeves: Sequence[Sleeve],
        *,
        read_book: ReadBook,
        clock: Clock,
        turn: asyncio.Lock,
        report: Any,
    ) -> None:
        self._store = store
        self._history = history
        self._runner = runner
        self._read_book = read_book
        self._clock = clock
        self._turn = turn
        self._report = report
        self._sleeves = {
            sleeve.strategy.strategy_id: sleeve
            for sleeve in sleeves
            if isinstance(sleeve.strategy, Webhook)
        }
        self._arrived = asyncio.Event()

    @property
    def wanted(self) -> bool:
        """Return whether any strategy trades such signals."""
        return bool(self._sleeves)

    async def take(self, tx: AsyncConnection, signal: Signal) -> None:
        """Put a signal down, to be traded once the transaction is committed."""
        if signal.strategy not in self._sleeves:
            return  # of a strategy that is off: operations has it on record
        row = {"signal_id": signal.signal_id, "payload": signal.model_dump_json(), "done": False}
        known = self._store.insert(inbound).values(**row).on_conflict_do_nothing()
        await tx.execute(known)  # by its id: the bus knows it by that of its message
        self._arrived.set()

    async def run(self) -> None:
        """Trade what has arrived, for ever."""
        while True:
            await self.work()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):  # what arrived may not be committed yet
                    await self._arrived.wait()
            self._arrived.clear()

    async def work(self) -> int:
        """Trade every signal that is not done; return how many there were.

        An OMS that does not answer, or refuses, is asked again; until then the later signals of
        that strategy wait, in their order, and those of others do not.
        """
        waiting = sa.select(inbound).where(sa.not_(inbound.c.done)).order_by(inbound.c.number)
        async with self._store.read() as connection:
            rows = (await connection.execute(waiting)).all()
        waits: set[str] = set()
        for row in rows:
            signal = Signal.model_validate_json(row.payload)
            if signal.strategy in waits:
                continue
            try:
                async with self._turn:
                    await self._trade(signal)
            except BusError as error:
                waits.add(signal.strategy)
                self._report.error(
                    "signal waits for the OMS", strategy=signal.strategy, error=str(error)
                )
                continue
            async with self._store.transaction() as tx:
                await tx.execute(
                    inbound.update().where(inbound.c.number == row.number).values(done=True)
                )
        return len(rows)

    async def _trade(self, sent: Signal) -> list[Order]:
        sleeve = self._sleeves.get(sent.strategy)
        if sleeve is None or not isinstance(sleeve.strategy, Webhook):
            return []
        sent = sent.with_(fund_id=sleeve.fund_id)
        now = self._clock.now()
        view = (
            self._history.view((sent.symbol,), now, 1) if self._history.knows(sent.symbol) else None
        )
        if view is not None and view.bars_seen == 0:
            view = None
        objection = sleeve.strategy.objection(view, sent, now)
        now = await self._runner.own_moment(sleeve.strategy.strategy_id, now)
        if view is None or objection is not None:
            return await self._runner.refuse(sleeve, sent, now, *(objection or ("", "")))
        book = await self._read_book(sleeve.fund_id, sleeve.strategy.strategy_id)
        return await self._runner.trade(sleeve, sleeve.strategy.answer(view, sent), book, now)
