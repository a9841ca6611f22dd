"""An order by hand: built from a command line, sent over the bus like every other."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from mts1b_foundation.orders import Order, OrderStatus
from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.config import load_settings
from mts1b_platform.eventbus.connect import connect
from mts1b_platform.eventbus.port import BusError, EventBus, RemoteError
from mts1b_platform.exit_codes import ExitCode
from mts1b_platform.ids import derive_id
from pydantic import ValidationError

from mts1b_oms.client import OmsClient
from mts1b_oms.errors import OmsError, OrderRefused

__all__ = ["BadOrder", "OmsAway", "build_manual_order", "send_manual_order", "submit_manual_order"]


class BadOrder(OmsError):
    """Correct the command line: it describes no order."""

    code = "BAD_ORDER"
    exit_code: ClassVar[ExitCode] = ExitCode.USAGE


class OmsAway(OmsError):
    """Start the OMS, or try again: nobody answered, and the key makes trying again safe."""

    code = "OMS_AWAY"
    exit_code: ClassVar[ExitCode] = ExitCode.UNAVAILABLE


def build_manual_order(
    *,
    symbol: str,
    side: str,
    quantity: str,
    fund_id: str,
    strategy_id: str,
    operator: str,
    key: str,
    order_type: str = "market",
    limit_price: str | None = None,
    tif: str = "day",
    reduce_only: bool = False,
    clock: Clock | None = None,
) -> Order:
    """Return the order that the words describe; its actor is ``operator:NAME``.

    :raises BadOrder: naming each word that is wrong and what is allowed.
    """
    try:
        return Order.model_validate(
            {
                "order_id": derive_id("ord", key),
                "idempotency_key": key,
                "symbol": symbol,
                "side": side,
                "quantity": quantity,
                "order_type": order_type,
                "limit_price": limit_price,
                "tif": tif,
                "fund_id": fund_id,
                "strategy_id": strategy_id,
                "actor": f"operator:{operator}",
                "created_at": (clock or SystemClock()).now(),
                "reduce_only": reduce_only,
            }
        )
    except ValidationError as error:
        wrong = [
            f"{'.'.join(str(part) for part in item['loc']) or 'order'}: {item['msg']}"
            for item in error.errors()
        ]
        raise BadOrder(f"this is no order: {'; '.join(wrong)}") from error


async def submit_manual_order(order: Order, *, home: Path) -> Order:
    """Connect to the running system of ``home`` and submit there, for the funds' broker and mode.

    :raises OrderRefused: when the OMS, or risk, says no.
    :raises OmsAway: when nobody answers.
    """
    settings = load_settings(home)
    brokers = {entry.fund.fund_id: entry.fund.broker for entry in settings.funds}
    bus = await connect(home, settings=settings, name="mts-oms", patience_s=2.0)
    try:
        broker = brokers.get(order.fund_id, order.broker)
        return await send_manual_order(order.with_(broker=broker, mode=settings.mode), bus=bus)
    finally:
        await bus.close()


async def send_manual_order(order: Order, *, bus: EventBus) -> Order:
    """Submit over ``bus``; what is denied raises, so that a script can not miss it.

    :raises OrderRefused: when the OMS, or risk, says no.
    :raises OmsAway: when nobody answers.
    """
    try:
        done = await OmsClient(bus=bus).submit(order)
    except RemoteError as error:
        raise OrderRefused(error.code, error.message) from error
    except BusError as error:
        raise OmsAway(
            f"the OMS does not answer ({error}); start it with `mts up`, then repeat this command "
            f"with the same key {order.idempotency_key!r}"
        ) from error
    if done.status is OrderStatus.REJECTED:
        raise OrderRefused(
            done.rejected_code or "REJECTED",
            f"order {done.order_id} was rejected, {done.rejected_code}: {done.rejected_reason}",
        )
    return done
