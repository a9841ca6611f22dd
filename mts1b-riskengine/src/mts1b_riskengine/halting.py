"""Ask operations for the halts that breached loss limits call for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mts1b_foundation import HaltRequest
from mts1b_foundation.commands import HaltReply
from mts1b_platform.store import Store

from mts1b_riskengine.book import RiskBook

__all__ = ["HaltRequester"]

Ask = Callable[[HaltRequest], Awaitable[HaltReply]]


class HaltRequester:
    """Send the halt request of every open breach until operations confirms it.

    The request of one breach always has the same id, so asking again after a crash or a time-out
    leads to one halt. Until it is confirmed the breach itself denies new risk.
    """

    def __init__(self, store: Store, book: RiskBook, ask: Ask) -> None:
        self._store = store
        self._book = book
        self._ask = ask

    async def send_pending(self) -> int:
        """Ask once for every breach without a halt; return how many are in force now.

        :raises NoResponders, RequestTimeout: when operations does not answer; ask again later.
        :raises RemoteError: when operations refuses.
        """
        confirmed = 0
        for fund in self._book.funds.pending():
            if fund.breach is None:
                continue
            halt_id = fund.breach.halt_id
            reply = await self._ask(fund.breach.request(fund.fund_id))
            if reply.active is None:
                continue
            epoch = reply.active.epoch
            async with self._store.transaction() as tx:
                await self._book.sync(tx)
                await self._book.funds.confirm_halt(tx, fund.fund_id, epoch, halt_id=halt_id)
            confirmed += 1
        return confirmed
