"""What a plugin's author gives to the kit: a client, or an account with a hand on the venue."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol, runtime_checkable

from mts1b_foundation import Order
from mts1b_foundation.protocols import BrokerProtocol

__all__ = ["Connect", "Desk", "Hands", "Sandbox", "Wire"]


class Sandbox(Protocol):
    """One new account at a venue. Made for each card; what it offers beyond is optional.

    Where it also has an ``async open()``, that is awaited before the first client is made, and
    an ``async close()`` at the end of the card. A broker that has ``submit`` is never taken for a
    sandbox.
    """

    def connect(self) -> BrokerProtocol:
        """Return a new client of this account, as after a restart."""
        ...


@runtime_checkable
class Wire(Protocol):
    """Break the connection between the clients of this account and the venue."""

    def cut(self) -> None:
        """Let every call fail from now on, before it reaches the venue."""
        ...

    def mend(self) -> None:
        """Let calls through again."""
        ...

    def lose_request(self) -> None:
        """Lose the next call on its way to the venue."""
        ...

    def lose_answer(self) -> None:
        """Let the venue carry out the next call and lose its answer."""
        ...


@runtime_checkable
class Desk(Protocol):
    """Act as the venue's staff: take executions back and correct them."""

    async def bust(self, fill_id: str) -> None:
        """Take an execution back whole."""
        ...

    async def amend(self, fill_id: str, *, quantity: Decimal, price: Decimal) -> None:
        """State quantity and price of an execution anew."""
        ...

    async def charge(self, fill_id: str, *, fees: Decimal) -> None:
        """State the fees of an execution anew."""
        ...


@runtime_checkable
class Hands(Protocol):
    """Enter orders into this account by other means than its clients."""

    async def enter(self, order: Order) -> None:
        """Enter an order as a person at the venue's own screen would."""
        ...


Connect = Callable[[], BrokerProtocol | Sandbox]
"""Makes a client, where all clients that it makes see one account; or a :class:`Sandbox`."""
