"""Report what is odd in a bar table: errors break a rule, warnings ask for a look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mts1b_foundation import MarketCalendar

from mts1b_datalake.checks import duplicate_rows, price_rules

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Issue", "QualityReport", "Severity", "check_bars"]

OUTLIER_Z = 12.0
"""Robust z-score of a log return above which it is flagged."""

GAP_STEPS = 5
"""Without a calendar, a step of more than this many median steps is a gap."""

EXAMPLES = 3


class Severity(StrEnum):
    """Say whether an issue is a broken rule or only unusual."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Issue:
    """One rule, one symbol: how often, and the first times."""

    rule: str
    severity: Severity
    symbol: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QualityReport:
    """All issues of a table."""

    rows: int
    symbols: tuple[str, ...]
    issues: tuple[Issue, ...]

    @property
    def ok(self) -> bool:
        """Return whether no rule is broken; warnings do not count."""
        return not any(issue.severity is Severity.ERROR for issue in self.issues)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "ok": self.ok}


def check_bars(bars: pl.DataFrame, *, calendar: MarketCalendar | None = None) -> QualityReport:
    """Check a bar table, symbol by symbol, in the order in which its rows stand.

    Errors: crossed, non-positive, non-finite prices, open or close outside [low, high],
    duplicates, times that do not rise. Warnings: gaps (sessions of ``calendar`` without a bar;
    without a calendar, steps of more than 5 median steps), zero volume, and outliers (log
    returns whose distance from the median exceeds 12 scaled median absolute deviations).
    """
    issues: list[Issue] = []
    for key, part in bars.partition_by("symbol", as_dict=True, maintain_order=True).items():
        issues.extend(_check_symbol(str(key[0]), part, calendar))
    symbols = tuple(dict.fromkeys(issue_symbol for issue_symbol in bars["symbol"]))
    return QualityReport(bars.height, symbols, tuple(issues))


def _check_symbol(
    symbol: str, bars: pl.DataFrame, calendar: MarketCalendar | None
) -> Iterator[Issue]:
    import polars as pl

    step = pl.col("timestamp").diff()
    errors = {
        **price_rules(),
        "duplicate-bar": duplicate_rows(),
        "time-goes-back": step < timedelta(0),
    }
    for rule, broken in errors.items():
        yield from _issue(rule, Severity.ERROR, symbol, _when(bars.filter(broken)))
    zero = _when(bars.filter(pl.col("volume") == 0))
    yield from _issue("zero-volume", Severity.WARNING, symbol, zero)
    yield from _issue("outlier-return", Severity.WARNING, symbol, _outliers(bars))
    gaps = _missing_sessions(bars, calendar) if calendar is not None else _long_steps(bars)
    yield from _issue("gap", Severity.WARNING, symbol, gaps)


def _issue(rule: str, severity: Severity, symbol: str, found: list[str]) -> Iterator[Issue]:
    if found:
        yield Issue(rule, severity, symbol, len(found), tuple(found[:EXAMPLES]))


def _when(bars: pl.DataFrame) -> list[str]:
    return [moment.isoformat() for moment in bars["timestamp"]]


def _outliers(bars: pl.DataFrame) -> list[str]:
    import numpy as np

    close = bars["close"].to_numpy()
    if len(close) < 3 or not np.all(close > 0):
        return []
    returns = np.diff(np.log(close))
    distance = np.abs(returns - np.median(returns))
    scale = np.median(distance) / 0.6745
    if scale == 0:
        return []
    odd = np.flatnonzero(distance > OUTLIER_Z * scale) + 1
    stamps = bars["timestamp"]
    return [f"{stamps[int(i)].isoformat()} {returns[i - 1]:+.1%}" for i in odd]


def _long_steps(bars: pl.DataFrame) -> list[str]:
    import polars as pl

    step = pl.col("timestamp").diff()
    steps = bars.select("timestamp", step=step, before=pl.col("timestamp").shift(1))
    median = steps["step"].median()
    if not isinstance(median, timedelta):
        return []
    long = steps.filter(pl.col("step") > median * GAP_STEPS)
    return [
        f"{row['before'].isoformat()} to {row['timestamp'].isoformat()}"
        for row in long.iter_rows(named=True)
    ]


def _missing_sessions(bars: pl.DataFrame, calendar: MarketCalendar) -> list[str]:
    """Return the days on which the market was open between the first and last bar without one."""
    import numpy as np

    first, last = bars["timestamp"].min(), bars["timestamp"].max()
    sessions = calendar.sessions(first.date(), last.date())  # type: ignore[union-attr]
    stamps = np.sort(bars["timestamp"].dt.epoch("us").to_numpy())
    opens = np.array([_micros(session.opens_at) for session in sessions], dtype=np.int64)
    # A daily bar may be stamped at a fixed hour after an early close: look up to the day's end.
    ends = opens + 24 * 3600 * 1_000_000
    counts = np.searchsorted(stamps, ends, "left") - np.searchsorted(stamps, opens, "right")
    inside = (ends > stamps[0]) & (opens < stamps[-1])
    return [
        session.session_date.isoformat()
        for session, count, within in zip(sessions, counts, inside, strict=True)
        if within and count == 0
    ]


def _micros(moment: Any) -> int:
    return int(moment.timestamp() * 1_000_000)
