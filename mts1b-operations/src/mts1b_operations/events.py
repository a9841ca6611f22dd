"""How each event of the system becomes one audit entry: one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mts1b_foundation import nats
from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.commands import EnvelopeUpdate, ReconciliationReport, ResolveOrder
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.model import FrozenModel
from mts1b_foundation.orders import Fill, FillCorrection, Order
from mts1b_foundation.risk import OrderRejection, RiskDecision, RiskEnvelope, SoftBlock
from mts1b_foundation.signals import IntentDecision, Signal
from mts1b_platform.pump import Event

from mts1b_operations.audit.chain import AuditRecord

__all__ = ["AUDITED", "AuditRule", "record_of"]


@dataclass(frozen=True, slots=True)
class AuditRule:
    """The action, the actor, and where subject and business time stand in the payload.

    ``signs``: people acted, whose names and signatures are the evidence and stay in the entry;
    such entries, and those that tell of machines, are not ``economic``.
    """

    action: str
    actor: str
    subject_of: Callable[[Any], str]
    time_of: Callable[[Any], datetime]
    signs: bool = False
    economic: bool = True


def _order_time(order: Order) -> datetime:
    known = (order.created_at, order.submitted_at, order.accepted_at)
    return max(moment for moment in known if moment is not None)


def _order_rule(verb: str) -> AuditRule:
    return AuditRule(f"order_{verb}", "mts1b-oms", lambda o: str(o.order_id), _order_time)


def _decision_rule(verb: str) -> AuditRule:
    def subject(decision: RiskDecision) -> str:
        return decision.order_id

    return AuditRule(f"order_{verb}", "mts1b-riskengine", subject, lambda d: d.decided_at)


def _fill_subject(fill: Fill) -> str:
    return fill.order_id


def _correction_subject(correction: FillCorrection) -> str:
    return correction.order_id


def _resolution_subject(resolution: ResolveOrder) -> str:
    return resolution.order_id


def _adjustment_subject(one: AdjustBooks) -> str:
    return one.adjustment_id


def _report_subject(report: ReconciliationReport) -> str:
    return report.venue


def _block_subject(block: SoftBlock) -> str:
    return block.block_id


def _override_time(block: SoftBlock) -> datetime:
    return block.override.requested_at if block.override is not None else block.raised_at


def _nav_subject(nav: NavSnapshot) -> str:
    return nav.fund_id


def _gate_subject(rejection: OrderRejection) -> str:
    return rejection.order_id


def _envelope_subject(envelope: RiskEnvelope) -> str:
    return envelope.fund_id


def _signing_time(update: EnvelopeUpdate) -> datetime:
    return update.requested_at or update.envelope.created_at


def _signal_subject(signal: Signal) -> str:
    return signal.signal_id


def _intent_subject(intent: IntentDecision) -> str:
    return intent.signal_id


_ORDER_VERBS = (
    "created",
    "submitted",
    "accepted",
    "filled",
    "rejected",
    "canceled",
    "expired",
    "replaced",
    "unknown",
)

AUDITED: dict[str, AuditRule] = {
    **{f"mts.v1.oms.orders.{verb}": _order_rule(verb) for verb in _ORDER_VERBS},
    nats.OMS_FILLS_CREATED: AuditRule(
        "fill_created", "mts1b-oms", _fill_subject, lambda f: f.timestamp
    ),
    nats.OMS_FILLS_CORRECTED: AuditRule(
        "fill_corrected", "mts1b-oms", _correction_subject, lambda c: c.timestamp
    ),
    nats.OMS_ORDERS_RESOLVED: AuditRule(
        "order_resolved",
        "mts1b-oms",
        _resolution_subject,
        lambda r: r.requested_at,
        signs=True,
        economic=False,
    ),
    nats.OMS_BOOKS_ADJUSTED: AuditRule(
        "books_adjusted",
        "mts1b-oms",
        _adjustment_subject,
        lambda one: one.requested_at,
        signs=True,
        economic=False,
    ),
    nats.OMS_RECONCILIATION_CHANGED: AuditRule(
        "reconciliation_changed",
        "mts1b-oms",
        _report_subject,
        lambda r: r.as_of,
        economic=False,
    ),
    nats.RISK_BLOCKS_RAISED: AuditRule(
        "block_raised", "mts1b-riskengine", _block_subject, lambda b: b.raised_at
    ),
    nats.RISK_BLOCKS_OVERRIDDEN: AuditRule(
        "block_overridden",
        "mts1b-riskengine",
        _block_subject,
        _override_time,
        signs=True,
        economic=False,
    ),
    nats.OMS_NAV_UPDATED: AuditRule("nav_updated", "mts1b-oms", _nav_subject, lambda n: n.as_of),
    nats.RISK_ORDERS_APPROVED: _decision_rule("approved"),
    nats.RISK_ORDERS_DENIED: _decision_rule("denied"),
    nats.RISK_GATE_FAILED: AuditRule(
        "gate_failed", "mts1b-riskengine", _gate_subject, lambda r: r.timestamp
    ),
    nats.RISK_ENVELOPE_UPDATED: AuditRule(
        "envelope_updated", "mts1b-riskengine", _envelope_subject, lambda e: e.created_at
    ),
    nats.RISK_ENVELOPE_SIGNED: AuditRule(
        "envelope_signed",
        "mts1b-riskengine",
        lambda update: update.envelope.fund_id,
        _signing_time,
        signs=True,
        economic=False,
    ),
    nats.RESEARCH_SIGNALS_PUBLISHED: AuditRule(
        "signal_published", "mts1b-research", _signal_subject, lambda s: s.created_at
    ),
    nats.RESEARCH_INTENTS_DECIDED: AuditRule(
        "intent_decided", "mts1b-research", _intent_subject, lambda i: i.decided_at
    ),
}
"""Base subject -> rule. What is not here is not consumed."""


def record_of(event: Event, *, filled_at: datetime | None = None) -> AuditRecord:
    """Return the audit record of an event, at its business time, without secrets.

    :param filled_at: the time of the order's last fill, which a filled order does not carry.
    """
    rule = AUDITED[event.base_subject]
    return AuditRecord(
        actor=rule.actor,
        action=rule.action,
        subject_id=rule.subject_of(event.payload),
        data=_plain(event.payload) if rule.signs else _without_signature(event.payload),
        timestamp=filled_at or rule.time_of(event.payload),
    )


def _plain(payload: FrozenModel) -> dict[str, Any]:
    return payload.model_dump(mode="json")


def _without_signature(payload: FrozenModel) -> dict[str, Any]:
    data = _plain(payload)
    approval = data.get("approval")
    if isinstance(approval, dict):
        approval.pop("signature", None)
    data.pop("signature", None)
    return data
