"""Act on bars as they come, where no replay says when."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from mts1b_foundation.market_data import Bar
from mts1b_foundation.risk import ActiveHalt
from mts1b_foundation.time import interval_length
from mts1b_platform.clock import Clock
from mts1b_platform.config import Settings
from mts1b_platform.eventbus.port import BusError

from mts1b_research.errors import StrategyConfigError, StrategyFailed
from mts1b_research.history import BarHistory
from mts1b_research.runner import ReadBook, Sleeve, StrategyRunner
from mts1b_research.strategies.webhook import Webhook

__all__ = ["LiveBars", "interval_of"]

_LOOK_S = 0.1
_REST_LOOKS = 10
"""How many looks a strategy rests that the OMS refused: it would be asked ten times a second."""
_LONGEST = "1d"
_NEVER = datetime.min.replace(tzinfo=UTC)


def interval_of(settings: Settings) -> str | None:
    """Return the interval of the bars that the enabled strategies act on; None for no such one.

    :raises StrategyConfigError: when they ask for different ones: a history holds one.
    """
    asked = {
        entry.interval: entry.strategy_id
        for entry in settings.strategies
        if entry.enabled and entry.kind != Webhook.kind
    }
    if len(asked) > 1:
        said = ", ".join(f"{name} reads {interval}" for interval, name in sorted(asked.items()))
        raise StrategyConfigError(
            f"{said}: bars of one interval are kept in a home; give the others a home of their own"
        )
    return next(iter(asked), None)


class LiveBars:
    """Let every strategy act once on each end of bars of which all of its symbols have one.

    It waits until the OMS has struck a NAV at that end, so that a decision knows the fills and the
    prices of its own bar. A bar is left alone when a newer one has overtaken it, or when it ended
    more than one interval ago: nobody trades at its prices any more.

    While a halt asks for it, every strategy leaves its positions: at once, by the newest bars of
    any symbol, and what is still held then at each newer one. A symbol of its own that has no bars
    (any more) does not keep it in the others, nor does that it has acted on the newest bars.

    :param interval: of all bars in ``history``; None where no strategy acts on bars, and any will
        do to leave a position.
    :param retired: returns the sleeves of strategies that are off or gone and hold something.
    :param turn: held while a strategy decides and sends; signals from outside take it too.
    :param report: a logger.
    """

    def __init__(
        self,
        history: BarHistory,
        runner: StrategyRunner,
        sleeves: Sequence[Sleeve],
        *,
        interval: str | None,
        read_book: ReadBook,
        clock: Clock,
        turn: asyncio.Lock,
        report: Any,
        retired: Callable[[], Sequence[Sleeve]] = tuple,
    ) -> None:
        self._history = history
        self._runner = runner
        self._sleeves = tuple(sleeves)
        self._retired = retired
        self._read_book = read_book
        self._clock = clock
        self._turn = turn
        self._report = report
        self._interval, self._lasts = interval, interval_length(interval or _LONGEST)
        self._acted: dict[str, datetime] = {}
        self._left: dict[str, tuple[str, datetime]] = {}
        self._resting: dict[str, int] = {}
        self._arrived = asyncio.Event()

    def wants(self, bar: Bar) -> bool:
        """Return whether a bar belongs into the history, and look there soon."""
        if self._interval in (None, bar.interval):
            self._arrived.set()
            return True
        self._report.warning(
            "bar of another interval left alone",
            symbol=str(bar.symbol),
            interval=bar.interval,
            wanted=self._interval,
        )
        return False

    async def run(self) -> None:
        """Act for ever."""
        while True:
            await self.work()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):  # what arrived may not be committed yet
                    await self._arrived.wait()
            self._arrived.clear()

    async def work(self) -> int:
        """Let every strategy act that is to act now; return how many orders were sent.

        What goes wrong for one keeps none of the others from acting. An OMS that does not answer,
        or refuses, is asked again a second later; a strategy that fails is left until its next
        bars.
        """
        sent = 0
        for sleeve in (*self._sleeves, *self._retired()):
            strategy_id = sleeve.strategy.strategy_id
            if self._rests(strategy_id):
                continue
            try:
                sent += await self._act(sleeve)
            except BusError as error:
                self._resting[strategy_id] = _REST_LOOKS
                self._report.error("bars wait for the OMS", strategy=strategy_id, error=str(error))
            except StrategyFailed as error:
                self._report.error("strategy failed", strategy=strategy_id, error=str(error))
        return sent

    def _rests(self, strategy_id: str) -> bool:
        """Return whether the OMS has just refused a strategy, or not answered it."""
        left = self._resting.pop(strategy_id, 0)
        if left > 1:
            self._resting[strategy_id] = left - 1
        return left > 0

    async def _act(self, sleeve: Sleeve) -> int:
        # A bar stamped ahead of the clock waits; as the newest it would hold up all before it.
        now, sent = self._clock.now(), 0
        halt = self._runner.leaves(sleeve)
        if halt is not None:
            sent += await self._leave(sleeve, halt, self._history.newest(now))
        shared = self._history.latest(sleeve.strategy.symbols, now)
        return sent + await self._once(sleeve, shared)

    async def _leave(self, sleeve: Sleeve, halt: ActiveHalt, end: datetime | None) -> int:
        """Leave what is held, once for a halt and again at each newer bar of any symbol."""
        strategy_id = sleeve.strategy.strategy_id
        if end is None or self._left.get(strategy_id) == (halt.halt_id, end):
            return 0
        async with self._turn:
            book = await self._read_book(sleeve.fund_id, strategy_id)
            if book.as_of is None or book.as_of < end:
                return 0
            sent = await self._runner.leave(sleeve, halt, end, self._clock.now())
        self._left[strategy_id] = (halt.halt_id, end)
        return sent

    async def _once(self, sleeve: Sleeve, end: datetime | None) -> int:
        """Let a strategy act on the bars that end at ``end``, unless it has."""
        done = self._acted
        strategy_id = sleeve.strategy.strategy_id
        if end is None or end <= done.get(strategy_id, _NEVER):
            return 0
        if self._clock.now() - end > self._lasts:
            done[strategy_id] = end
            self._report.warning(
                "bars came too late to act on", strategy=strategy_id, ended=str(end)
            )
            return 0
        async with self._turn:
            book = await self._read_book(sleeve.fund_id, strategy_id)
            if book.as_of is None or book.as_of < end:
                return 0
            try:
                sent = await self._runner.act(sleeve, end)
            except StrategyFailed:
                done[strategy_id] = end
                raise
        done[strategy_id] = end
        return sent
