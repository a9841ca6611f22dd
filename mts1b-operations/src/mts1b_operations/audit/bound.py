"""``audit_chain``: the log of the running system, opened when it is first used."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mts1b_platform.config import mts_home

from mts1b_operations.audit.entry import AuditEntry
from mts1b_operations.parts import Parts, open_parts

__all__ = ["BoundAuditChain", "audit_chain"]


class BoundAuditChain:
    """Do what :class:`AuditChain` does, on the store of MTS_HOME.

    :param home: stands in for MTS_HOME.
    """

    def __init__(self, home: Path | None = None) -> None:
        self._home = home
        self._opened: tuple[Path, asyncio.AbstractEventLoop, Parts] | None = None

    async def _parts(self) -> Parts:
        home = self._home or mts_home(os.environ)
        loop = asyncio.get_running_loop()
        if self._opened is not None and self._opened[:2] == (home, loop):
            return self._opened[2]
        parts = await open_parts(home)
        self._opened = (home, loop, parts)
        return parts

    async def append(
        self,
        *,
        actor: str,
        action: str,
        subject_id: str,
        data: Mapping[str, Any] | None = None,
    ) -> AuditEntry:
        """Append one entry, durably, at the time of now."""
        chain = (await self._parts()).audit
        return await chain.append(actor=actor, action=action, subject_id=subject_id, data=data)

    async def get_trail(self, *, subject_id: str) -> list[AuditEntry]:
        """Return every entry of one subject, oldest first."""
        return await (await self._parts()).audit.get_trail(subject_id=subject_id)

    async def verify(self, from_sequence: int = 0) -> bool:
        """Re-derive the log from the stored bytes and return True.

        :raises ChainIntegrityError: naming the first bad index.
        """
        return await (await self._parts()).audit.verify(from_sequence=from_sequence)

    async def close(self) -> None:
        """Close the store; the next use opens it again."""
        if self._opened is not None:
            opened, self._opened = self._opened, None
            await opened[2].store.close()


audit_chain = BoundAuditChain()
"""The log of the running system."""
