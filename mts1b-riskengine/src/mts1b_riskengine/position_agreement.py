"""Compare positions with the OMS: events that a restored record forgot were told all the same.

Events that are told in another order than they happened leave a difference too, where one of them
is a split: a transfer before it is not one after it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from mts1b_foundation import Symbol
from mts1b_foundation.commands import BookQuery, BookReply
from mts1b_platform.eventbus.port import BusError

from mts1b_riskengine.engine import RiskEngine
from mts1b_riskengine.positions import UNASSIGNED

__all__ = ["PositionAgreement"]

_LOOKS = 3
"""A difference that stays to the unit for so many looks is none that an event on its way ends."""

Key = tuple[str, str, Symbol]
Ask = Callable[[BookQuery], Awaitable[BookReply]]
Odd = tuple[Decimal, Decimal]
"""What is held here, and what the OMS has."""


class PositionAgreement:
    """Take over positions of the OMS that differ from those here, look after look.

    Books that differ from the venue's, or that lack what a restored record has lost, say nothing,
    and the looks begin anew. Without an answer, or with events unread, there is no look.

    :param ask: asks the running OMS.
    :param has_read_all: tells whether every event of the OMS has had its effect here.
    """

    def __init__(
        self,
        engine: RiskEngine,
        ask: Ask,
        *,
        has_read_all: Callable[[], Awaitable[bool]],
        log: Any,
    ) -> None:
        self._engine = engine
        self._ask = ask
        self._has_read_all = has_read_all
        self._log = log
        self._seen: dict[Key, tuple[Odd, int]] = {}

    async def look(self) -> tuple[str, ...]:
        """Compare once; return the positions that follow the OMS now."""
        try:
            book = await self._ask(BookQuery())
            if not await self._has_read_all():
                return ()
        except BusError:
            return ()
        seen: dict[Key, tuple[Odd, int]] = {}
        for key, odd in (self._odd_in(book) if book.complete else {}).items():
            before, times = self._seen.get(key, (odd, 0))
            seen[key] = (odd, times + 1 if before == odd else 1)
        self._seen = seen
        settled = [(key, odd) for key, (odd, times) in seen.items() if times >= _LOOKS]
        return tuple([name for key, odd in settled if (name := await self._agree(key, odd))])

    def _odd_in(self, book: BookReply) -> dict[Key, Odd]:
        theirs: dict[Key, Decimal] = {}
        for one in book.positions:
            if one.fund_id is not None and one.strategy_id is not None:
                theirs[one.fund_id, one.strategy_id, one.symbol] = one.quantity
        ours = {
            key: quantity
            for key, quantity in self._engine.book.positions.quantities().items()
            if key[0] != UNASSIGNED
        }
        nothing = Decimal(0)
        pairs = {key: (ours.get(key, nothing), theirs.get(key, nothing)) for key in ours | theirs}
        return {key: odd for key, odd in sorted(pairs.items()) if odd[0] != odd[1]}

    async def _agree(self, key: Key, odd: Odd) -> str:
        held, has = odd
        fund_id, strategy_id, symbol = key
        whose = (fund_id, strategy_id)
        if not await self._engine.agree_on_position(whose, symbol, held=held, has=has):
            return ""
        self._log.error(
            "risk and the OMS differed on a position, as after restoring a backup: what the OMS "
            "has counts",
            position="/".join(key),
            held=str(held),
            has=str(has),
        )
        return "/".join(key)
