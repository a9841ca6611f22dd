"""The duties that no broker may lack: the first fourteen cards."""

from __future__ import annotations

from mts1b_pluginsdk.conformance.card import Card, Group
from mts1b_pluginsdk.conformance.cards import duty_fills as fills
from mts1b_pluginsdk.conformance.cards import duty_orders as orders
from mts1b_pluginsdk.conformance.needs import Need

__all__ = ["DUTIES"]

DUTIES: tuple[Card, ...] = (
    Card(
        "B01",
        "shape",
        Group.SESSION,
        "the OMS can call every method and await it",
        "BrokerProtocol: members",
        orders.shape_fits,
    ),
    Card(
        "B02",
        "stable name",
        Group.SESSION,
        "routing, logs, metrics and audit speak of one venue",
        "MUST 1: name returns a stable string",
        orders.name_is_stable,
    ),
    Card(
        "B03",
        "idempotent submit",
        Group.SUBMIT,
        "a retry after a lost answer buys once",
        "MUST 2: submit is idempotent on order.idempotency_key",
        orders.submit_is_idempotent,
        needs=(Need.KEYS,),
    ),
    Card(
        "B04",
        "key names one order",
        Group.SUBMIT,
        "a key that is used again by mistake makes no second trade",
        "MUST 2: submit is idempotent on order.idempotency_key",
        orders.key_reuse_makes_no_order,
        needs=(Need.KEYS,),
    ),
    Card(
        "B05",
        "submitted_at",
        Group.SUBMIT,
        "the OMS records the moment at which an order left",
        "MUST 3: submit returns an Order with submitted_at populated",
        orders.submit_stamps_the_order,
    ),
    Card(
        "B06",
        "cancel confirmed",
        Group.CANCEL,
        "no fill surprises a fund that was told its order is gone",
        "MUST 4: cancel returns True ONLY if cancellation was confirmed",
        orders.cancel_is_true,
    ),
    Card(
        "B07",
        "cancel denied",
        Group.CANCEL,
        "a cancel that lost the race against a fill is known as lost",
        "MUST 4: cancel returns True ONLY if cancellation was confirmed",
        orders.cancel_is_false_otherwise,
    ),
    Card(
        "B08",
        "fees",
        Group.FILLS,
        "profit is net of what was paid",
        "MUST 5: fills include fees in account base currency",
        fills.fees_are_in_base_currency,
    ),
    Card(
        "B09",
        "cash",
        Group.ACCOUNT,
        "the stated fees are the ones that were charged",
        "MUST 5: fills include fees in account base currency",
        fills.cash_pays_price_and_fees,
        needs=(Need.ACCOUNT,),
    ),
    Card(
        "B10",
        "stream",
        Group.FILLS,
        "a fill is booked once",
        "MUST 6: streaming is replay-safe",
        fills.stream_gives_each_fill_once,
    ),
    Card(
        "B11",
        "replay",
        Group.FILLS,
        "a reader that was away hears of every fill",
        "MUST 6: streaming is replay-safe",
        fills.fills_are_read_again,
    ),
    Card(
        "B12",
        "restart",
        Group.RESTART,
        "a crash of the OMS loses no fill and doubles no order",
        "MUST 6: streaming is replay-safe; restart loses no fills",
        fills.restart_loses_nothing,
    ),
    Card(
        "B13",
        "positions",
        Group.ACCOUNT,
        "reconciliation compares the book with the truth",
        "BrokerProtocol: get_positions",
        fills.positions_equal_fills,
    ),
    Card(
        "B14",
        "look-up by key",
        Group.SUBMIT,
        "an order whose answer was lost is found, not sent again",
        "OrderQuery: get_order_by_key",
        orders.found_by_key,
        needs=(Need.QUERY,),
    ),
)
"""MUST n is row n of the table of a broker's duties in the README."""
