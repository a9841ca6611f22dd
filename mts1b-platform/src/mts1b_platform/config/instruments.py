"""What a listed instrument must be, so that every part counts it alike."""

from __future__ import annotations

import difflib
from typing import Annotated

from mts1b_foundation.symbology import Currency, Instrument, SymbolKind
from pydantic import AfterValidator

from mts1b_platform.calendars import calendar_names
from mts1b_platform.config.misfit import Misfit

__all__ = ["ListedInstrument"]

_USUAL_SESSIONS = frozenset({"XNYS", "24/7"})
"""Known without loading every calendar there is, which takes a second."""

_CONTRACTS = (SymbolKind.FUTURE, SymbolKind.OPTION)


def _countable(one: Instrument) -> Instrument:
    """Return the instrument; refuse one that the books would count wrongly.

    :raises Misfit: with the field, the reason and what to do.
    """
    _in_dollars(one)
    _by_the_unit(one)
    _has_sessions(one)
    for name in ("sector", "country"):
        if getattr(one, name) is not None and not getattr(one, name).strip():
            raise Misfit(name, f"{one.symbol} has an empty one; leave the key out")
    return one


def _in_dollars(one: Instrument) -> None:
    quoted = one.symbol.split("-")[1] if one.symbol.kind is SymbolKind.PAIR else one.currency.value
    if one.currency is not Currency.USD or quoted != Currency.USD.value:
        raise Misfit(
            "symbol" if one.currency is Currency.USD else "currency",
            f"{one.symbol} is priced in {quoted}, and positions, cash, NAV and limits are counted "
            "in USD without conversion; list instruments that are priced in USD alone",
        )


def _by_the_unit(one: Instrument) -> None:
    if one.symbol.kind in _CONTRACTS and "multiplier" not in one.model_fields_set:
        raise Misfit(
            "multiplier",
            f"{one.symbol} is a contract, and its multiplier is not told; a contract is worth its "
            "price times its multiplier, so say it",
        )
    if one.multiplier != 1:
        raise Misfit(
            "multiplier",
            f"a point of {one.symbol} is worth {one.multiplier} a unit, and positions, cash and "
            "NAV are counted as price times quantity; take this instrument out of the settings: "
            "contracts with a multiplier can not be traded yet",
        )


def _has_sessions(one: Instrument) -> None:
    if one.session in _USUAL_SESSIONS:
        return
    known = calendar_names()
    if one.session not in known:
        near = difflib.get_close_matches(one.session.upper(), known, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "use an ISO 10383 code like XNYS"
        raise Misfit("session", f"no exchange calendar {one.session!r} for {one.symbol}; {hint}")


ListedInstrument = Annotated[Instrument, AfterValidator(_countable)]
"""An instrument of the settings: in USD, worth its price a unit, with a calendar that exists."""
