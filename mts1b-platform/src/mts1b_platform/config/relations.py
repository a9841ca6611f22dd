"""What settings must be to each other: names that are used exist, and are given once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from mts1b_foundation.orders import ExecutionMode
from mts1b_foundation.risk import RiskEnvelope
from mts1b_foundation.symbology import Currency, Instrument, Symbol

from mts1b_platform.config.misfit import Misfit
from mts1b_platform.config.words import MOST_USD, STEPS

if TYPE_CHECKING:
    from mts1b_platform.config.settings import Settings

__all__ = ["check_relations"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/-]*")
_TAKEN = frozenset({"unallocated", "unassigned"})


def check_relations(settings: Settings) -> None:
    """Return when every part of the settings fits the others.

    :raises Misfit: for the first that does not.
    """
    _once("funds", ".fund.fund_id", (entry.fund.fund_id for entry in settings.funds))
    _once("strategies", ".strategy_id", (entry.strategy_id for entry in settings.strategies))
    _once("mandates", ".mandate_id", (entry.mandate_id for entry in settings.mandates))
    _once("instruments", ".symbol", (entry.symbol for entry in settings.instruments))
    _once("api.signals", ".source", (entry.source for entry in settings.api.signals))
    pairs = (f"{one.strategy_id} for {one.fund_id}" for one in settings.mandates)
    _once("mandates", ".strategy_id", pairs)
    _symbols_are_some(settings)
    _names_can_be_said(settings)
    _capital_can_be_counted(settings)
    _funds_are_in_dollars(settings)
    _no_stop_is_asked_for(settings)
    _owners_exist(settings)
    _funds_name_their_strategies(settings)
    _signals_have_a_strategy(settings)
    _limits_name_what_is_there(settings)
    _steps_can_be_divided_by(settings)
    _increments_are_checked(settings)
    _ends_come_after_starts(settings)
    _strategies_read_what_is_played(settings)
    _a_script_has_a_replay(settings)


def _once(section: str, field: str, names: Iterable[str]) -> None:
    """Refuse a name that is given twice: one of both would never be read."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            raise Misfit(f"{section}.{index}{field}", f"{name} is listed twice")
        seen.add(name)


def _symbols_are_some(settings: Settings) -> None:
    """Refuse what is no symbol, and one that is listed twice."""
    lists = [("replay.symbols", settings.replay.symbols)]
    lists += [
        (f"strategies.{index}.symbols", entry.symbols)
        for index, entry in enumerate(settings.strategies)
    ]
    for key, names in lists:
        _once(key, "", names)
        for index, name in enumerate(names):
            try:
                Symbol(name)
            except ValueError as error:
                raise Misfit(f"{key}.{index}", str(error)) from error


def _names_can_be_said(settings: Settings) -> None:
    """Refuse names that can be no part of a subject, or that books of the system have."""
    named = [
        *((f"funds.{i}.fund.fund_id", one.fund.fund_id) for i, one in enumerate(settings.funds)),
        *(
            (f"strategies.{i}.strategy_id", s.strategy_id)
            for i, s in enumerate(settings.strategies)
        ),
        *((f"mandates.{i}.mandate_id", one.mandate_id) for i, one in enumerate(settings.mandates)),
        *((f"mandates.{i}.strategy_id", m.strategy_id) for i, m in enumerate(settings.mandates)),
    ]
    for key, name in named:
        if not _NAME.fullmatch(name):
            raise Misfit(
                key,
                f"{name!r:.80} is no name; use letters, digits and _ . : @ / -, a letter or "
                "digit first",
            )
        if name in _TAKEN:
            raise Misfit(key, f"{name} is what the books call what belongs to nobody; use another")
    subjects = (one.fund.fund_id.replace(".", "_") for one in settings.funds)
    _once("funds", ".fund.fund_id", subjects)


def _capital_can_be_counted(settings: Settings) -> None:
    for index, entry in enumerate(settings.funds):
        for key, amount in (
            ("fund.target_nav_usd", entry.fund.target_nav_usd),
            ("envelope.nav_usd", entry.envelope.nav_usd),
        ):
            if amount > MOST_USD:
                raise Misfit(f"funds.{index}.{key}", f"{amount:.3g} USD is more than there is")


def _funds_are_in_dollars(settings: Settings) -> None:
    for index, entry in enumerate(settings.funds):
        base = entry.fund.base_currency
        if base is not Currency.USD:
            raise Misfit(
                f"funds.{index}.fund.base_currency",
                f"fund {entry.fund.fund_id} is in {base.value}, and prices, fees, cash and NAV are "
                "counted in USD without conversion; set USD",
            )


def _no_stop_is_asked_for(settings: Settings) -> None:
    """Refuse the distance of a stop that nobody would place."""
    usual = RiskEnvelope.model_fields["synthetic_stop_pct"].default
    for index, entry in enumerate(settings.funds):
        if entry.envelope.synthetic_stop_pct != usual:
            raise Misfit(
                f"funds.{index}.envelope.synthetic_stop_pct",
                "synthetic stops are not built, and none would be placed; remove it, and let the "
                "strategy or the loss limits end a position",
            )


def _owners_exist(settings: Settings) -> None:
    funds = {entry.fund.fund_id for entry in settings.funds}
    for index, entry in enumerate(settings.strategies):
        if entry.fund_id not in funds:
            raise Misfit(
                f"strategies.{index}.fund_id",
                f"strategy {entry.strategy_id} belongs to fund {entry.fund_id}, "
                f"which is not among {_list(funds, 'the funds')}",
            )
    for index, mandate in enumerate(settings.mandates):
        if mandate.fund_id not in funds:
            raise Misfit(
                f"mandates.{index}.fund_id",
                f"mandate {mandate.mandate_id} is for fund {mandate.fund_id}, "
                f"which is not among {_list(funds, 'the funds')}",
            )


def _funds_name_their_strategies(settings: Settings) -> None:
    """Hold a fund that lists strategies to its list; an empty list leaves it to the strategies."""
    traders = [
        *(("strategies", i, s.fund_id, s.strategy_id) for i, s in enumerate(settings.strategies)),
        *(("mandates", i, m.fund_id, m.strategy_id) for i, m in enumerate(settings.mandates)),
    ]
    for number, entry in enumerate(settings.funds):
        fund, listed = entry.fund.fund_id, entry.fund.strategies
        if not listed:
            continue
        _once(f"funds.{number}.fund.strategies", "", listed)
        for key, index, owner, name in traders:
            if owner == fund and name not in listed:
                raise Misfit(
                    f"{key}.{index}.strategy_id",
                    f"strategy {name} is not among those that may trade for fund {fund}: "
                    f"{', '.join(listed)}; add it to funds[].fund.strategies, or leave that empty",
                )


def _signals_have_a_strategy(settings: Settings) -> None:
    signals = settings.api.signals
    if signals and settings.replay.enabled:
        raise Misfit("api.signals", "a replay takes no signals from outside: remove api.signals")
    known = {entry.strategy_id for entry in settings.strategies}
    for index, entry in enumerate(signals):
        if entry.strategy_id not in known:
            raise Misfit(
                f"api.signals.{index}.strategy_id",
                f"signals of {entry.source} are for strategy {entry.strategy_id}, "
                f"which is not among {_list(known, 'the strategies')}",
            )


def _limits_name_what_is_there(settings: Settings) -> None:
    """Refuse a limit of what is not there: a slip of the pen would take the limit away."""
    limits = settings.limits
    strategies = {one.strategy_id for one in settings.strategies}
    strategies |= {one.strategy_id for one in settings.mandates}
    funds = {entry.fund.fund_id for entry in settings.funds}
    for key, names, known, word in (
        ("reducing_funds", limits.reducing_funds, funds, "the funds"),
        ("reducing_strategies", limits.reducing_strategies, strategies, "the strategies"),
        ("permissions", limits.permissions, strategies, "the strategies"),
        ("symbols", limits.symbols, _symbols(settings), "the symbols"),
    ):
        for name in names if strategies else ():
            if name not in known:
                near = difflib.get_close_matches(name, sorted(known), n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise Misfit(
                    f"limits.{key}",
                    f"{name} is not among {_list(known, word)}, so it binds nobody{hint}",
                )


def _steps_can_be_divided_by(settings: Settings) -> None:
    listed = [(f"instruments.{index}", one) for index, one in enumerate(settings.instruments)]
    limited = [(f"limits.symbols.{name}", row) for name, row in settings.limits.symbols.items()]
    least, most = STEPS
    for key, steps in (*listed, *limited):
        for name in ("tick_size", "lot_size"):
            step = getattr(steps, name)
            if step is not None and not least <= step <= most:
                raise Misfit(f"{key}.{name}", f"{step} is not from {least} to {most}")


def _increments_are_checked(settings: Settings) -> None:
    """Refuse steps and a least value of an instrument that no order would be held to."""
    if settings.limits.check_increments:
        return
    for index, one in enumerate(settings.instruments):
        for name in ("tick_size", "lot_size", "minimum_notional"):
            value = getattr(one, name)
            if value != Instrument.model_fields[name].default:
                raise Misfit(
                    f"instruments.{index}.{name}",
                    f"nobody checks the {name} {value} of {one.symbol}; set "
                    "limits.check_increments: true, or leave it out",
                )


def _symbols(settings: Settings) -> set[str]:
    """Return what may be traded, or is listed."""
    traded = {name for one in settings.strategies for name in one.symbols}
    traded |= {str(name) for one in settings.mandates for name in one.symbols}
    return traded | {*settings.replay.symbols} | {str(one.symbol) for one in settings.instruments}


def _ends_come_after_starts(settings: Settings) -> None:
    spans = [("replay.end", settings.replay.start, settings.replay.end)]
    for index, one in enumerate(settings.mandates):
        spans.append((f"mandates.{index}.valid_until", one.valid_from, one.valid_until))
    for key, start, end in spans:
        if start is not None and end is not None and start > end:
            raise Misfit(key, f"{end.isoformat()} is before it starts, {start.isoformat()}")


def _strategies_read_what_is_played(settings: Settings) -> None:
    """Refuse an interval that the replay does not play: the strategy would read another.

    A backtest is given its bars, and the replay's interval is not theirs.
    """
    played = settings.replay.interval
    plays = settings.replay.enabled and settings.mode is not ExecutionMode.BACKTEST
    for index, entry in enumerate(settings.strategies if plays else ()):
        if entry.enabled and entry.interval != played:
            raise Misfit(
                f"strategies.{index}.interval",
                f"strategy {entry.strategy_id} reads bars of {entry.interval}, and the replay "
                f"plays {played}; make them the same",
            )


def _a_script_has_a_replay(settings: Settings) -> None:
    played = settings.replay.enabled or settings.mode is ExecutionMode.BACKTEST
    if settings.operator.script and not played:
        raise Misfit(
            "operator.script",
            "a script resumes halts in a replay or a backtest alone, and replay.enabled is false; "
            "remove it",
        )


def _list(names: Collection[str], what: str) -> str:
    return ", ".join(sorted(names)) or f"{what} (none)"
