"""What a user declares about a file: its columns, its clock and its prices."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import time
from typing import Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from mts1b_foundation import INTERVALS, MarketCalendar, Symbol

from mts1b_datalake.errors import DataError
from mts1b_datalake.manifest import Adjustment, check_name

__all__ = ["ColumnMapping", "ImportSpec", "OnError", "Stamp"]

Stamp = Literal["end", "start"]
"""Whether the file stamps a bar with its end or with its start."""

OnError = Literal["refuse", "skip"]
"""Refuse the whole file when a row is bad, or leave bad rows out and report them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMapping:
    """Name the file's column for each field of a bar.

    ``volume=None`` says that the file has none; the bars then carry zero.
    """

    timestamp: str = "timestamp"
    open: str = "open"
    high: str = "high"
    low: str = "low"
    close: str = "close"
    volume: str | None = "volume"
    symbol: str = "symbol"

    @classmethod
    def parse(cls, pairs: Iterable[str]) -> ColumnMapping:
        """Read ``field=Column`` pairs, as the command line gives them.

        :raises DataError: for text of another form or a field that a bar does not have.
        """
        known = [item.name for item in fields(cls)]
        values: dict[str, str | None] = {}
        for pair in pairs:
            name, found, column = pair.partition("=")
            if not found or name not in known:
                raise DataError(
                    f"mapping {pair!r} is refused; write FIELD=COLUMN, FIELD one of "
                    f"{', '.join(known)}{did_you_mean(name, known)}"
                )
            values[name] = column
        if values.get("volume") == "":
            values["volume"] = None
        return cls(**values)  # type: ignore[arg-type]

    def required(self, *, with_symbol: bool) -> dict[str, str]:
        """Return field -> column for all columns that the file must have."""
        names = {item.name: getattr(self, item.name) for item in fields(self)}
        if not with_symbol:
            del names["symbol"]
        return {name: column for name, column in names.items() if column is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSpec:
    """Declare how to read a file; nothing of it is guessed.

    ``symbol`` is the one symbol of a file without a symbol column. ``timezone`` is an IANA name;
    it may be None only when every time carries its own offset. ``timestamp_format`` is "iso",
    "epoch_s", "epoch_ms", "epoch_us" or a strptime format. A time that is only a date names the
    trading day: the bar then ends at ``session_close`` (local), at the close of ``calendar``, or,
    where neither is given, at the end of that day. A daily or weekly time of midnight is one
    beside a close or a calendar; without both its ``stamp`` must be declared. Other times are
    ends of bars where ``stamp`` is None.

    :raises DataError: for an unknown zone, interval, stamp, adjustment or dataset name.
    """

    dataset: str
    interval: str
    timezone: str | None = None
    symbol: str | None = None
    mapping: ColumnMapping = field(default_factory=ColumnMapping)
    timestamp_format: str = "iso"
    stamp: Stamp | None = None
    session_close: time | None = None
    calendar: MarketCalendar | None = None
    adjustment: Adjustment = "none"
    on_error: OnError = "refuse"

    def __post_init__(self) -> None:
        check_name(self.dataset)
        _one_of("interval", self.interval, tuple(INTERVALS))
        if self.stamp is not None:
            _one_of("stamp", self.stamp, get_args(Stamp))
        _one_of("adjustment", self.adjustment, get_args(Adjustment))
        _one_of("on_error", self.on_error, get_args(OnError))
        if self.timezone is not None:
            check_zone(self.timezone)
        if self.symbol is not None:
            check_symbol(self.symbol)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise DataError(f"{name} {value!r} is not one of {', '.join(allowed)}")


def check_zone(name: str) -> None:
    """Refuse a zone that the time zone database does not know.

    :raises DataError: with the closest names.
    """
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        hint = did_you_mean(name, sorted(available_timezones()))
        raise DataError(
            f"time zone {name!r} is unknown; use an IANA name such as America/New_York or UTC{hint}"
        ) from None


def check_symbol(name: str) -> None:
    """Refuse a symbol outside the grammar of the foundation.

    :raises DataError: with the forms that are allowed.
    """
    try:
        Symbol(name)
    except ValueError as error:
        raise DataError(str(error)) from None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?" with the closest known name, or nothing."""
    folded = {item.casefold(): item for item in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""
