"""What an adjustment makes of a ledger: values alone, nothing is read or written."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from mts1b_foundation.adjustments import AdjustBooks, AdjustmentKind
from mts1b_foundation.symbology import Symbol

from mts1b_oms.ledger import ZERO, Holding, Ledger, Owner, SubBook, quantise
from mts1b_oms.nav import NavKey

__all__ = ["adjusted", "carried_peaks", "holding_after", "owner_of", "touched"]


def owner_of(one: AdjustBooks) -> Owner | None:
    """Return whose book is adjusted; None where it is everybody's, as with a split."""
    if one.fund_id is None or one.strategy_id is None:
        return None
    return (one.fund_id, one.strategy_id)


def touched(ledger: Ledger, one: AdjustBooks) -> frozenset[tuple[Owner, Symbol]]:
    """Return the holdings that an adjustment changes."""
    owner = owner_of(one)
    if one.symbol is None or not one.moves_stock:
        return frozenset()
    if owner is not None:
        return frozenset({(owner, one.symbol)})
    holders = (o for o, book in ledger.books.items() if one.symbol in book.holdings)
    return frozenset((holder, one.symbol) for holder in holders)


def holding_after(holding: Holding, one: AdjustBooks) -> Holding:
    """Return a holding of the adjustment's symbol after it."""
    if one.kind is AdjustmentKind.SPLIT:
        return holding.split(one.ratio or Decimal(1), one.price or holding.last_fill_price)
    return holding.moved(
        one.quantity, one.price or ZERO, lot_id=one.adjustment_id, at=one.requested_at
    )


def adjusted(ledger: Ledger, one: AdjustBooks) -> Ledger:
    """Return the ledger after an adjustment."""
    owner = owner_of(one)
    owners = {holder for holder, _ in touched(ledger, one)} | ({owner} if owner else set())
    changed = [_book_after(ledger.book(*each), one) for each in sorted(owners)]
    return ledger.with_books(changed)


def _book_after(book: SubBook, one: AdjustBooks) -> SubBook:
    holdings: Mapping[Symbol, Holding] = book.holdings
    if one.symbol is not None and one.moves_stock:
        before = holdings.get(one.symbol) or Holding(one.symbol)
        holdings = MappingProxyType({**holdings, one.symbol: holding_after(before, one)})
    return SubBook(
        book.fund_id,
        book.strategy_id,
        book.initial_usd + quantise(one.capital_usd),
        book.cash_usd + quantise(one.cash_usd),
        holdings,
        book.income_usd + quantise(one.income_usd),
    )


def carried_peaks(
    peaks: Mapping[NavKey, Decimal], navs: Mapping[NavKey, Decimal], one: AdjustBooks
) -> dict[NavKey, Decimal]:
    """Return the peaks as they count after capital came or went: drawdowns stay what they are.

    A peak moves in the proportion in which the capital moves the NAV, as units of a fund would
    have it. Where nothing was left of the NAV it moves by the amount.

    :param navs: the NAVs just before.
    """
    amount, found = one.capital_usd, dict(peaks)
    if not amount or one.fund_id is None:
        return found
    for key in ((one.fund_id, None), (one.fund_id, one.strategy_id)):
        peak, nav = found.get(key), navs.get(key, ZERO)
        if peak is None:
            continue
        grows = nav > 0 and nav + amount > 0
        found[key] = quantise(peak * (nav + amount) / nav if grows else peak + amount)
    return found
