"""What a CSV file holds, declared: nothing about a file is guessed."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mts1b_foundation import FrozenModel, Symbol, interval_length
from pydantic import Field, field_validator, model_validator

__all__ = ["CsvFile", "CsvKind"]


class CsvKind(StrEnum):
    """Name what the rows of a file are."""

    BARS = "bars"
    QUOTES = "quotes"
    TRADES = "trades"


_LONGEST_DATE = len("2026-01-31")
_DAY = timedelta(days=1)
_TIME_CODES = ("%H", "%I", "%c", "%X")
_REQUIRED = {
    CsvKind.BARS: ("timestamp", "open", "high", "low", "close"),
    CsvKind.QUOTES: ("timestamp", "bid", "ask"),
    CsvKind.TRADES: ("timestamp", "price", "quantity"),
}
_OPTIONAL = {
    CsvKind.BARS: ("symbol", "volume"),
    CsvKind.QUOTES: ("symbol", "bid_size", "ask_size"),
    CsvKind.TRADES: ("symbol", "trade_id"),
}


class CsvFile(FrozenModel):
    """Declare one file with a header line.

    :param columns: field name to header name; a field that is not named has its own name as the
        header, and an optional one may be absent from the file.
    :param symbol: the symbol of every row, where the file has no symbol column.
    :param timezone: zone of the times in the file that carry none, e.g. ``America/New_York``.
    :param timestamp_format: strptime format; None for ISO 8601.
    :param session_close: time of day at which bars end that carry only a date; without one they
        end with that local day: late rather than early.
    :param stamps: whether a bar's time in the file is its ``end`` or its ``start``.
    """

    path: str
    kind: CsvKind = CsvKind.BARS
    columns: dict[str, str] = Field(default_factory=dict)
    symbol: Symbol | None = None
    interval: str = "1d"
    timezone: str = "UTC"
    timestamp_format: str | None = None
    session_close: time | None = None
    stamps: Literal["start", "end"] = "end"
    venue: str = "csv"

    @field_validator("interval")
    @classmethod
    def _interval_is_known(cls, value: str) -> str:
        interval_length(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _timezone_is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no time zone {value!r}; use e.g. America/New_York") from error
        return value

    @model_validator(mode="after")
    def _columns_are_known(self) -> Self:
        known = _REQUIRED[self.kind] + _OPTIONAL[self.kind]
        unknown = sorted(set(self.columns) - set(known))
        if unknown:
            raise ValueError(
                f"columns names {', '.join(unknown)}; a file of {self.kind.value} has the fields "
                f"{', '.join(known)}"
            )
        return self

    @property
    def required(self) -> tuple[str, ...]:
        """Return the headers that must be there, by field."""
        fields = _REQUIRED[self.kind]
        return (*fields, "symbol") if self.symbol is None else fields

    def header(self, field: str) -> str:
        """Return the header of a field."""
        return self.columns.get(field, field)

    def parse_time(self, text: str) -> datetime:
        """Return the time that a cell says, in UTC; for a bar, its end.

        :raises ValueError: when the cell is no time of the declared format, has a time of day
            beside a declared session close, or is there twice or never as the clocks change.
        """
        moment = self._moment(text)
        zone = ZoneInfo(self.timezone)
        length = interval_length(self.interval)
        starts = self.kind is CsvKind.BARS and self.stamps == "start"
        if self._is_date(text, moment):
            if self.kind is CsvKind.BARS and length < _DAY:
                raise ValueError(f"bars of {self.interval} need a time of day")
            moment = self._end_of_day(moment, length - _DAY if starts else timedelta(0))
            moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
            return moment.astimezone(UTC)
        if self.session_close is not None:
            raise ValueError("it has a time of day, so session_close is not for it")
        if moment.tzinfo is None:
            moment = _at_once(moment, zone)
        if starts and length >= _DAY:  # by the clock on the wall: a day may have 23 hours
            return (moment.astimezone(zone) + length).astimezone(UTC)
        return moment.astimezone(UTC) + (length if starts else timedelta(0))

    def _moment(self, text: str) -> datetime:
        if self.timestamp_format is None:
            return datetime.fromisoformat(text)
        return datetime.strptime(text, self.timestamp_format)  # noqa: DTZ007

    def _is_date(self, text: str, moment: datetime) -> bool:
        """Return whether a cell says a day alone; where sessions close, midnight is one too."""
        if moment.time() != time(0):
            return False
        if self.session_close is not None:
            return True
        if self.timestamp_format is None:
            return len(text) <= _LONGEST_DATE
        return not any(code in self.timestamp_format for code in _TIME_CODES)

    def _end_of_day(self, day: datetime, later: timedelta) -> datetime:
        """Return when the bar of a day ended, or that of the days up to ``later``."""
        if self.session_close is not None:
            return datetime.combine(day + later, self.session_close, day.tzinfo)
        return day + later + _DAY if self.kind is CsvKind.BARS else day


def _at_once(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return a local time that the zone has exactly once.

    :raises ValueError: for one that it has twice or never.
    """
    early, late = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if early.utcoffset() != late.utcoffset():
        raise ValueError(f"the clocks of {zone} change there: give it with its offset")
    return early
