"""What an operator stated of a venue's executions gives way to what the venue tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from mts1b_foundation.orders import CorrectionKind, Fill, FillCorrection
from mts1b_platform.ids import derive_id

from mts1b_oms.tables.books import BookedFill

__all__ = ["STATED", "giving_way", "stated_in"]

STATED = "stated"
"""The flag of an execution that the venue has not told: an operator has, of an order in doubt."""


def stated_in(items: Sequence[BookedFill], counted: Sequence[Fill]) -> list[Fill]:
    """Return what still counts of the executions that were stated.

    :param items: the executions of an order, as they were booked.
    :param counted: those that count, as they count.
    """
    names = {item.fill.fill_id for item in items if STATED in item.flags}
    return [fill for fill in counted if fill.fill_id in names]


def giving_way(stated: Sequence[Fill], told: Fill, *, place: int) -> list[FillCorrection]:
    """Return the corrections that take as much of what was stated back as was told now.

    :param place: how many executions of the order were booked before. Each correction restates
        what is left, so their times tell which of them is the last: executions come in any order.
    """
    left, made = told.quantity, []
    for fill in stated:
        gone = min(left, fill.quantity)
        if gone <= 0:
            break
        rest = fill.quantity - gone
        made.append(
            FillCorrection(
                correction_id=derive_id("told", fill.fill_id, told.fill_id),
                fill_id=fill.fill_id,
                order_id=fill.order_id,
                kind=CorrectionKind.AMEND if rest else CorrectionKind.BUST,
                quantity=rest or None,
                price=fill.price if rest else None,
                venue=fill.venue,
                timestamp=fill.timestamp + timedelta(microseconds=place),
                reason=f"the venue has told of execution {told.fill_id}",
            )
        )
        left -= gone
    return made
