"""Every gate of the table x 12 ways in which what it needs can fail: always a denial.

Each gate is asked alone, in the pipeline, with facts under which it passes; then one thing is
broken. Where a gate has nothing that a mode could break (no time that could be stale, say), the
order itself or the whole chain is broken that way.
"""

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import DenyCode, Order, Quote, RiskEnvelope, Side, TimeInForce
from mts1b_foundation.protocols import RiskGate
from mts1b_platform.clock import SystemClock
from mts1b_riskengine import GATE_TABLE, CroOpinion, FixedBorrow, GateCard, GatePipeline, GateRun
from mts1b_riskengine.context import CheckContext, build_context
from mts1b_riskengine.gates import CroVetoGate, default_gates
from mts1b_riskengine.gates.inline import InlineGate
from mts1b_riskengine.sessions import SessionFacts
from pydantic import BaseModel
from riskengine_desk import Desk, MakeDesk, make_envelope
from riskengine_limits import OPEN, all_on, child, listed, mandates, open_market

MODES = (
    "missing",
    "none",
    "stale",
    "nan",
    "infinity",
    "zero_or_negative",
    "wrong_type",
    "crossed",
    "raising",
    "hanging",
    "no_bool",
    "crash",
)
BUDGET_S = 0.02
BROKEN = {DenyCode.GATE_ERROR, DenyCode.GATE_TIMEOUT, DenyCode.GATE_NOT_BOOL}
NONE_IS_A_VALUE = {"claim", "disabled"}
"""Facts whose None says: nobody holds the key; the strategy is not disabled."""


class Broken:
    """A thing that raises whatever one asks of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("broken")


class Facts(CheckContext):
    """Facts of which one raises when it is asked for."""

    raises: tuple[str, type[Exception]] | None = None

    def __getitem__(self, name: str) -> Any:
        if self.raises is not None and name == self.raises[0]:
            raise self.raises[1](name)
        return super().__getitem__(name)


def bad_numbers(mode: str) -> list[Decimal]:
    values = {"nan": ["NaN", "sNaN"], "infinity": ["Infinity", "-Infinity"]}
    return [Decimal(text) for text in values.get(mode, ["-1"])]


def broken_copies(gate: str, name: str, value: Any, mode: str) -> list[Any]:
    """Return copies of a fact, each with one number broken that the gate reads."""
    if isinstance(value, bool):
        return []
    if isinstance(value, Decimal):
        return [*bad_numbers(mode)]
    if isinstance(value, float):
        return [float("nan")] if mode == "nan" else [float("inf") * (1 if mode[0] == "i" else -1)]
    if type(value) is tuple and value and all(isinstance(one, Decimal) for one in value):
        return [(bad, *value[1:]) for bad in bad_numbers(mode)] + [
            (*value[:-1], bad) for bad in bad_numbers(mode)
        ]
    fields = _numbers(value)
    if name == "instrument" and gate not in ("static", "unit_safety"):
        fields = []
    if name == "currency_exposure":
        fields = ["value"]
    return [_with(value, field, bad) for field in fields for bad in bad_numbers(mode)]


def _numbers(value: Any) -> list[str]:
    if isinstance(value, Quote):
        return ["bid", "ask"]
    names = {
        "Mark": ["price"],
        "InstrumentFacts": ["multiplier"],
        "FirmExposure": ["gross", "net"],
        "GroupExposure": ["value", "unit_value"],
        "StrategyExposure": ["gross", "position"],
        "ParentFacts": ["quantity", "units", "value"],
        "BorrowQuote": ["fee_bps"],
    }
    return names.get(type(value).__name__, [])


def _with(value: Any, name: str, bad: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: bad})
    if isinstance(value, tuple):
        return type(value)(**{**value._asdict(), name: bad})  # type: ignore[attr-defined]
    return dataclasses.replace(value, **{name: bad})


def crossed(value: Any) -> list[Any]:
    if isinstance(value, Quote):
        return [value.model_copy(update={"bid": value.ask, "ask": value.bid})]
    if type(value) is tuple and len(value) == 2 and isinstance(value[0], Decimal):
        return [(value[0] + 1, value[0])]
    return []


JUDGE_AGE = {"static", "reference", "price_collar"}
"""The gates that judge how old a price is; the others come after `static`, which always does."""


def stale(gate: str, value: Any) -> list[Any]:
    """Return the fact as it would be a month late."""
    if isinstance(value, datetime):
        return [value + timedelta(days=60)]
    if isinstance(value, Quote):
        return [value.model_copy(update={"timestamp": OPEN - timedelta(days=60)})]
    if isinstance(value, SessionFacts):
        return [value._replace(session=None)]
    if type(value).__name__ == "Mark" and gate in JUDGE_AGE:
        return [dataclasses.replace(value, as_of=OPEN - timedelta(days=60))]
    return []


def corruptions(gate: str, name: str, value: Any, mode: str) -> list[Any]:
    match mode:
        case "none":
            return [] if name in NONE_IS_A_VALUE or value is None else [None]
        case "wrong_type":
            return ["text", 3.5 if isinstance(value, int) else 3, object()]
        case "stale":
            return stale(gate, value)
        case "crossed":
            return crossed(value)
        case _:
            return broken_copies(gate, name, value, mode)


def baseline(gate: str) -> Order:
    """Return an order that the gate passes, for the facts that its card names."""
    changes: dict[str, dict[str, Any]] = {
        "schema": {"tif": TimeInForce.GTD, "expires_at": OPEN + timedelta(days=1)},
        "short_side": {"side": Side.SHORT},
        "buying_power": {"parent_order_id": None},
        "duplicate_economics": {"parent_order_id": None},
        "trading_state": {"side": Side.SELL, "strategy_id": "trend"},
    }
    return child(**changes.get(gate, {}))


@pytest.fixture
async def desk(make_desk: MakeDesk) -> Desk:
    limits = all_on(reducing_strategies=["trend"])
    made = await make_desk(
        limits=limits,
        mandates=mandates(valid_until=OPEN + timedelta(days=30)),
        instruments=listed(),
        at=OPEN,
        prices=False,
        envelope=make_envelope(
            enable_shorting=True, cro_veto_enabled=True, cro_veto_timeout_s=0.01
        ),
        borrow=FixedBorrow(),
    )
    await open_market(made)
    await made.hold("100")
    return made


async def agree(order: Order, envelope: RiskEnvelope) -> CroOpinion:
    return CroOpinion(veto=False, confidence=1.0)


def gate_named(desk: Desk, name: str) -> RiskGate:
    gates = default_gates(limits=desk.book.limits, mandates=desk.book.mandates)
    return next(gate for gate in gates if gate.name == name)


async def facts_for(desk: Desk, gate: RiskGate, order: Order) -> Facts:
    envelope = desk.book.envelopes.get(order.fund_id)
    extra = await CroVetoGate(agree).prepare(order, envelope)
    made = build_context(
        order,
        envelope,
        desk.book,
        now=OPEN,
        moment=1.0,
        policy=desk.engine.policy,
        halts=desk.engine._halts.read(),
        borrow=FixedBorrow(),
        extra=extra,
    )
    facts = Facts(made, order=order, book=desk.book, envelope=envelope)
    if gate.name != "trading_state":
        facts["reducing"] = False
    if gate.name == "order_life":
        facts["now"] = OPEN
    return facts


async def ask(desk: Desk, gate: RiskGate, order: Order, facts: Facts) -> GateRun:
    pipeline = GatePipeline([gate], budget_s=BUDGET_S, clock=SystemClock())
    return await pipeline.run(order, facts.envelope, facts)


def assert_denied(run: GateRun, card: GateCard, what: str) -> None:
    denial = run.denial
    assert denial is not None, f"{card.gate} let {what} pass"
    assert denial.code in {*map(str, card.codes), *map(str, BROKEN)}, (what, denial)
    assert max(run.seconds) < 10 * BUDGET_S


def broken_orders(mode: str) -> list[Any]:
    """Return orders that are broken themselves."""
    order = child()
    match mode:
        case "missing" | "raising":
            return [Broken()]
        case "none":
            return [None]
        case "wrong_type":
            return ["text", 3, {"order_id": "o-1"}]
        case "stale":
            return [order.model_copy(update={"created_at": OPEN - timedelta(days=60)})]
        case "crossed":
            return [order.model_copy(update={"limit_price": Decimal(900)})]
        case _:
            return [order.model_copy(update={"quantity": bad}) for bad in bad_numbers(mode)]


async def chain(desk: Desk, order: Any) -> GateRun:
    """Ask the whole chain about an order that is broken."""
    gates = default_gates(limits=all_on(), mandates=desk.book.mandates)
    facts = await facts_for(desk, gates[-1], child())
    facts.order = order if type(order) is Order else child()
    pipeline = GatePipeline(gates, budget_s=BUDGET_S, clock=SystemClock())
    return await pipeline.run(order, facts.envelope, facts)


def sabotaged(gate: RiskGate, mode: str) -> list[RiskGate]:
    """Return the gate itself with its check replaced, so that it hangs, crashes or babbles."""

    async def hang(*args: Any) -> bool:
        await asyncio.Event().wait()
        return True

    def answer(value: Any) -> Callable[..., Any]:
        async def check(*args: Any) -> Any:
            return value

        return check

    def crash(error: BaseException) -> Callable[..., Any]:
        async def check(*args: Any) -> bool:
            raise error

        return check

    class Odd(Exception):
        """An error that nobody knows."""

    checks: dict[str, list[Callable[..., Any]]] = {
        "hanging": [hang],
        "no_bool": [answer(value) for value in (1, "yes", None, object(), [True])],
        "crash": [crash(error) for error in (asyncio.CancelledError(), RuntimeError("x"))],
    }
    made = [_subclass(gate, check, own=True) for check in checks[mode]]
    if mode != "hanging" and isinstance(gate, InlineGate):
        made += [
            _subclass(gate, _at_once(check), own=True, word="decide") for check in checks[mode]
        ]
    if mode == "crash":
        made.append(_subclass(gate, crash(Odd("plugin")), own=False))
    return made


def _at_once(check: Callable[..., Any]) -> Callable[..., Any]:
    """Return the same without waiting."""

    def decide(*args: Any) -> Any:
        try:
            check(*args).send(None)
        except StopIteration as answer:
            return answer.value

    return decide


def _subclass(
    gate: RiskGate, check: Callable[..., Any], *, own: bool, word: str = "check"
) -> RiskGate:
    """Return the gate with another check; ``own``: as a gate of the package, else as a plugin."""
    module = type(gate).__module__ if own else "somebody.plugin"
    kind = type(type(gate).__name__, (type(gate),), {word: check, "__module__": module})
    copy: Any = object.__new__(kind)
    for field in dataclasses.fields(gate):  # type: ignore[arg-type]
        object.__setattr__(copy, field.name, getattr(gate, field.name))
    made: RiskGate = copy
    return made


@pytest.mark.parametrize("card", GATE_TABLE, ids=lambda card: card.gate)
async def test_the_baseline_passes(desk: Desk, card: GateCard) -> None:
    gate, order = gate_named(desk, card.gate), baseline(card.gate)
    run = await ask(desk, gate, order, await facts_for(desk, gate, order))
    assert run.approved, run.denial


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("card", GATE_TABLE, ids=lambda card: card.gate)
async def test_every_gate_fails_closed(desk: Desk, card: GateCard, mode: str) -> None:
    gate, order = gate_named(desk, card.gate), baseline(card.gate)
    tried = 0
    if mode in ("hanging", "no_bool", "crash"):
        for broken in sabotaged(gate, mode):
            run = await ask(desk, broken, order, await facts_for(desk, gate, order))
            assert_denied(run, card, mode)
            tried += 1
    elif mode in ("missing", "raising"):
        for name in card.facts:
            facts = await facts_for(desk, gate, order)
            facts.raises = (name, KeyError if mode == "missing" else RuntimeError)
            assert_denied(await ask(desk, gate, order, facts), card, f"{mode} {name}")
            tried += 1
    else:
        for name in card.facts:
            sound = (await facts_for(desk, gate, order)).get(name)
            for bad in corruptions(card.gate, name, sound, mode):
                facts = await facts_for(desk, gate, order)
                facts[name] = bad
                assert_denied(await ask(desk, gate, order, facts), card, f"{name} = {bad!r}")
                tried += 1
    if not tried:
        for bad in broken_orders(mode):
            assert (await chain(desk, bad)).denial is not None, f"the chain let {bad!r} pass"
            tried += 1
    assert tried
