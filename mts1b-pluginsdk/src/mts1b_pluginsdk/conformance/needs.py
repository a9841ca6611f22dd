"""What a card needs of a venue, and why a venue does not have it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from mts1b_foundation import OrderType, TimeInForce
from mts1b_foundation.protocols import (
    AccountQuery,
    CancelAllOrders,
    CorrectionHistory,
    DeadManTimer,
    DedupePolicy,
    FillHistory,
    OrderQuery,
    ReplaceOrders,
    SimulatedVenue,
)

from mts1b_pluginsdk.conformance.bench import Bench
from mts1b_pluginsdk.conformance.sandbox import Desk, Hands, Wire

__all__ = ["Need", "missing"]


class Need(StrEnum):
    """Name what a venue or its sandbox may lack; the value is what a skipped card says."""

    CARD = "a capability card"
    MARKET = "a market that the kit drives"
    QUERY = "look-up of orders by key"
    HISTORY = "fills since a cursor"
    ACCOUNT = "a statement of cash"
    CANCEL_ALL = "cancel of all orders"
    REPLACE = "replace"
    CORRECTIONS = "busts and corrections"
    DEAD_MAN = "a dead-man timer"
    KEYS = "memory of the keys of open orders"
    KEYS_AFTER_END = "memory of the keys of orders that ended"
    KEYS_FOR_EVER = "memory of keys without an end"
    KEY_WINDOW = "memory of keys for a window of time"
    LAG = "a visibility lag"
    HISTORY_WINDOW = "a limit on how far back fills can be read"
    RATE = "a rate limit"
    CLOSE = "an end to a connection"
    MARKET_ORDERS = "market orders"
    LIMIT_ORDERS = "limit orders"
    STOP_ORDERS = "stop orders"
    STOP_LIMIT_ORDERS = "stop-limit orders"
    MARKETABLE_LIMIT_ORDERS = "marketable limit orders"
    DAY = "day orders"
    GTC = "orders until cancelled"
    IOC = "immediate-or-cancel orders"
    FOK = "fill-or-kill orders"
    OPG = "orders at the open"
    GTD = "orders until a date"
    DESK = "a desk that busts and corrects"
    HANDS = "orders that are entered by hand"
    WIRE = "a wire that can be cut"


_Test = Callable[[Bench], bool]
_ENDED = (DedupePolicy.WINDOW, DedupePolicy.PERMANENT)


def _claims(claim: str, protocol: type) -> _Test:
    """Believe the card; without one, the methods."""

    def test(bench: Bench) -> bool:
        if bench.card is not None:
            return bool(getattr(bench.card, claim))
        return isinstance(bench.venue, protocol)

    return test


def _keeps(policies: tuple[DedupePolicy, ...]) -> _Test:
    """Believe the card; without one, a key is kept for ever, as the protocol asks."""
    return lambda bench: bench.card is None or bench.card.dedupe in policies


def _takes(kind: OrderType) -> _Test:
    plain = kind in (OrderType.MARKET, OrderType.LIMIT)
    return lambda bench: kind in bench.card.order_types if bench.card is not None else plain


def _lasts(tif: TimeInForce) -> _Test:
    plain = tif in (TimeInForce.DAY, TimeInForce.GTC)
    return lambda bench: tif in bench.card.tifs if bench.card is not None else plain


_TESTS: dict[Need, _Test] = {
    Need.CARD: lambda bench: bench.card is not None,
    Need.MARKET: lambda bench: isinstance(bench.venue, SimulatedVenue),
    Need.QUERY: lambda bench: isinstance(bench.venue, OrderQuery),
    Need.HISTORY: lambda bench: isinstance(bench.venue, FillHistory),
    Need.ACCOUNT: lambda bench: isinstance(bench.venue, AccountQuery),
    Need.CANCEL_ALL: _claims("cancels_all", CancelAllOrders),
    Need.REPLACE: _claims("replaces", ReplaceOrders),
    Need.CORRECTIONS: _claims("corrects", CorrectionHistory),
    Need.DEAD_MAN: _claims("dead_man_max_s", DeadManTimer),
    Need.KEYS: _keeps((DedupePolicy.OPEN_ORDERS, *_ENDED)),
    Need.KEYS_AFTER_END: _keeps(_ENDED),
    Need.KEYS_FOR_EVER: _keeps((DedupePolicy.PERMANENT,)),
    Need.KEY_WINDOW: lambda bench: bench.card is not None and bool(bench.card.dedupe_window_s),
    Need.LAG: lambda bench: bench.lag_s > 0.0,
    Need.HISTORY_WINDOW: lambda bench: bench.card is not None and bool(bench.card.fill_history_s),
    Need.RATE: lambda bench: bench.card is not None and bool(bench.card.orders_per_s),
    Need.CLOSE: lambda bench: getattr(bench.venue, "close", None) is not None,
    Need.MARKET_ORDERS: _takes(OrderType.MARKET),
    Need.LIMIT_ORDERS: _takes(OrderType.LIMIT),
    Need.STOP_ORDERS: _takes(OrderType.STOP),
    Need.STOP_LIMIT_ORDERS: _takes(OrderType.STOP_LIMIT),
    Need.MARKETABLE_LIMIT_ORDERS: _takes(OrderType.MARKETABLE_LIMIT),
    Need.DAY: _lasts(TimeInForce.DAY),
    Need.GTC: _lasts(TimeInForce.GTC),
    Need.IOC: _lasts(TimeInForce.IOC),
    Need.FOK: _lasts(TimeInForce.FOK),
    Need.OPG: _lasts(TimeInForce.OPG),
    Need.GTD: _lasts(TimeInForce.GTD),
    Need.DESK: lambda bench: isinstance(bench.sandbox, Desk),
    Need.HANDS: lambda bench: isinstance(bench.sandbox, Hands),
    Need.WIRE: lambda bench: isinstance(bench.sandbox, Wire),
}


_SANDBOX = (Need.DESK, Need.HANDS, Need.WIRE)


def missing(bench: Bench, need: Need) -> str:
    """Return why a card with this need is skipped, or an empty text."""
    who = "sandbox" if need in _SANDBOX else "venue"
    return "" if _TESTS[need](bench) else f"the {who} does not offer {need.value}"
