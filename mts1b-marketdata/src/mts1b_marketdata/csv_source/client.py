"""A source of prices that reads declared CSV files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from mts1b_foundation import Bar, FrozenModel, Quote, Symbol, Trade
from mts1b_platform.clock import Clock, SystemClock
from pydantic import Field, ValidationError

from mts1b_marketdata.csv_source.mapping import CsvFile, CsvKind
from mts1b_marketdata.csv_source.reader import read_bars, read_quotes, read_trades
from mts1b_marketdata.errors import NotOffered, SourceUnknown, SymbolUnknown

__all__ = ["CsvClient", "create"]

T = TypeVar("T", Bar, Quote, Trade)


class _Options(FrozenModel):
    """What ``create`` accepts."""

    bars: CsvFile | None = None
    quotes: CsvFile | None = None
    trades: CsvFile | None = None
    speed: float | None = Field(default=None, gt=0)


def create(options: Mapping[str, Any], *, clock: Clock) -> CsvClient:
    """Return the source that ``options`` (``bars quotes trades speed``) describe.

    :raises SourceUnknown: when an option is unknown or wrong.
    """
    try:
        known = _Options.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SourceUnknown(f"source csv, option {where}: {first['msg']}") from error
    return CsvClient(
        bars=known.bars, quotes=known.quotes, trades=known.trades, speed=known.speed, clock=clock
    )


def _require_zone(**moments: datetime | None) -> None:
    for name, moment in moments.items():
        if moment is not None and moment.tzinfo is None:
            raise ValueError(f"{name} {moment.isoformat()} has no zone; give one, e.g. UTC")


@dataclass
class CsvClient:
    """Give what the files hold. Each file is read once, when it is first asked for.

    :param speed: how many times faster than recorded quotes are streamed; None does not wait.
    """

    name: str = "csv"
    bars: CsvFile | None = None
    quotes: CsvFile | None = None
    trades: CsvFile | None = None
    speed: float | None = None
    clock: Clock = field(default_factory=SystemClock)
    _bars: list[Bar] | None = field(default=None, init=False, repr=False)
    _quotes: list[Quote] | None = field(default=None, init=False, repr=False)
    _trades: list[Trade] | None = field(default=None, init=False, repr=False)

    def _declared(self, kind: CsvKind) -> CsvFile:
        file: CsvFile | None = getattr(self, kind.value)
        if file is None:
            raise NotOffered(
                f"source {self.name} has no file of {kind.value}; give {kind.value}=CsvFile(...)"
            )
        return file

    def _all_bars(self) -> list[Bar]:
        if self._bars is None:
            self._bars = read_bars(self._declared(CsvKind.BARS))
        return self._bars

    def _all_quotes(self) -> list[Quote]:
        if self._quotes is None:
            self._quotes = read_quotes(self._declared(CsvKind.QUOTES))
        return self._quotes

    def _all_trades(self) -> list[Trade]:
        if self._trades is None:
            self._trades = read_trades(self._declared(CsvKind.TRADES))
        return self._trades

    def _of(self, items: list[T], symbol: Symbol) -> list[T]:
        found = [item for item in items if item.symbol == symbol]
        if not found:
            known = ", ".join(sorted({str(item.symbol) for item in items})) or "nothing"
            raise SymbolUnknown(f"source {self.name} has no {symbol}; it has {known}")
        return found

    @property
    def watched_since(self) -> datetime | None:
        """Return when the first quote is: of what was before it the file says nothing."""
        return self._quotes[0].timestamp if self._quotes else None

    async def get_quote(self, symbol: Symbol) -> Quote:
        """Return the last quote of the file.

        :raises NotOffered: when there is no file of quotes.
        :raises SymbolUnknown: when it has none of the symbol.
        """
        return self._of(self._all_quotes(), symbol)[-1]

    async def get_bars(
        self, symbol: Symbol, interval: str, start: datetime, end: datetime | None = None
    ) -> list[Bar]:
        """Return the bars that end in (start, end], oldest first.

        :raises NotOffered: when there is no file of bars, or it has another interval.
        :raises SymbolUnknown: when it has none of the symbol.
        :raises ValueError: for a time without a zone.
        """
        _require_zone(start=start, end=end)
        file = self._declared(CsvKind.BARS)
        if interval != file.interval:
            raise NotOffered(f"{file.path} holds {file.interval} bars, not {interval}")
        bars = self._of(self._all_bars(), symbol)
        return [b for b in bars if start < b.timestamp and (end is None or b.timestamp <= end)]

    async def get_trades(self, symbol: Symbol, asof: datetime) -> list[Trade]:
        """Return the trades up to ``asof``, oldest first.

        :raises NotOffered: when there is no file of trades.
        :raises SymbolUnknown: when it has none of the symbol.
        :raises ValueError: for a time without a zone.
        """
        _require_zone(asof=asof)
        trades = self._of(self._all_trades(), symbol)
        return [trade for trade in trades if trade.timestamp <= asof]

    async def stream_quotes(self, symbols: list[Symbol]) -> AsyncIterator[Quote]:
        """Yield the quotes of ``symbols`` in order of time, then end.

        :raises NotOffered: when there is no file of quotes.
        """
        wanted, last = set(symbols), None
        for quote in self._all_quotes():
            if quote.symbol not in wanted:
                continue
            if self.speed is not None and last is not None:
                await self.clock.sleep((quote.timestamp - last).total_seconds() / self.speed)
            last = quote.timestamp
            yield quote
