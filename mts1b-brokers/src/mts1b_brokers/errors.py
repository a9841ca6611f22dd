"""What a venue may raise, by who must act."""

from __future__ import annotations

from mts1b_platform.errors import FixConfiguration, Refused, RetryLater

__all__ = [
    "BrokerConfigError",
    "BrokerError",
    "BrokerRefused",
    "DuplicateOrderId",
    "KeyReuseMismatch",
    "LiveTradingUnavailable",
    "UnknownBroker",
    "VenueUnavailable",
]


class BrokerError(Exception):
    """Something went wrong at a venue; what became of the order may be unknown."""

    code = "BROKER"


class VenueUnavailable(BrokerError, RetryLater):
    """The venue can not say now. Ask again by the order's key; do not assume a rejection."""

    code = "VENUE_UNAVAILABLE"


class BrokerRefused(BrokerError, Refused):
    """The venue refused, with evidence: it has not taken this order.

    :param code: for programs; the text is for people.
    """

    code = "VENUE_REFUSED"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class KeyReuseMismatch(BrokerRefused):
    """The idempotency key belongs to an order with other economics."""

    code = "KEY_REUSE_MISMATCH"


class DuplicateOrderId(BrokerRefused):
    """The order id belongs to an order with another idempotency key."""

    code = "DUPLICATE_ORDER_ID"


class BrokerConfigError(BrokerError, FixConfiguration):
    """The configuration asks for a venue that can not be built."""

    code = "BROKER_CONFIG"


class UnknownBroker(BrokerConfigError):
    """No adapter has that name."""

    code = "UNKNOWN_BROKER"


class LiveTradingUnavailable(BrokerConfigError):
    """The mode and the adapter do not fit together."""

    code = "LIVE_UNAVAILABLE"
