"""Changes of open orders as rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from mts1b_foundation.commands import ReplaceOrder, ReplaceOutcome
from mts1b_foundation.orders import TERMINAL_STATUSES, Order
from mts1b_platform.store import Prepared
from mts1b_platform.store.connection import AsyncConnection

from mts1b_oms.tables.store import orders, replaces

__all__ = [
    "Replace",
    "begin",
    "insert_replace",
    "open_replaces",
    "read_replace",
    "terms_before",
    "was_found",
    "write_outcome",
]

_INSERT = Prepared(sa.insert(replaces))
_OF_KEY = replaces.c.replace_key == sa.bindparam("b_key")
_BEGIN = Prepared(sa.update(replaces).where(_OF_KEY).values(code=sa.bindparam("b_code")))
_END = Prepared(
    sa.update(replaces)
    .where(_OF_KEY)
    .values(
        outcome=sa.bindparam("b_outcome"),
        code=sa.bindparam("b_code"),
        reason=sa.bindparam("b_reason"),
    )
)
_OPEN = Prepared(
    sa.select(replaces)
    .join(orders, orders.c.order_id == replaces.c.order_id)
    .where(*(orders.c.status != status.value for status in sorted(TERMINAL_STATUSES)))
    .order_by(replaces.c.asked_at)
)
_ONE = Prepared(sa.select(replaces).where(_OF_KEY))
FOUND = "FOUND_AT_VENUE"
"""The code of a change that the venue shows and that nobody on record asked for."""

_AT_RISK = "AT_RISK"
"""On record, risk is asked, nothing has left: risk may reserve for it from now on."""


@dataclass(frozen=True, slots=True)
class Replace:
    """One change of one order: what it was, what it shall be, and what became of it.

    ``quantity`` and ``limit_price`` are the terms that were asked for, ``old_*`` those before.
    ``outcome`` is None until there is evidence; until then ``code`` says whether it has begun.
    """

    replace_key: str
    order_id: str
    quantity: Decimal
    limit_price: Decimal | None
    old_quantity: Decimal
    old_limit_price: Decimal | None
    old_broker_order_id: str | None
    asked_at: datetime
    outcome: ReplaceOutcome | None = None
    code: str = ""
    reason: str = ""

    @classmethod
    def of(cls, command: ReplaceOrder, order: Order, *, at: datetime) -> Replace:
        """Return what a command asks of an order; what it does not name stays."""
        return cls(
            replace_key=command.replace_key,
            order_id=order.order_id,
            quantity=order.quantity if command.quantity is None else command.quantity,
            limit_price=(order.limit_price if command.limit_price is None else command.limit_price),
            old_quantity=order.quantity,
            old_limit_price=order.limit_price,
            old_broker_order_id=order.broker_order_id,
            asked_at=at,
            code=_AT_RISK,
        )

    @classmethod
    def found(cls, order: Order, theirs: Order, *, key: str, at: datetime) -> Replace:
        """Return the change that made of an order what a venue shows."""
        return cls(
            replace_key=key,
            order_id=order.order_id,
            quantity=theirs.quantity,
            limit_price=theirs.limit_price,
            old_quantity=order.quantity,
            old_limit_price=order.limit_price,
            old_broker_order_id=order.broker_order_id,
            asked_at=at,
            outcome=ReplaceOutcome.CONFIRMED,
            code=FOUND,
        )

    @property
    def is_begun(self) -> bool:
        """Return whether it may have left for the venue, or is decided."""
        return self.outcome is not None or self.code != _AT_RISK

    def asks_what(self, command: ReplaceOrder) -> bool:
        """Return whether a command with the same key asks for this very change."""
        return (
            command.order_id == self.order_id
            and command.quantity in (None, self.quantity)
            and command.limit_price in (None, self.limit_price)
        )

    def is_made_in(self, theirs: Order) -> bool:
        """Return whether a venue's view has the new terms."""
        return (theirs.quantity, theirs.limit_price) == (self.quantity, self.limit_price)


async def insert_replace(tx: AsyncConnection, change: Replace) -> None:
    """Record a change, ahead of the wire or already decided."""
    row = {
        "replace_key": change.replace_key,
        "order_id": change.order_id,
        "quantity": change.quantity,
        "limit_price": change.limit_price,
        "old_quantity": change.old_quantity,
        "old_limit_price": change.old_limit_price,
        "old_broker_order_id": change.old_broker_order_id,
        "asked_at": change.asked_at,
        "outcome": "" if change.outcome is None else change.outcome.value,
        "code": change.code,
        "reason": change.reason,
    }
    await _INSERT.run(tx, row)


async def begin(tx: AsyncConnection, change: Replace) -> Replace:
    """Record that a change may leave from now on; return it so."""
    begun = replace(change, code="")
    await _BEGIN.run(tx, {"b_key": change.replace_key, "b_code": begun.code})
    return begun


async def write_outcome(
    tx: AsyncConnection, replace_key: str, outcome: ReplaceOutcome, code: str, reason: str
) -> None:
    """Record what became of a change."""
    row = {"b_key": replace_key, "b_outcome": outcome.value, "b_code": code, "b_reason": reason}
    await _END.run(tx, row)


async def read_replace(tx: AsyncConnection, replace_key: str) -> Replace | None:
    """Return the change that a key asked for; a key is never forgotten."""
    row = (await _ONE.run(tx, {"b_key": replace_key})).first()
    return _change(row) if row is not None else None


async def terms_before(tx: AsyncConnection, order_id: str) -> set[tuple[Decimal, Decimal | None]]:
    """Return the quantity and limit that an order had before each change that was asked for."""
    query = sa.select(replaces.c.old_quantity, replaces.c.old_limit_price).where(
        replaces.c.order_id == order_id
    )
    return {(row.old_quantity, row.old_limit_price) for row in await tx.execute(query)}


async def was_found(tx: AsyncConnection, change: Replace) -> bool:
    """Return whether a venue has shown the terms of a change, made by nobody on record."""
    found = sa.select(replaces).where(
        replaces.c.order_id == change.order_id, replaces.c.code == FOUND
    )
    asked = (change.quantity, change.limit_price)
    return any((row.quantity, row.limit_price) == asked for row in await tx.execute(found))


async def open_replaces(tx: AsyncConnection) -> list[Replace]:
    """Return the changes of open orders, oldest first."""
    return [_change(row) for row in await _OPEN.run(tx)]


def _change(row: sa.Row[tuple[object, ...]]) -> Replace:
    values = row._asdict()
    outcome = values.pop("outcome")
    return Replace(**values, outcome=ReplaceOutcome(outcome) if outcome else None)
