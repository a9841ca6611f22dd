"""The paper side: the same accounts in five processes over NATS, as ``make paper`` runs them."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import yaml
from mts1b_datalake import ImportSpec, Lake
from mts1b_deploy import Supervisor, processes
from mts1b_foundation.market_data import UniversePanel
from mts1b_GPUbacktester.desk import DeskTerms

from mts1b_research.errors import BacktestFailed
from mts1b_research.event_backtest import EventRun, read_events
from mts1b_research.parity.record import Record
from mts1b_research.parity.subject import Account, interval_of
from mts1b_research.parity.system import record_of, system_settings

__all__ = ["run_paper"]

_DATASET = "panel"
_LOOK_EVERY_S = 0.2
_FIELDS = ("open", "high", "low", "close", "volume")


def run_paper(panel: UniversePanel, accounts: Sequence[Account], terms: DeskTerms) -> Record:
    """Return what the accounts do on paper.

    :raises NotComparable: for a strategy that is no configuration.
    :raises BacktestFailed: when the processes can not be kept running.
    """
    settings = system_settings(accounts, terms, by_text=True)
    interval = interval_of(panel.dates)
    replay = {"enabled": True, "dataset": _DATASET, "interval": interval, "progress_every": 1000}
    with tempfile.TemporaryDirectory(prefix="mts-parity-") as folder:
        home = Path(folder)
        data = {**settings, "mode": "paper", "replay": replay}
        (home / "mts.yaml").write_text(yaml.safe_dump(data))
        spec = ImportSpec(dataset=_DATASET, interval=interval, stamp="end")
        Lake.at_home(home).import_frame(_frame(panel, interval), spec, source="parity")
        return record_of("paper", asyncio.run(_trade(home)), panel, accounts)


def _frame(panel: UniversePanel, interval: str) -> pl.DataFrame:
    """Return the bars of a panel as a long table."""
    length, assets = panel.shape
    columns = {
        name: np.asarray(getattr(panel, name), dtype=np.float64).T.ravel() for name in _FIELDS
    }
    return pl.DataFrame(
        {
            "symbol": [str(symbol) for symbol in panel.symbols for _ in range(length)],
            "interval": [interval] * (length * assets),
            "timestamp": list(panel.dates) * assets,
            **columns,
        }
    )


async def _trade(home: Path) -> EventRun:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MTS_")}
    supervisor = Supervisor(home, processes("five", "nats"), {**kept, "MTS_BUS__KIND": "nats"})
    await supervisor.hold()
    try:
        await supervisor.start()
        while not (home / "run" / "result.json").exists():
            if supervisor.failed is not None and supervisor.failed.done():
                raise BacktestFailed(f"paper trading: {supervisor.failed.result()}")
            await asyncio.sleep(_LOOK_EVERY_S)
    finally:
        await supervisor.stop()
    return await read_events(home)
