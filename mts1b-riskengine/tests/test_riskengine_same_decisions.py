"""Over the bus and in process the decisions are the same, to the last signature."""

import asyncio
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings
from mts1b_foundation import (
    DenyCode,
    FundConfig,
    Order,
    OrderStatus,
    OrderType,
    RiskDecision,
    Side,
)
from mts1b_foundation.limits import MessageLimits, RiskLimits
from mts1b_foundation.nats import STREAMS
from mts1b_platform.clock import VirtualClock
from mts1b_platform.config import FundSettings, ReplaySettings, Settings, StrategySettings
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.halt import HaltStore
from mts1b_platform.ids import SequentialIds
from mts1b_platform.logging import get_logger
from mts1b_platform.pump import Event
from mts1b_platform.rng import SeededRng
from mts1b_platform.service.base import ServiceContext
from mts1b_platform.signing import KeyRing
from mts1b_platform.store import Store
from mts1b_platform.supervision import TaskGroupSupervisor
from mts1b_riskengine import (
    FixedBorrow,
    HaltRecord,
    RiskBook,
    RiskEngine,
    RiskEngineClient,
    RiskPolicy,
    metadata,
)
from mts1b_riskengine.feed import RiskFeed
from mts1b_riskengine.mandates import mandates_of
from mts1b_riskengine.overrides import sign_override
from mts1b_riskengine.service import RiskEngineService
from riskengine_desk import AT, FUND, make_bar, make_envelope, make_nav, make_order

D = Decimal
LIMITS = RiskLimits(
    collar_pct=D("0.10"),
    collar_soft_pct=D("0.05"),
    max_order_usd=D(4000),
    soft_order_usd=D(3000),
    messages=MessageLimits(strategy_new=6, window_s=3600.0),
    repeat_max=4,
    duplicate_window_s=10.0,
    self_match=True,
    firm_max_gross_usd=D(9000),
    buying_power_multiple=D(1),
)


def settings_of() -> Settings:
    fund = FundConfig(fund_id=FUND, name="Alpha", target_nav_usd=D(100_000))
    limits = make_envelope(enable_shorting=True)
    strategy = StrategySettings(
        strategy_id="trend", fund_id=FUND, kind="k", symbols=["AAPL", "MSFT"]
    )
    return Settings(
        funds=[FundSettings(fund=fund, envelope=limits)],
        strategies=[strategy],
        limits=LIMITS,
        replay=ReplaySettings(enabled=True),
    )


class Sides:
    """The same engine twice: as a service behind a bus, and in process."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = VirtualClock(AT)
        self.bus = LocalBus()
        self.tasks = TaskGroupSupervisor(lambda _, error: None)
        self.settings = settings_of()

    async def start(self) -> None:
        for name in ("MARKETDATA", "OMS"):
            await self.bus.ensure_stream(STREAMS[name])
        ctx = ServiceContext(
            name="riskengine",
            home=self.home / "service",
            settings=self.settings,
            clock=self.clock,
            ids=SequentialIds(),
            rng=SeededRng(5),
            bus=self.bus,
            log=get_logger("riskengine"),
            tasks=self.tasks,
            replay=True,
        )
        self.service = RiskEngineService(ctx)
        await self.service.start()
        self.client = RiskEngineClient(bus=self.bus)
        await self._start_local(self.home / "local")

    async def _start_local(self, home: Path) -> None:
        self.store = await Store.open(home / "r.sqlite", metadata=metadata, name="riskengine")
        self.keys = KeyRing(home / "keys", SeededRng(5))
        book = RiskBook(
            self.store,
            clock=self.clock,
            limits=LIMITS,
            mandates=mandates_of(self.settings),
            mode=self.settings.mode,
        )
        self.engine = RiskEngine(
            self.store,
            book=book,
            signer=self.keys.signer("risk"),
            halts=HaltRecord(HaltStore(home / "halt")),
            clock=self.clock,
            policy=RiskPolicy(),
            borrow=FixedBorrow(),
        )
        await self.engine.start()
        for entry in self.settings.funds:
            await self.engine.seed_envelope(entry.envelope)
        await self.feed(make_bar("AAPL"), make_bar("MSFT"), make_nav("100000", cash_usd=D(6000)))

    async def feed(self, *payloads: Any) -> None:
        for engine in (self.engine, self.service.engine):
            feed = RiskFeed(engine)
            async with engine._store.transaction() as tx:
                for payload in payloads:
                    await feed.handle(tx, Event("s", "s", None, payload, "m", "OMS", 1))

    async def check(self, order: Order) -> RiskDecision:
        here = await self.engine.check(order, lease_id="lease-1")
        there = await self.client.check_order(order, lease_id="lease-1")
        assert there == here
        return here

    async def stop(self) -> None:
        await self.service.stop()
        await self.tasks.stop()
        await self.bus.close()
        await self.store.close()


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from([OrderType.MARKET, OrderType.LIMIT]))
    price = draw(st.sampled_from(["80", "99", "100", "101", "106", "111"]))
    return {
        "symbol": draw(st.sampled_from(["AAPL", "AAPL", "MSFT", "GOOG"])),
        "side": draw(st.sampled_from(list(Side))),
        "quantity": D(draw(st.integers(1, 45))),
        "order_type": kind,
        "limit_price": D(price) if kind is OrderType.LIMIT else None,
        "strategy_id": draw(st.sampled_from(["trend", "trend", "trend", "stranger"])),
        "reduce_only": draw(st.booleans()) and draw(st.booleans()),
    }


@given(
    drawn=st.lists(orders(), min_size=4, max_size=14),
    ends=st.lists(st.booleans(), min_size=14, max_size=14),
    pauses=st.lists(st.sampled_from([0.0, 0.0, 3.0, 61.0]), min_size=14, max_size=14),
)
@settings(max_examples=12, deadline=None)
def test_client_and_engine_decide_alike(
    drawn: list[dict[str, Any]], ends: list[bool], pauses: list[float]
) -> None:
    async def scenario(home: Path) -> None:
        sides = Sides(home)
        await sides.start()
        for number, (changes, end, pause) in enumerate(zip(drawn, ends, pauses, strict=False)):
            order = make_order(number, **changes)
            decision = await sides.check(order)
            assert decision.code != DenyCode.GATE_ERROR
            if decision.approved and end:
                await sides.feed(order.with_(status=OrderStatus.CANCELED))
            sides.clock.advance(pause)
            assert await sides.client.blocks() == sides.engine.blocks()
        await sides.stop()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(scenario(Path(folder)))


async def test_an_override_over_the_bus_is_the_override_in_process(tmp_path: Path) -> None:
    sides = Sides(tmp_path)
    await sides.start()
    await sides.feed(make_nav("100000", cash_usd=D(100_000)))
    assert (await sides.check(make_order(1, quantity=D(35)))).code == DenyCode.FAT_FINGER
    (block,) = await sides.client.blocks(fund_id=FUND)
    assert await sides.client.blocks(fund_id="beta") == ()
    remote_keys = KeyRing(tmp_path / "service" / "keys", SeededRng(9))
    for keys in (sides.keys, remote_keys):
        for name in ("ann", "bob"):
            keys.signer(f"operator-{name}")

    def override(keys: KeyRing) -> Any:
        return sign_override(
            keys,
            block_id=block.block_id,
            reason="checked with the desk",
            requested_by="operator:ann",
            approved_by="operator:bob",
            requested_at=AT,
            expires_at=AT.replace(hour=22),
        )

    there = await sides.client.override(override(remote_keys))
    here = await sides.engine.override(override(sides.keys), sides.keys)
    assert (there.block_id, there.code) == (here.block_id, here.code)
    assert (await sides.check(make_order(2, quantity=D(35)))).approved
    assert (await sides.check(make_order(3, quantity=D(35)))).code != ""
    await sides.stop()


async def test_an_approval_is_good_under_its_lease_only(tmp_path: Path) -> None:
    sides = Sides(tmp_path)
    await sides.start()
    first = await sides.check(make_order(1))
    other = await sides.client.check_order(make_order(1), lease_id="lease-2")
    assert first.approval is not None
    assert other.approval is not None
    assert (first.approval.lease_id, other.approval.lease_id) == ("lease-1", "lease-2")
    assert first.approval.nonce != other.approval.nonce
    await sides.stop()
