"""Take a scope flat: reduce-only halt, cancel, then one closing order a position, through risk."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from mts1b_foundation.commands import (
    BookQuery,
    BookReply,
    OrdersQuery,
    OrdersReply,
    SubmitOrder,
    SubmitReply,
)
from mts1b_foundation.model import FrozenModel, UtcDatetime, signing_fields_of
from mts1b_foundation.nats import CMD_OMS_BOOK, CMD_OMS_ORDERS, CMD_OMS_SUBMIT
from mts1b_foundation.orders import Order, resolve_side
from mts1b_foundation.positions import Position
from mts1b_platform.clock import SystemClock
from mts1b_platform.config import Settings, load_settings
from mts1b_platform.errors import RetryLater
from mts1b_platform.eventbus.port import BusError, EventBus, RemoteError
from mts1b_platform.halt import HaltStore
from mts1b_platform.ids import derive_id
from mts1b_platform.operators import NotSigned, sign_act
from mts1b_platform.rng import SystemRng
from mts1b_platform.signing import KeyRing
from pydantic import Field

from mts1b_operations import commands
from mts1b_operations.asking import ask, command_bus, note
from mts1b_operations.errors import FlattenRefused, NothingRuns
from mts1b_operations.halt_record import active_halts
from mts1b_operations.places import HALT_FOLDER, KEY_FOLDER

__all__ = ["DOMAIN", "FlatDone", "FlattenAct", "Left", "go_flat", "open_positions"]

DOMAIN = "mts/flatten/v1"

_LOOK_AGAIN_S = 0.25
_SETTLED_S = 1.0
"""How long the book is looked at after the last closing order has ended."""
_MOST_TRIES = 1_000


class FlattenAct(FrozenModel):
    """An operator's signed word that the positions of a scope are to be closed.

    The signature covers domain ``mts/flatten/v1`` and ``signing_fields``; it is kept in the audit
    log.
    """

    scope: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    signed_by: str = Field(pattern=r"^operator:[A-Za-z0-9_.-]+$")
    requested_at: UtcDatetime
    key_id: str = ""
    signature: str = ""

    def signing_fields(self) -> list[tuple[str, str]]:
        """Return (name, text) of every bound field in the order of declaration."""
        return signing_fields_of(self)


@dataclass(frozen=True, slots=True)
class Left:
    """A position that is still there, and why."""

    name: str
    quantity: Decimal
    why: str


@dataclass(slots=True)
class FlatDone:
    """What became of a flatten: the halt, the closing orders, and what is still open.

    ``unknown`` says why it is not known what is left, where it is not.
    """

    halt_id: str
    residue: tuple[str, ...] = ()
    sent: dict[str, Order] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)
    unknown: str = ""

    @property
    def orders(self) -> list[Order]:
        """Return the closing orders, as they were last seen."""
        return list(self.sent.values())


async def open_positions(home: Path, scope: str) -> dict[str, Decimal]:
    """Return what a scope holds: whose and what, with the signed quantity.

    :raises NothingRuns: when the OMS does not answer.
    """
    settings = load_settings(home)
    try:
        async with command_bus(home) as bus:
            held = await _held(bus, settings, scope)
    except (RetryLater, BusError) as error:
        if isinstance(error, RemoteError):
            raise
        raise NothingRuns(f"the OMS does not answer ({error}); is the system up?") from error
    return {_name(position): position.quantity for position in held}


async def go_flat(
    home: Path, scope: str, *, reason: str, operator: str, patience_s: float = 30.0
) -> FlatDone:
    """Close every position of a scope, and say what is left.

    First the scope is halted but for reduce-only orders and its open orders are cancelled; a halt
    like that which is in force already is kept. Then each position gets one reduce-only market
    order. All of them pass risk and the fence of halts as every order does: another halt that
    lets nothing leave keeps its positions where they are. Running it again sends nothing twice:
    an order that still works is waited for, and risk counts it. The halt stays until a resume.

    :param patience_s: how long to wait for the fills.
    :raises FlattenRefused: without the operator's key on this machine; nothing is done then.
    """
    clock = SystemClock()
    act = _signed(home, scope, reason, operator)
    done = await _halted(home, scope, reason=reason, actor=act.signed_by)
    begun = act.model_dump(mode="json") | {"halt_id": done.halt_id, "residue": done.residue}
    await note(home, act.signed_by, "operator_flatten", scope, begun)
    try:
        settings = load_settings(home)
        async with command_bus(home) as bus:
            held = await _held(bus, settings, scope)
            numbers = {
                _name(position): await _next_number(bus, position, done)
                for position in held
                if not _stop(home, settings, position)
            }
            # What has ended by now is in the book that is read next: nothing is closed twice.
            held = await _held(bus, settings, scope)
            for position in held:
                number = numbers.get(_name(position))
                if number is not None:
                    await _close(bus, _closing(settings, position, act, done.halt_id, number), done)
            deadline = clock.monotonic() + patience_s
            while held and clock.monotonic() < deadline:
                await clock.sleep(_LOOK_AGAIN_S)
                working = await _renewed(bus, done)
                held = await _held(bus, settings, scope)
                if not working:
                    deadline = min(deadline, clock.monotonic() + _SETTLED_S)
            done.left = [
                Left(_name(item), item.quantity, _why(home, settings, item, done)) for item in held
            ]
    except (RetryLater, BusError) as error:
        done.unknown = str(error)
    ended = {
        "halt_id": done.halt_id,
        "order_ids": [order.order_id for order in done.orders],
        "left": [f"{left.name}: {left.why}" for left in done.left],
        "unknown": done.unknown,
    }
    await note(home, act.signed_by, "operator_flatten_done", scope, ended)
    return done


def _signed(home: Path, scope: str, reason: str, operator: str) -> FlattenAct:
    act = FlattenAct(
        scope=scope,
        reason=reason,
        signed_by=f"operator:{operator}",
        requested_at=SystemClock().now(),
    )
    try:
        return sign_act(KeyRing(home / KEY_FOLDER, SystemRng()), DOMAIN, act)
    except NotSigned as error:
        raise FlattenRefused(f"nothing was done: {error}") from error


async def _halted(home: Path, scope: str, *, reason: str, actor: str) -> FlatDone:
    """Put the reduce-only halt in force, or keep the one that is, and cancel what is open."""
    known = _reduce_only_halt(home, scope)
    if known:
        try:
            reply = await commands.cancel_all(home, scope=scope, reason=reason, actor=actor)
        except NothingRuns as error:
            return FlatDone(known, unknown=str(error))
        return FlatDone(known, reply.residue)
    halted = await commands.halt(home, scope, reason=reason, actor=actor, reduce_only=True)
    return FlatDone(_reduce_only_halt(home, scope) or halted.active.halt_id, halted.residue)


def _reduce_only_halt(home: Path, scope: str) -> str:
    """Return the first halt of the scope that lets reduce-only orders pass, else "".

    Closing orders are named after it, so that two who flatten at once send the same ones.
    """
    active = active_halts(HaltStore(home / HALT_FOLDER))
    found = (halt.halt_id for halt in active if halt.scope == scope and halt.reduce_only_allowed)
    return next(found, "")


async def _held(bus: EventBus, settings: Settings, scope: str) -> list[Position]:
    book = await ask(bus, CMD_OMS_BOOK, BookQuery(), BookReply)
    return [
        position
        for position in book.positions
        if position.quantity != 0 and scope in _scopes_of(settings, position)
    ]


def _venue_of(settings: Settings, position: Position) -> str:
    brokers = {entry.fund.fund_id: entry.fund.broker for entry in settings.funds}
    return brokers.get(position.fund_id or "", "paper")


def _scopes_of(settings: Settings, position: Position) -> tuple[str, ...]:
    return (
        "firm",
        f"fund:{position.fund_id}",
        f"strategy:{position.strategy_id}",
        f"venue:{_venue_of(settings, position)}",
        f"symbol:{position.symbol}",
    )


async def _next_number(bus: EventBus, position: Position, done: FlatDone) -> int | None:
    """Return which closing order of this halt a position gets; None where one works, or none may.

    It is the first number that no order has.
    """
    if not position.fund_id or not position.strategy_id:
        return None
    for number in range(_MOST_TRIES):
        known = await _known(bus, derive_id("ord", _key(done.halt_id, position, number)))
        if known is None:
            return number
        if not known.is_terminal:
            done.sent[_name(position)] = known
            return None
    return None


async def _close(bus: EventBus, order: Order, done: FlatDone) -> None:
    name = _name(order)
    try:
        reply = await ask(bus, CMD_OMS_SUBMIT, SubmitOrder(order=order), SubmitReply)
    except RemoteError as error:
        done.refused[name] = str(error)
    else:
        done.sent[name] = reply.order


def _key(halt_id: str, position: Position, number: int) -> str:
    whose = (position.fund_id or "", position.strategy_id or "")
    return derive_id("flatten", halt_id, *whose, position.symbol, str(number))


def _closing(
    settings: Settings, position: Position, act: FlattenAct, halt_id: str, number: int
) -> Order:
    """Return the order number so and so of a halt that closes a position."""
    key = _key(halt_id, position, number)
    price = position.last_price
    return Order(
        order_id=derive_id("ord", key),
        idempotency_key=key,
        symbol=position.symbol,
        side=resolve_side("sell" if position.quantity > 0 else "buy", position.quantity),
        quantity=abs(position.quantity),
        fund_id=position.fund_id or "",
        strategy_id=position.strategy_id or "",
        broker=_venue_of(settings, position),
        account=position.account,
        mode=settings.mode,
        actor=act.signed_by,
        created_at=act.requested_at,
        reference_price=price if price is not None and price > 0 else None,
        reduce_only=True,
    )


async def _known(bus: EventBus, order_id: str) -> Order | None:
    found = await ask(bus, CMD_OMS_ORDERS, OrdersQuery(order_id=order_id), OrdersReply)
    return next(iter(found.orders), None)


async def _renewed(bus: EventBus, done: FlatDone) -> bool:
    """Look at the closing orders again; return whether one may still fill."""
    for name, order in done.sent.items():
        if not order.is_terminal:
            done.sent[name] = await _known(bus, order.order_id) or order
    return any(not order.is_terminal for order in done.orders)


def _name(item: Position | Order) -> str:
    return f"{item.fund_id}/{item.strategy_id} {item.symbol}"


def _stop(home: Path, settings: Settings, position: Position) -> str:
    """Return what lets not even a reduce-only order of the position leave, else ""."""
    halt = HaltStore(home / HALT_FOLDER).blocked(
        fund_id=position.fund_id or "",
        strategy_id=position.strategy_id or "",
        venue=_venue_of(settings, position),
        symbol=position.symbol,
        reduce_only=True,
    )
    if halt is None:
        return ""
    return f"{halt.scope} is halted, not even reduce-only orders leave (halt {halt.halt_id})"


def _why(home: Path, settings: Settings, position: Position, done: FlatDone) -> str:
    """Return why a position is still there."""
    order = done.sent.get(_name(position))
    if _name(position) in done.refused:
        return f"the OMS takes no closing order: {done.refused[_name(position)]}"
    if order is None:
        stop = _stop(home, settings, position)
        return stop or "it came after the others were closed, or has no fund or strategy"
    if order.rejected_code:
        reason = f": {order.rejected_reason}" if order.rejected_reason else ""
        return f"order {order.order_id} was refused, {order.rejected_code}{reason}"
    return f"order {order.order_id} is {order.status.value}"
