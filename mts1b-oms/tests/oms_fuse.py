"""A fuse that lets the process die at a chosen checkpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mts1b_oms.record import OmsRecord
from mts1b_oms.unit import Unit


class Crash(BaseException):
    """The process dies here."""


class Fuse:
    """Count checkpoints; die at the chosen one."""

    def __init__(self, blow_at: int = 0) -> None:
        self.blow_at = blow_at
        self.passed: list[str] = []

    def checkpoint(self, name: str) -> None:
        self.passed.append(name)
        if len(self.passed) == self.blow_at:
            raise Crash(name)


class FusedRecord(OmsRecord):
    """A record that can die on either side of every commit."""

    fuse = Fuse()

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Unit]:
        async with super().unit() as unit:
            yield unit
            self.fuse.checkpoint("before commit")
        self.fuse.checkpoint("after commit")
