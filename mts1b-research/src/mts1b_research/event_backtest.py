"""``mode: backtest``: the whole system in this process, on a tape, in virtual time.

The services are the ones that trade on paper: research decides, portfolio code sizes, the OMS
writes down, risk approves, the simulated venue fills, the ledger books. They share a bus in memory
and stores in a folder that is gone afterwards (in memory where the machine has such a file system).
They are found by entry point: mts1b-oms, mts1b-riskengine and mts1b-operations must be installed.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
import yaml
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.market_data import UniversePanel
from mts1b_foundation.nats import (
    OMS_FILLS_CREATED,
    OMS_NAV_UPDATED,
    OMS_ORDERS_CREATED,
    OMS_ORDERS_REJECTED,
    base_subject,
)
from mts1b_foundation.orders import Fill, Order
from mts1b_marketdata.dataset import BarDataset
from mts1b_marketdata.errors import ReplayStopped
from mts1b_marketdata.replay import ReplayFeed
from mts1b_marketdata.service import ReplayRun
from mts1b_platform.clock import VirtualClock
from mts1b_platform.config import Settings, load_settings
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.ids import SystemIds
from mts1b_platform.plugins import load_plugin
from mts1b_platform.rng import SystemRng
from mts1b_platform.service import Service, ServiceContext
from mts1b_platform.store import Store
from mts1b_platform.store.tables import outbox
from mts1b_platform.supervision import TaskGroupSupervisor

from mts1b_research.errors import BacktestFailed
from mts1b_research.registry import StrategyRegistry
from mts1b_research.service import ResearchService

__all__ = ["EventRun", "read_events", "run_event_backtest", "tape_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MEMORY = Path("/dev/shm")
_ORDERED = ("operations", "riskengine", "oms", "research")


@dataclass(frozen=True, slots=True)
class EventRun:
    """What the OMS has on record, in order: orders as asked for, refusals, fills, NAVs."""

    orders: tuple[Order, ...]
    rejected: tuple[Order, ...]
    fills: tuple[Fill, ...]
    navs: tuple[NavSnapshot, ...]


class _Quiet:
    """Keep warnings and errors of the services for the message of a failure."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, event: str, **facts: Any) -> None:
        """Say nothing."""

    debug = info

    def warning(self, event: str, **facts: Any) -> None:
        """Keep the line."""
        self.lines.append(f"{event} {facts}")

    error = warning
    exception = warning
    critical = warning


def run_event_backtest(
    panel: UniversePanel,
    settings: Mapping[str, Any],
    *,
    registry: StrategyRegistry | None = None,
    interval: str = "1d",
) -> EventRun:
    """Run the system over the bars of a panel and return what it has on record.

    :param panel: prices without gaps; ``dates`` are aware ends of bars.
    :param settings: what ``mts.yaml`` says: funds, strategies, venue; mode, replay and bus are set
        here.
    :param registry: knows the kinds of strategies; by default those of entry points.
    :raises BacktestFailed: when a service can not go on.
    :raises ConfigError, PluginMissing: for settings that make no sense, or a missing package.
    """
    with tempfile.TemporaryDirectory(
        prefix="mts-backtest-", dir=_MEMORY if _MEMORY.is_dir() else None
    ) as folder:
        home = Path(folder)
        used = _write_settings(home, settings)
        return asyncio.run(_Run(home, used, tape_of(panel, interval), registry).run())


def _write_settings(home: Path, settings: Mapping[str, Any]) -> Settings:
    data = {**settings, "mode": "backtest", "bus": {"kind": "local"}}
    data["replay"] = {"enabled": True, "dataset": "panel", "progress_every": 1_000_000}
    (home / "mts.yaml").write_text(yaml.safe_dump(data))
    return load_settings(home, environ={})


def tape_of(panel: UniversePanel, interval: str) -> ReplayFeed:
    """Return the bars of a panel as the replay gives them, moment by moment."""
    names = ("open", "high", "low", "close", "volume")
    cube = np.stack([np.asarray(getattr(panel, name), dtype=np.float64) for name in names], axis=2)
    symbols = [str(symbol) for symbol in panel.symbols]
    rows = {
        moment: sorted((symbol, tuple(values)) for symbol, values in zip(symbols, bar, strict=True))
        for moment, bar in zip(panel.dates, cube.tolist(), strict=True)
    }
    digest = hashlib.sha256(cube.tobytes()).hexdigest()
    dataset = BarDataset(
        directory=Path(), name="panel", interval=interval, version=1, sha256=digest, files=()
    )
    return ReplayFeed(dataset, rows)


class _Run:
    """The services of one backtest."""

    def __init__(
        self, home: Path, settings: Settings, feed: ReplayFeed, registry: StrategyRegistry | None
    ) -> None:
        self._home, self._settings, self._feed, self._registry = home, settings, feed, registry
        self._log = _Quiet()
        self._failure: asyncio.Future[tuple[str, Exception]]
        self._tasks = TaskGroupSupervisor(self._failed)

    def _failed(self, name: str, error: Exception) -> None:
        if not self._failure.done():
            self._failure.set_result((name, error))

    async def run(self) -> EventRun:
        """Start the services, play the tape, stop them, read the record."""
        self._failure = asyncio.get_running_loop().create_future()
        bus = LocalBus()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(bus.close)
            stack.push_async_callback(self._tasks.stop)
            for name in _ORDERED:
                service = self._service(name, self._context(name, bus))
                stack.push_async_callback(service.stop)
                await service.start()
            await self._play(ReplayRun(self._context("marketdata", bus), self._feed))
        return await read_events(self._home)

    def _service(self, name: str, context: ServiceContext) -> Service:
        if name == "research":
            return ResearchService(context, registry=self._registry)
        service: Service = load_plugin("mts1b.services", name)(context)
        return service

    def _context(self, name: str, bus: LocalBus) -> ServiceContext:
        return ServiceContext(
            name=name,
            home=self._home,
            settings=self._settings,
            clock=VirtualClock(_EPOCH),
            ids=SystemIds(),
            rng=SystemRng(),
            bus=bus,
            log=self._log,
            tasks=self._tasks,
            replay=True,
            sockets=False,
        )

    async def _play(self, replay: ReplayRun) -> None:
        """Play the tape until its end, or until a service fails."""
        played = asyncio.create_task(replay.run())
        both: set[asyncio.Future[Any]] = {played, self._failure}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not self._failure.done():
            try:
                await played
            except ReplayStopped as stop:
                at = f"after bar {replay.done} of {self._feed.total}"
                raise BacktestFailed(f"stopped {at}: {stop.__cause__ or stop}") from stop
            return
        played.cancel()
        await asyncio.wait({played})
        name, error = self._failure.result()
        said = f"; it said: {self._log.lines[-1]}" if self._log.lines else ""
        raise BacktestFailed(f"{name} failed: {error!r}{said}") from error


async def read_events(home: Path) -> EventRun:
    """Read what the OMS of a home published: its outbox keeps every event."""
    store = await Store.open(home / "db" / "oms.sqlite", name="oms", read_only=True)
    try:
        async with store.read() as connection:
            query = sa.select(outbox.c.subject, outbox.c.payload).order_by(outbox.c.position)
            rows = [(base_subject(s), p) for s, p in (await connection.execute(query)).all()]
    finally:
        await store.close()
    return EventRun(
        orders=tuple(Order.model_validate_json(p) for p in _of(rows, OMS_ORDERS_CREATED)),
        rejected=tuple(Order.model_validate_json(p) for p in _of(rows, OMS_ORDERS_REJECTED)),
        fills=tuple(Fill.model_validate_json(p) for p in _of(rows, OMS_FILLS_CREATED)),
        navs=tuple(NavSnapshot.model_validate_json(p) for p in _of(rows, OMS_NAV_UPDATED)),
    )


def _of(rows: Sequence[tuple[str, bytes]], subject: str) -> list[bytes]:
    return [payload for found, payload in rows if found == subject]
