"""Net asset value, peak and drawdown of every strategy and fund."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.symbology import Symbol

from mts1b_oms.ledger import ZERO, Ledger, SubBook, quantise

__all__ = ["NavKey", "snapshots"]

NavKey = tuple[str, str | None]
"""(fund_id, strategy_id), the strategy None for the fund as a whole"""


@dataclass(slots=True)
class _Sum:
    """What a set of sub-books of one fund is worth; ``exposure`` by symbol, USD."""

    initial: Decimal = ZERO
    cash: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    unrealized: Decimal = ZERO
    exposure: dict[Symbol, Decimal] = field(default_factory=dict)

    def add(self, part: _Sum) -> None:
        """Count another set of sub-books in; exposures are netted by symbol."""
        self.initial += part.initial
        self.cash += part.cash
        self.realized += part.realized
        self.fees += part.fees
        self.unrealized += part.unrealized
        for symbol, value in part.exposure.items():
            self.exposure[symbol] = self.exposure.get(symbol, ZERO) + value


def _of_book(ledger: Ledger, book: SubBook) -> _Sum:
    found = _Sum(book.initial_usd, book.cash_usd, book.income_usd)
    for symbol, holding in book.holdings.items():
        found.realized += holding.realized_usd
        found.fees += holding.fees_usd
        if holding.lots:
            mark = ledger.marks.get(symbol, holding.last_fill_price)
            found.exposure[symbol] = quantise(holding.quantity * mark)
            found.unrealized += holding.unrealized(mark)
    return found


def _snapshot(key: NavKey, value: _Sum, peak: Decimal | None, as_of: datetime) -> NavSnapshot:
    exposures = value.exposure.values()
    net = sum(exposures, ZERO)
    nav = value.cash + net
    high = max(nav, value.initial if peak is None else peak)
    return NavSnapshot(
        fund_id=key[0],
        strategy_id=key[1],
        as_of=as_of,
        nav_usd=nav,
        cash_usd=value.cash,
        gross_exposure_usd=sum(map(abs, exposures), ZERO),
        net_exposure_usd=net,
        realized_pnl_usd=value.realized,
        unrealized_pnl_usd=value.unrealized,
        fees_usd=value.fees,
        peak_nav_usd=high,
        capital_usd=value.initial,
        drawdown=quantise(nav / high - 1) if high > 0 else ZERO,
    )


def snapshots(
    ledger: Ledger, *, peaks: Mapping[NavKey, Decimal], as_of: datetime
) -> tuple[NavSnapshot, ...]:
    """Return one snapshot per fund, then one per strategy in it, sorted.

    ``peaks`` are the highest NAVs so far; a missing one starts at the initial capital. Exposures
    of a fund are netted by symbol over its strategies.
    """
    found: dict[NavKey, _Sum] = {}
    for owner, book in sorted(ledger.books.items()):
        whole = found.setdefault((owner[0], None), _Sum())
        found[owner] = part = _of_book(ledger, book)
        whole.add(part)
    return tuple([_snapshot(key, value, peaks.get(key), as_of) for key, value in found.items()])
