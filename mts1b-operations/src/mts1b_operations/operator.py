"""The scripted operator of a replay: it resumes each fund some sessions after its halt."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from mts1b_foundation.risk import ActiveHalt, ResumeRequest
from mts1b_platform.operators import operator_key
from mts1b_platform.store.connection import AsyncConnection

from mts1b_operations.halt import HaltManager
from mts1b_operations.halt_record import active_halts, halted_since
from mts1b_operations.parts import Parts
from mts1b_operations.resume import require_signed_resume, sign_resume
from mts1b_operations.tables import HALTS

__all__ = ["ScriptedOperator"]


class ScriptedOperator:
    """Sign a resume for every fund halt that has lasted ``after_sessions``.

    A fund that a person halted waits for a person, whatever else halts it. The act is real:
    signed with the Ed25519 key ``operator-<name>`` and proven like any other.
    """

    def __init__(
        self, parts: Parts, manager: HaltManager, *, name: str, after_sessions: int
    ) -> None:
        self._parts = parts
        self._manager = manager
        self._who = f"operator:{name}"
        self._after = after_sessions
        parts.keyring.signer(operator_key(self._who), "ed25519")  # created on first use

    async def step(self, tx: AsyncConnection, as_of: datetime) -> list[ResumeRequest]:
        """Count one session; write the resumes that are due, and return them.

        The caller finishes them after the transaction commits.
        """
        if not active_halts(self._parts.halts):
            return []
        rows = await tx.execute(sa.select(HALTS).where(HALTS.c.resumed.is_(False)))
        due: dict[str, ActiveHalt] = {}
        by_a_person: set[str] = set()
        for row in rows.all():
            halt = ActiveHalt.model_validate_json(row.record)
            if halt.requested_by.startswith("operator:"):
                by_a_person.add(halt.scope)  # a resume of the scope would end this halt too
            if not halt.scope.startswith("fund:") or as_of <= halt.requested_at:
                continue
            sessions = int(row.sessions) + 1
            await tx.execute(
                HALTS.update().where(HALTS.c.halt_id == halt.halt_id).values(sessions=sessions)
            )
            if sessions >= self._after:
                due.setdefault(halt.scope, halt)
        resumes = [
            self._signed(scope, halt, as_of)
            for scope, halt in due.items()
            if scope not in by_a_person
        ]
        for request in resumes:
            await self._manager.record_resume(tx, request)
        return resumes

    def _signed(self, scope: str, halt: ActiveHalt, as_of: datetime) -> ResumeRequest:
        epoch = self._parts.halts.state().epoch
        request = sign_resume(
            self._parts.keyring,
            scope=scope,
            reason=f"reviewed {self._after} sessions after: {halt.reason}",
            cosigned_by=self._who,
            requested_at=as_of,
            epoch=epoch,
        )
        since = halted_since(self._parts.halts, scope)
        require_signed_resume(self._parts.keyring, request, epoch=epoch, since=since)
        return request
