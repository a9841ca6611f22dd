"""The one table (state, event) -> state of an order. Code, docs and tests are made from it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from mts1b_foundation.orders import Order, OrderStatus

from mts1b_oms.errors import IllegalTransition

__all__ = ["TRANSITIONS", "OrderEvent", "Transition", "legal_events", "refusal", "to_markdown"]


class OrderEvent(StrEnum):
    """Name what happened to an order."""

    RISK_ASKED = "risk_asked"
    RISK_APPROVED = "risk_approved"
    DENIED = "denied"
    SENDING = "sending"
    SENT = "sent"
    WORKING = "working"
    WORKING_PARTLY_FILLED = "working_partly_filled"
    VENUE_REFUSED = "venue_refused"
    SILENCE = "silence"
    NOT_AT_VENUE = "not_at_venue"
    PARTIAL_FILL = "partial_fill"
    COMPLETE_FILL = "complete_fill"
    CANCEL_ASKED = "cancel_asked"
    CANCEL_CONFIRMED = "cancel_confirmed"
    REPLACE_ASKED = "replace_asked"
    REPLACED = "replaced"
    REPLACED_PARTLY_FILLED = "replaced_partly_filled"
    TERMS_SHOWN = "terms_shown"
    FILL_CORRECTED = "fill_corrected"
    UNFILLED = "unfilled"
    EXPIRY = "expiry"
    ALGORITHM_STARTED = "algorithm_started"


MEANINGS: dict[OrderEvent, str] = {
    OrderEvent.RISK_ASKED: "the intent is recorded and the risk engine is asked",
    OrderEvent.RISK_APPROVED: "the risk engine signed an approval",
    OrderEvent.DENIED: "refused here, with evidence that nothing left",
    OrderEvent.SENDING: "approval consumed, written ahead of the wire",
    OrderEvent.SENT: "the venue took the order",
    OrderEvent.WORKING: "the venue shows the order open, nothing filled",
    OrderEvent.WORKING_PARTLY_FILLED: "the venue shows the order open, partly filled",
    OrderEvent.VENUE_REFUSED: "the venue refused, with evidence",
    OrderEvent.SILENCE: "time-out, lost connection or unreadable answer: not a refusal",
    OrderEvent.NOT_AT_VENUE: "the venue proved that it never saw the order: ask risk again",
    OrderEvent.PARTIAL_FILL: "an execution that leaves a remainder",
    OrderEvent.COMPLETE_FILL: "an execution that leaves nothing (or overfills)",
    OrderEvent.CANCEL_ASKED: "a cancel goes to the venue",
    OrderEvent.CANCEL_CONFIRMED: "cancelled, with evidence",
    OrderEvent.REPLACE_ASKED: "a replace goes to the venue",
    OrderEvent.REPLACED: "the venue changed the order, nothing filled",
    OrderEvent.REPLACED_PARTLY_FILLED: "the venue changed the order, partly filled",
    OrderEvent.TERMS_SHOWN: "the venue shows terms that no change on record explains, or a record "
    "that was put back has compared its own with them",
    OrderEvent.FILL_CORRECTED: "the venue took back or restated an execution",
    OrderEvent.UNFILLED: "so much was taken back that a filled order is no more; it stays over",
    OrderEvent.EXPIRY: "its time in force ended",
    OrderEvent.ALGORITHM_STARTED: "a parent order is worked here by an algorithm",
}

_S = OrderStatus
_E = OrderEvent
_AT_VENUE = (
    _S.SUBMITTED,
    _S.ACCEPTED,
    _S.PARTIALLY_FILLED,
    _S.PENDING_REPLACE,
    _S.PENDING_CANCEL,
    _S.UNKNOWN,
)
_ON_THE_WAY = (_S.SUBMITTING, *_AT_VENUE)
_BEFORE_VENUE = (_S.CREATED, _S.PENDING_RISK, _S.APPROVED)
_DONE = (_S.FILLED, _S.CANCELED, _S.REJECTED, _S.EXPIRED)

Table = dict[tuple[OrderStatus, OrderEvent], OrderStatus]


def _rows(event: OrderEvent, to: OrderStatus, sources: tuple[OrderStatus, ...]) -> Table:
    return {(source, event): to for source in sources}


def _stay(event: OrderEvent, *sources: OrderStatus) -> Table:
    return {(source, event): source for source in sources}


TRANSITIONS: MappingProxyType[tuple[OrderStatus, OrderEvent], OrderStatus] = MappingProxyType(
    {
        **_rows(_E.RISK_ASKED, _S.PENDING_RISK, (_S.CREATED,)),
        **_rows(_E.RISK_APPROVED, _S.APPROVED, (_S.PENDING_RISK,)),
        **_rows(_E.DENIED, _S.REJECTED, (*_BEFORE_VENUE, _S.SUBMITTING)),
        **_rows(_E.SENDING, _S.SUBMITTING, (_S.APPROVED,)),
        **_rows(_E.SENT, _S.SUBMITTED, (_S.SUBMITTING, _S.UNKNOWN)),
        **_rows(_E.WORKING, _S.ACCEPTED, _ON_THE_WAY),
        **_rows(_E.WORKING_PARTLY_FILLED, _S.PARTIALLY_FILLED, _ON_THE_WAY),
        **_rows(_E.VENUE_REFUSED, _S.REJECTED, _ON_THE_WAY),
        **_rows(_E.SILENCE, _S.UNKNOWN, _ON_THE_WAY),
        **_rows(_E.NOT_AT_VENUE, _S.PENDING_RISK, (_S.SUBMITTING, _S.UNKNOWN)),
        **_rows(_E.CANCEL_ASKED, _S.PENDING_CANCEL, _AT_VENUE),
        **_rows(_E.CANCEL_CONFIRMED, _S.CANCELED, (*_BEFORE_VENUE, *_ON_THE_WAY)),
        **_rows(
            _E.REPLACE_ASKED, _S.PENDING_REPLACE, (_S.SUBMITTED, _S.ACCEPTED, _S.PARTIALLY_FILLED)
        ),
        **_rows(_E.REPLACED, _S.ACCEPTED, (_S.PENDING_REPLACE, _S.PENDING_CANCEL)),
        **_rows(
            _E.REPLACED_PARTLY_FILLED,
            _S.PARTIALLY_FILLED,
            (_S.PENDING_REPLACE, _S.PENDING_CANCEL),
        ),
        **_stay(_E.TERMS_SHOWN, _S.SUBMITTED, _S.ACCEPTED, _S.PARTIALLY_FILLED, _S.PENDING_CANCEL),
        **_rows(_E.EXPIRY, _S.EXPIRED, (*_BEFORE_VENUE, *_ON_THE_WAY)),
        **_rows(_E.ALGORITHM_STARTED, _S.ACCEPTED, (_S.CREATED,)),
        # Fills always win: whatever the state, an execution of the venue is booked. A partial
        # fill does not reopen a finished order and does not end a pending cancel or replace.
        **_rows(
            _E.PARTIAL_FILL,
            _S.PARTIALLY_FILLED,
            (_S.PENDING_RISK, _S.APPROVED, *_ON_THE_WAY),
        ),
        **_stay(_E.PARTIAL_FILL, _S.PENDING_REPLACE, _S.PENDING_CANCEL, *_DONE),
        **_rows(_E.UNFILLED, _S.CANCELED, (_S.FILLED,)),
        **_stay(_E.FILL_CORRECTED, _S.PENDING_RISK, _S.APPROVED, *_ON_THE_WAY, *_DONE),
        **_rows(_E.COMPLETE_FILL, _S.FILLED, (_S.PENDING_RISK, _S.APPROVED, *_ON_THE_WAY, *_DONE)),
    }
)


class Transition(NamedTuple):
    """One recorded change of one order; ``version`` is the order's after it."""

    order_id: str
    version: int
    event: OrderEvent
    before: OrderStatus
    after: OrderStatus
    at: datetime
    detail: str = ""


def legal_events(state: OrderStatus) -> tuple[OrderEvent, ...]:
    """Return the events that an order in ``state`` may take, in the order of declaration."""
    return tuple(event for event in OrderEvent if (state, event) in TRANSITIONS)


def refusal(order: Order, state: OrderStatus, event: OrderEvent) -> IllegalTransition:
    """Return the error of an event that the table does not have for an order in ``state``."""
    return IllegalTransition(
        order_id=order.order_id,
        state=state.value,
        event=event.value,
        legal=tuple(e.value for e in legal_events(state)),
    )


def to_markdown() -> str:
    """Return the whole table as markdown: one row per event, its meaning, and every move."""
    lines = ["| event | meaning | moves |", "|---|---|---|"]
    for event in OrderEvent:
        moves: dict[OrderStatus, list[str]] = {}
        for (source, taken), target in TRANSITIONS.items():
            if taken is event:
                moves.setdefault(target, []).append(source.value)
        text = "; ".join(
            f"{', '.join(sources)} → **{target.value}**" for target, sources in moves.items()
        )
        lines.append(f"| `{event.value}` | {MEANINGS[event]} | {text} |")
    return "\n".join(lines) + "\n"
