"""Stop trading at once, and start it again only with an operator's signature."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa
from mts1b_foundation.commands import HaltReply
from mts1b_foundation.model import FrozenModel
from mts1b_foundation.nats import OPERATIONS_HALT_REQUESTED, OPERATIONS_HALT_RESUMED
from mts1b_foundation.risk import ActiveHalt, HaltRequest, ResumeRequest
from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.config import mts_home
from mts1b_platform.halt import HaltStore
from mts1b_platform.ids import derive_id
from mts1b_platform.signing import KeyRing
from mts1b_platform.store import Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_operations import resume as signed
from mts1b_operations.audit.chain import AuditChain, AuditRecord
from mts1b_operations.errors import BadSelection, NotFound, ResumeRefused
from mts1b_operations.halt_record import (
    SEVERITIES,
    active_halts,
    epoch_above,
    halt_epoch,
    halt_of,
    halted_since,
    put_in_force,
    readable,
    rebuild_record,
    request_of,
    scope_of,
    signing_time,
)
from mts1b_operations.parts import Parts, open_parts
from mts1b_operations.places import HALT_FOLDER
from mts1b_operations.tables import HALTS

__all__ = ["HaltManager", "HaltStatus"]

_ACTOR = "mts1b-operations"


class HaltStatus(FrozenModel):
    """Whether a fund or strategy may trade, and what stops it."""

    halted: bool
    epoch: int
    active: tuple[ActiveHalt, ...] = ()


class HaltManager:
    """Request and end halts.

    The durable local record comes first: what reads it stops even when store and bus are gone.
    Then one transaction writes the audit entry and the event. A halt is sticky: it survives any
    restart and ends only by a resume that a registered operator signed.

    ``HaltManager()`` works on the running system (MTS_HOME); every part can be injected.
    """

    def __init__(
        self,
        *,
        home: Path | None = None,
        store: Store | None = None,
        halt_store: HaltStore | None = None,
        audit: AuditChain | None = None,
        keyring: KeyRing | None = None,
        clock: Clock | None = None,
        publish: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._home = home
        self._clock = clock
        self._given = (store, halt_store, audit, keyring)
        self._publish = publish
        self._parts: Parts | None = None
        self._owned = False

    def _local(self) -> tuple[HaltStore, Clock]:
        """Return what a halt needs first, without opening the store."""
        given = self._given[1]
        halts = given or HaltStore((self._home or mts_home(os.environ)) / HALT_FOLDER)
        return halts, self._clock or SystemClock()

    async def _ready(self) -> Parts:
        if self._parts is None:
            self._parts = self._injected() or await open_parts(
                self._home or mts_home(os.environ), clock=self._clock
            )
        return self._parts

    def _injected(self) -> Parts | None:
        store, halts, audit, keyring = self._given
        if store is None and audit is None and keyring is None:
            self._owned = True
            return None
        if store is None or halts is None or audit is None or keyring is None:
            raise BadSelection("inject store, halt_store, audit and keyring together, or none")
        return Parts(store, audit, halts, keyring, self._clock or SystemClock())

    async def __aenter__(self) -> Self:
        await self._ready()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close what this object opened itself."""
        if self._parts is not None and self._owned:
            await self._parts.store.close()
        self._parts = None

    async def request(self, request: HaltRequest) -> HaltReply:
        """Halt a scope; the same ``halt_id`` halts once, also after its resume.

        :raises StoreError, sqlalchemy.exc.DBAPIError: when the halt is in force but could not
            be audited yet.
        """
        halts, clock = self._local()
        active, created = put_in_force(halts, halt_of(request, clock.now()))
        if active is None:
            return HaltReply(epoch=halt_epoch(halts))
        await self._record([active])
        return HaltReply(active=active, created=created, epoch=active.epoch)

    async def _record(self, halts: list[ActiveHalt]) -> None:
        """Audit and announce halts that the store does not know yet."""
        parts = await self._ready()
        async with parts.store.transaction() as tx:
            for halt in halts:
                await self._record_halt(parts, tx, halt)
        parts.audit.settle()
        await self._announce()

    async def _record_halt(self, parts: Parts, tx: AsyncConnection, halt: ActiveHalt) -> None:
        insert = parts.store.insert(HALTS).values(
            halt_id=halt.halt_id,
            scope=halt.scope,
            record=halt.model_dump_json(),
            sessions=0,
            resumed=False,
        )
        written = await tx.execute(insert.on_conflict_do_nothing(index_elements=["halt_id"]))
        if written.rowcount == 0:
            return
        event = request_of(halt)
        record = AuditRecord(
            actor=halt.requested_by,
            action="halt_requested",
            subject_id=halt.scope,
            data=event.model_dump(mode="json") | {"epoch": halt.epoch},
            timestamp=halt.requested_at,
        )
        await parts.audit.add(tx, [record])
        await parts.store.outbox.add(
            tx,
            event_id=f"{halt.halt_id}:requested",
            subject=OPERATIONS_HALT_REQUESTED,
            payload=event.model_dump_json().encode(),
        )

    async def resume(
        self,
        *,
        cosigned_by: str,
        second_by: str | None = None,
        scope: str | None = None,
        fund_id: str | None = None,
        strategy_id: str | None = None,
        reason: str = "resumed by operator",
        signature: str | None = None,
        key_id: str = "",
        requested_at: datetime | None = None,
        epoch: int | None = None,
    ) -> ResumeRequest:
        """End the halts of one scope, with the operator's signature; of the firm, with two.

        Without ``signature`` the act is signed here, with the operators' private keys; where this
        machine does not hold them, the resume is refused.

        :param second_by: the second operator, as ``operator:NAME``.
        :raises ResumeRefused: without a good signature; the attempt is audited.
        :raises NotFound: when nothing halts the scope.
        """
        parts = await self._ready()
        chosen = scope_of(scope, fund_id, strategy_id)
        if signature is None:
            try:
                request = await self.sign_resume(
                    scope=chosen, reason=reason, cosigned_by=cosigned_by
                )
                if second_by is not None:
                    request = signed.cosign_resume(parts.keyring, request, signed_by=second_by)
            except ResumeRefused as error:
                await self.refuse(chosen, cosigned_by, reason, error)
                raise
        else:
            request = ResumeRequest(
                scope=chosen,
                reason=reason,
                cosigned_by=cosigned_by,
                requested_at=requested_at or parts.clock.now(),
                epoch=parts.halts.state().epoch if epoch is None else epoch,
                key_id=key_id,
                signature=signature,
            )
        await self.resume_signed(request)
        return request

    async def sign_resume(self, *, scope: str, reason: str, cosigned_by: str) -> ResumeRequest:
        """Return a resume signed with the operator's key of this machine, for the epoch now.

        :raises ResumeRefused: when the key is not here.
        """
        parts = await self._ready()
        return signed.sign_resume(
            parts.keyring,
            scope=scope,
            reason=reason,
            cosigned_by=cosigned_by,
            requested_at=signing_time(parts.halts, scope, parts.clock.now()),
            epoch=parts.halts.state().epoch,
        )

    async def resume_signed(self, request: ResumeRequest) -> HaltReply:
        """End the halts of a scope by a request that was signed elsewhere.

        :raises ResumeRefused: without a good signature; the attempt is audited.
        :raises NotFound: when nothing halts the scope.
        """
        parts = await self._ready()
        try:
            signed.require_signed_resume(
                parts.keyring,
                request,
                epoch=parts.halts.state().epoch,
                since=halted_since(parts.halts, request.scope),
            )
        except ResumeRefused as error:
            await self.refuse(request.scope, request.cosigned_by, request.reason, error)
            raise
        if request.scope not in {halt.scope for halt in active_halts(parts.halts)}:
            raise NotFound(
                f"nothing halts {request.scope}; halted are: "
                + (", ".join(halt.scope for halt in active_halts(parts.halts)) or "none")
            )
        async with parts.store.transaction() as tx:
            await self.record_resume(tx, request)
        return await self.finish_resume(request)

    async def record_resume(self, tx: AsyncConnection, request: ResumeRequest) -> None:
        """Write a proven resume inside the caller's transaction: state, audit, event.

        A halt that came after the epoch which was signed is none of those that it ends.
        """
        parts = await self._ready()
        newer = [halt.halt_id for halt in parts.halts.state().active if halt.epoch > request.epoch]
        seen = (HALTS.c.scope == request.scope) & HALTS.c.halt_id.not_in(newer)
        await tx.execute(HALTS.update().where(seen).values(resumed=True))
        record = AuditRecord(
            actor=request.cosigned_by,
            action="halt_resumed",
            subject_id=request.scope,
            data=request.model_dump(mode="json"),
            timestamp=request.requested_at,
        )
        await parts.audit.add(tx, [record])
        await parts.store.outbox.add(
            tx,
            event_id=derive_id(
                "resume", request.scope, str(request.epoch), request.requested_at.isoformat()
            ),
            subject=OPERATIONS_HALT_RESUMED,
            payload=request.model_dump_json().encode(),
        )

    async def finish_resume(self, request: ResumeRequest) -> HaltReply:
        """Lift the local record after the resume is on record."""
        parts = await self._ready()
        parts.audit.settle()
        state = parts.halts.lift(request.scope, upto=request.epoch)
        await self._announce()
        return HaltReply(epoch=state.epoch)

    async def refuse(self, scope: str, who: str, reason: str, error: ResumeRefused) -> None:
        """Audit a resume that was refused."""
        parts = await self._ready()
        await parts.audit.append(
            actor=who,
            action="halt_resume_refused",
            subject_id=scope,
            data={"reason": reason, "refused_because": str(error)},
        )

    async def recover(self) -> None:
        """Make store and local record agree after a crash between the two.

        A resume on record is carried out; a halt that only the local record knows is audited. A
        halt that only the store knows is put in force again: the local record was restored from
        an older copy. A local record that can not be read is made anew, with the firm halted.
        """
        parts = await self._ready()
        async with parts.store.read() as connection:
            query = sa.select(HALTS.c.record, HALTS.c.resumed)
            rows = (await connection.execute(query)).all()
        known = [(ActiveHalt.model_validate_json(row.record), bool(row.resumed)) for row in rows]
        if not readable(parts.halts) and self._home is not None:
            known.append((await self._replace_record(self._home, known), False))
        if not readable(parts.halts):
            return  # everything is halted, and stays so
        for halt, ended_before in known:
            if not ended_before:
                put_in_force(parts.halts, halt)
        resumed = {halt.halt_id: ended_before for halt, ended_before in known}
        active = active_halts(parts.halts)
        ended = {halt.scope: halt.epoch for halt in active if resumed.get(halt.halt_id)}
        for scope, newest in sorted(ended.items()):
            parts.halts.lift(scope, upto=newest)
        unknown = [halt for halt in active if halt.halt_id not in resumed]
        if unknown:
            await self._record(unknown)

    async def _replace_record(
        self, home: Path, known: Sequence[tuple[ActiveHalt, bool]]
    ) -> ActiveHalt:
        """Make a record that can not be read anew, and return the halt of the firm in it."""
        parts, epoch = await self._ready(), epoch_above(known)
        lost = ActiveHalt(
            halt_id=derive_id("halt", "unreadable", str(epoch)),
            scope="firm",
            severity=SEVERITIES["firm"],
            reason="the halt record could not be read; halts that were never audited are lost",
            requested_by=_ACTOR,
            requested_at=parts.clock.now(),
            epoch=epoch,
        )
        await self._record([lost])
        with contextlib.suppress(OSError):  # as unreadable as it was, it halts everything
            rebuild_record(home / HALT_FOLDER, [*known, (lost, False)], epoch=epoch)
        return lost

    async def list_active(self) -> list[ActiveHalt]:
        """Return the halts in force; an unreadable record counts as a halt of the firm."""
        return list(active_halts((await self._ready()).halts))

    async def status(
        self, *, fund_id: str | None = None, strategy_id: str | None = None
    ) -> HaltStatus:
        """Return what stops a fund or strategy; without either, what stops anything."""
        parts = await self._ready()
        scopes = {"firm", f"fund:{fund_id}", f"strategy:{strategy_id}"}
        every = fund_id is None and strategy_id is None
        active = tuple(halt for halt in active_halts(parts.halts) if every or halt.scope in scopes)
        return HaltStatus(halted=bool(active), epoch=halt_epoch(parts.halts), active=active)

    async def _announce(self) -> None:
        if self._publish is not None:
            await self._publish()
