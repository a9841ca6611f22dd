"""Requests and replies of the command subjects."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.model import (
    FrozenModel,
    Identifier,
    NonNegativeDecimal,
    PositiveDecimal,
    UtcDatetime,
    signing_fields_of,
)
from mts1b_foundation.orders import Order
from mts1b_foundation.positions import Position
from mts1b_foundation.risk import ActiveHalt, RiskEnvelope, SoftBlock

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
    "EnvelopeUpdate",
    "HaltReply",
    "Heartbeat",
    "LeaseGrant",
    "LeaseRequest",
    "OrdersQuery",
    "OrdersReply",
    "OverrideReply",
    "OverridesQuery",
    "ReconciliationReport",
    "ReplaceOrder",
    "ReplaceOutcome",
    "ReplaceReply",
    "Resolution",
    "ResolveOrder",
    "ResolveReply",
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


class ReplaceOrder(FrozenModel):
    """Ask that an open order gets another total quantity or limit price.

    ``quantity`` is the intended total, what is filled included. ``replace_key`` makes asking
    twice harmless.
    """

    order_id: Identifier
    replace_key: Identifier
    quantity: PositiveDecimal | None = None
    limit_price: PositiveDecimal | None = None
    actor: Identifier
    reason: str = ""


class ReplaceOutcome(StrEnum):
    """Say truthfully what became of a replace."""

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    TOO_LATE = "too_late"
    UNKNOWN = "unknown"


class ReplaceReply(FrozenModel):
    """What became of the replace, why, and the order afterwards."""

    order: Order
    outcome: ReplaceOutcome
    code: str = ""
    reason: str = ""


class Resolution(StrEnum):
    """Say what an operator has found out about an order in doubt."""

    NEVER_ARRIVED = "never_arrived"
    CANCELED = "canceled"
    FILLED = "filled"


class ResolveOrder(FrozenModel):
    """An operator's signed word on an order that no query could settle.

    ``filled_quantity`` and ``average_price`` state all that the venue executed, also of a
    cancelled order. The signature covers domain ``mts/resolve/v1`` and ``signing_fields``;
    ``order_version`` is the version that the operator saw.
    """

    order_id: Identifier
    order_version: int = Field(ge=0)
    resolution: Resolution
    filled_quantity: NonNegativeDecimal
    average_price: PositiveDecimal | None = None
    reason: str = Field(min_length=1)
    signed_by: str = Field(pattern=r"^operator:[A-Za-z0-9_.-]+$")
    requested_at: UtcDatetime
    key_id: str = ""
    signature: str = ""

    def signing_fields(self) -> list[tuple[str, str]]:
        """Return (name, text) of every bound field in the order of declaration."""
        return signing_fields_of(self)


class ResolveReply(FrozenModel):
    """The order as the resolution left it."""

    order: Order


class ReconciliationReport(FrozenModel):
    """What the OMS found when it compared its record with a venue.

    ``rolled_back``: the record is older than what the venue knows of it, as after the restore
    of a backup.
    """

    venue: Identifier
    agrees: bool
    reason: str = ""
    breaks: tuple[str, ...] = ()
    rolled_back: bool = False
    as_of: UtcDatetime


class LeaseRequest(FrozenModel):
    """A sender asks for the right to send for a moment."""

    holder: Identifier
    incarnation: Identifier
    epoch: int = Field(ge=0)


class LeaseGrant(FrozenModel):
    """The right to send for ``seconds`` after the request was made, and the halts in force.

    ``lease_id`` is None where nothing is granted.
    """

    lease_id: str | None = None
    seconds: float = Field(default=0.0, ge=0.0)
    epoch: int = Field(ge=0)
    active: tuple[ActiveHalt, ...] = ()
    lifted: tuple[str, ...] = ()


class OverridesQuery(FrozenModel):
    """Ask for the soft blocks that wait for a decision."""

    fund_id: str | None = None


class OverrideReply(FrozenModel):
    """The soft blocks, as they stand after the command."""

    blocks: tuple[SoftBlock, ...] = ()


class CancelAll(FrozenModel):
    """Ask to cancel the open orders of a scope.

    A scope is ``firm``, ``fund:ID``, ``strategy:ID``, ``venue:NAME`` or ``symbol:SYMBOL``.
    """

    scope: str = "firm"
    actor: Identifier
    reason: str = ""


class CancelAllReply(FrozenModel):
    """The orders that are confirmed cancelled, and those that may still be open."""

    canceled: tuple[str, ...] = ()
    residue: tuple[str, ...] = ()


class CheckOrder(FrozenModel):
    """Ask the risk engine for a decision on one order, to be sent under one lease.

    ``amends`` names the open order that ``order`` would take the place of, under an id and key of
    its own; its quantity is the total, what is filled already included. ``parent`` is the order's
    parent as the OMS has it on record; the event that tells of it may be on its way still.
    """

    order: Order
    lease_id: str = ""
    amends: str = ""
    parent: Order | None = None


class OrdersQuery(FrozenModel):
    """Ask for orders; every field narrows."""

    fund_id: str | None = None
    strategy_id: str | None = None
    order_id: str | None = None
    open_only: bool = False


class OrdersReply(FrozenModel):
    """The orders that a query found, oldest first.

    ``complete``: the record lacks nothing; one that was put back from a backup does, until it has
    made up what it lost.
    """

    orders: tuple[Order, ...] = ()
    complete: bool = True


class BookQuery(FrozenModel):
    """Ask for positions and NAV of a fund or strategy."""

    fund_id: str | None = None
    strategy_id: str | None = None


class BookReply(FrozenModel):
    """Positions per strategy and the latest NAV snapshots.

    ``complete``: the books agree with the venue's, and lack nothing that a restored record lost.
    """

    positions: tuple[Position, ...] = ()
    navs: tuple[NavSnapshot, ...] = ()
    complete: bool = True


class EnvelopeQuery(FrozenModel):
    """Ask for the envelope in force."""

    fund_id: Identifier


class EnvelopeUpdate(FrozenModel):
    """The next version of a fund's envelope; one that loosens a limit carries a signature.

    The signature covers domain ``mts/envelope/v1`` and ``signing_fields``. What only tightens
    may come from whoever is careful, and needs none.
    """

    envelope: RiskEnvelope
    reason: str = ""
    signed_by: str = Field(default="", pattern=r"^(operator:[A-Za-z0-9_.-]+)?$")
    requested_at: UtcDatetime | None = None
    key_id: str = ""
    signature: str = ""

    def signing_fields(self) -> list[tuple[str, str]]:
        """Return (name, text) of every bound field; of the envelope its JSON."""
        envelope = ("envelope", self.envelope.model_dump_json())
        return [envelope, *signing_fields_of(self, besides=frozenset({"envelope"}))]


class EnvelopeReply(FrozenModel):
    """The envelope in force."""

    envelope: RiskEnvelope


class HaltReply(FrozenModel):
    """The halt in force; ``created`` is False when it already was."""

    active: ActiveHalt | None = None
    created: bool = False
    epoch: int = 0


class Heartbeat(FrozenModel):
    """A service says that it lives."""

    service: Identifier
    pid: int
    status: str
    sequence: int = Field(ge=0)
