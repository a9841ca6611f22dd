"""Every setting is read by somebody: one that is accepted and read by nobody is a lie."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from mts1b_platform.config import Settings
from pydantic import BaseModel

ROOT = Path(__file__).resolve().parents[2]
DEFINED = ("mts1b_foundation/", "mts1b_platform/config/")
"""Where settings are declared and checked, which is no use of them."""

FEW = 3
"""A name that more files read than this says nothing by itself; READERS tells who reads it."""

RECORDS = {"FundConfig.name", "FundConfig.description", "FundConfig.created_at"}
RECORDS |= {"FundConfig.notes", "RiskEnvelope.notes"}
"""For people's own records: docs/settings.md says that nothing reads them."""

REFUSED = {"FundConfig.base_currency", "RiskEnvelope.synthetic_stop_pct"}
"""Of which one value alone is taken at the reading, so that nothing needs to read it."""

NOT_BUILT = {"RiskEnvelope.enable_synthetic_stop"}
"""docs/settings.md says so; the name and its default are those of the first documents."""

BY_NAME = {f"RiskEnvelope.{period}_loss_halt_pct" for period in ("daily", "weekly", "monthly")}
"""Read through the table of loss rules, which names them."""

READERS = {
    "Settings.mode": "mts1b_brokers/registry.py",
    "Settings.bus": "mts1b_platform/eventbus/connect.py",
    "Settings.store": "mts1b_platform/service/base.py",
    "Settings.replay": "mts1b_oms/service.py",
    "Settings.venue": "mts1b_oms/service.py",
    "Settings.instruments": "mts1b_riskengine/instruments.py",
    "Settings.funds": "mts1b_riskengine/mandates.py",
    "Settings.strategies": "mts1b_riskengine/mandates.py",
    "Settings.orders": "mts1b_oms/service.py",
    "Settings.limits": "mts1b_riskengine/book.py",
    "Settings.mandates": "mts1b_riskengine/mandates.py",
    "Settings.api": "mts1b_operations/service.py",
    "Settings.service": "mts1b_platform/service/run.py",
    "Settings.log": "mts1b_platform/cli.py",
    "RiskEnvelope.max_position_usd": "mts1b_riskengine/gates/position_risk.py",
    "SymbolLimits.max_position_usd": "mts1b_riskengine/gates/group_exposure.py",
    "Mandate.max_position_usd": "mts1b_riskengine/gates/mandate.py",
    "BusSettings.kind": "mts1b_platform/eventbus/connect.py",
    "BusSettings.url": "mts1b_platform/eventbus/connect.py",
    "StoreSettings.url_template": "mts1b_platform/service/base.py",
    "ReplaySettings.enabled": "mts1b_platform/service/run.py",
    "ReplaySettings.dataset": "mts1b_marketdata/replay.py",
    "ReplaySettings.symbols": "mts1b_oms/service.py",
    "ReplaySettings.interval": "mts1b_marketdata/replay.py",
    "ReplaySettings.start": "mts1b_marketdata/replay.py",
    "ReplaySettings.end": "mts1b_marketdata/replay.py",
    "VenueSettings.profile": "mts1b_brokers/paper/__init__.py",
    "VenueSettings.slippage_bps": "mts1b_brokers/paper/__init__.py",
    "VenueSettings.fill": "mts1b_brokers/paper/__init__.py",
    "VenueSettings.dead_man_s": "mts1b_oms/service.py",
    "Instrument.symbol": "mts1b_riskengine/instruments.py",
    "Instrument.asset_class": "mts1b_riskengine/instruments.py",
    "Instrument.currency": "mts1b_riskengine/instruments.py",
    "Instrument.lot_size": "mts1b_riskengine/instruments.py",
    "Instrument.multiplier": "mts1b_riskengine/instruments.py",
    "Instrument.session": "mts1b_riskengine/instruments.py",
    "Instrument.sector": "mts1b_riskengine/instruments.py",
    "Instrument.country": "mts1b_riskengine/instruments.py",
    "FundSettings.fund": "mts1b_riskengine/mandates.py",
    "FundSettings.envelope": "mts1b_riskengine/service.py",
    "FundConfig.fund_id": "mts1b_riskengine/mandates.py",
    "FundConfig.broker": "mts1b_research/sleeves.py",
    "FundConfig.active": "mts1b_oms/backtest/engine.py",
    "FundConfig.strategies": "mts1b_riskengine/mandates.py",
    "RiskEnvelope.fund_id": "mts1b_riskengine/engine.py",
    "RiskEnvelope.nav_usd": "mts1b_riskengine/context.py",
    "RiskEnvelope.version": "mts1b_riskengine/approval.py",
    "RiskEnvelope.created_at": "mts1b_operations/events.py",
    "StrategySettings.strategy_id": "mts1b_riskengine/mandates.py",
    "StrategySettings.fund_id": "mts1b_riskengine/mandates.py",
    "StrategySettings.kind": "mts1b_research/registry.py",
    "StrategySettings.symbols": "mts1b_riskengine/mandates.py",
    "StrategySettings.params": "mts1b_research/registry.py",
    "StrategySettings.enabled": "mts1b_research/sleeves.py",
    "StrategySettings.interval": "mts1b_research/live_bars.py",
    "RiskSettings.algorithm": "mts1b_oms/service.py",
    "RiskLimits.state": "mts1b_riskengine/gates/trading_state.py",
    "RiskLimits.messages": "mts1b_riskengine/flow.py",
    "RiskLimits.symbols": "mts1b_riskengine/gates/group_exposure.py",
    "MessageLimits.window_s": "mts1b_riskengine/flow.py",
    "Permission.order_types": "mts1b_riskengine/gates/permissions.py",
    "SymbolLimits.lot_size": "mts1b_riskengine/gates/increments.py",
    "SymbolLimits.reduce_only": "mts1b_riskengine/gates/trading_state.py",
    "Mandate.mandate_id": "mts1b_riskengine/gates/mandate.py",
    "Mandate.strategy_id": "mts1b_riskengine/mandates.py",
    "Mandate.fund_id": "mts1b_riskengine/mandates.py",
    "Mandate.symbols": "mts1b_riskengine/gates/mandate.py",
    "Mandate.order_types": "mts1b_riskengine/gates/mandate.py",
    "Mandate.status": "mts1b_riskengine/gates/mandate.py",
    "Mandate.owner": "mts1b_riskengine/gates/mandate.py",
    "OperatorSettings.name": "mts1b_operations/service.py",
    "WatchdogSettings.enabled": "mts1b_operations/watchdogs/runner.py",
    "WatchdogSettings.threshold": "mts1b_operations/watchdogs/runner.py",
    "WatchdogSettings.params": "mts1b_operations/watchdogs/runner.py",
    "ApiSettings.names": "mts1b_operations/service.py",
    "ApiSettings.signals": "mts1b_operations/signals.py",
    "SignalSourceSettings.source": "mts1b_operations/api/signals.py",
    "SignalSourceSettings.strategy_id": "mts1b_operations/api/signals.py",
    "LogSettings.format": "mts1b_platform/logging.py",
    "LogSettings.level": "mts1b_platform/logging.py",
}


def models(kind: Any, known: list[type[BaseModel]]) -> list[type[BaseModel]]:
    """Return every model that settings are made of."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind in known:
            return known
        known.append(kind)
        for field in kind.model_fields.values():
            models(field.annotation, known)
    for inner in get_args(kind):
        models(inner, known)
    return known


def sources() -> Iterator[tuple[str, ast.Module]]:
    for file in ROOT.glob("mts1b-*/src/**/*.py"):
        name = file.as_posix().split("/src/")[1]
        if not name.startswith(DEFINED):
            yield name, ast.parse(file.read_text(encoding="utf-8"))


@cache
def readers() -> dict[str, set[str]]:
    """Return by attribute the files that read one of this name."""
    found: dict[str, set[str]] = {}
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                found.setdefault(node.attr, set()).add(name)
    return found


MODELS = models(Settings, [])
FIELDS = [f"{model.__name__}.{name}" for model in MODELS for name in model.model_fields]
EXEMPT = RECORDS | REFUSED | NOT_BUILT | BY_NAME


def unread(field: str) -> str:
    """Return what is wrong with a field; nothing where somebody reads it."""
    files = readers().get(field.partition(".")[2], set())
    if field in READERS:
        return "" if READERS[field] in files else f"{READERS[field]} reads it no more"
    if not files:
        return "nobody reads it"
    return "" if len(files) <= FEW else "a usual name: tell in READERS who reads it"


@pytest.mark.parametrize("field", [one for one in FIELDS if one not in EXEMPT])
def test_a_setting_is_read(field: str) -> None:
    assert unread(field) == ""


def test_a_setting_that_nobody_reads_would_be_told() -> None:
    assert unread("FundConfig.broker_account_number") == "nobody reads it"
    assert unread("VenueSettings.name") == "a usual name: tell in READERS who reads it"
    assert readers()["broker_account_id"] == {"mts1b_brokers/registry.py"}


def test_the_tables_are_of_fields_that_there_are() -> None:
    told = EXEMPT | set(READERS)
    assert told <= set(FIELDS)
    assert not EXEMPT & set(READERS)


def test_the_loss_rules_name_theirs() -> None:
    (tree,) = (tree for name, tree in sources() if name == "mts1b_riskengine/losses.py")
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {field.partition(".")[2] for field in BY_NAME} <= words
