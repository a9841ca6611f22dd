"""Positions that no strategy watches: told, and left while a halt asks for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from mts1b_foundation.orders import ExecutionMode
from mts1b_foundation.positions import Position
from mts1b_foundation.signals import Signal
from mts1b_foundation.symbology import Symbol
from mts1b_platform.clock import Clock
from mts1b_platform.config import Settings
from mts1b_platform.eventbus.port import BusError

from mts1b_research.mandates import Mandate
from mts1b_research.pipeline import IntentPipeline
from mts1b_research.runner import Sleeve
from mts1b_research.strategy import MarketView

__all__ = ["Retired", "UnwatchedPositions"]

_LOOK_EVERY_S = 60.0
_SHOWN = 5

Owner = tuple[str, str]
ReadPositions = Callable[[], Awaitable[Sequence[Position]]]


@dataclass(frozen=True, slots=True)
class Retired:
    """Stand for a strategy that is off or gone and still holds something: it wants nothing."""

    kind: ClassVar[str] = "retired"
    symbols: ClassVar[tuple[Symbol, ...]] = ()
    history: ClassVar[int] = 1

    strategy_id: str

    @classmethod
    def configure(
        cls, strategy_id: str, symbols: Sequence[Symbol], params: Mapping[str, Any]
    ) -> Self:
        """Build it; it has neither symbols nor parameters."""
        return cls(strategy_id)

    def is_due(self, bars_seen: int) -> bool:
        """Never act on a bar."""
        return False

    def generate_intents(self, view: MarketView) -> list[Signal]:
        """Return nothing."""
        return []


@dataclass(slots=True)
class UnwatchedPositions:
    """Know what strategies of ours hold and none watches any more.

    A strategy that was turned off or removed gives no signal for what it holds, and neither does
    one for a symbol that was taken from it. Positions of strategies that never traded here, as of
    orders by hand, are not ours to watch.

    :param ours: the strategies that research trades or has traded.
    :ivar found: what is held and not watched.
    :ivar retired: a sleeve for each strategy that is off or gone and holds something, so that a
        halt finds its positions.
    """

    settings: Settings
    sleeves: Sequence[Sleeve]
    ours: Collection[str]
    read_positions: ReadPositions
    clock: Clock
    report: Any
    found: tuple[Position, ...] = ()
    retired: tuple[Sleeve, ...] = ()
    _told: set[tuple[str, str, str]] = field(default_factory=set)

    async def run(self) -> None:
        """Look every minute, for ever."""
        while True:
            try:
                await self.look()
            except BusError as error:
                self.report.warning("positions were not looked at", error=str(error))
            await self.clock.sleep(_LOOK_EVERY_S)

    async def look(self) -> None:
        """Compare what is held with what is watched; tell of each position once."""
        watched = {
            (sleeve.fund_id, sleeve.strategy.strategy_id): set(sleeve.strategy.symbols)
            for sleeve in self.sleeves
        }
        held = [one for one in await self.read_positions() if one.quantity and self._ours(one)]
        self.found = tuple(one for one in held if one.symbol not in watched.get(_owner(one), set()))
        active = {strategy_id for _, strategy_id in watched}
        # One fund at a time: the keys of orders name the strategy alone.
        gone = {owner[1]: owner[0] for owner in map(_owner, self.found) if owner[1] not in active}
        self.retired = tuple(self._sleeve(fund_id, name) for name, fund_id in gone.items())
        for position in self.found:
            self._tell(position)
        self._told &= {_key(one) for one in self.found}

    def _ours(self, position: Position) -> bool:
        return position.strategy_id in self.ours

    def _sleeve(self, fund_id: str, strategy_id: str) -> Sleeve:
        brokers = {entry.fund.fund_id: entry.fund.broker for entry in self.settings.funds}
        return Sleeve(
            Retired(strategy_id),
            IntentPipeline(
                Mandate(strategy_id, fund_id, frozenset()),
                mode=ExecutionMode(self.settings.mode),
                broker=brokers.get(fund_id, "paper"),
                lots={one.symbol: one.lot_size for one in self.settings.instruments},
            ),
        )

    def _tell(self, position: Position) -> None:
        if _key(position) in self._told:
            return
        self._told.add(_key(position))
        self.report.warning(
            "position that no strategy watches", held=_words(position), remedy=_remedy(position)
        )

    def health(self) -> str:
        """Return ``ok``, or the positions with what closes them."""
        if not self.found:
            return "ok"
        told = [f"{_words(one)}, close with `{_remedy(one)}`" for one in self.found[:_SHOWN]]
        more = len(self.found) - len(told)
        return f"no strategy watches {'; '.join(told)}{f'; and {more} more' if more else ''}"


def _owner(position: Position) -> Owner:
    return position.fund_id or "", position.strategy_id or ""


def _key(position: Position) -> tuple[str, str, str]:
    return (*_owner(position), str(position.symbol))


def _words(position: Position) -> str:
    return f"{position.quantity} {position.symbol} of {'/'.join(_owner(position))}"


def _remedy(position: Position) -> str:
    """Return the command that closes a position by hand."""
    fund_id, strategy_id = _owner(position)
    side = "sell" if position.quantity > 0 else "cover"
    return (
        f"mts oms submit --symbol {position.symbol} --side {side} "
        f"--quantity {abs(position.quantity)} --fund {fund_id} --strategy {strategy_id} "
        "--reduce-only --operator YOU --key KEY"
    )
