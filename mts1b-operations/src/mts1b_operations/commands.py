"""What ``mts cmd`` does: halt, resume, cancel, flatten, restart; with the bus and without it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mts1b_foundation.commands import (
    BookQuery,
    BookReply,
    CancelAll,
    CancelAllReply,
    HaltReply,
    SubmitOrder,
    SubmitReply,
)
from mts1b_foundation.model import FrozenModel
from mts1b_foundation.nats import (
    CMD_HALT_REQUEST,
    CMD_HALT_RESUME,
    CMD_OMS_BOOK,
    CMD_OMS_CANCEL_ALL,
    CMD_OMS_SUBMIT,
)
from mts1b_foundation.orders import ExecutionMode, Order, OrderStatus, resolve_side
from mts1b_foundation.positions import Position
from mts1b_foundation.risk import ActiveHalt, HaltRequest, ResumeRequest
from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.config import load_settings
from mts1b_platform.errors import PlatformError, RetryLater
from mts1b_platform.eventbus.port import BusError, EventBus, RemoteError, RequestTimeout
from mts1b_platform.halt import HaltStore
from mts1b_platform.ids import derive_id
from mts1b_platform.operators import operator_key
from mts1b_platform.rng import SystemRng
from mts1b_platform.signing import KeyRing
from mts1b_platform.store import StoreError
from sqlalchemy.exc import SQLAlchemyError

from mts1b_operations import senders
from mts1b_operations.errors import (
    BadSelection,
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
from mts1b_operations.plain_text import sendable
from mts1b_operations.probes import SERVICES, dead_supervisor, running_services
from mts1b_operations.resume import cosign_resume, sign_resume

if TYPE_CHECKING:
    from mts1b_operations.halt import HaltManager

__all__ = [
    "HaltDone",
    "cancel_all",
    "carry_out",
    "cosign",
    "create_operator_key",
    "flatten_paper",
    "halt",
    "halt_request",
    "left_open",
    "restart_all",
    "resume",
    "sign_only",
]

Reply = TypeVar("Reply", bound=FrozenModel)

_NOT_TOLD = (PlatformError, StoreError, SQLAlchemyError, OSError)
"""What may be wrong with settings, bus, store and audit log while a halt is announced."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST_ACTOR = 200
_BUS_PATIENCE_S = 1.0
_REPLY_S = 5.0
_RESTART_S = 30.0


@asynccontextmanager
async def _bus(home: Path) -> AsyncIterator[EventBus]:
    from mts1b_platform.eventbus.connect import connect  # slow to import: after the halt record

    bus = await connect(home, name="mts-cmd", patience_s=_BUS_PATIENCE_S)
    try:
        yield bus
    finally:
        await bus.close()


def _manager(home: Path, clock: Clock) -> HaltManager:
    from mts1b_operations.halt import HaltManager

    return HaltManager(home=home, clock=clock)


async def _ask(bus: EventBus, subject: str, request: FrozenModel, kind: type[Reply]) -> Reply:
    data = await bus.request(subject, request.model_dump_json().encode(), timeout_s=_REPLY_S)
    return kind.model_validate_json(data)


def halt_request(scope: str, *, reason: str, actor: str, clock: Clock) -> HaltRequest:
    """Return the request that halts ``scope`` now; nothing may leave, not even reduce-only.

    Whatever text it is given for reason and actor, there is a request.
    """
    now, why = clock.now(), sendable(reason) or "no reason was given"
    return HaltRequest(
        severity=SEVERITIES[scope.partition(":")[0]],
        **named_by(scope),
        reason=why,
        requested_by=sendable(actor)[:_LONGEST_ACTOR] or "unknown",
        requested_at=now,
        halt_id=derive_id("halt", scope, now.isoformat(), why),
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
    patience_s: float = 10.0,
) -> HaltDone:
    """Halt a scope, then cancel its open orders until the venue shows none.

    The local record is written before anything else, so orders stop even when bus and store
    are gone. Then every sender of this machine is told by its socket, and cancels, while the
    service is told by the bus; where it does not answer, the halt is audited here. Where that
    fails, as with broken settings, the orders are cancelled no less.

    :raises PlatformError, StoreError, OSError: when neither local record nor service has the halt.
    :param cancel: False leaves open orders where they are.
    :param patience_s: how long to go on cancelling.
    """
    clock = SystemClock()
    request = halt_request(scope, reason=reason, actor=actor, clock=clock)
    asked = halt_of(request, clock.now())
    try:
        active, _ = put_in_force(HaltStore(home / HALT_FOLDER), asked)
    except OSError:
        active = None  # told to senders and service all the same; both write the record too
    in_force = active or asked
    announcing = asyncio.create_task(_announced(home, request, clock))
    confirmed, silent = await senders.tell(home, in_force)
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
        raise failure
    return HaltDone(
        in_force,
        reached,
        tuple(confirmed),
        tuple(silent),
        canceled,
        residue,
        unaudited="" if failure is None else plain_cause(failure),
        unreadable=unreadable_record(home),
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
        async with _bus(home) as bus:
            await _ask(bus, CMD_HALT_REQUEST, request, HaltReply)
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
        async with _bus(home) as bus:
            await _ask(bus, CMD_HALT_RESUME, request, HaltReply)
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
    if not _NAME.fullmatch(name):
        raise BadSelection(
            f"{name!r} is no operator's name; use letters, digits, '.', '_' and '-', at most 64"
        )
    ring = KeyRing(home / KEY_FOLDER, SystemRng())
    key = operator_key(f"operator:{name}")
    known = ring.exists(key)
    signer = ring.signer(key, "ed25519")
    return signer.key_id, home / KEY_FOLDER / f"{key}.key", not known


async def _audit(home: Path, actor: str, action: str, scope: str, done: dict[str, Any]) -> None:
    from mts1b_operations.parts import open_parts

    parts = await open_parts(home)
    try:
        await parts.audit.append(actor=actor, action=action, subject_id=scope, data=done)
    finally:
        await parts.store.close()


async def cancel_all(home: Path, *, scope: str, reason: str, actor: str) -> CancelAllReply:
    """Cancel every open order of a scope; what is not confirmed is named in the reply.

    The bus is tried first, then the socket of the OMS on this machine.

    :raises NothingRuns: when the OMS does not answer.
    """
    request = CancelAll(scope=scope, actor=actor, reason=reason)
    try:
        async with _bus(home) as bus:
            reply = await _ask(bus, CMD_OMS_CANCEL_ALL, request, CancelAllReply)
    except (RetryLater, BusError) as error:
        if isinstance(error, RemoteError):
            raise
        by_socket = await senders.cancel_once(home, scope=scope, actor=actor, reason=reason)
        if by_socket is None:
            raise NothingRuns(f"the OMS does not answer ({error}); is the system up?") from error
        reply = by_socket
    done = {"reason": reason, **reply.model_dump(mode="json")}
    await _audit(home, actor, "operator_cancel_all", scope, done)
    return reply


async def flatten_paper(home: Path, *, reason: str, actor: str) -> list[Order]:
    """Send one closing market order for every paper position; return the orders as recorded.

    :raises BadSelection: when the system does not trade on paper.
    :raises NothingRuns: when the OMS does not answer; what it was sent is in the audit log.
    """
    mode = load_settings(home).mode
    if mode is not ExecutionMode.PAPER:
        raise BadSelection(f"the mode is {mode.value}; flatten-paper closes paper positions only")
    sent: list[Order] = []
    failure: Exception | None = None
    try:
        await _send_closing(home, actor, sent)
    except (RetryLater, BusError) as error:
        failure = error
    if sent or failure is None:
        done = {"reason": reason, "order_ids": [order.order_id for order in sent]}
        await _audit(home, actor, "operator_flatten_paper", "firm", done)
    if isinstance(failure, RemoteError):
        raise failure
    if failure is not None:
        raise NothingRuns(
            f"the OMS does not answer ({failure}); is the system up? {len(sent)} closing orders "
            "were sent, one more may have been; run it again: the same position gives the same "
            "order"
        ) from failure
    return sent


async def _send_closing(home: Path, actor: str, sent: list[Order]) -> None:
    async with _bus(home) as bus:
        book = await _ask(bus, CMD_OMS_BOOK, BookQuery(), BookReply)
        for position in book.positions:
            if position.quantity != 0:
                order = _closing(position, actor, SystemClock())
                reply = await _ask(bus, CMD_OMS_SUBMIT, SubmitOrder(order=order), SubmitReply)
                sent.append(reply.order)


def _closing(position: Position, actor: str, clock: Clock) -> Order:
    """Return the order that closes a position; the same position gives the same order."""
    moment = position.as_of or clock.now()
    who = (position.fund_id or "", position.strategy_id or "")
    what = (position.symbol, str(position.quantity), moment.isoformat())
    key = derive_id("flatten", *who, *what)
    way = "sell" if position.quantity > 0 else "buy"
    return Order(
        order_id=derive_id("ord", key),
        idempotency_key=key,
        symbol=position.symbol,
        side=resolve_side(way, position.quantity),
        quantity=abs(position.quantity),
        fund_id=who[0],
        strategy_id=who[1],
        actor=actor,
        created_at=moment,
        reference_price=position.last_price
        if position.last_price and position.last_price > Decimal(0)
        else None,
        reduce_only=True,
    )


def left_open(orders: list[Order]) -> list[Order]:
    """Return the orders that were refused, so that their position stays."""
    bad = (OrderStatus.REJECTED, OrderStatus.EXPIRED, OrderStatus.UNKNOWN)
    return [order for order in orders if order.status in bad]


async def restart_all(home: Path) -> dict[str, tuple[int, int]]:
    """Restart the services one after another; return old and new process id of each.

    :raises NothingRuns: when no supervisor would start them again, or one does not come back.
    """
    if not (home / "run" / "supervisor.json").exists():
        raise NothingRuns("no supervisor runs here; start the system with `mts up`")
    gone = dead_supervisor(home)
    if gone is not None:
        raise NothingRuns(f"the supervisor (pid {gone}) was killed; start the system with `mts up`")
    clock = SystemClock()
    done: dict[str, tuple[int, int]] = {}
    for name in SERVICES:
        old = await _pid(home, name, clock)
        together = next((pair for pair in done.values() if pair[1] == old), None)
        if together is not None:  # one process holds several services
            done[name] = together
            continue
        os.kill(old, signal.SIGTERM)
        done[name] = (old, await _pid(home, name, clock, other_than=old))
    return done


async def _pid(home: Path, name: str, clock: Clock, *, other_than: int | None = None) -> int:
    """Return the process id that a service announces; wait for it while it starts."""
    deadline = clock.monotonic() + _RESTART_S
    while clock.monotonic() < deadline:
        place = running_services(home).get(name)
        if place is not None and place["pid"] != other_than:
            return place["pid"]
        await clock.sleep(0.1)
    raise NothingRuns(f"{name} did not come up within {_RESTART_S:.0f} s; see logs/{name}.out")
