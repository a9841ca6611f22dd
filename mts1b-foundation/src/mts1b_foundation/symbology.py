"""Symbols, venues and instruments: one spelling inside, a pure translation at each boundary.

The grammar of a :class:`Symbol` (upper case throughout):

============== ============================== ==========================
kind           form                           example
============== ============================== ==========================
equity, index  ``ROOT`` or ``ROOT.CLASS``     ``AAPL``, ``BRK.B``
pair           ``BASE-QUOTE``                 ``BTC-USD``, ``EUR-USD``
future         ``ROOT@YYYYMM``                ``ES@202612``
option         ``ROOT:YYYYMMDD:C|P:STRIKE``   ``AAPL:20261218:C:250``
event contract ``EVT/NAME/OUTCOME``           ``EVT/FED-2026-12/YES``
============== ============================== ==========================
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from mts1b_foundation.model import FrozenModel, NonNegativeDecimal, PositiveDecimal

__all__ = [
    "AssetClass",
    "Currency",
    "Instrument",
    "Symbol",
    "SymbolKind",
    "Venue",
    "from_native",
    "to_native",
]


class AssetClass(StrEnum):
    """Name what kind of instrument a symbol is."""

    EQUITIES = "equities"
    OPTIONS = "options"
    FX = "fx"
    FUTURES = "futures"
    CRYPTO = "crypto"
    PREDICTION = "prediction"
    SPORTS = "sports"


class Venue(StrEnum):
    """Name a place that takes orders or gives prices."""

    PAPER = "paper"
    IBKR = "ibkr"
    COINBASE = "coinbase"
    KRAKEN = "kraken"
    SCHWAB = "schwab"
    TRADIER = "tradier"
    MOOMOO = "moomoo"
    POLYGON = "polygon"


class Currency(StrEnum):
    """Name a settlement currency (ISO 4217, and the stablecoins that settle trades)."""

    USD = "USD"
    EUR = "EUR"
    GBP = "GBP"
    JPY = "JPY"
    CHF = "CHF"
    CAD = "CAD"
    AUD = "AUD"
    HKD = "HKD"
    USDT = "USDT"
    USDC = "USDC"


class SymbolKind(StrEnum):
    """Name the grammar rule that a symbol follows."""

    EQUITY = "equity"
    PAIR = "pair"
    FUTURE = "future"
    OPTION = "option"
    EVENT = "event"


_GRAMMAR: tuple[tuple[SymbolKind, re.Pattern[str]], ...] = (
    (SymbolKind.EQUITY, re.compile(r"[A-Z0-9]{1,12}(\.[A-Z0-9]{1,4})?")),
    (SymbolKind.PAIR, re.compile(r"[A-Z0-9]{2,12}-[A-Z0-9]{2,12}")),
    (SymbolKind.FUTURE, re.compile(r"[A-Z0-9]{1,6}@\d{4}(0[1-9]|1[0-2])")),
    (SymbolKind.OPTION, re.compile(r"[A-Z0-9.]{1,12}:\d{8}:[CP]:\d{1,7}(\.\d{1,4})?")),
    (SymbolKind.EVENT, re.compile(r"EVT/[A-Z0-9-]{1,64}/[A-Z0-9-]{1,32}")),
)


def _sound(symbol: Symbol) -> Symbol:
    """Return what follows the grammar, as it is."""
    _require_symbol(symbol)
    return symbol


@lru_cache(maxsize=65_536)
def _require_symbol(text: str) -> None:
    if not any(pattern.fullmatch(text) for _, pattern in _GRAMMAR):
        raise ValueError(
            f"{text!r} is not a symbol; use e.g. AAPL, BTC-USD, ES@202612, "
            "AAPL:20261218:C:250 or EVT/NAME/YES (upper case)"
        )


class Symbol(str):
    """A validated instrument name: a string that follows the grammar of this module.

    :raises ValueError: when the text follows none of the five forms.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Symbol:
        """Return the text as a symbol, checked."""
        text = str(value)
        _require_symbol(text)
        return super().__new__(cls, text)

    @property
    def kind(self) -> SymbolKind:
        """Return the grammar rule that this symbol follows."""
        return next(kind for kind, pattern in _GRAMMAR if pattern.fullmatch(self))

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            lambda value, read: _sound(value) if type(value) is cls else cls(read(value)),
            core_schema.str_schema(),
            serialization=core_schema.to_string_ser_schema(),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        pattern = "|".join(f"(?:{rule.pattern})" for _, rule in _GRAMMAR)
        return {"type": "string", "pattern": f"^(?:{pattern})$"}


class Instrument(FrozenModel):
    """State the trading rules of one symbol.

    ``tick_size`` and ``minimum_notional`` are in ``currency``; ``lot_size`` in units of the
    instrument; one unit moves ``multiplier`` units of currency per point.
    """

    symbol: Symbol = Field(description="its name")
    asset_class: AssetClass = Field(description="what kind of instrument it is")
    currency: Currency = Field(
        Currency.USD, description="what its prices are in; the settings take USD"
    )
    tick_size: PositiveDecimal = Field(
        Decimal("0.01"), description="step of its prices; see limits.check_increments"
    )
    lot_size: PositiveDecimal = Field(
        Decimal(1), description="step of its quantities and of sizes; see limits.check_increments"
    )
    minimum_notional: NonNegativeDecimal = Field(
        Decimal(0), description="least value of an order; see limits.check_increments"
    )
    multiplier: PositiveDecimal = Field(
        Decimal(1), description="worth of a point of one unit; the settings take 1"
    )
    session: str = Field(
        "XNYS",
        description="calendar of its exchange (ISO 10383, or 24/7); see limits.sessions_only",
    )
    sector: str | None = Field(None, description="its sector; null: not known")
    country: str = Field("US", description="its country")


_Translate = Callable[[str], str]
_MONTHS = "FGHJKMNQUVXZ"


def _same(text: str) -> str:
    return text


def _dot_to_space(text: str) -> str:
    return text.replace(".", " ")


def _space_to_dot(text: str) -> str:
    return text.replace(" ", ".")


def _dot_to_slash(text: str) -> str:
    return text.replace(".", "/")


def _slash_to_dot(text: str) -> str:
    return text.replace("/", ".")


def _dash_to_slash(text: str) -> str:
    return text.replace("-", "/")


def _slash_to_dash(text: str) -> str:
    return text.replace("/", "-")


def _kraken_out(text: str) -> str:
    base, quote = text.split("-")
    return f"{ {'BTC': 'XBT', 'DOGE': 'XDG'}.get(base, base) }/{quote}"


def _kraken_in(text: str) -> str:
    base, quote = text.split("/")
    return f"{ {'XBT': 'BTC', 'XDG': 'DOGE'}.get(base, base) }-{quote}"


def _polygon_pair_out(text: str) -> str:
    base, quote = text.split("-")
    fiat = {currency.value for currency in Currency} - {"USDT", "USDC"}
    return f"{'C' if base in fiat else 'X'}:{base}{quote}"


def _polygon_pair_in(text: str) -> str:
    pair = text.split(":", 1)[1]
    tail = 4 if pair.endswith(("USDT", "USDC")) else 3
    return f"{pair[:-tail]}-{pair[-tail:]}"


def _occ_out(text: str) -> str:
    root, expiry, right, strike = text.split(":")
    return f"{root}{expiry[2:]}{right}{int(Decimal(strike) * 1000):08d}"


def _occ_in(text: str) -> str:
    root, expiry, right, strike = text[:-15], text[-15:-9], text[-9], text[-8:]
    price = (Decimal(strike) / 1000).normalize()
    return f"{root}:20{expiry}:{right}:{price:f}"


def _prefixed(prefix: str, inner: _Translate) -> _Translate:
    return lambda text: prefix + inner(text)


def _without(prefix: str, inner: _Translate) -> _Translate:
    return lambda text: inner(text.removeprefix(prefix))


def _future_out(text: str) -> str:
    root, month = text.split("@")
    return f"{root}{_MONTHS[int(month[4:]) - 1]}{month[2:4]}"


def _future_in(text: str) -> str:
    root, letter, year = text[:-3], text[-3], text[-2:]
    return f"{root}@20{year}{_MONTHS.index(letter) + 1:02d}"


# venue -> kind of symbol -> (to the venue, from the venue). A kind that is not listed is refused.
_TABLE: dict[str, dict[SymbolKind, tuple[_Translate, _Translate]]] = {
    "paper": dict.fromkeys(SymbolKind, (_same, _same)),
    "ibkr": {
        SymbolKind.EQUITY: (_dot_to_space, _space_to_dot),
        SymbolKind.PAIR: (lambda t: t.replace("-", "."), lambda t: t.replace(".", "-")),
        SymbolKind.FUTURE: (_future_out, _future_in),
        SymbolKind.OPTION: (_occ_out, _occ_in),
    },
    "coinbase": {SymbolKind.PAIR: (_same, _same)},
    "kraken": {SymbolKind.PAIR: (_kraken_out, _kraken_in)},
    "schwab": {
        SymbolKind.EQUITY: (_dot_to_slash, _slash_to_dot),
        SymbolKind.OPTION: (_occ_out, _occ_in),
    },
    "tradier": {
        SymbolKind.EQUITY: (_dot_to_slash, _slash_to_dot),
        SymbolKind.OPTION: (_occ_out, _occ_in),
    },
    "moomoo": {SymbolKind.EQUITY: (_prefixed("US.", _same), _without("US.", _same))},
    "polygon": {
        SymbolKind.EQUITY: (_same, _same),
        SymbolKind.PAIR: (_polygon_pair_out, _polygon_pair_in),
        SymbolKind.OPTION: (_prefixed("O:", _occ_out), _without("O:", _occ_in)),
    },
}


def _native_kind(text: str, venue: str) -> SymbolKind:
    if re.fullmatch(r"(O:)?[A-Z.]{1,6}\d{6}[CP]\d{8}", text):
        return SymbolKind.OPTION
    if venue == "ibkr":
        if re.fullmatch(rf"[A-Z0-9]{{1,4}}[{_MONTHS}]\d\d", text):
            return SymbolKind.FUTURE
        return SymbolKind.PAIR if re.fullmatch(r"[A-Z]{3}\.[A-Z]{3}", text) else SymbolKind.EQUITY
    if venue == "polygon":
        return SymbolKind.PAIR if text.startswith(("X:", "C:")) else SymbolKind.EQUITY
    return SymbolKind.PAIR if venue in {"coinbase", "kraken"} else SymbolKind.EQUITY


def _rules(venue: str) -> dict[SymbolKind, tuple[_Translate, _Translate]]:
    try:
        return _TABLE[venue]
    except KeyError:
        raise ValueError(
            f"no symbol table for venue {venue!r}; known: {', '.join(sorted(_TABLE))}"
        ) from None


def to_native(symbol: Symbol | str, *, venue: str) -> str:
    """Return the venue's own spelling of ``symbol``.

    :raises ValueError: for an unknown venue, or a kind of symbol that the venue does not list.
    """
    known = Symbol(symbol)
    rules = _rules(venue)
    if known.kind not in rules:
        raise ValueError(f"{venue} lists no {known.kind.value}: {known}")
    return rules[known.kind][0](known)


def from_native(native: str, *, venue: str) -> Symbol:
    """Return the symbol that a venue spells ``native``; the inverse of :func:`to_native`.

    :raises ValueError: for an unknown venue, or text that is no symbol of that venue.
    """
    rules = _rules(venue)
    kind = Symbol(native).kind if venue == "paper" else _native_kind(native, venue)
    if kind not in rules:
        raise ValueError(f"{venue} lists no {kind.value}: {native!r}")
    try:
        return Symbol(rules[kind][1](native))
    except (IndexError, ValueError) as error:
        raise ValueError(f"{native!r} is no symbol of {venue}: {error}") from error
