"""What the engine knows of an instrument: its class, its multiplier, its groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from mts1b_foundation import AssetClass, Currency, Instrument, Symbol, SymbolKind
from mts1b_platform.config import Settings

__all__ = ["InstrumentFacts", "InstrumentTable", "instruments_of"]

_FIAT = frozenset(currency.value for currency in Currency) - {"USDT", "USDC"}
_PLAIN = {SymbolKind.EQUITY: AssetClass.EQUITIES, SymbolKind.EVENT: AssetClass.PREDICTION}


@dataclass(frozen=True, slots=True)
class InstrumentFacts:
    """The class, the currency per point and unit, and the groups that concentration counts.

    A sector or country that is None is unknown; an increment that is None is unknown.
    """

    asset_class: AssetClass
    multiplier: Decimal = Decimal(1)
    sector: str | None = None
    country: str | None = None
    currency: str | None = None
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None
    minimum_notional: Decimal | None = None
    session: str | None = None


def _by_grammar(symbol: Symbol) -> InstrumentFacts | None:
    """Return what the spelling alone tells; a contract without a known multiplier is unknown."""
    kind = symbol.kind
    if kind in _PLAIN:
        session = "XNYS" if kind is SymbolKind.EQUITY else None
        return InstrumentFacts(_PLAIN[kind], session=session)
    if kind is SymbolKind.PAIR:
        base, quote = symbol.split("-")
        fiat = base in _FIAT and quote in _FIAT
        return InstrumentFacts(
            AssetClass.FX if fiat else AssetClass.CRYPTO,
            currency=quote,
            session=None if fiat else "24/7",
        )
    return None


class InstrumentTable:
    """Answer for listed instruments first, then from the grammar of the symbol."""

    def __init__(self, listed: Mapping[Symbol, Instrument] | None = None) -> None:
        self._known: dict[Symbol, InstrumentFacts | None] = {
            symbol: InstrumentFacts(
                row.asset_class,
                row.multiplier,
                sector=row.sector,
                country=row.country,
                currency=row.currency.value,
                tick_size=row.tick_size,
                lot_size=row.lot_size,
                minimum_notional=row.minimum_notional,
                session=row.session,
            )
            for symbol, row in (listed or {}).items()
        }

    def facts(self, symbol: Symbol) -> InstrumentFacts | None:
        """Return the facts, or None when the value of one unit is not known."""
        if symbol not in self._known:
            if not isinstance(symbol, Symbol):
                return None
            self._known[symbol] = _by_grammar(symbol)
        return self._known[symbol]


def instruments_of(settings: Settings) -> InstrumentTable:
    """Return the table of the instruments that the settings list."""
    return InstrumentTable({row.symbol: row for row in settings.instruments})
