"""Requests and replies of the command subjects."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.model import FrozenModel, Identifier
from mts1b_foundation.orders import Order
from mts1b_foundation.positions import Position
from mts1b_foundation.risk import ActiveHalt, RiskEnvelope

__all__ = [
    "BookQuery",
    "BookReply",
    "CancelAll",
    "CancelAllReply",
    "CancelOrder",
    "CancelOutcome",
    "CancelReply",
    "CheckOrder",
    "EnvelopeQuery",
    "EnvelopeReply",
    "ErrorReply",
    "HaltReply",
    "Heartbeat",
    "OrdersQuery",
    "OrdersReply",
    "SubmitOrder",
    "SubmitReply",
]


class SubmitOrder(FrozenModel):
    """Hand an order to the OMS; with ``algo``, as the parent of an execution algorithm."""

    order: Order
    algo: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)


class SubmitReply(FrozenModel):
    """The order as the OMS recorded it."""

    order: Order


class CancelOutcome(StrEnum):
    """Say truthfully what became of a cancel."""

    CONFIRMED = "confirmed"
    TOO_LATE = "too_late"
    UNKNOWN = "unknown"


class CancelOrder(FrozenModel):
    """Ask that an open order is cancelled."""

    order_id: Identifier
    actor: Identifier
    reason: str = ""


class CancelReply(FrozenModel):
    """What the venue said of the cancel, and the order afterwards."""

    order: Order
    outcome: CancelOutcome


class CancelAll(FrozenModel):
    """Ask to cancel the open orders of a scope (``firm``, ``fund:ID``, ``strategy:ID``)."""

    scope: str = "firm"
    actor: Identifier
    reason: str = ""


class CancelAllReply(FrozenModel):
    """The orders that are confirmed cancelled, and those that may still be open."""

    canceled: tuple[str, ...] = ()
    residue: tuple[str, ...] = ()


class CheckOrder(FrozenModel):
    """Ask the risk engine for a decision on one order."""

    order: Order


class OrdersQuery(FrozenModel):
    """Ask for orders; every field narrows."""

    fund_id: str | None = None
    strategy_id: str | None = None
    order_id: str | None = None
    open_only: bool = False


class OrdersReply(FrozenModel):
    """The orders that a query found, oldest first."""

    orders: tuple[Order, ...] = ()


class BookQuery(FrozenModel):
    """Ask for positions and NAV of a fund or strategy."""

    fund_id: str | None = None
    strategy_id: str | None = None


class BookReply(FrozenModel):
    """Positions per strategy and the latest NAV snapshots."""

    positions: tuple[Position, ...] = ()
    navs: tuple[NavSnapshot, ...] = ()


class EnvelopeQuery(FrozenModel):
    """Ask for the envelope in force."""

    fund_id: Identifier


class EnvelopeReply(FrozenModel):
    """The envelope in force."""

    envelope: RiskEnvelope


class HaltReply(FrozenModel):
    """The halt in force; ``created`` is False when it already was."""

    active: ActiveHalt | None = None
    created: bool = False
    epoch: int = 0


class ErrorReply(FrozenModel):
    """A refusal: a code that programs can match and a message for people."""

    code: str
    message: str


class Heartbeat(FrozenModel):
    """A service says that it lives."""

    service: Identifier
    pid: int
    status: str
    sequence: int = Field(ge=0)
