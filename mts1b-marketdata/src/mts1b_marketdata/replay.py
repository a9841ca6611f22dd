"""Recorded bars as ticks: what ended at one moment, moment by moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mts1b_foundation import Bar, Symbol
from mts1b_platform.ids import derive_id

from mts1b_marketdata.dataset import BarDataset, BarFile, open_dataset
from mts1b_marketdata.errors import DatasetChanged, DatasetMissing, PriceTooSmall
from mts1b_marketdata.sanity import bar_defects

if TYPE_CHECKING:
    import polars as pl
    from mts1b_platform.config import ReplaySettings

__all__ = ["ReplayFeed", "ReplayTick", "exact"]

_STEP = Decimal("0.000001")
_SMALL = 0.001
_MOST_MOVED = 0.001


def exact(value: float) -> Decimal:
    """Return the shortest decimal that reads as ``value``, with at most six decimals."""
    number = Decimal(repr(value))
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -6:
        return number.quantize(_STEP)
    return number


@dataclass(frozen=True, slots=True)
class ReplayTick:
    """The bars that ended at ``as_of``, by symbol; ``tick`` counts from 0."""

    tick: int
    as_of: datetime
    bars: tuple[Bar, ...]


class ReplayFeed:
    """Yield the bars of several symbols in order of time, one tick for each distinct bar end.

    Files are proven against their manifest when the feed is opened, once.
    """

    def __init__(
        self, dataset: BarDataset, rows: dict[datetime, list[tuple[str, tuple[float, ...]]]]
    ) -> None:
        self.dataset = dataset
        self._rows = rows
        self._moments = sorted(rows)

    @classmethod
    def open(
        cls,
        home: Path,
        *,
        dataset: str,
        symbols: tuple[str, ...] = (),
        interval: str = "1d",
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> ReplayFeed:
        """Read the bars of ``symbols`` (none named: all) that end in [start, end].

        :raises DatasetMissing: when the lake has no such dataset, symbol, interval or time.
        :raises DatasetChanged: when a file is not the one in the manifest, or not in order.
        """
        found = open_dataset(home, dataset)
        if found.interval != interval:
            raise DatasetMissing(
                f"dataset {dataset!r} holds {found.interval} bars, not {interval}; "
                "set replay.interval, or import the other ones"
            )
        rows: dict[datetime, list[tuple[str, tuple[float, ...]]]] = {}
        for file in found.select(symbols):
            frame = found.read(file, start=start, end=end)
            _require_order(found, file, frame)
            for moment, *values in frame.select(
                "timestamp", "open", "high", "low", "close", "volume"
            ).iter_rows():
                rows.setdefault(moment.astimezone(UTC), []).append((str(file.symbol), (*values,)))
        if not rows:
            raise DatasetMissing(
                f"dataset {dataset!r} holds no bar between {start} and {end}; "
                "widen replay.start and replay.end"
            )
        return cls(found, rows)

    @classmethod
    def from_settings(cls, home: Path, settings: ReplaySettings) -> ReplayFeed:
        """Open the feed that ``settings.replay`` names."""
        return cls.open(
            home,
            dataset=settings.dataset,
            symbols=tuple(settings.symbols),
            interval=settings.interval,
            start=settings.start,
            end=settings.end,
        )

    @property
    def total(self) -> int:
        """Return the number of ticks."""
        return len(self._moments)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the symbols that have a bar, sorted."""
        return tuple(sorted({symbol for rows in self._rows.values() for symbol, _ in rows}))

    @property
    def run_id(self) -> str:
        """Return an id of exactly this tape: same data, symbols and period, same id."""
        first, last = self._moments[0], self._moments[-1]
        return derive_id(
            "run",
            self.dataset.sha256,
            self.dataset.interval,
            ",".join(self.symbols),
            first.isoformat(),
            last.isoformat(),
        )

    def as_of(self, tick: int) -> datetime:
        """Return the time of a tick."""
        return self._moments[tick]

    def ticks(self, first: int = 0) -> Iterator[ReplayTick]:
        """Yield the ticks from ``first`` on.

        :raises DatasetChanged: when a bar's numbers are not those of a bar.
        """
        for tick in range(first, self.total):
            moment = self._moments[tick]
            bars = tuple(
                _bar(symbol, self.dataset.interval, moment, values)
                for symbol, values in self._rows[moment]
            )
            yield ReplayTick(tick, moment, bars)


def _require_order(dataset: BarDataset, file: BarFile, frame: pl.DataFrame) -> None:
    where = f"{dataset.directory / file.path}"
    if frame.null_count().sum_horizontal().item():
        raise DatasetChanged(f"{where} holds empty cells; import {file.symbol} again")
    if not frame["timestamp"].is_sorted() or frame["timestamp"].n_unique() != frame.height:
        raise DatasetChanged(
            f"{where} is not sorted by time, or a time occurs twice; import {file.symbol} again"
        )


def _bar(symbol: str, interval: str, moment: datetime, values: tuple[Any, ...]) -> Bar:
    opened, high, low, close, volume = (exact(value) for value in values)
    if values[2] < _SMALL:
        _require_places(symbol, moment, values[:4])
    defects = bar_defects(opened=opened, high=high, low=low, close=close, volume=volume)
    if defects:
        raise DatasetChanged(
            f"the bar of {symbol} at {moment.isoformat()} is unfit "
            f"({', '.join(defects)}): open {opened}, high {high}, low {low}, close {close}, "
            f"volume {volume}; import {symbol} again"
        )
    return Bar(
        symbol=Symbol(symbol),
        interval=interval,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
        timestamp=moment,
    )


def _require_places(symbol: str, moment: datetime, prices: tuple[float, ...]) -> None:
    """Refuse prices of which six decimals say something else."""
    for price in prices:
        if abs(float(exact(price)) - price) > _MOST_MOVED * abs(price):
            raise PriceTooSmall(
                f"{symbol} at {moment.isoformat()} has a price of {price:g}, which six decimals "
                f"make {exact(price)}; import it in a larger unit, e.g. a thousand for one"
            )
