"""The trading side: the same accounts in the running system, as backtest or on paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from mts1b_foundation.market_data import UniversePanel
from mts1b_foundation.orders import Fill, Order
from mts1b_foundation.symbology import AssetClass, Symbol
from mts1b_GPUbacktester.desk import DeskFill, DeskOrder, DeskRun, DeskTerms

from mts1b_research.errors import NotComparable
from mts1b_research.event_backtest import EventRun, run_event_backtest
from mts1b_research.memory_backtest import run_memory_backtest
from mts1b_research.parity.record import Record, Refusal
from mts1b_research.parity.subject import Account, interval_of
from mts1b_research.registry import StrategyRegistry
from mts1b_research.strategy import Strategy

__all__ = ["record_of", "run_events", "run_memory", "system_settings"]

_GIVEN = "given"
_WIDEST = 1e15
_SPARE = 10
"""How many times its account's money a fund has.

Risk measures a fund, with open orders at their worst, and no share of it may exceed one: with the
rest lying idle the limits stand ten times as wide for the account.
"""


def run_events(panel: UniversePanel, accounts: Sequence[Account], terms: DeskTerms) -> Record:
    """Return what the accounts do in the event-driven backtest: every service, bus and store.

    :raises NotComparable: for terms that the simulated venue does not know.
    :raises BacktestFailed: when a service can not go on.
    """
    return _run("event-driven", run_event_backtest, panel, accounts, terms)


def run_memory(panel: UniversePanel, accounts: Sequence[Account], terms: DeskTerms) -> Record:
    """Return what the accounts do on the order path in memory, without services.

    :raises NotComparable: for terms that the simulated venue does not know.
    :raises PluginMissing: without an order path.
    """
    return _run("memory", run_memory_backtest, panel, accounts, terms)


def _run(
    side: str,
    backtest: Callable[..., EventRun],
    panel: UniversePanel,
    accounts: Sequence[Account],
    terms: DeskTerms,
) -> Record:
    strategies = {account.name: account.strategy for account in accounts}

    def given(strategy_id: str, symbols: Sequence[Symbol], params: Mapping[str, Any]) -> Strategy:
        return strategies[strategy_id]

    registry = StrategyRegistry()
    registry.register(_GIVEN, given)
    settings = system_settings(accounts, terms, by_text=False)
    run = backtest(panel, settings, registry=registry, interval=interval_of(panel.dates))
    return record_of(side, run, panel, accounts)


def system_settings(
    accounts: Sequence[Account], terms: DeskTerms, *, by_text: bool
) -> dict[str, Any]:
    """Return settings in which the limits of risk stand as wide as they can.

    :param by_text: configure the strategies by text, for processes that know no objects of this
        one; else as kind ``given``.
    :raises NotComparable: for a lot or a band that the pipeline has not, or a strategy without
        text.
    """
    if terms.lot != 1.0 or terms.no_trade_band != 0.01:
        raise NotComparable(
            f"lot {terms.lot:g} and no_trade_band {terms.no_trade_band:g}: the runner trades lots "
            "of 1 and leaves changes under 1 % of the NAV undone; compare with these"
        )
    return {
        "venue": {
            "fill": "next_open",
            "fee_bps_per_side": terms.fees_bps,
            "slippage_bps": terms.slippage_bps,
            "max_participation": terms.volume_share,
        },
        "funds": [_fund(account, terms) for account in accounts],
        "strategies": [_strategy(account, by_text=by_text) for account in accounts],
        "watchdogs": {},
    }


def _fund(account: Account, terms: DeskTerms) -> dict[str, Any]:
    cash = str(_SPARE * Decimal(repr(terms.initial_cash)))
    fund_id = account.fund_id
    return {
        "fund": {
            "fund_id": fund_id,
            "name": f"parity of {account.name}",
            "target_nav_usd": cash,
            "asset_classes": [kind.value for kind in AssetClass],
            "strategies": [account.name],
        },
        "envelope": {
            "envelope_id": f"env-{account.name}",
            "fund_id": fund_id,
            "nav_usd": cash,
            "max_gross_exposure_pct": 5.0,
            "max_net_exposure_pct": 5.0,
            "max_position_pct": 1.0,
            "max_sector_pct": 1.0,
            "daily_loss_halt_pct": 1.0,
            "weekly_loss_halt_pct": 1.0,
            "monthly_loss_halt_pct": 1.0,
            "max_order_notional_usd": repr(_WIDEST),
            "allowed_brokers": ["paper"],
            "allowed_asset_classes": [kind.value for kind in AssetClass],
            "enable_shorting": True,
        },
    }


def _strategy(account: Account, *, by_text: bool) -> dict[str, Any]:
    if by_text and account.settings is None:
        raise NotComparable(
            f"{account.name} is an object of this process; to compare with paper trading, give a "
            "strategy of the settings, or a rule as text"
        )
    share = {"capital_fraction": str(1 / Decimal(_SPARE))}
    entry = {
        "strategy_id": account.name,
        "fund_id": account.fund_id,
        "symbols": [str(symbol) for symbol in account.strategy.symbols],
    }
    if by_text and account.settings is not None:
        params = dict(account.settings.params) | share
        return entry | {"kind": account.settings.kind, "params": params}
    return entry | {"kind": _GIVEN, "params": share}


def record_of(
    side: str, run: EventRun, panel: UniversePanel, accounts: Sequence[Account]
) -> Record:
    """Return the events of a run by account and bar.

    :raises NotComparable: for an event at a time that is no bar's end, or a bar without a NAV.
    """
    bars = {moment: bar for bar, moment in enumerate(panel.dates)}
    found, refusals = {}, {}
    for account in accounts:
        mine = account.name
        orders = [_order(order, bars) for order in run.orders if order.strategy_id == mine]
        fills = [_fill(fill, bars) for fill in run.fills if fill.strategy_id == mine]
        nav = np.full(len(bars), np.nan)
        for snapshot in run.navs:
            if snapshot.strategy_id == mine and snapshot.as_of in bars:
                nav[bars[snapshot.as_of]] = float(snapshot.nav_usd)
        found[mine] = DeskRun(tuple(orders), tuple(fills), nav)
        refusals[mine] = tuple(
            Refusal(bars[order.created_at], str(order.symbol), order.rejected_reason or "")
            for order in run.rejected
            if order.strategy_id == mine
        )
    return Record(side, found, refusals)


def _order(order: Order, bars: Mapping[Any, int]) -> DeskOrder:
    units = order.quantity * order.side.sign
    return DeskOrder(_bar(order.created_at, bars), str(order.symbol), units)


def _fill(fill: Fill, bars: Mapping[Any, int]) -> DeskFill:
    units: Decimal = fill.signed_quantity
    return DeskFill(_bar(fill.timestamp, bars), str(fill.symbol), units, fill.price, fill.fees)


def _bar(moment: Any, bars: Mapping[Any, int]) -> int:
    if moment not in bars:
        raise NotComparable(f"something happened at {moment}, where no bar ends")
    return bars[moment]
