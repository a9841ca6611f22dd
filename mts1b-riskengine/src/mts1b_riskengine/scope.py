"""What funds may trade at all: settings that say two things of it are refused at the start."""

from __future__ import annotations

from collections.abc import Iterator

from mts1b_foundation import AssetClass, Symbol
from mts1b_platform.config import ConfigError, Settings

from mts1b_riskengine.instruments import InstrumentTable, instruments_of
from mts1b_riskengine.lines import BASE_CURRENCY

__all__ = ["check_settings", "unknown_groups"]


def check_settings(settings: Settings) -> list[str]:
    """Refuse strategies and mandates of symbols that their fund could never order.

    Return what :func:`unknown_groups` finds odd.

    It is what this package adds to ``mts config check``, and what a book of the settings asks.

    :raises ConfigError: with the key, for a symbol of no known value, of prices in another
        currency, or of a class that the fund does not trade.
    """
    table = instruments_of(settings)
    classes = {row.fund.fund_id: row.fund.asset_classes for row in settings.funds}
    for key, owner, fund_id, symbol in _traded(settings):
        one = _class_of(table, symbol, key)
        if fund_id in classes and one not in classes[fund_id]:
            allowed = ", ".join(classes[fund_id]) or "nothing"
            raise ConfigError(
                "",
                key,
                f"{owner} trades {symbol}, which is of class {one}, and fund {fund_id} trades "
                f"{allowed}; add {one} to funds[].fund.asset_classes and to "
                "funds[].envelope.allowed_asset_classes, or take the symbol out",
            )
    return unknown_groups(settings)


def unknown_groups(settings: Settings) -> list[str]:
    """Return a line for each cap of a sector or country that meets symbols of unknown ones."""
    table, lines = instruments_of(settings), []
    traded = [(fund_id, symbol) for _, _, fund_id, symbol in _traded(settings)]
    for entry in settings.funds:
        fund_id, envelope = entry.fund.fund_id, entry.envelope
        mine = sorted({symbol for owner, symbol in traded if owner == fund_id})
        for kind, share in (
            ("sector", envelope.max_sector_pct),
            ("country", envelope.max_country_pct),
        ):
            unknown = [one for one in mine if getattr(table.facts(one), kind, None) is None]
            if share < 1 and unknown:
                lines.append(
                    f"fund {fund_id}: no {kind} of {', '.join(unknown)} is known, so they count in "
                    f"every one, of which {share:g} of NAV may be held, and an order beyond "
                    "is denied; list them in `instruments`, or set "
                    f"funds[].envelope.max_{kind}_pct to 1.0 where none has one, as an index"
                )
    return lines


def _traded(settings: Settings) -> Iterator[tuple[str, str, str, Symbol]]:
    """Yield what may be ordered: its key, who orders it, the fund and the symbol."""
    for index, entry in enumerate(settings.strategies):
        for place, name in enumerate(entry.symbols):
            key = f"strategies.{index}.symbols.{place}"
            yield key, f"strategy {entry.strategy_id}", entry.fund_id, Symbol(name)
    for index, mandate in enumerate(settings.mandates):
        for place, symbol in enumerate(mandate.symbols):
            key = f"mandates.{index}.symbols.{place}"
            yield key, f"mandate {mandate.mandate_id}", mandate.fund_id, symbol


def _class_of(table: InstrumentTable, symbol: Symbol, key: str) -> AssetClass:
    facts = table.facts(symbol)
    if facts is None:
        raise ConfigError(
            "",
            key,
            f"what a unit of {symbol} is worth is not known, so each of its orders would be "
            "denied; a contract is known where `instruments` lists it",
        )
    if facts.currency not in (None, BASE_CURRENCY):
        raise ConfigError(
            "",
            key,
            f"{symbol} is priced in {facts.currency}, and positions, cash, NAV and limits are "
            f"counted in {BASE_CURRENCY} without conversion; trade what is priced in it",
        )
    return facts.asset_class
