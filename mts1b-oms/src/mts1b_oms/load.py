"""How many new orders are worked at once: what can not be worked soon is refused at once."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

from mts1b_foundation.orders import Order

from mts1b_oms.errors import Overloaded

__all__ = ["Load"]

MOST = 256


class Load:
    """Count the orders between their intake and the venue's answer.

    Without a bound a burst beyond what the machine can do makes every order late, cancels
    included, until approvals expire on their way. New risk is shed first: a reduce-only order
    passes, and cancels are not counted at all.

    :param most: orders at once.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.working = 0

    def one_more(self, order: Order) -> AbstractContextManager[None]:
        """Work one order.

        :raises Overloaded: when there are as many as may be.
        """
        if self.working >= self.most and not order.reduce_only:
            raise Overloaded(
                f"{self.working} orders are on their way and {self.most} may be (orders."
                f"max_in_progress); order {order.order_id} was not recorded: send it again, the "
                "same key is the same order"
            )
        return self

    def __enter__(self) -> None:
        self.working += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.working -= 1
