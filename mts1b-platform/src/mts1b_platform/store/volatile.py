"""A store that keeps nothing: for runs whose whole state is in the memory of its users."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, ClassVar, NoReturn, cast

from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.engine import Store
from mts1b_platform.store.outbox import Outbox
from mts1b_platform.store.prepared import Forgetful, Rows

__all__ = ["VolatileStore"]


class _Turn(Forgetful):
    """A transaction of nothing; the same object serves every one of them."""

    async def __aenter__(self) -> AsyncConnection:
        return cast(AsyncConnection, self)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    async def execute(self, statement: Any, parameters: Any = None) -> Rows:
        """Forget a write.

        :raises LookupError: for anything that reads.
        """
        return self.forget(statement)


class _Silence(Outbox):
    """Events that nobody will read."""

    async def add_many(self, tx: AsyncConnection, events: list[tuple[str, str, bytes]]) -> None:
        return None


class VolatileStore(Store):
    """Take every write and keep none; refuse to be read.

    It stands where a component wants a store and holds all that it reads in its own memory: a
    backtest, which ends with its process. What would have to be read back is for the component
    to keep, where :attr:`keeps` is False. There is no rolling back either.
    """

    keeps: ClassVar[bool] = False

    def __init__(self, name: str = "volatile") -> None:
        self.name = name
        self.read_only = False
        self.dialect = "sqlite"
        self.outbox = _Silence()
        self._turn = _Turn()

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Run one transaction, of which nothing is kept."""
        return self._turn

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Refuse.

        :raises LookupError: always.
        """
        self._refuse()

    def abandon(self) -> None:
        """Do nothing: there is nothing to let go of."""

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def _refuse(self) -> NoReturn:
        raise LookupError(f"store {self.name} is volatile: it keeps nothing that could be read")
