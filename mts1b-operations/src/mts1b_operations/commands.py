"""What ``mts cmd`` does to halts and orders, with the bus and without it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mts1b_foundation.commands import (
    CancelAll,
    CancelAllReply,
    HaltReply,
)
from mts1b_foundation.nats import (
    CMD_HALT_REQUEST,
    CMD_HALT_RESUME,
    CMD_OMS_CANCEL_ALL,
)
from mts1b_foundation.risk import ActiveHalt, HaltRequest, ResumeRequest
from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.errors import PlatformError, RetryLater
from mts1b_platform.eventbus.port import BusError, RemoteError, RequestTimeout
from mts1b_platform.halt import HaltStore
from mts1b_platform.ids import derive_id
from mts1b_platform.operators import operator_key
from mts1b_platform.rng import SystemRng
from mts1b_platform.signing import KeyRing
from mts1b_platform.store import StoreError
from sqlalchemy.exc import SQLAlchemyError

from mts1b_operations import senders
from mts1b_operations.asking import ask, command_bus, note
from mts1b_operations.errors import (
    HaltNotInForce,
    NotFound,
    NothingRuns,
    OperationsError,
    ResumeRefused,
    plain_cause,
)
from mts1b_operations.halt_record import (
    SEVERITIES,
    active_halts,
    halt_of,
    named_by,
    put_in_force,
    signing_time,
    unreadable_record,
)
from mts1b_operations.places import HALT_FOLDER, KEY_FOLDER
from mts1b_operations.plain_text import require_key_name, sendable
from mts1b_operations.resume import cosign_resume, sign_resume

if TYPE_CHECKING:
    from mts1b_operations.halt import HaltManager

__all__ = [
    "HaltDone",
    "cancel_all",
    "carry_out",
    "cosign",
    "create_operator_key",
    "halt",
    "halt_request",
    "resume",
    "sign_only",
]

_NOT_TOLD = (PlatformError, StoreError, SQLAlchemyError, OSError)
"""What may be wrong with settings, bus, store and audit log while a halt is announced."""

_LONGEST_ACTOR = 200


def _manager(home: Path, clock: Clock) -> HaltManager:
    from mts1b_operations.halt import HaltManager

    return HaltManager(home=home, clock=clock)


def halt_request(
    scope: str, *, reason: str, actor: str, clock: Clock, reduce_only: bool = False
) -> HaltRequest:
    """Return the request that halts ``scope`` now.

    Whatever text it is given for reason and actor, there is a request.

    :param reduce_only: orders that only reduce may leave; else nothing may.
    """
    now, why = clock.now(), sendable(reason) or "no reason was given"
    return HaltRequest(
        severity=SEVERITIES[scope.partition(":")[0]],
        **named_by(scope),
        reason=why,
        requested_by=sendable(actor)[:_LONGEST_ACTOR] or "unknown",
        requested_at=now,
        halt_id=derive_id("halt", scope, now.isoformat(), why),
        reduce_only_allowed=reduce_only,
    )


@dataclass(frozen=True, slots=True)
class HaltDone:
    """A halt in force, whom it reached, and what became of the orders in its scope.

    ``reached``: ``bus`` when the operations service has it, ``local`` when it is in the audit log
    all the same, else ``record``, and ``unaudited`` says why it is not. ``confirmed`` names the
    senders that said they stopped, ``silent`` those that did not answer in the two seconds that a
    lease lasts, so that theirs is over. ``residue`` are the orders that may still be open.
    """

    active: ActiveHalt
    reached: str
    confirmed: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    canceled: tuple[str, ...] = ()
    residue: tuple[str, ...] = ()
    unaudited: str = ""
    unreadable: str = ""


async def halt(
    home: Path,
    scope: str,
    *,
    reason: str,
    actor: str,
    cancel: bool = True,
    reduce_only: bool = False,
    patience_s: float = 10.0,
    in_force: Callable[[], None] = lambda: None,
) -> HaltDone:
    """Halt a scope, then cancel its open orders until the venue shows none.

    The local record is written before anything else, so orders stop even when bus and store
    are gone. Then every sender of this machine is told by its socket, and cancels, while the
    service is told by the bus; where it does not answer, the halt is audited here. Where that
    fails, as with broken settings, the orders are cancelled no less.

    :raises HaltNotInForce: when neither local record nor service has the halt.
    :param cancel: False leaves open orders where they are.
    :param reduce_only: orders that only reduce a position may leave all the same.
    :param patience_s: how long to go on cancelling.
    :param in_force: called once the record is written: what follows may take seconds.
    """
    clock = SystemClock()
    request = halt_request(scope, reason=reason, actor=actor, clock=clock, reduce_only=reduce_only)
    asked = halt_of(request, clock.now())
    try:
        active, _ = put_in_force(HaltStore(home / HALT_FOLDER), asked)
    except OSError:
        active = None  # told to senders and service all the same; both write the record too
    else:
        in_force()
    halted = active or asked
    announcing = asyncio.create_task(_announced(home, request, clock))
    confirmed, silent = await senders.tell(home, halted)
    canceled, residue = (
        await senders.cancel_until_none(
            home,
            confirmed,
            scope=scope,
            actor=request.requested_by,
            reason=request.reason,
            patience_s=patience_s,
            clock=clock,
        )
        if cancel
        else ((), ())
    )
    reached, failure = await announcing  # a service that hangs takes long, and no order waits
    if failure is not None and active is None:
        raise _not_in_force(scope, confirmed, failure) from failure
    return HaltDone(
        halted,
        reached,
        tuple(confirmed),
        tuple(silent),
        canceled,
        residue,
        unaudited="" if failure is None else plain_cause(failure),
        unreadable=unreadable_record(home),
    )


def _not_in_force(scope: str, confirmed: list[str], failure: Exception) -> HaltNotInForce:
    stopped = f"{', '.join(confirmed)} said that it stopped" if confirmed else "nobody said so"
    return HaltNotInForce(
        f"NO halt of {scope} is on record: {plain_cause(failure)}; {stopped}. Halt again where the "
        "home can be written, or stop the system with `mts down`"
    )


async def _announced(
    home: Path, request: HaltRequest, clock: Clock
) -> tuple[str, Exception | None]:
    """Return whom a halt reached, and why it reached nobody: that stops nothing that follows."""
    try:
        return await _announce_halt(home, request, clock), None
    except _NOT_TOLD as error:
        return "record", error


async def _announce_halt(home: Path, request: HaltRequest, clock: Clock) -> str:
    try:
        async with command_bus(home) as bus:
            await ask(bus, CMD_HALT_REQUEST, request, HaltReply)
        return "bus"
    except (RetryLater, BusError):
        async with _manager(home, clock) as manager:
            await manager.request(request)
        return "local"


async def resume(
    home: Path, scope: str, *, operator: str, reason: str, cosigner: str = ""
) -> ResumeRequest:
    """Sign a resume with the operator's key of this machine, and carry it out.

    :param cosigner: the second operator, whom a resume of the firm needs.
    :raises ResumeRefused: without a registered key, when the service refuses, or while the halt
        record can not be read.
    :raises NotFound: when nothing halts the scope.
    :raises NothingRuns: when it is not known whether the service has carried it out.
    """
    clock = SystemClock()
    halts = _halts_to_resume(home, scope)
    cosigned_by = f"operator:{operator}"
    try:
        request = sign_resume(
            KeyRing(home / KEY_FOLDER, SystemRng()),
            scope=scope,
            reason=reason,
            cosigned_by=cosigned_by,
            requested_at=signing_time(halts, scope, clock.now()),
            epoch=halts.state().epoch,
        )
        if cosigner:
            request = cosign_resume(
                KeyRing(home / KEY_FOLDER, SystemRng()), request, signed_by=f"operator:{cosigner}"
            )
    except ResumeRefused as error:
        async with _manager(home, clock) as manager:
            await manager.refuse(scope, cosigned_by, reason, error)
        raise
    await carry_out(home, request)
    return request


def _halts_to_resume(home: Path, scope: str) -> HaltStore:
    unreadable = unreadable_record(home)
    if unreadable:
        raise ResumeRefused(unreadable)
    halts = HaltStore(home / HALT_FOLDER)
    scopes = [item.scope for item in active_halts(halts)]
    if scope not in scopes:
        raise NotFound(f"nothing halts {scope}; halted are: {', '.join(scopes) or 'none'}")
    return halts


async def carry_out(home: Path, request: ResumeRequest) -> None:
    """Carry out a resume that is signed already, by the service or, without it, here.

    :raises ResumeRefused: when its signatures do not suffice.
    :raises NothingRuns: when the service was asked, did not answer, and nothing could be done
        here: it may still carry the resume out.
    """
    try:
        async with command_bus(home) as bus:
            await ask(bus, CMD_HALT_RESUME, request, HaltReply)
    except RemoteError as error:
        raise _refusal(error) from error
    except (RetryLater, BusError) as silence:
        try:
            async with _manager(home, SystemClock()) as manager:
                await manager.resume_signed(request)
        except (StoreError, SQLAlchemyError) as error:
            if not isinstance(silence, RequestTimeout):
                raise
            raise NothingRuns(
                f"whether {request.scope} is resumed is not known: operations was asked and did "
                f"not answer, and here it could not be done ({plain_cause(error)}). It may still "
                "be carried out: look at `mts status`, and halt again to be sure"
            ) from error


def sign_only(home: Path, scope: str, *, operator: str, reason: str) -> ResumeRequest:
    """Return a resume that one operator has signed, for another to sign elsewhere.

    :raises ResumeRefused: without the operator's key on this machine, or while the halt record
        can not be read.
    :raises NotFound: when nothing halts the scope.
    """
    halts = _halts_to_resume(home, scope)
    return sign_resume(
        KeyRing(home / KEY_FOLDER, SystemRng()),
        scope=scope,
        reason=reason,
        cosigned_by=f"operator:{operator}",
        requested_at=signing_time(halts, scope, SystemClock().now()),
        epoch=halts.state().epoch,
    )


async def cosign(home: Path, request: ResumeRequest, *, operator: str) -> ResumeRequest:
    """Add a second operator's signature to a resume, and carry it out.

    :raises ResumeRefused: without the operator's key, or when the signatures do not suffice.
    """
    keyring = KeyRing(home / KEY_FOLDER, SystemRng())
    signed = cosign_resume(keyring, request, signed_by=f"operator:{operator}")
    await carry_out(home, signed)
    return signed


def _refusal(error: RemoteError) -> OperationsError:
    if error.code == NotFound.code:
        return NotFound(error.message)
    return ResumeRefused(error.message)


def create_operator_key(home: Path, name: str) -> tuple[str, Path, bool]:
    """Create the key of an operator; return its id, its file, and whether it is new.

    :raises BadSelection: for a name that no file could be called by.
    """
    require_key_name(name, "operator")
    ring = KeyRing(home / KEY_FOLDER, SystemRng())
    key = operator_key(f"operator:{name}")
    known = ring.exists(key)
    signer = ring.signer(key, "ed25519")
    return signer.key_id, home / KEY_FOLDER / f"{key}.key", not known


async def cancel_all(home: Path, *, scope: str, reason: str, actor: str) -> CancelAllReply:
    """Cancel every open order of a scope; what is not confirmed is named in the reply.

    The bus is tried first, then the socket of the OMS on this machine.

    :raises NothingRuns: when the OMS does not answer.
    """
    request = CancelAll(scope=scope, actor=actor, reason=reason)
    try:
        async with command_bus(home) as bus:
            reply = await ask(bus, CMD_OMS_CANCEL_ALL, request, CancelAllReply)
    except (RetryLater, BusError) as error:
        if isinstance(error, RemoteError):
            raise
        by_socket = await senders.cancel_once(home, scope=scope, actor=actor, reason=reason)
        if by_socket is None:
            raise NothingRuns(f"the OMS does not answer ({error}); is the system up?") from error
        reply = by_socket
    done = {"reason": reason, **reply.model_dump(mode="json")}
    await note(home, actor, "operator_cancel_all", scope, done)
    return reply
