"""The order path in memory and the services trade the same, halts and resumes included."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from mts1b_datalake import Lake
from mts1b_foundation.market_data import UniversePanel
from mts1b_GPUbacktester.panels import panel_from
from mts1b_research.event_backtest import EventRun, run_event_backtest
from mts1b_research.memory_backtest import run_memory_backtest

from tests.integration.replay_home import CALM

SETTINGS: dict[str, Any] = {name: CALM[name] for name in CALM if name not in ("replay", "mode")}


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> UniversePanel:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    lake.import_sample()
    frame = lake.bars(["SPX", "IXIC"], "1d", date(2000, 1, 1), date(2000, 12, 31))
    return panel_from(frame)


@pytest.fixture(scope="module")
def runs(panel: UniversePanel) -> tuple[EventRun, EventRun]:
    return run_event_backtest(panel, SETTINGS), run_memory_backtest(panel, SETTINGS)


def test_orders_fills_and_navs_are_equal(runs: tuple[EventRun, EventRun]) -> None:
    services, memory = runs
    assert [order.order_id for order in memory.orders] == [o.order_id for o in services.orders]
    assert memory.orders == services.orders
    assert memory.fills == services.fills
    assert {(n.fund_id, n.strategy_id, n.as_of): n for n in memory.navs} == {
        (n.fund_id, n.strategy_id, n.as_of): n for n in services.navs
    }
    assert len(memory.fills) > 10


def test_the_same_orders_are_refused_for_the_same_reasons(runs: tuple[EventRun, EventRun]) -> None:
    services, memory = runs
    told = [(o.order_id, o.rejected_code, o.rejected_reason) for o in memory.rejected]
    assert told == [(o.order_id, o.rejected_code, o.rejected_reason) for o in services.rejected]
    assert "FUND_HALTED" in {code for _, code, _ in told}
