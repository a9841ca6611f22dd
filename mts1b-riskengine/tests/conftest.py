"""A desk for each test; the builders of orders and bars are in riskengine_desk.py."""

import sys
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import ExecutionMode, RiskEnvelope
from mts1b_foundation.limits import RiskLimits
from mts1b_foundation.protocols import RiskGate
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import HaltStore
from mts1b_platform.rng import SeededRng
from mts1b_platform.signing import KeyRing
from mts1b_platform.store import Store
from mts1b_riskengine import HaltRecord, InstrumentTable, RiskBook, RiskEngine, RiskPolicy, metadata
from mts1b_riskengine.mandates import MandateTable

sys.path.insert(0, str(Path(__file__).parent))

from riskengine_desk import AT, FUND, Desk, MakeDesk, make_bar, make_envelope


@pytest.fixture
async def make_desk(tmp_path: Path) -> AsyncIterator[MakeDesk]:
    opened: list[Store] = []

    async def make(
        *,
        home: Path = tmp_path,
        url: str | None = None,
        envelope: RiskEnvelope | None = None,
        gates: Sequence[RiskGate] | None = None,
        policy: RiskPolicy | None = None,
        prices: bool = True,
        instruments: InstrumentTable | None = None,
        limits: RiskLimits | None = None,
        mandates: MandateTable | None = None,
        at: datetime = AT,
        **more: Any,
    ) -> Desk:
        clock = VirtualClock(at)
        store = await Store.open(url or home / "risk.sqlite", metadata=metadata, name="riskengine")
        opened.append(store)
        keys = KeyRing(home / "keys", SeededRng(7))
        signer = keys.signer("risk")
        halts = HaltStore(home / "halt")
        engine = RiskEngine(
            store,
            book=RiskBook(
                store,
                clock=clock,
                instruments=instruments,
                limits=limits,
                mandates=mandates,
                mode=ExecutionMode.PAPER,
            ),
            signer=signer,
            halts=HaltRecord(halts),
            clock=clock,
            gates=gates,
            policy=policy,
            **more,
        )
        await engine.start()
        if envelope is not None or engine.book.envelopes.find(FUND) is None:
            await engine.seed_envelope(envelope or make_envelope())
        desk = Desk(home, clock, store, halts, engine, keys.verifier("risk"))
        if prices:
            await desk.feed(make_bar("AAPL"), make_bar("MSFT"))
        return desk

    yield make
    for store in opened:
        await store.close()


@pytest.fixture
async def desk(make_desk: MakeDesk) -> Desk:
    return await make_desk()
