"""New risk only while the exchange is open, and not at the end of a contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope, Session, TimeInForce
from mts1b_foundation.limits import RiskLimits

from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.evidence import is_aware, reduces
from mts1b_riskengine.gates.inline import InlineGate
from mts1b_riskengine.sessions import SessionFacts

__all__ = ["CARD", "SessionGate"]

CARD = GateCard(
    gate="session",
    asks="is the exchange open for this order, and the contract not about to end?",
    codes=(DenyCode.OUTSIDE_SESSION, DenyCode.SESSION_UNKNOWN, DenyCode.CONTRACT_EXPIRY),
    inputs="the calendar of the instrument's exchange, the contract's last day, the time",
    on_failure="a calendar that is not known denies; an opening order waits for the open",
    source="FIA 2024: session phases, auctions, expiry and settlement windows",
    controls=(20,),
    facts=("session", "now"),
    limits=("sessions_only", "expiry_days"),
    reducing=False,
)


@dataclass(frozen=True)
class SessionGate(InlineGate):
    """Deny new risk outside of the session and its margins, and near a contract's end."""

    limits: RiskLimits
    name: str = "session"
    _after_open: timedelta = field(init=False, default=timedelta(0))
    _before_close: timedelta = field(init=False, default=timedelta(0))

    def __post_init__(self) -> None:
        after = timedelta(seconds=self.limits.session_open_margin_s)
        before = timedelta(seconds=self.limits.session_close_margin_s)
        object.__setattr__(self, "_after_open", after)
        object.__setattr__(self, "_before_close", before)

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass an order of an open session, or one for the opening auction before it."""
        if reduces(context):
            return True
        facts, now = context["session"], context.now
        if not isinstance(facts, SessionFacts) or not is_aware(now):
            return context.reject(
                DenyCode.SESSION_UNKNOWN, f"no sessions of {order.symbol} are known", value=facts
            )
        return self._before_expiry(facts.last_day, now, context) and (
            not self.limits.sessions_only or self._in_session(order, facts, now, context)
        )

    def _before_expiry(self, last: date | None, now: datetime, context: RiskContext) -> bool:
        days = self.limits.expiry_days
        if days is None or last is None or now.date() < last - timedelta(days=days):
            return True
        return context.reject(
            DenyCode.CONTRACT_EXPIRY,
            f"the contract ends {last.isoformat()}",
            limit=f"{days} days before",
            value=now.date().isoformat(),
        )

    def _in_session(
        self, order: Order, facts: SessionFacts, now: datetime, context: RiskContext
    ) -> bool:
        if not facts.known:
            return context.reject(
                DenyCode.SESSION_UNKNOWN, f"no calendar {facts.calendar} for {now.date()}"
            )
        session = facts.session
        opening = order.tif is TimeInForce.OPG
        if session is None:
            return opening or self._outside(facts.calendar, now, context)
        if opening:
            return self._outside(f"{facts.calendar} (the opening auction is over)", now, context)
        return self._within_margins(session, now, context)

    def _within_margins(self, session: Session, now: datetime, context: RiskContext) -> bool:
        begin, end = session.opens_at + self._after_open, session.closes_at - self._before_close
        if begin <= now < end:
            return True
        return self._outside(f"{begin.isoformat()} to {end.isoformat()}", now, context)

    def _outside(self, limit: str, now: datetime, context: RiskContext) -> bool:
        return context.reject(
            DenyCode.OUTSIDE_SESSION, "outside of the session", limit=limit, value=now.isoformat()
        )
