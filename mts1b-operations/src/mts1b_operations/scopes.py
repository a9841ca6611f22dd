"""What an operator names on the command line, and whether the settings know it."""

from __future__ import annotations

from pathlib import Path

from mts1b_foundation.symbology import Symbol
from mts1b_platform.config import ConfigError, Settings, load_settings
from mts1b_platform.halt import HaltStore

from mts1b_operations.errors import BadSelection
from mts1b_operations.halt_record import active_halts, named_by
from mts1b_operations.places import HALT_FOLDER

__all__ = ["scope_named", "unknown_scope"]


def scope_named(home: Path, text: str | None) -> str:
    """Return the scope that a fund id, strategy id or scope names; ``firm`` for None.

    A symbol is written as orders write it, in upper case: ``symbol:spx`` would stop nothing.

    :raises BadSelection: when it names nothing, or a fund and a strategy at once.
    """
    if text is None or text == "firm":
        return "firm"
    halted = {halt.scope for halt in active_halts(HaltStore(home / HALT_FOLDER))}
    if ":" in text:
        named_by(text)
        return text if text in halted else _as_recorded(text)
    try:
        settings = load_settings(home)
    except ConfigError as error:
        raise BadSelection(
            f"{text!r} can not be looked up: {error}; give fund:{text} or strategy:{text}"
        ) from error
    found = {f"fund:{f.fund.fund_id}" for f in settings.funds if f.fund.fund_id == text}
    found |= {f"strategy:{s.strategy_id}" for s in settings.strategies if s.strategy_id == text}
    found |= halted & {f"fund:{text}", f"strategy:{text}"}
    if len(found) != 1:
        funds = ", ".join(f.fund.fund_id for f in settings.funds) or "none"
        strategies = ", ".join(s.strategy_id for s in settings.strategies) or "none"
        what = "a fund and a strategy" if found else "no fund and no strategy"
        raise BadSelection(
            f"{text!r} names {what}; funds: {funds}; strategies: {strategies}; "
            "or give fund:ID, strategy:ID, venue:NAME or symbol:SYMBOL"
        )
    return found.pop()


def _as_recorded(scope: str) -> str:
    """Return the scope as the orders of it spell it.

    :raises BadSelection: for a symbol that no order can have.
    """
    kind, _, name = scope.partition(":")
    if kind != "symbol":
        return scope
    try:
        return f"symbol:{Symbol(name.upper())}"
    except ValueError as error:
        raise BadSelection(f"{name!r} is no symbol: {error}") from error


def unknown_scope(home: Path, scope: str) -> str:
    """Return what is odd about a scope that the settings do not know, else "".

    Settings that can not be read know everything: a halt is no moment to argue.
    """
    kind, _, name = scope.partition(":")
    if scope == "firm":
        return ""
    try:
        known = _known(load_settings(home))[kind]
    except ConfigError:
        return ""
    if name in known:
        return ""
    return f"no {kind} {name!r} is in the settings; there are: {', '.join(known) or 'none'}"


def _known(settings: Settings) -> dict[str, list[str]]:
    symbols = {symbol for entry in settings.strategies for symbol in entry.symbols}
    return {
        "fund": sorted(entry.fund.fund_id for entry in settings.funds),
        "strategy": sorted(entry.strategy_id for entry in settings.strategies),
        "venue": sorted({entry.fund.broker for entry in settings.funds}),
        "symbol": sorted(symbols | set(settings.replay.symbols)),
    }
