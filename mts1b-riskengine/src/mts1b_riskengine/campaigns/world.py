"""A real engine on a real store, in virtual time, that campaigns treat roughly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from mts1b_foundation import Bar, Fill, Order, RiskEnvelope, Symbol
from mts1b_foundation.limits import RiskLimits, SymbolLimits
from mts1b_foundation.protocols import RiskGate
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import HaltStore
from mts1b_platform.pump import Event
from mts1b_platform.signing import HmacSigner
from mts1b_platform.store import Outbox, Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_riskengine.book import RiskBook
from mts1b_riskengine.borrow import FixedBorrow
from mts1b_riskengine.campaigns.model import Caps
from mts1b_riskengine.engine import RiskEngine
from mts1b_riskengine.feed import RiskFeed
from mts1b_riskengine.halts import HaltRecord
from mts1b_riskengine.tables import SCHEMA_VERSION, metadata

__all__ = ["CAPS", "FUNDS", "PRICE", "START", "STRATEGIES", "SYMBOLS", "PowerLost", "World"]

START = datetime(2026, 1, 7, 20, tzinfo=UTC)
PRICE = Decimal(100)
FUNDS = ("alpha", "beta")
STRATEGIES = ("trend", "carry")
SYMBOLS = (Symbol("AAPL"), Symbol("MSFT"))
CAPS = Caps(
    position=Decimal(10_000),
    gross=Decimal(15_000),
    firm=Decimal(22_000),
    symbol_units=Decimal(150),
)
_NAV = Decimal(100_000)
"""The envelopes of the world are its caps as fractions of this."""


class PowerLost(Exception):
    """The process ended here."""


class CrashingOutbox(Outbox):
    """Lose the process once, when a decision is being written: after reserving, before commit."""

    armed = False

    async def add_many(self, tx: AsyncConnection, events: list[tuple[str, str, bytes]]) -> None:
        """Write the events, or end the process."""
        if self.armed:
            self.armed = False
            raise PowerLost
        await super().add_many(tx, events)


class World:
    """The engine with its store; a crash builds a new engine from the store alone."""

    def __init__(self, home: Path, store: Store, gates: Sequence[RiskGate] | None = None) -> None:
        self.home = home
        self._gates = gates
        self.store = store
        self.outbox = store.outbox = CrashingOutbox()
        self.clock = VirtualClock(START)
        self.halts = HaltRecord(HaltStore(home / "halt"))
        self.engine = self._new_engine()

    @classmethod
    async def open(cls, home: Path, *, gates: Sequence[RiskGate] | None = None) -> World:
        """Return a world with two funds, prices, and nothing held.

        :param gates: others than the engine's own, to see that what they lack is found out.
        """
        store = await Store.open(
            home / "risk.sqlite", metadata=metadata, name="riskengine", version=SCHEMA_VERSION
        )
        world = cls(home, store, gates)
        await world.engine.start()
        for fund in FUNDS:
            await world.engine.seed_envelope(_envelope(fund))
        await world.feed(*(_bar(symbol) for symbol in SYMBOLS))
        return world

    def _new_engine(self) -> RiskEngine:
        row = SymbolLimits(max_position_quantity=CAPS.symbol_units)
        limits = RiskLimits(firm_max_gross_usd=CAPS.firm, symbols=dict.fromkeys(SYMBOLS, row))
        return RiskEngine(
            self.store,
            book=RiskBook(self.store, clock=self.clock, limits=limits),
            signer=HmacSigner(b"campaign" * 4),
            halts=self.halts,
            clock=self.clock,
            gates=self._gates,
            borrow=FixedBorrow(),
        )

    async def restart(self) -> None:
        """Lose the engine's memory."""
        self.engine = self._new_engine()
        await self.engine.start()

    async def feed(self, *payloads: Any) -> None:
        """Apply events as the pump does, in one transaction."""
        feed = RiskFeed(self.engine)
        async with self.store.transaction() as tx:
            for payload in payloads:
                await feed.handle(tx, Event("s", "s", None, payload, "m", "OMS", 1))

    async def fill(self, order: Order, units: Decimal, fill_id: str) -> None:
        """Let the venue execute a part of an order."""
        fill = Fill(
            fill_id=fill_id,
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=units,
            price=PRICE,
            venue="paper",
            timestamp=self.clock.now(),
            fund_id=order.fund_id,
            strategy_id=order.strategy_id,
        )
        await self.feed(fill)

    async def close(self) -> None:
        """Close the store."""
        await self.store.close()


def _envelope(fund: str) -> RiskEnvelope:
    return RiskEnvelope(
        envelope_id=f"env-{fund}",
        fund_id=fund,
        nav_usd=_NAV,
        max_position_pct=0.10,
        max_gross_exposure_pct=0.15,
        allowed_brokers=["paper"],
        enable_shorting=True,
    )


def _bar(symbol: Symbol) -> Bar:
    return Bar(
        symbol=symbol,
        interval="1w",
        open=PRICE,
        high=PRICE,
        low=PRICE,
        close=PRICE,
        timestamp=START,
    )
