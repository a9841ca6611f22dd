"""The halt scenarios of the fault catalogue that are no race: H1, H4, H8, and control 30."""

from __future__ import annotations

import asyncio
import resource
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from mts1b_foundation import Quote, Symbol
from mts1b_foundation.commands import CancelOrder, CancelReply, SubmitOrder, SubmitReply
from mts1b_foundation.nats import CMD_OMS_CANCEL, CMD_OMS_SUBMIT
from mts1b_foundation.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from mts1b_foundation.risk import ActiveHalt, HaltRequest, HaltSeverity
from mts1b_operations import HaltManager, commands
from mts1b_operations.halt_record import put_in_force
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import HaltStateUnreadable, HaltStore
from mts1b_platform.simulation import DeterministicLoop, Faults

from tools.halts.world import RaceWorld

AT = datetime(2026, 1, 2, 15, tzinfo=UTC)


def _halt(scope: str = "firm", **changes: object) -> ActiveHalt:
    severities = {"firm": HaltSeverity.FIRM_HALT, "fund": HaltSeverity.FUND_HALT}
    base = {
        "halt_id": f"h-{scope}",
        "scope": scope,
        "severity": severities[scope.partition(":")[0]],
        "reason": "drill",
        "requested_by": "operator:ann",
        "requested_at": AT,
        "epoch": 1,
    }
    return ActiveHalt.model_validate(base | changes)


def _blocked(home: Path, fund: str = "any") -> str | None:
    found = HaltStore(home / "halt").blocked(fund_id=fund, strategy_id="s", reduce_only=False)
    return found.scope if found else None


def _on_a_full_disk(act: Callable[[], object]) -> None:
    """Run something while no file of this process may grow beyond ten bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        act()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("before", [False, True])
def test_h1_a_halt_that_can_not_be_written_halts_everything(tmp_path: Path, before: bool) -> None:
    """H1: the disk is full while the kill switch writes; the default is halted."""
    store = HaltStore(tmp_path / "halt")
    if before:
        store.apply(_halt("fund:a"))
    (tmp_path / "halt").mkdir(exist_ok=True)

    def act() -> None:
        with pytest.raises(HaltStateUnreadable, match="could not be written"):
            store.apply(_halt("fund:b"))

    _on_a_full_disk(act)
    assert _blocked(tmp_path, "c") == "firm"


def test_h1_the_command_goes_on_with_a_full_disk(tmp_path: Path) -> None:
    """H1: what the operator's command writes first may fail; the halt is in force all the same."""
    (tmp_path / "halt").mkdir()
    _on_a_full_disk(lambda: put_in_force(HaltStore(tmp_path / "halt"), _halt("fund:b")))
    assert _blocked(tmp_path) == "firm"


async def test_h8_a_restored_record_does_not_forget_a_halt(tmp_path: Path) -> None:
    """H8: halt, restart, and an older copy of the record restored: still halted."""
    first = HaltStore(tmp_path / "halt")
    first.apply(_halt("fund:old"))
    shutil.copytree(tmp_path / "halt", tmp_path / "backup")
    async with HaltManager(home=tmp_path, clock=VirtualClock(AT)) as manager:
        await manager.recover()
        request = HaltRequest(
            severity=HaltSeverity.FIRM_HALT, reason="drill", requested_by="operator:ann"
        )
        await manager.request(request)
    assert _blocked(tmp_path) == "firm"
    shutil.rmtree(tmp_path / "halt")
    shutil.copytree(tmp_path / "backup", tmp_path / "halt")
    assert _blocked(tmp_path) is None
    async with HaltManager(home=tmp_path, clock=VirtualClock(AT)) as manager:
        await manager.recover()
    assert _blocked(tmp_path) == "firm"


async def test_h8_what_was_resumed_stays_resumed(tmp_path: Path) -> None:
    """H8, the other way round: a recovery brings back no halt that two operators have ended."""
    for name in ("ann", "bob"):
        commands.create_operator_key(tmp_path, name)
    async with HaltManager(home=tmp_path, clock=VirtualClock(AT)) as manager:
        await manager.request(
            HaltRequest(severity=HaltSeverity.FIRM_HALT, reason="x", requested_by="operator:ann")
        )
        await manager.resume(cosigned_by="operator:ann", second_by="operator:bob")
    async with HaltManager(home=tmp_path, clock=VirtualClock(AT)) as manager:
        await manager.recover()
    assert _blocked(tmp_path) is None


def _in_a_world(home: Path, act: Callable[[RaceWorld], Awaitable[None]]) -> None:
    loop = DeterministicLoop(3)

    async def run() -> None:
        world = RaceWorld(loop, 3, home, faults=Faults.none(), far=False)
        await world.open()
        assert await world.is_up()
        await act(world)
        await world.close()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run())


def _order(key: str, limit: str, world: RaceWorld, **changes: object) -> Order:
    base: dict[str, object] = {
        "order_id": f"ord-{key}",
        "idempotency_key": key,
        "symbol": Symbol("AAA"),
        "side": Side.BUY,
        "quantity": Decimal(5),
        "order_type": OrderType.LIMIT,
        "limit_price": Decimal(limit),
        "tif": TimeInForce.GTC,
        "fund_id": "alpha",
        "strategy_id": "trend",
        "created_at": world.loop.clock.now(),
        "reference_price": Decimal(100),
    }
    return Order.model_validate(base | changes)


async def _submit(world: RaceWorld, order: Order) -> Order:
    data = SubmitOrder(order=order).model_dump_json().encode()
    reply = await world.net.bus("client").request(CMD_OMS_SUBMIT, data, timeout_s=5.0)
    return SubmitReply.model_validate_json(reply).order


async def _quote(world: RaceWorld, price: str) -> None:
    await world.truth.quote(
        Quote(
            symbol=Symbol("AAA"),
            venue="paper",
            bid=Decimal(price) - Decimal("0.01"),
            ask=Decimal(price),
            bid_size=Decimal(50),
            ask_size=Decimal(50),
            timestamp=world.loop.clock.now(),
        )
    )


def test_h4_fills_after_the_halt_are_booked(tmp_path: Path) -> None:
    """H4: an order rests, the firm is halted, the order fills: recorded, and the book is live."""

    async def act(world: RaceWorld) -> None:
        resting = await _submit(world, _order("one", "99.50", world))
        assert resting.status is OrderStatus.ACCEPTED
        put_in_force(HaltStore(world.home / "halt"), _halt())
        await _quote(world, "99.40")
        await asyncio.sleep(3.0)
        assert world.oms is not None
        found = await world.oms.record.order(resting.order_id)
        assert found is not None
        assert found.filled_quantity == 5
        assert world.oms.record.ledger.quantities() == {Symbol("AAA"): Decimal(5)}
        denied = await _submit(world, _order("two", "99.50", world))
        assert denied.rejected_code == "FIRM_HALTED"

    _in_a_world(tmp_path, act)


def test_control_30_cancel_and_reduce_are_possible_when_new_risk_is_denied(
    tmp_path: Path,
) -> None:
    """Control 30: under a soft halt an order can be cancelled and a position reduced."""

    async def act(world: RaceWorld) -> None:
        resting = await _submit(world, _order("rests", "99.00", world))
        await _quote(world, "99.90")
        filled = await _submit(world, _order("fills", "100.00", world))
        await _quote(world, "99.90")
        await asyncio.sleep(3.0)
        soft = _halt(reduce_only_allowed=True)
        put_in_force(HaltStore(world.home / "halt"), soft)
        more = await _submit(world, _order("more", "100.00", world))
        assert more.rejected_code == "FIRM_HALTED"
        less = _order("less", "99.80", world, side=Side.SELL, reduce_only=True)
        reduced = await _submit(world, less)
        assert (filled.rejected_code, reduced.rejected_code) == (None, None)
        request = CancelOrder(order_id=resting.order_id, actor="operator:ann", reason="x")
        reply = await world.net.bus("client").request(
            CMD_OMS_CANCEL, request.model_dump_json().encode(), timeout_s=5.0
        )
        assert CancelReply.model_validate_json(reply).outcome.value == "confirmed"

    _in_a_world(tmp_path, act)
