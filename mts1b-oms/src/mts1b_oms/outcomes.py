"""What became of a send, and what a look at the venue showed. No bare bools."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_brokers.errors import BrokerError
from mts1b_foundation.orders import Order
from mts1b_platform.store import StoreError
from sqlalchemy.exc import SQLAlchemyError

__all__ = [
    "NOT_ON_RECORD",
    "NO_EVIDENCE",
    "CouldNotLook",
    "Fenced",
    "NeverSeen",
    "Refused",
    "Sent",
    "Silent",
]

NO_EVIDENCE = (
    TimeoutError,
    OSError,
    BrokerError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
)
"""What a venue's adapter may raise that says nothing of the order: silence, a broken line, and an
answer that it can not read. ``BrokerRefused``, a ``BrokerError``, is evidence: catch it first."""

NOT_ON_RECORD = (StoreError, SQLAlchemyError, OSError)
"""What the record raises that could not keep something, as on a full disk."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The venue has the order; ``theirs`` is its view."""

    theirs: Order


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue refused, with evidence."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fenced:
    """Nothing left: a halt, or another fence here, stood before the wire."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Silent:
    """Nobody knows: time-out, lost connection, unreadable answer."""

    reason: str


@dataclass(frozen=True, slots=True)
class NeverSeen:
    """The venue is certain that it never saw the key."""


@dataclass(frozen=True, slots=True)
class CouldNotLook:
    """The venue could not be asked; that is not the same as "none"."""

    reason: str
