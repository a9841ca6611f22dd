"""What operators do to orders and books by hand: built from a command line, sent over the bus."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from mts1b_foundation.adjustments import AdjustBooks, AdjustReply
from mts1b_foundation.commands import (
    OrdersQuery,
    OrdersReply,
    ReplaceReply,
    ResolveOrder,
    ResolveReply,
)
from mts1b_foundation.nats import CMD_OMS_ADJUST, CMD_OMS_ORDERS, CMD_OMS_RESOLVE
from mts1b_foundation.orders import Order
from mts1b_platform.clock import SystemClock
from mts1b_platform.config import load_settings
from mts1b_platform.eventbus.connect import connect
from mts1b_platform.eventbus.port import BusError, EventBus, RemoteError
from mts1b_platform.ids import derive_id
from mts1b_platform.rng import SystemRng
from mts1b_platform.signing import KeyRing
from pydantic import ValidationError

from mts1b_oms.adjuster import sign_adjustment
from mts1b_oms.client import OmsClient
from mts1b_oms.errors import AdjustmentRefused, OrderRefused, ResolutionRefused, UnknownOrder
from mts1b_oms.manual import BadOrder, OmsAway
from mts1b_oms.resolve import sign_resolution

__all__ = ["adjust_by_hand", "replace_by_hand", "resolve_by_hand"]

_REPLY_S = 5.0


async def resolve_by_hand(
    home: Path,
    order_id: str,
    *,
    resolution: str,
    operator: str,
    reason: str,
    filled: str = "0",
    price: str | None = None,
) -> Order:
    """Sign and send a resolution of the order as it stands now; return it afterwards.

    :raises BadOrder: when the words make no resolution.
    :raises UnknownOrder: when there is no such order.
    :raises ResolutionRefused: without the operator's key, or when the OMS refuses.
    :raises OmsAway: when nobody answers.
    """
    bus = await connect(home, settings=load_settings(home), name="mts-oms", patience_s=2.0)
    try:
        current = await _current(bus, order_id)
        request = _request(current, resolution, operator, reason, filled, price)
        signed = sign_resolution(KeyRing(home / "keys", SystemRng()), request)
        data = await bus.request(
            CMD_OMS_RESOLVE, signed.model_dump_json().encode(), timeout_s=_REPLY_S
        )
        return ResolveReply.model_validate_json(data).order
    except RemoteError as error:
        raise ResolutionRefused(error.message) from error
    except BusError as error:
        raise OmsAway(f"the OMS does not answer ({error}); start it with `mts up`") from error
    finally:
        await bus.close()


async def adjust_by_hand(
    home: Path, words: Mapping[str, Any], *, operator: str, adjustment_id: str | None = None
) -> AdjustReply:
    """Sign and send an adjustment of the books; return what is booked.

    :param words: its fields as texts; those that are empty are left out.
    :param adjustment_id: None takes one that follows from the words, so that the same words sent
        twice are booked once.
    :raises BadOrder: when the words make no adjustment.
    :raises AdjustmentRefused: without the operator's key, or when the OMS refuses.
    :raises OmsAway: when nobody answers; the same words may be sent again.
    """
    said = {name: value for name, value in words.items() if value}
    text = [f"{name}={said[name]}" for name in sorted(said)]
    try:
        request = AdjustBooks.model_validate(
            said
            | {
                "adjustment_id": adjustment_id or derive_id("adj", *text),
                "signed_by": f"operator:{operator}",
                "requested_at": SystemClock().now(),
            }
        )
    except ValidationError as error:
        raise BadOrder(f"this is no adjustment: {_wrong(error)}") from error
    signed = sign_adjustment(KeyRing(home / "keys", SystemRng()), request)
    bus = await connect(home, settings=load_settings(home), name="mts-oms", patience_s=2.0)
    try:
        data = await bus.request(
            CMD_OMS_ADJUST, signed.model_dump_json().encode(), timeout_s=_REPLY_S
        )
        return AdjustReply.model_validate_json(data)
    except RemoteError as error:
        raise AdjustmentRefused(error.message) from error
    except BusError as error:
        raise OmsAway(
            f"the OMS does not answer ({error}); start it with `mts up`, then repeat this command: "
            "what is booked already is not booked again"
        ) from error
    finally:
        await bus.close()


async def replace_by_hand(
    home: Path,
    order_id: str,
    *,
    key: str,
    operator: str,
    quantity: str | None = None,
    limit: str | None = None,
    reason: str = "",
) -> ReplaceReply:
    """Ask the running OMS to change an open order; return what became of it.

    :raises BadOrder: when the words make no change.
    :raises OrderRefused: when the OMS takes no such request.
    :raises OmsAway: when nobody answers.
    """
    bus = await connect(home, settings=load_settings(home), name="mts-oms", patience_s=2.0)
    try:
        return await OmsClient(bus=bus).replace(
            order_id,
            key=key,
            actor=f"operator:{operator}",
            quantity=_number("quantity", quantity),
            limit_price=_number("limit", limit),
            reason=reason,
        )
    except ValidationError as error:
        raise BadOrder(f"this is no change: {_wrong(error)}") from error
    except RemoteError as error:
        raise OrderRefused(error.code, error.message) from error
    except BusError as error:
        raise OmsAway(
            f"the OMS does not answer ({error}); start it with `mts up`, then repeat this command "
            f"with the same key {key!r}"
        ) from error
    finally:
        await bus.close()


def _number(name: str, text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation as error:
        raise BadOrder(f"this is no change: {name}: {text!r} is no number") from error


def _wrong(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
    )


async def _current(bus: EventBus, order_id: str) -> Order:
    query = OrdersQuery(order_id=order_id).model_dump_json().encode()
    data = await bus.request(CMD_OMS_ORDERS, query, timeout_s=_REPLY_S)
    found = OrdersReply.model_validate_json(data).orders
    if not found:
        raise UnknownOrder(order_id)
    return found[0]


def _request(
    order: Order, resolution: str, operator: str, reason: str, filled: str, price: str | None
) -> ResolveOrder:
    try:
        return ResolveOrder.model_validate(
            {
                "order_id": order.order_id,
                "order_version": order.version,
                "resolution": resolution,
                "filled_quantity": filled,
                "average_price": price,
                "reason": reason,
                "signed_by": f"operator:{operator}",
                "requested_at": SystemClock().now(),
            }
        )
    except ValidationError as error:
        raise BadOrder(f"this is no resolution: {_wrong(error)}") from error
