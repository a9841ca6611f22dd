"""Tell the whole story of one order, from its signal to its effect on the fund."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mts1b_operations.audit.entry import AuditEntry, stamp
from mts1b_operations.audit.reader import AuditReader
from mts1b_operations.errors import NotFound

__all__ = ["Story", "explain", "lines_of"]

_VENUE_ACTIONS = (
    "order_submitted",
    "order_accepted",
    "order_unknown",
    "order_replaced",
    "order_filled",
    "order_rejected",
    "order_canceled",
    "order_expired",
)


@dataclass(frozen=True, slots=True)
class Story:
    """One step of the story: what happened, the facts of it, and what followed from it."""

    title: str
    at: str = ""
    sequence: int | None = None
    facts: tuple[str, ...] = ()
    children: tuple[Story, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "title": self.title,
            "at": self.at,
            "sequence": self.sequence,
            "facts": list(self.facts),
            "children": [child.as_dict() for child in self.children],
        }


def explain(reader: AuditReader, identifier: str) -> Story:
    """Return the story of an order, signal, fill, idempotency key or broker order id.

    :raises NotFound: when the log knows nothing of it.
    """
    orders = _orders_named(reader, identifier)
    if orders:
        stories = tuple(_order_story(reader, order_id) for order_id in orders)
        return stories[0] if len(stories) == 1 else Story(identifier, children=stories)
    trail = reader.trail(identifier)
    if any(entry.action == "signal_published" for entry in trail):
        return _signal_story(reader, trail)
    if trail:
        return Story(identifier, children=tuple(_plain_step(entry) for entry in trail))
    raise NotFound(
        f"the audit log has nothing on {identifier!r}; give an order, signal or fill id, e.g. one "
        "of `mts mts1b-operations audit tail`"
    )


def lines_of(story: Story, *, depth: int = 0) -> Iterator[str]:
    """Return the story as indented text."""
    pad = "  " * depth
    number = "" if story.sequence is None else f"  [audit {story.sequence}]"
    yield f"{pad}{story.title}{f'  {story.at[:19]}Z' if story.at else ''}{number}"
    for fact in story.facts:
        yield f"{pad}  - {fact}"
    for child in story.children:
        yield from lines_of(child, depth=depth + 1)


def _orders_named(reader: AuditReader, identifier: str) -> list[str]:
    trail = reader.trail(identifier)
    if any(entry.action.startswith("order_") for entry in trail):
        return [identifier]
    found = reader.holding("fill_created", "fill_id", identifier)
    found = found or reader.holding("order_created", "idempotency_key", identifier)
    found = found or reader.holding("order_accepted", "broker_order_id", identifier)
    return list(dict.fromkeys(entry.subject_id for entry in found))


def _step(entry: AuditEntry, title: str, *facts: str, children: Sequence[Story] = ()) -> Story:
    kept = tuple(fact for fact in facts if fact)
    return Story(title, stamp(entry.timestamp), entry.sequence, kept, tuple(children))


def _plain_step(entry: AuditEntry) -> Story:
    facts = [f"{key}: {value}" for key, value in entry.data.items() if value not in (None, "")]
    return _step(entry, f"{entry.action} by {entry.actor}", *facts)


def _signal_story(reader: AuditReader, trail: Sequence[AuditEntry]) -> Story:
    signal = next(entry for entry in trail if entry.action == "signal_published")
    decided = [_intent_step(entry) for entry in trail if entry.action == "intent_decided"]
    orders = [
        order_id
        for entry in trail
        if entry.action == "intent_decided"
        for order_id in entry.data["order_ids"]
    ]
    named = reader.holding("order_created", "signal_id", signal.subject_id)
    orders = list(dict.fromkeys([*orders, *(entry.subject_id for entry in named)]))
    told = [_order_story(reader, order_id, with_signal=False) for order_id in orders]
    return Story(f"signal {signal.subject_id}", children=(_signal_step(signal), *decided, *told))


def _signal_step(entry: AuditEntry) -> Story:
    data = entry.data
    way = {1: "long", -1: "short", 0: "flat"}[data["direction"]]
    weight = data.get("target_weight")
    return _step(
        entry,
        f"signal: {data['strategy']} wants {data['symbol']} {way}",
        str(data["thesis"]),
        f"confidence {data['confidence']}, expected return {data['expected_return']}, "
        f"reference price {data['reference_price']}",
        "" if weight is None else f"target weight {weight:.4f} of the strategy's NAV",
    )


def _intent_step(entry: AuditEntry) -> Story:
    data = entry.data
    orders = ", ".join(data["order_ids"])
    return _step(
        entry,
        f"intent: {data['outcome']}",
        str(data["reason"]),
        f"orders: {orders}" if orders else "no order",
    )


def _order_story(reader: AuditReader, order_id: str, *, with_signal: bool = True) -> Story:
    trail = reader.trail(order_id)
    created = next((e for e in trail if e.action == "order_created"), None)
    order = (created or next(e for e in trail if e.action.startswith("order_"))).data
    steps: list[Story] = []
    if with_signal and order.get("signal_id"):
        steps += _origin(reader, str(order["signal_id"]))
    if created is not None:
        steps.append(_created_step(created))
    for entry in trail:
        if entry.action in ("order_approved", "order_denied"):
            steps.append(_decision_step(reader, entry, order))
    fills = [entry for entry in trail if entry.action == "fill_created"]
    for entry in trail:
        if entry.action in _VENUE_ACTIONS:
            steps.append(_venue_step(entry))
        elif entry.action == "fill_created":
            steps.append(_fill_step(entry))
    steps += _result_steps(reader, order, fills)
    return Story(f"order {order_id}: {_outcome(trail, fills)}", children=tuple(steps))


def _origin(reader: AuditReader, signal_id: str) -> list[Story]:
    steps = []
    for entry in reader.trail(signal_id):
        if entry.action == "signal_published":
            steps.append(_signal_step(entry))
        elif entry.action == "intent_decided":
            steps.append(_intent_step(entry))
    return steps


def _outcome(trail: Sequence[AuditEntry], fills: Sequence[AuditEntry]) -> str:
    denied = next((e for e in trail if e.action == "order_denied"), None)
    if denied is not None:
        word = "halted" if "HALT" in str(denied.data["code"]) else "denied"
        return f"{word} by {denied.data['rejecting_gate']} ({denied.data['code']})"
    last = [e for e in trail if e.action.startswith("order_") and "status" in e.data]
    status = str(last[-1].data["status"]) if last else "unknown"
    return f"{status}, {len(fills)} fill{'' if len(fills) == 1 else 's'}"


def _created_step(entry: AuditEntry) -> Story:
    data = entry.data
    limit = f" limit {data['limit_price']}" if data.get("limit_price") else ""
    return _step(
        entry,
        f"created: {data['side']} {data['quantity']} {data['symbol']} {data['order_type']}{limit} "
        f"{data['tif']}",
        f"fund {data['fund_id']}, strategy {data['strategy_id']}, mode {data['mode']}, "
        f"broker {data['broker']}",
        f"idempotency key {data['idempotency_key']}",
        "reduce-only" if data.get("reduce_only") else "",
    )


def _decision_step(reader: AuditReader, entry: AuditEntry, order: Any) -> Story:
    data = entry.data
    gates = [_gate_line(gate) for gate in data["gates"]]
    if entry.action == "order_approved":
        approval = data.get("approval") or {}
        bound = f"envelope {approval.get('envelope_id')} v{approval.get('envelope_version')}"
        gates.append(
            f"approval {approval.get('approval_id')} signed by key {approval.get('key_id')} "
            f"({approval.get('algorithm')}), {bound}, halt epoch {approval.get('halt_epoch')}"
        )
        return _step(entry, "approved by risk", *gates)
    title = f"denied by {data['rejecting_gate']}: {data['code']}"
    return _step(
        entry, title, *gates, str(data["reason"]), children=_halts_of(reader, entry, order)
    )


def _gate_line(gate: dict[str, Any]) -> str:
    text = f"gate {gate['gate']}: {'passed' if gate['passed'] else 'DENIED'}"
    if gate.get("code"):
        text += f" {gate['code']}"
    if gate.get("value") is not None or gate.get("limit") is not None:
        text += f" (value {gate.get('value')}, limit {gate.get('limit')})"
    return f"{text}: {gate['reason']}" if gate.get("reason") and not gate["passed"] else text


def _halts_of(reader: AuditReader, denial: AuditEntry, order: Any) -> list[Story]:
    """Return the halts that were in force when the order was denied."""
    if "HALT" not in str(denial.data["code"]):
        return []
    scopes = (
        "firm",
        f"fund:{order['fund_id']}",
        f"strategy:{order['strategy_id']}",
        f"venue:{order['broker']}",
        f"symbol:{order['symbol']}",
    )
    steps = []
    for scope in scopes:
        trail = reader.trail(scope)
        before = [e for e in trail if e.sequence < denial.sequence]
        asked = [e for e in before if e.action == "halt_requested"]
        ended = [e for e in before if e.action == "halt_resumed"]
        if asked and (not ended or ended[-1].sequence < asked[-1].sequence):
            steps.append(_halt_step(asked[-1], trail))
    return steps


def _halt_step(asked: AuditEntry, trail: Sequence[AuditEntry]) -> Story:
    later = (e for e in trail if e.action == "halt_resumed" and e.sequence > asked.sequence)
    resumed = next(later, None)
    return _step(
        asked,
        f"halt of {asked.subject_id} by {asked.data['requested_by']}",
        str(asked.data["reason"]),
        "not resumed yet"
        if resumed is None
        else f"resumed {resumed.timestamp:%Y-%m-%d} by {resumed.data['cosigned_by']}: "
        f"{resumed.data['reason']} [audit {resumed.sequence}]",
    )


def _venue_step(entry: AuditEntry) -> Story:
    data = entry.data
    reason = " ".join(str(data[k]) for k in ("rejected_code", "rejected_reason") if data.get(k))
    broker_id = data.get("broker_order_id")
    return _step(
        entry,
        entry.action.removeprefix("order_"),
        f"at {data['broker']} as {broker_id}" if broker_id else "",
        reason,
    )


def _fill_step(entry: AuditEntry) -> Story:
    data = entry.data
    return _step(
        entry,
        f"fill: {data['side']} {data['quantity']} at {data['price']} on {data['venue']}",
        f"fill id {data['fill_id']}, fees {data['fees']} {data['fee_currency']}",
    )


def _result_steps(reader: AuditReader, order: Any, fills: Sequence[AuditEntry]) -> list[Story]:
    if not fills:
        return []
    last = fills[-1]
    held = Decimal(0)
    for entry in reader.holding("fill_created", "strategy_id", str(order["strategy_id"])):
        if entry.sequence <= last.sequence and entry.data["symbol"] == order["symbol"]:
            sign = 1 if entry.data["side"] in ("buy", "cover") else -1
            held += sign * Decimal(entry.data["quantity"])
    steps = [Story(f"position of {order['strategy_id']} in {order['symbol']} afterwards: {held}")]
    nav = next(
        (
            entry
            for entry in reader.trail(str(order["fund_id"]))
            if entry.action == "nav_updated"
            and entry.data["strategy_id"] is None
            and entry.timestamp >= last.timestamp
        ),
        None,
    )
    if nav is not None:
        drawdown = f"{Decimal(nav.data['drawdown']):.2%}"
        text = f"NAV of {order['fund_id']} afterwards: {Decimal(nav.data['nav_usd']):,.2f} USD"
        steps.append(_step(nav, text, f"drawdown {drawdown}"))
    return steps
