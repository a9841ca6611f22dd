"""The pipeline: a gate passes only by returning True itself; all else is a named denial."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

import pytest
from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope
from mts1b_platform.clock import SystemClock, VirtualClock
from mts1b_riskengine import CroOpinion, GatePipeline, GateRefused, GateRun, default_gates
from mts1b_riskengine.gates import CroVetoGate
from riskengine_desk import AT, Desk, MakeDesk, make_envelope, make_order


class Odd(Exception):
    """An error of some library."""


@dataclass
class Custom:
    """A foreign gate that does what it is told."""

    act: Callable[[RiskContext], Any]
    name: str = "custom"
    seen: list[str] = field(default_factory=list)

    async def check(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> Any:
        self.seen.append(order.order_id)
        return self.act(context)


class Inline(Custom):
    """The same, on the caller's stack as the gates of this package."""

    inline: ClassVar[bool] = True


class Hanging:
    """A gate that never answers, and holds on when it is cancelled once."""

    name = "hanging"

    async def check(self, order: Order, envelope: RiskEnvelope, context: Any) -> bool:
        await asyncio.Event().wait()
        return True


class Synchronous:
    """A gate whose check is no coroutine."""

    name = "synchronous"

    def check(self, order: Order, envelope: RiskEnvelope, context: Any) -> bool:
        return True


def raising(error: BaseException) -> Callable[[RiskContext], Any]:
    def act(context: RiskContext) -> Any:
        raise error

    return act


async def run(*gates: Any) -> GateRun:
    pipeline = GatePipeline(gates, budget_s=0.01, clock=VirtualClock(AT))
    return await pipeline.run(make_order(), make_envelope(), RiskContext())


async def code_of(*gates: Any) -> str:
    denial = (await run(*gates)).denial
    assert denial is not None
    assert denial.code is not None
    return denial.code


@pytest.mark.parametrize("kind", [Custom, Inline])
@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        KeyError("nav"),
        TypeError("x"),
        InvalidOperation("NaN"),
        ZeroDivisionError("x"),
        AttributeError("x"),
        OSError("x"),
        RuntimeError("x"),
        RecursionError("x"),
        TimeoutError("x"),
        AssertionError("x"),
        UnicodeDecodeError("utf-8", b"", 0, 1, "x"),
    ],
    ids=repr,
)
async def test_a_gate_that_raises_denies(kind: type[Custom], error: Exception) -> None:
    assert await code_of(kind(raising(error))) == DenyCode.GATE_ERROR


@pytest.mark.parametrize("error", [Odd("x"), asyncio.CancelledError()], ids=repr)
async def test_a_foreign_gate_may_raise_anything(error: BaseException) -> None:
    assert await code_of(Custom(raising(error))) == DenyCode.GATE_ERROR


async def test_a_gate_that_hangs_denies_within_its_budget() -> None:
    assert await code_of(Hanging()) == DenyCode.GATE_TIMEOUT


async def test_a_check_that_is_no_coroutine_denies() -> None:
    assert await code_of(Synchronous()) == DenyCode.GATE_ERROR


@pytest.mark.parametrize("kind", [Custom, Inline])
@pytest.mark.parametrize(
    "value", [1, "yes", None, float("nan"), Decimal("NaN"), [True], object], ids=repr
)
async def test_what_is_no_bool_denies(kind: type[Custom], value: object) -> None:
    assert await code_of(kind(lambda _: value)) == DenyCode.GATE_NOT_BOOL


async def test_false_without_a_reason_is_still_a_named_denial() -> None:
    denial = (await run(Custom(lambda _: False))).denial
    assert denial is not None
    assert (denial.gate, denial.code) == ("custom", DenyCode.GATE_DENIED)
    assert denial.reason


async def test_a_reason_is_kept_to_the_letter() -> None:
    run_ = await run(Custom(lambda c: c.reject("TOO_EARLY", "opening", limit=300, value=12)))
    assert run_.denial is not None
    assert run_.denial.model_dump() == {
        "gate": "custom",
        "passed": False,
        "code": "TOO_EARLY",
        "reason": "opening",
        "limit": "300",
        "value": "12",
    }


async def test_true_after_a_reject_denies() -> None:
    assert await code_of(Custom(lambda c: not c.reject("ODD", "contradiction"))) == "ODD"


async def test_the_first_denial_ends_the_run_and_reasons_do_not_leak() -> None:
    late = Custom(lambda _: True, name="late")
    run_ = await run(
        Custom(lambda _: True, name="first"), Custom(lambda _: False, name="second"), late
    )
    assert [(r.gate, r.passed) for r in run_.results] == [("first", True), ("second", False)]
    assert late.seen == []
    assert not run_.approved


async def test_a_context_that_was_used_before_brings_no_old_reason() -> None:
    context = RiskContext()
    context.reject("OLD", "of another order")
    pipeline = GatePipeline([Custom(lambda _: True)], budget_s=1, clock=VirtualClock(AT))
    assert (await pipeline.run(make_order(), make_envelope(), context)).approved


@pytest.mark.parametrize(
    "gates",
    [
        [],
        [object()],
        [Custom(lambda _: True), Custom(lambda _: True)],
        [Custom(lambda _: True, name="")],
    ],
)
def test_a_pipeline_refuses_what_is_no_list_of_gates(gates: list[Any]) -> None:
    with pytest.raises(GateRefused):
        GatePipeline(gates, budget_s=1, clock=VirtualClock(AT))


async def test_the_engine_records_the_denial_of_a_broken_gate(make_desk: MakeDesk) -> None:
    desk = await make_desk(gates=[*default_gates(), Custom(raising(Odd("broken")))])
    decision = await desk.engine.check(make_order())
    assert (decision.rejecting_gate, decision.code) == ("custom", DenyCode.GATE_ERROR)
    assert "Odd: broken" in decision.reason
    assert desk.book.reservations.open_ids() == []


async def test_facts_that_can_not_be_gathered_deny(make_desk: MakeDesk) -> None:
    def facts(order: Order, now: Any) -> dict[str, Any]:
        raise LookupError("no calendar")

    desk = await make_desk(facts=facts)
    decision = await desk.engine.check(make_order())
    assert (decision.rejecting_gate, decision.code) == ("context", DenyCode.GATE_ERROR)


async def test_a_caller_who_gives_up_leaves_no_gate_running() -> None:
    pipeline = GatePipeline([Hanging()], budget_s=60, clock=VirtualClock(AT))
    check = asyncio.ensure_future(pipeline.run(make_order(), make_envelope(), RiskContext()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    check.cancel()
    with pytest.raises(asyncio.CancelledError):
        await check
    await asyncio.sleep(0)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not others


async def test_an_inline_gate_may_wait_within_the_budget(desk: Desk) -> None:
    async def slowly(order: Order, envelope: RiskEnvelope) -> CroOpinion:
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        return CroOpinion(veto=order.quantity > 10, confidence=1.0)

    envelope = make_envelope(cro_veto_enabled=True)
    pipeline = GatePipeline([CroVetoGate(slowly)], budget_s=1.0, clock=SystemClock())
    for quantity, code in ((10, None), (11, DenyCode.CRO_VETO)):
        order = make_order(quantity=Decimal(quantity))
        context = RiskContext(policy=desk.engine.policy)
        run = await pipeline.run(order, envelope, context)
        assert (run.denial.code if run.denial else None) == code
    patient = GatePipeline([CroVetoGate(slowly)], budget_s=0.0001, clock=SystemClock())
    late = await patient.run(make_order(), envelope, RiskContext(policy=desk.engine.policy))
    assert late.denial is not None
    assert late.denial.code == DenyCode.GATE_TIMEOUT
