"""Ask the gates in order; the first that does not clearly pass ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

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


class GateRun(NamedTuple):
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
Decide = Callable[[Order, RiskEnvelope, RiskContext], object]


@dataclass(frozen=True, slots=True)
class _Step:
    """One gate, with what the pipeline needs to know of it at every order.

    ``decide`` is there for a gate that answers without waiting. ``before`` are the results of
    the gates before this one, which have all passed when it is asked.
    """

    name: str
    gate: RiskGate
    inline: bool
    quiet: bool
    decide: Decide | None
    before: tuple[GateResult, ...]


def _steps_of(gates: Sequence[RiskGate]) -> tuple[tuple[_Step, ...], tuple[GateResult, ...]]:
    """Return the steps, and the results of a run that they all pass."""
    steps: list[_Step] = []
    passed: tuple[GateResult, ...] = ()
    for gate in gates:
        name, quiet = gate.name, bool(getattr(gate, "quiet", False))
        inline = _is_inline(gate)
        decide = gate.decide if inline and _decides_at_once(gate) else None
        steps.append(_Step(name, gate, inline, quiet, decide, passed))
        if not quiet:
            passed = (*passed, GateResult(gate=name, passed=True))
    return tuple(steps), passed


def _decides_at_once(gate: RiskGate) -> TypeGuard[InlineGate]:
    own = getattr(type(gate), "check", None) is InlineGate.check
    return own and isinstance(gate, InlineGate)


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

    :param clock: tells how long each gate took; None where nobody asks.
    :raises GateRefused: for an object that is no gate, no gates, or two of one name.
    """

    def __init__(self, gates: Sequence[RiskGate], *, budget_s: float, clock: Clock | None) -> None:
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
        self._steps, self._all_passed = _steps_of(gates)
        asked_ahead = (getattr(gate, "prepare", None) for gate in gates)
        self._asked_ahead = tuple(prepare for prepare in asked_ahead if prepare is not None)
        self._budget_s = budget_s
        self._monotonic = clock.monotonic if clock is not None else None

    async def prepare(self, order: Order, envelope: RiskEnvelope) -> Mapping[str, Any]:
        """Collect the facts of gates that must wait for something, before the transaction."""
        facts: dict[str, Any] = {}
        for prepare in self._asked_ahead:
            facts.update(await prepare(order, envelope))
        return facts

    async def run(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> GateRun:
        """Ask each gate until one denies."""
        seconds: list[float] = []
        monotonic = self._monotonic
        begin = monotonic() if monotonic is not None else 0.0
        context.rejection = None
        results = self._all_passed
        for step in self._steps:
            name, decide = step.name, step.decide
            context["gate"] = name
            if decide is None:
                denial = await self._asked(step, order, envelope, context)
                context.rejection = None
            else:
                try:
                    verdict = decide(order, envelope, context)
                    if verdict is True and context.rejection is None:
                        denial = None
                    else:
                        denial = _judged(name, verdict, context)
                except (*INLINE_FAILURES, asyncio.CancelledError) as error:
                    denial = _failed(name, error)
            if monotonic is not None and (denial is not None or not step.quiet):
                end = monotonic()
                seconds.append(end - begin)
                begin = end
            if denial is not None:
                results = (*step.before, denial)
                break
        return GateRun(results, tuple(seconds) or (0.0,) * len(results))

    async def _asked(
        self, step: _Step, order: Order, envelope: RiskEnvelope, context: RiskContext
    ) -> GateResult | None:
        """Ask a gate that may wait; one of this package on this stack until it does."""
        if not step.inline:
            return await self._isolated(
                step.name, lambda: step.gate.check(order, envelope, context), context
            )
        begun: Any = step.gate.check(order, envelope, context)
        try:
            waits_for = begun.send(None)
        except StopIteration as answer:
            if answer.value is True and context.rejection is None:
                return None
            return _judged(step.name, answer.value, context)
        except (*INLINE_FAILURES, asyncio.CancelledError) as error:
            # Nothing outside can cancel what has not waited yet: the gate did it itself.
            return _failed(step.name, error)
        return await self._isolated(step.name, lambda: _Resumed(begun, waits_for), context)

    async def _isolated(self, name: str, call: Call, context: RiskContext) -> GateResult | None:
        outcome = await isolate(call, budget_s=self._budget_s)
        match outcome:
            case Answered(value):
                return _judged(name, value, context)
            case Failed(problem):
                return _deny(name, DenyCode.GATE_ERROR, problem)
            case TimedOut(budget_s):
                reason = f"no answer within {budget_s * 1000:.0f} ms"
                return _deny(name, DenyCode.GATE_TIMEOUT, reason, limit=f"{budget_s} s")


def _judged(name: str, verdict: object, context: RiskContext) -> GateResult | None:
    """Return None where a gate passed the order, else its denial."""
    rejection = context.rejection
    if not isinstance(verdict, bool):
        reason = f"the gate returned {verdict!r}, which is neither True nor False"
        return _deny(name, DenyCode.GATE_NOT_BOOL, reason, value=repr(verdict))
    if rejection is not None and not rejection.passed:
        return rejection
    if verdict is True and rejection is None:
        return None
    return _deny(name, DenyCode.GATE_DENIED, "the gate denied without a reason")


def _failed(name: str, error: BaseException) -> GateResult:
    return _deny(name, DenyCode.GATE_ERROR, f"{type(error).__name__}: {error}")


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
