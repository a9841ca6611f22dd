"""Read the rows of a declared CSV file into exact values."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeVar

from mts1b_foundation import Bar, Quote, Symbol, Trade
from pydantic import ValidationError

from mts1b_marketdata.csv_source.mapping import CsvFile, CsvKind
from mts1b_marketdata.errors import SourceFileError
from mts1b_marketdata.sanity import bar_defects, is_number, is_refused, quote_defects

__all__ = ["read_bars", "read_quotes", "read_trades"]

T = TypeVar("T", Bar, Quote, Trade)
_HEADER_LINES = 1


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the file; cells are text."""

    file: CsvFile
    line: int
    cells: dict[str, str | None]

    def fail(self, field: str, message: str) -> SourceFileError:
        """Return the error that names file, line and column."""
        header = self.file.header(field)
        return SourceFileError(
            f"{self.file.path}, line {self.line}, column {header!r}: {message}; "
            "mend the file or its declaration"
        )

    def text(self, field: str, default: str | None = None) -> str:
        """Return a cell without the blanks around it.

        :raises SourceFileError: when it is empty and has no default.
        """
        value = self.cells.get(self.file.header(field))
        if value is not None and value.strip():
            return value.strip()
        if default is None:
            raise self.fail(field, "empty")
        return default

    def number(self, field: str, default: str | None = None) -> Decimal:
        """Return a cell as an exact number that a float holds too, else raise as :meth:`text`."""
        text = self.text(field, default)
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise self.fail(field, f"{text!r} is no number") from None
        if "_" in text or not text.isascii():  # what Decimal reads and nobody else does
            raise self.fail(field, f"{text!r} is no number")
        if not is_number(number):
            raise self.fail(field, f"{text!r} is no finite number")
        return number

    def count(self, field: str) -> int:
        """Return a cell as a whole number, zero where it is empty."""
        number = self.number(field, "0")
        if number != int(number):
            raise self.fail(field, f"{number} is no whole number")
        return int(number)

    def symbol(self) -> Symbol:
        """Return the symbol of the file, or of the line where the file has none."""
        if self.file.symbol is not None:
            return self.file.symbol
        text = self.text("symbol")
        try:
            return Symbol(text)
        except ValueError as error:
            raise self.fail("symbol", str(error)) from error


def _rows(file: CsvFile) -> Iterator[_Row]:
    import polars as pl

    path = Path(file.path)
    try:
        frame = pl.read_csv(path, infer_schema=False, glob=False)
    except FileNotFoundError:
        raise SourceFileError(f"no file {path}; give the path of a CSV file") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceFileError(f"{path} is no CSV file with a header line: {error}") from error
    headers = frame.columns
    for field in file.required:
        if f"{file.header(field)}_duplicated_0" in headers:  # so polars names the second one
            raise SourceFileError(
                f"{path}: column {file.header(field)!r} is there twice; keep or rename one"
            )
    missing = [file.header(field) for field in file.required if file.header(field) not in headers]
    if missing:
        raise SourceFileError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(headers)}; "
            "name the right ones in columns"
        )
    for number, cells in enumerate(frame.iter_rows(named=True), start=_HEADER_LINES + 1):
        if any(cell is not None for cell in cells.values()):  # else the line is blank
            yield _Row(file, number, cells)


def _read(file: CsvFile, kind: CsvKind, build: Callable[[_Row], T]) -> list[T]:
    if file.kind is not kind:
        raise SourceFileError(
            f"{file.path} is declared to hold {file.kind.value}, not {kind.value}"
        )
    found: list[T] = []
    for row in _rows(file):
        text = row.text("timestamp")
        try:
            file.parse_time(text)
        except (ValueError, OverflowError) as error:
            raise row.fail("timestamp", f"{text!r} is no time ({error})") from error
        try:
            found.append(build(row))
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise SourceFileError(f"{file.path}, line {row.line}: {reason}") from error
    found.sort(key=lambda item: (item.timestamp, item.symbol))
    return found


def read_bars(file: CsvFile) -> list[Bar]:
    """Return the bars of a file, by time and symbol.

    :raises SourceFileError: for the first row that is not a sane bar, or is there twice.
    """
    bars = _read(file, CsvKind.BARS, _bar)
    for early, late in itertools.pairwise(bars):
        if (early.timestamp, early.symbol) == (late.timestamp, late.symbol):
            raise SourceFileError(
                f"{file.path} holds two bars of {late.symbol} that end at "
                f"{late.timestamp.isoformat()}; keep one"
            )
    return bars


def _bar(row: _Row) -> Bar:
    opened, high, low, close = (row.number(name) for name in ("open", "high", "low", "close"))
    volume = row.number("volume", "0")
    defects = bar_defects(opened=opened, high=high, low=low, close=close, volume=volume)
    if defects:
        raise row.fail("open", f"the bar is unfit: {', '.join(defects)}")
    return Bar(
        symbol=row.symbol(),
        interval=row.file.interval,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
        timestamp=row.file.parse_time(row.text("timestamp")),
    )


def read_quotes(file: CsvFile) -> list[Quote]:
    """Return the quotes of a file, by time and symbol.

    :raises SourceFileError: for the first row that is crossed, not positive or no quote.
    """
    return _read(file, CsvKind.QUOTES, _quote)


def _quote(row: _Row) -> Quote:
    bid, ask = row.number("bid"), row.number("ask")
    defects = quote_defects(bid, ask)
    if is_refused(defects):
        raise row.fail("bid", f"bid {bid}, ask {ask}: {', '.join(defects)}")
    return Quote(
        symbol=row.symbol(),
        bid=bid,
        ask=ask,
        bid_size=row.count("bid_size"),
        ask_size=row.count("ask_size"),
        venue=row.file.venue,
        timestamp=row.file.parse_time(row.text("timestamp")),
    )


def read_trades(file: CsvFile) -> list[Trade]:
    """Return the trades of a file, by time and symbol.

    :raises SourceFileError: for the first row that is no trade.
    """
    return _read(file, CsvKind.TRADES, _trade)


def _trade(row: _Row) -> Trade:
    return Trade(
        trade_id=row.text("trade_id", f"{row.file.venue}-{row.line}"),
        symbol=row.symbol(),
        price=row.number("price"),
        quantity=row.number("quantity"),
        venue=row.file.venue,
        timestamp=row.file.parse_time(row.text("timestamp")),
    )
