"""What moves an account without an order: money, stock, splits."""

from __future__ import annotations

from datetime import datetime

from mts1b_foundation import OrderStatus
from mts1b_foundation.adjustments import AdjustBooks, AdjustmentKind

from mts1b_brokers.errors import BrokerRefused
from mts1b_brokers.paper.state import Draft, Mark, VenueState

__all__ = ["move"]

_SPLIT = "split"
"""The interval under which the price after a split is kept; no bar has it."""


def move(
    state: VenueState, one: AdjustBooks, *, now: datetime, venue: str
) -> tuple[AdjustBooks, Draft | None]:
    """Return what an adjustment does to the account; the same words again do nothing.

    A split ends what is open in its symbol, for it was for units of before.

    :raises BrokerRefused: for an id that said something else, and for money that is not there.
    """
    name = one.adjustment_id
    again = next((told for _, told in state.adjustments if told.adjustment_id == name), None)
    if again is not None:
        _require_same(again, one)
        return again, None
    if one.kind is AdjustmentKind.WITHDRAWAL and state.cash + one.cash_usd < 0:
        raise BrokerRefused(
            f"venue {venue} has {state.cash} USD, and {-one.cash_usd} can not be withdrawn",
            code="INSUFFICIENT_CASH",
        )
    draft = Draft(state)
    draft.adjust(one)
    if one.kind is AdjustmentKind.SPLIT and one.symbol is not None and one.price is not None:
        for working in draft.open_orders(str(one.symbol)):
            draft.put(working._replace(order=working.order.with_(status=OrderStatus.CANCELED)))
        known_at, _ = state.prices.get(str(one.symbol), (now, one.price))
        draft.marks[str(one.symbol), _SPLIT] = Mark(max(now, known_at), one.price)
    return one, draft


def _require_same(known: AdjustBooks, one: AdjustBooks) -> None:
    said = (one.kind, one.cash_usd, one.symbol, one.quantity, one.price, one.ratio)
    if said != (known.kind, known.cash_usd, known.symbol, known.quantity, known.price, known.ratio):
        raise BrokerRefused(
            f"adjustment {known.adjustment_id} was made already and says something else: "
            f"{known.kind.value}, {known.reason}",
            code="ADJUSTMENT_ID_USED",
        )
