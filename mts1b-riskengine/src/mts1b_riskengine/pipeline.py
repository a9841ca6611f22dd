"""Ask the gates in order; the first that does not clearly pass ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mts1b_foundation import DenyCode, GateResult, Order, RiskContext, RiskEnvelope
from mts1b_foundation.protocols import RiskGate
from mts1b_platform.clock import Clock

from mts1b_riskengine.errors import GateRefused
from mts1b_riskengine.gates.inline import InlineGate
from mts1b_riskengine.isolation import Answered, Failed, TimedOut, isolate

__all__ = ["INLINE_FAILURES", "GatePipeline", "GateRun"]

INLINE_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    NameError,
    OSError,
    ReferenceError,
    RuntimeError,
    SyntaxError,
    SystemError,
    TypeError,
    ValueError,
)
"""What a gate of this package can raise. A foreign gate runs isolated, where anything counts."""


@dataclass(frozen=True, slots=True)
class GateRun:
    """The results of the gates that ran, in order, with the seconds that each took."""

    results: tuple[GateResult, ...]
    seconds: tuple[float, ...]

    @property
    def approved(self) -> bool:
        """Return whether every gate passed; no gate at all passes nothing."""
        return bool(self.results) and self.results[-1].passed

    @property
    def denial(self) -> GateResult | None:
        """Return the result that ended the run, or None."""
        return None if not self.results or self.results[-1].passed else self.results[-1]


Call = Callable[[], Awaitable[object]]
Decide = Callable[[Order, RiskEnvelope, RiskContext], bool]


@dataclass(frozen=True, slots=True)
class _Step:
    """One gate, with what the pipeline needs to know of it at every order."""

    name: str
    gate: RiskGate
    inline: bool
    quiet: bool
    passed: GateResult
    decide: Decide | None


def _step_of(gate: RiskGate) -> _Step:
    name, quiet = gate.name, bool(getattr(gate, "quiet", False))
    own = isinstance(gate, InlineGate) and getattr(type(gate), "check", None) is InlineGate.check
    inline = _is_inline(gate)
    decide = gate.decide if own and inline and isinstance(gate, InlineGate) else None
    return _Step(name, gate, inline, quiet, GateResult(gate=name, passed=True), decide)


class _Resumed(Generator[Any, Any, object]):
    """Await a coroutine that has run up to its first wait, which is handed on first."""

    def __init__(self, begun: Coroutine[Any, Any, object], waits_for: object) -> None:
        self._begun = begun
        self._first: list[object] = [waits_for]

    def __await__(self) -> Generator[Any, Any, object]:
        return self

    def send(self, value: object) -> object:
        """Go on; StopIteration carries the answer."""
        return self._first.pop() if self._first else self._begun.send(value)

    def throw(self, typ: Any, val: Any = None, tb: Any = None) -> object:
        """Let the coroutine deal with what became of its wait."""
        self._first.clear()
        return self._begun.throw(typ if val is None else val)


class GatePipeline:
    """Run gates over one order.

    A gate passes only by returning ``True`` itself. An exception, a time-out, anything that is no
    bool, and a ``True`` after ``context.reject`` are denials with a code. Gates of this package
    that declare ``inline`` (in memory, no waiting) run on the caller's stack until they
    wait after all; from there, and every other gate from its beginning, they run in a task of
    their own with ``budget_s`` seconds. A gate that is ``quiet`` leaves no result where it passes.

    :raises GateRefused: for an object that is no gate, no gates, or two of one name.
    """

    def __init__(self, gates: Sequence[RiskGate], *, budget_s: float, clock: Clock) -> None:
        if not gates:
            raise GateRefused(
                "a pipeline without gates would approve everything; give at least one"
            )
        for gate in gates:
            if not isinstance(gate, RiskGate):
                raise GateRefused(f"{gate!r} is no gate: it needs `name` and an async `check`")
        names = [gate.name for gate in gates]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or not all(isinstance(name, str) and name for name in names):
            raise GateRefused(f"gate names must be unique and not empty, got {', '.join(names)}")
        self.names = tuple(names)
        self._gates = tuple(gates)
        self._steps = tuple(_step_of(gate) for gate in gates)
        self._passes = {step.name: step.passed for step in self._steps}
        self._budget_s = budget_s
        self._clock = clock

    async def prepare(self, order: Order, envelope: RiskEnvelope) -> Mapping[str, Any]:
        """Collect the facts of gates that must wait for something, before the transaction."""
        facts: dict[str, Any] = {}
        for gate in self._gates:
            prepare = getattr(gate, "prepare", None)
            if prepare is not None:
                facts.update(await prepare(order, envelope))
        return facts

    async def run(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> GateRun:
        """Ask each gate until one denies."""
        results: list[GateResult] = []
        seconds: list[float] = []
        monotonic = self._clock.monotonic
        begin = monotonic()
        for step in self._steps:
            context["gate"] = step.name
            context.rejection = None
            if step.decide is not None:
                result = self._decided(step, step.decide, order, envelope, context)
            else:
                result = await self._asked(step, order, envelope, context)
            end = monotonic()
            if step.quiet and result.passed:
                continue
            results.append(result)
            seconds.append(end - begin)
            begin = end
            if not result.passed:
                break
        return GateRun(tuple(results), tuple(seconds))

    async def _asked(
        self, step: _Step, order: Order, envelope: RiskEnvelope, context: RiskContext
    ) -> GateResult:
        """Ask a gate that may wait; one of this package on this stack until it does."""
        if not step.inline:
            return await self._isolated(
                step.name, lambda: step.gate.check(order, envelope, context), context
            )
        begun: Any = step.gate.check(order, envelope, context)
        try:
            waits_for = begun.send(None)
        except StopIteration as answer:
            return self._judge(step.name, answer.value, context)
        except (*INLINE_FAILURES, asyncio.CancelledError) as error:
            # Nothing outside can cancel what has not waited yet: the gate did it itself.
            return _deny(step.name, DenyCode.GATE_ERROR, f"{type(error).__name__}: {error}")
        return await self._isolated(step.name, lambda: _Resumed(begun, waits_for), context)

    def _decided(
        self,
        step: _Step,
        decide: Decide,
        order: Order,
        envelope: RiskEnvelope,
        context: RiskContext,
    ) -> GateResult:
        try:
            verdict: object = decide(order, envelope, context)
        except (*INLINE_FAILURES, asyncio.CancelledError) as error:
            return _deny(step.name, DenyCode.GATE_ERROR, f"{type(error).__name__}: {error}")
        if verdict is True and context.rejection is None:
            return step.passed
        return self._judge(step.name, verdict, context)

    async def _isolated(self, name: str, call: Call, context: RiskContext) -> GateResult:
        outcome = await isolate(call, budget_s=self._budget_s)
        match outcome:
            case Answered(value):
                return self._judge(name, value, context)
            case Failed(problem):
                return _deny(name, DenyCode.GATE_ERROR, problem)
            case TimedOut(budget_s):
                reason = f"no answer within {budget_s * 1000:.0f} ms"
                return _deny(name, DenyCode.GATE_TIMEOUT, reason, limit=f"{budget_s} s")

    def _judge(self, name: str, verdict: object, context: RiskContext) -> GateResult:
        rejection = context.rejection
        if verdict is True and rejection is None:
            return self._passes[name]
        if not isinstance(verdict, bool):
            reason = f"the gate returned {verdict!r}, which is neither True nor False"
            return _deny(name, DenyCode.GATE_NOT_BOOL, reason, value=repr(verdict))
        if rejection is not None:
            return rejection
        return _deny(name, DenyCode.GATE_DENIED, "the gate denied without a reason")


def _is_inline(gate: RiskGate) -> bool:
    """Tell whether a gate is one of this package, which may run on the caller's stack."""
    own = type(gate).__module__.startswith("mts1b_riskengine.")
    return own and getattr(gate, "inline", False) is True


def _deny(
    name: str, code: DenyCode, reason: str, *, limit: str | None = None, value: str | None = None
) -> GateResult:
    return GateResult(
        gate=name, passed=False, code=code.value, reason=reason, limit=limit, value=value
    )
