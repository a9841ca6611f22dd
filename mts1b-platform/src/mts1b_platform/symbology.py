"""One spelling of a symbol inside, whatever a person or a venue writes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mts1b_foundation.symbology import Symbol, Venue, from_native, to_native

from mts1b_platform.errors import FixConfiguration

__all__ = ["SymbolError", "VenueSymbols", "normalize_symbol"]

_SHARE_CLASS = re.compile(r"([A-Z0-9]{1,6})[-/ .]([A-Z])")
_PAIR = re.compile(r"([A-Z0-9]{2,12})[-/_]([A-Z0-9]{2,12})")


class SymbolError(FixConfiguration):
    """A text is no symbol, or two symbols share one spelling at a venue."""

    code = "UNKNOWN_SYMBOL"


def normalize_symbol(text: str, *, venue: Venue | str | None = None) -> Symbol:
    """Return the symbol that ``text`` means.

    With ``venue`` the text is in that venue's own spelling. Without, it is what people write:
    ``brk/b``, ``BRK-B`` and ``BRK B`` are ``BRK.B``; ``btc/usd`` and ``BTC_USD`` are ``BTC-USD``.
    A pair without a mark (``BTCUSD``) stays what it says: guessing where it splits would
    sometimes trade another instrument.

    :raises SymbolError: when the text is no symbol.
    """
    cleaned = text.strip()
    try:
        if venue is not None:
            return from_native(cleaned, venue=str(venue))
        return Symbol(_tidy(cleaned.upper()))
    except ValueError as error:
        raise SymbolError(str(error)) from error


def _tidy(text: str) -> str:
    if share := _SHARE_CLASS.fullmatch(text):
        return f"{share[1]}.{share[2]}"
    if pair := _PAIR.fullmatch(text):
        return f"{pair[1]}-{pair[2]}"
    return text


class VenueSymbols:
    """Translate a fixed universe to one venue and back, without ambiguity.

    :raises SymbolError: when the venue lists no such kind of symbol, or spells two the same.
    """

    def __init__(self, venue: Venue | str, symbols: Iterable[Symbol | str]) -> None:
        self.venue = str(venue)
        self._native: dict[Symbol, str] = {}
        self._ours: dict[str, Symbol] = {}
        for item in symbols:
            self._add(normalize_symbol(item))

    def _add(self, symbol: Symbol) -> None:
        try:
            native = to_native(symbol, venue=self.venue)
        except ValueError as error:
            raise SymbolError(str(error)) from error
        other = self._ours.get(native, symbol)
        if other != symbol:
            raise SymbolError(f"{self.venue} spells both {other} and {symbol} as {native!r}")
        self._native[symbol], self._ours[native] = native, symbol

    def native(self, symbol: Symbol | str) -> str:
        """Return the venue's spelling.

        :raises SymbolError: for a symbol outside the universe.
        """
        try:
            return self._native[normalize_symbol(symbol)]
        except KeyError:
            raise SymbolError(f"{symbol} is not in the universe of {self.venue}") from None

    def symbol(self, native: str) -> Symbol:
        """Return our symbol of a venue's spelling.

        :raises SymbolError: for a spelling outside the universe.
        """
        try:
            return self._ours[native]
        except KeyError:
            raise SymbolError(
                f"{self.venue} sent {native!r}, which is not in the universe"
            ) from None

    def __len__(self) -> int:
        return len(self._native)
