"""Who may do what on the bus: one role for each service, one for the operator.

What a role publishes and serves follows from the registry of subjects; what it reads and asks of
others stands here. A bus that checks permissions takes them from this table and from nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation.nats import (
    CMD_HALT_LEASE,
    CMD_HALT_REQUEST,
    CMD_HALT_RESUME,
    CMD_OMS_ADJUST,
    CMD_OMS_BOOK,
    CMD_OMS_CANCEL,
    CMD_OMS_CANCEL_ALL,
    CMD_OMS_ORDERS,
    CMD_OMS_REPLACE,
    CMD_OMS_RESOLVE,
    CMD_OMS_SUBMIT,
    CMD_RISK_BLOCKS,
    CMD_RISK_CHECK,
    CMD_RISK_ENVELOPE_GET,
    CMD_RISK_ENVELOPE_UPDATE,
    CMD_RISK_OVERRIDE,
    MARKETDATA_BARS,
    MARKETDATA_QUOTES,
    SUBJECTS,
    Durability,
    SubjectSpec,
    advance_subject,
    digest_subject,
    position_subject,
)

__all__ = ["BUS_ROLES", "OPERATOR", "BusRole"]

OPERATOR = "operator"
"""The role of people: the command line of this machine."""


@dataclass(frozen=True, slots=True)
class BusRole:
    """One user of the bus.

    ``produces`` names producers of the registry: their events it publishes, their commands it
    serves. ``reads`` are streams, ``hears`` subjects without one, ``calls`` commands of others.
    No role reads a stream that it writes: the server delivers a stream to whichever subject its
    reader names, so who could do both could put words of its own into the mouth of another.
    """

    name: str
    produces: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()

    def _specs(self) -> list[SubjectSpec]:
        return [spec for spec in SUBJECTS.values() if spec.producer in self.produces]

    @property
    def publishes(self) -> tuple[str, ...]:
        """Return the subjects of its events, without the fund suffix."""
        return tuple(s.subject for s in self._specs() if s.durability is not Durability.COMMAND)

    @property
    def serves(self) -> tuple[str, ...]:
        """Return the commands that it answers."""
        return tuple(s.subject for s in self._specs() if s.durability is Durability.COMMAND)

    @property
    def writes(self) -> tuple[str, ...]:
        """Return the streams that keep its events."""
        return tuple(dict.fromkeys(s.stream for s in self._specs() if s.stream is not None))


_PLATFORM = "platform"  # what every service tells of itself

_REPLAY = tuple(
    subject_of(service)
    for service in ("oms", "risk", "operations", "research")
    for subject_of in (advance_subject, position_subject, digest_subject)
)

BUS_ROLES: tuple[BusRole, ...] = (
    BusRole(
        "operations",
        produces=("operations", _PLATFORM),
        reads=("RESEARCH", "RISK", "OMS"),
        hears=(MARKETDATA_BARS, MARKETDATA_QUOTES),
    ),
    BusRole(
        "riskengine",
        produces=("riskengine", "risk", _PLATFORM),
        reads=("MARKETDATA", "OMS"),
        calls=(CMD_HALT_REQUEST, CMD_OMS_ORDERS, CMD_OMS_BOOK),
    ),
    BusRole(
        "oms",
        produces=("oms", "brokers", _PLATFORM),
        reads=("MARKETDATA",),
        calls=(CMD_RISK_CHECK, CMD_HALT_LEASE, CMD_HALT_REQUEST),
    ),
    BusRole(
        "research",
        produces=("research", _PLATFORM),
        reads=("MARKETDATA", "OPERATIONS"),
        calls=(CMD_OMS_SUBMIT, CMD_OMS_BOOK, CMD_OMS_ORDERS),
    ),
    BusRole("marketdata", produces=("marketdata", _PLATFORM), calls=_REPLAY),
    BusRole(
        OPERATOR,
        calls=(
            CMD_HALT_REQUEST,
            CMD_HALT_RESUME,
            CMD_OMS_SUBMIT,
            CMD_OMS_CANCEL,
            CMD_OMS_CANCEL_ALL,
            CMD_OMS_REPLACE,
            CMD_OMS_RESOLVE,
            CMD_OMS_ADJUST,
            CMD_OMS_ORDERS,
            CMD_OMS_BOOK,
            CMD_RISK_ENVELOPE_GET,
            CMD_RISK_ENVELOPE_UPDATE,
            CMD_RISK_BLOCKS,
            CMD_RISK_OVERRIDE,
        ),
    ),
)
"""In the order in which the services start; the operator last."""
