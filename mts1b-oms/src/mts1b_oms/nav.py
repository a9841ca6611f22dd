"""Net asset value, peak and drawdown of every strategy and fund."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.symbology import Symbol

from mts1b_oms.ledger import ZERO, Ledger, SubBook, quantise

__all__ = ["NavKey", "snapshots"]

NavKey = tuple[str, str | None]
"""(fund_id, strategy_id), the strategy None for the fund as a whole"""


@dataclass(frozen=True, slots=True)
class _Sum:
    """What a set of sub-books of one fund is worth."""

    initial: Decimal
    cash: Decimal
    realized: Decimal
    fees: Decimal
    unrealized: Decimal
    exposure: Mapping[Symbol, Decimal]

    @property
    def net(self) -> Decimal:
        return sum(self.exposure.values(), ZERO)

    @property
    def gross(self) -> Decimal:
        return sum((abs(value) for value in self.exposure.values()), ZERO)


def _of_book(ledger: Ledger, book: SubBook) -> _Sum:
    exposure: dict[Symbol, Decimal] = {}
    unrealized = ZERO
    for symbol, holding in book.holdings.items():
        if holding.lots:
            mark = ledger.mark(holding)
            exposure[symbol] = quantise(holding.quantity * mark)
            unrealized += holding.unrealized(mark)
    return _Sum(
        book.initial_usd, book.cash_usd, book.realized_usd, book.fees_usd, unrealized, exposure
    )


def _together(parts: list[_Sum]) -> _Sum:
    exposure: dict[Symbol, Decimal] = {}
    for part in parts:
        for symbol, value in part.exposure.items():
            exposure[symbol] = exposure.get(symbol, ZERO) + value
    return _Sum(
        sum((p.initial for p in parts), ZERO),
        sum((p.cash for p in parts), ZERO),
        sum((p.realized for p in parts), ZERO),
        sum((p.fees for p in parts), ZERO),
        sum((p.unrealized for p in parts), ZERO),
        exposure,
    )


def _snapshot(key: NavKey, value: _Sum, peak: Decimal | None, as_of: datetime) -> NavSnapshot:
    nav = value.cash + value.net
    high = max(nav, value.initial if peak is None else peak)
    return NavSnapshot(
        fund_id=key[0],
        strategy_id=key[1],
        as_of=as_of,
        nav_usd=nav,
        cash_usd=value.cash,
        gross_exposure_usd=value.gross,
        net_exposure_usd=value.net,
        realized_pnl_usd=value.realized,
        unrealized_pnl_usd=value.unrealized,
        fees_usd=value.fees,
        peak_nav_usd=high,
        drawdown=quantise(nav / high - 1) if high > 0 else ZERO,
    )


def snapshots(
    ledger: Ledger, *, peaks: Mapping[NavKey, Decimal], as_of: datetime
) -> tuple[NavSnapshot, ...]:
    """Return one snapshot per fund, then one per strategy in it, sorted.

    ``peaks`` are the highest NAVs so far; a missing one starts at the initial capital. Exposures
    of a fund are netted by symbol over its strategies.
    """
    funds: dict[str, dict[NavKey, _Sum]] = {}
    for owner, book in sorted(ledger.books.items()):
        funds.setdefault(owner[0], {})[owner] = _of_book(ledger, book)
    found = []
    for fund_id, parts in funds.items():
        whole: NavKey = (fund_id, None)
        for key, value in {whole: _together(list(parts.values())), **parts}.items():
            found.append(_snapshot(key, value, peaks.get(key), as_of))
    return tuple(found)
