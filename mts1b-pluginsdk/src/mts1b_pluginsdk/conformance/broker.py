"""The conformance kit of brokers: what every ``BrokerProtocol`` must do, as numbered checks."""

from __future__ import annotations

from mts1b_pluginsdk.conformance import broker_fills as fills
from mts1b_pluginsdk.conformance import broker_orders as orders
from mts1b_pluginsdk.conformance.bench import BenchSettings, Connect
from mts1b_pluginsdk.conformance.check import BrokerCheck
from mts1b_pluginsdk.conformance.report import Report

__all__ = ["BROKER_CHECKS", "check_broker"]

BROKER_CHECKS: tuple[BrokerCheck, ...] = (
    BrokerCheck(
        "B01",
        "shape",
        "the OMS can call every method and await it",
        "BrokerProtocol: members",
        orders.shape_fits,
    ),
    BrokerCheck(
        "B02",
        "stable name",
        "routing, logs, metrics and audit speak of one venue",
        "MUST 1: name returns a stable string",
        orders.name_is_stable,
    ),
    BrokerCheck(
        "B03",
        "idempotent submit",
        "a retry after a lost answer buys once",
        "MUST 2: submit is idempotent on order.idempotency_key",
        orders.submit_is_idempotent,
    ),
    BrokerCheck(
        "B04",
        "key names one order",
        "a key that is used again by mistake makes no second trade",
        "MUST 2: submit is idempotent on order.idempotency_key",
        orders.key_reuse_makes_no_order,
    ),
    BrokerCheck(
        "B05",
        "submitted_at",
        "the OMS records the moment at which an order left",
        "MUST 3: submit returns an Order with submitted_at populated",
        orders.submit_stamps_the_order,
    ),
    BrokerCheck(
        "B06",
        "cancel confirmed",
        "no fill surprises a fund that was told its order is gone",
        "MUST 4: cancel returns True ONLY if cancellation was confirmed",
        orders.cancel_is_true,
    ),
    BrokerCheck(
        "B07",
        "cancel denied",
        "a cancel that lost the race against a fill is known as lost",
        "MUST 4: cancel returns True ONLY if cancellation was confirmed",
        orders.cancel_is_false_otherwise,
    ),
    BrokerCheck(
        "B08",
        "fees",
        "profit is net of what was paid",
        "MUST 5: fills include fees in account base currency",
        fills.fees_are_in_base_currency,
    ),
    BrokerCheck(
        "B09",
        "cash",
        "the stated fees are the ones that were charged",
        "MUST 5: fills include fees in account base currency",
        fills.cash_pays_price_and_fees,
    ),
    BrokerCheck(
        "B10",
        "stream",
        "a fill is booked once",
        "MUST 6: streaming is replay-safe",
        fills.stream_gives_each_fill_once,
    ),
    BrokerCheck(
        "B11",
        "replay",
        "a reader that was away hears of every fill",
        "MUST 6: streaming is replay-safe",
        fills.fills_are_read_again,
    ),
    BrokerCheck(
        "B12",
        "restart",
        "a crash of the OMS loses no fill and doubles no order",
        "MUST 6: streaming is replay-safe; restart loses no fills",
        fills.restart_loses_nothing,
    ),
    BrokerCheck(
        "B13",
        "positions",
        "reconciliation compares the book with the truth",
        "BrokerProtocol: get_positions",
        fills.positions_equal_fills,
    ),
    BrokerCheck(
        "B14",
        "look-up by key",
        "an order whose answer was lost is found, not sent again",
        "OrderQuery: get_order_by_key",
        orders.found_by_key,
    ),
)
"""Every check, in order. MUST n is row n of the table of a broker's duties in the README."""


async def check_broker(
    connect: Connect, *, settings: BenchSettings | None = None, subject: str = "broker"
) -> Report:
    """Run every check against one account; one that fails does not stop the others.

    :param connect: makes a client. All clients that it makes must see the same account, as after
        a restart; the account must be a simulation or a sandbox, for the checks trade in it.
    """
    results = [await check.run(connect, settings=settings) for check in BROKER_CHECKS]
    return Report(subject, tuple(results))
