"""Denials: of a gate, and of what comes before the gates."""

from __future__ import annotations

from datetime import datetime

from mts1b_foundation import DenyCode, GateResult, Order, RiskDecision

from mts1b_riskengine.pipeline import GateRun

__all__ = ["denied", "denied_before"]


def denied_before(gate: str, code: DenyCode, reason: str) -> GateRun:
    """Return the run of a check that ended before its gates."""
    result = GateResult(gate=gate, passed=False, code=code.value, reason=reason)
    return GateRun((result,), (0.0,))


def denied(order: Order, run: GateRun, denial: GateResult, now: datetime) -> RiskDecision:
    """Return the decision that a gate's denial makes."""
    return RiskDecision(
        order_id=order.order_id,
        approved=False,
        rejecting_gate=denial.gate,
        code=denial.code or DenyCode.GATE_DENIED,
        reason=_sentence(denial),
        gates=run.results,
        decided_at=now,
        fund_id=order.fund_id,
        strategy_id=order.strategy_id,
    )


def _sentence(denial: GateResult) -> str:
    """Return the reason with value and limit, so that a person needs nothing else."""
    parts = [denial.reason]
    if denial.value is not None:
        parts.append(f"value {denial.value}")
    if denial.limit is not None:
        parts.append(f"limit {denial.limit}")
    return ", ".join(parts)
