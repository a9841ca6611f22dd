"""The permanent record of decisions: what was asked, what was answered, by key and by order."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import NamedTuple, Protocol

import sqlalchemy as sa
from mts1b_foundation import Order, OrderRejection, RiskDecision
from mts1b_foundation.nats import (
    RISK_GATE_FAILED,
    RISK_ORDERS_APPROVED,
    RISK_ORDERS_DENIED,
    with_fund,
)
from mts1b_platform.ids import derive_id
from mts1b_platform.store import Prepared, Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_riskengine.tables import decisions

__all__ = [
    "Claim",
    "DecisionLog",
    "DecisionMemory",
    "Decisions",
    "Found",
    "Recorded",
    "decisions_of",
    "economics_of",
]


_SAME_KEY_OR_ORDER = Prepared(
    sa.select(decisions)
    .where(
        (decisions.c.idempotency_key == sa.bindparam("key"))
        | (decisions.c.order_id == sa.bindparam("order"))
    )
    .order_by(decisions.c.sequence)
)
_INSERT = Prepared(decisions.insert())


def economics_of(order: Order) -> str:
    """Return a fingerprint of what an order does, whatever its id and key.

    It covers every term that an approval binds; the texts are those of the first release.
    """
    text = (
        f"fund_id={order.fund_id}\x1fstrategy_id={order.strategy_id}"
        f"\x1faccount={order.account or ''}\x1fmode={order.mode}\x1fbroker={order.broker}"
        f"\x1fsymbol={order.symbol}\x1fside={order.side}\x1fquantity={_number(order.quantity)}"
        f"\x1forder_type={order.order_type}\x1flimit_price={_number(order.limit_price)}"
        f"\x1fstop_price={_number(order.stop_price)}\x1ftif={order.tif}"
        f"\x1forder_expires_at={order.expires_at or ''}\x1freduce_only={order.reduce_only}"
        f"\x1fparent_order_id={order.parent_order_id or ''}\x1fintent_id={order.signal_id or ''}"
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _number(value: Decimal | None) -> str:
    if value is None:
        return ""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


class Claim(NamedTuple):
    """Who holds the key (or the order id) of an order that is asked for the first time."""

    order_id: str
    idempotency_key: str
    same_economics: bool


class Recorded(NamedTuple):
    """The decision on exactly this order, and how often it was decided."""

    decision: RiskDecision
    attempt: int


class Found(NamedTuple):
    """What the record holds of an order; nothing for a new one, but how it would be recorded."""

    decision_id: str
    terms: str
    recorded: Recorded | None = None
    claim: Claim | None = None


class Decisions(Protocol):
    """Find and record decisions."""

    async def find(self, tx: AsyncConnection, order: Order) -> Found:
        """Return the recorded decision on this order, or who holds its key."""
        ...

    async def record(
        self,
        tx: AsyncConnection,
        order: Order,
        decision: RiskDecision,
        *,
        found: Found,
        attempt: int,
    ) -> None:
        """Record a decision on an order that :meth:`find` was asked for."""
        ...


def decisions_of(store: Store) -> Decisions:
    """Return the record of decisions for a store."""
    return DecisionLog(store) if store.keeps else DecisionMemory()


class _Holder(NamedTuple):
    order_id: str
    idempotency_key: str
    terms: str


class DecisionMemory:
    """Decisions of a run that ends with its process; nobody is told of them."""

    def __init__(self) -> None:
        self._recorded: dict[str, Recorded] = {}
        self._of_key: dict[str, _Holder] = {}
        self._of_order: dict[str, _Holder] = {}

    async def find(self, tx: AsyncConnection, order: Order) -> Found:
        """Return the recorded decision on this order, or who holds its key."""
        terms = economics_of(order)
        mine = derive_id("dec", order.order_id, order.idempotency_key, terms)
        recorded = self._recorded.get(mine)
        if recorded is not None:
            return Found(mine, terms, recorded=recorded)
        holder = self._of_key.get(order.idempotency_key) or self._of_order.get(order.order_id)
        if holder is None:
            return Found(mine, terms)
        claim = Claim(holder.order_id, holder.idempotency_key, holder.terms == terms)
        return Found(mine, terms, claim=claim)

    async def record(
        self,
        tx: AsyncConnection,
        order: Order,
        decision: RiskDecision,
        *,
        found: Found,
        attempt: int,
    ) -> None:
        """Keep the decision; the first order with a key or an id holds it."""
        self._recorded[found.decision_id] = Recorded(decision, attempt)
        if attempt == 1:
            holder = _Holder(order.order_id, order.idempotency_key, found.terms)
            self._of_key.setdefault(order.idempotency_key, holder)
            self._of_order.setdefault(order.order_id, holder)


class DecisionLog:
    """Find and record decisions in a store, with the events that tell of them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, tx: AsyncConnection, order: Order) -> Found:
        """Return the recorded decision on this order, or who holds its key."""
        terms = economics_of(order)
        mine = derive_id("dec", order.order_id, order.idempotency_key, terms)
        asked = {"key": order.idempotency_key, "order": order.order_id}
        rows = (await _SAME_KEY_OR_ORDER.run(tx, asked)).all()
        if not rows:
            return Found(mine, terms)
        for row in rows:
            if row.decision_id == mine:
                decision = RiskDecision.model_validate_json(row.body)
                return Found(mine, terms, recorded=Recorded(decision, int(row.attempt)))
        first = next((r for r in rows if r.idempotency_key == order.idempotency_key), rows[0])
        claim = Claim(first.order_id, first.idempotency_key, first.terms == terms)
        return Found(mine, terms, claim=claim)

    async def record(
        self,
        tx: AsyncConnection,
        order: Order,
        decision: RiskDecision,
        *,
        found: Found,
        attempt: int,
    ) -> None:
        """Write a decision on an order that :meth:`find` was asked for, and its events."""
        key = {"decision_id": found.decision_id}
        body = decision.model_dump_json()
        values = {
            "approved": decision.approved,
            "gate": decision.rejecting_gate,
            "code": decision.code,
            "attempt": attempt,
            "decided_at": decision.decided_at,
            "body": body,
        }
        if attempt == 1:
            identity = {
                "order_id": order.order_id,
                "idempotency_key": order.idempotency_key,
                "terms": found.terms,
            }
            await _INSERT.run(tx, {**key, **identity, **values})
        else:
            where = decisions.c.decision_id == key["decision_id"]
            await tx.execute(decisions.update().where(where).values(**values))
        events = _events(decision, body, key["decision_id"], attempt)
        await self._store.outbox.add_many(tx, events)


def _events(
    decision: RiskDecision, body: str, decision_id: str, attempt: int
) -> list[tuple[str, str, bytes]]:
    subject = RISK_ORDERS_APPROVED if decision.approved else RISK_ORDERS_DENIED
    event_id = derive_id("evt", "decision", decision_id, str(attempt))
    events = [(event_id, with_fund(subject, decision.fund_id), body.encode())]
    if not decision.approved:
        rejection = _rejection(decision).model_dump_json().encode()
        failed_id = derive_id("evt", "gate-failed", decision_id, str(attempt))
        events.append((failed_id, with_fund(RISK_GATE_FAILED, decision.fund_id), rejection))
    return events


def _rejection(decision: RiskDecision) -> OrderRejection:
    last = decision.gates[-1] if decision.gates else None
    return OrderRejection(
        order_id=decision.order_id,
        gate=decision.rejecting_gate,
        code=decision.code,
        reason=decision.reason,
        limit=last.limit if last else None,
        value=last.value if last else None,
        fund_id=decision.fund_id,
        strategy_id=decision.strategy_id,
        timestamp=decision.decided_at,
    )
