"""The one registry of subjects: who says what, with which model, on which stream.

Events are ``mts.v1.<repo>.<noun>.<verb>[.fund.<fund_id>]``, in the past tense, with one producer.
Commands are request/reply, with an imperative verb.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.commands import (
    BookQuery,
    CancelAll,
    CancelOrder,
    CheckOrder,
    EnvelopeQuery,
    EnvelopeUpdate,
    Heartbeat,
    LeaseRequest,
    OrdersQuery,
    OverridesQuery,
    ReconciliationReport,
    ReplaceOrder,
    ResolveOrder,
    SubmitOrder,
)
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.market_data import Bar, Quote
from mts1b_foundation.model import FrozenModel
from mts1b_foundation.orders import Fill, FillCorrection, Order
from mts1b_foundation.replay import ReplayPosition, ReplayStep, StateDigest
from mts1b_foundation.risk import (
    HaltRequest,
    OrderRejection,
    ResumeRequest,
    RiskDecision,
    RiskEnvelope,
    SoftBlock,
    SoftOverride,
    WatchdogAlert,
)
from mts1b_foundation.signals import IntentDecision, Signal

__all__ = [
    "BROKERS_FILLS_RAW",
    "CMD_HALT_LEASE",
    "CMD_HALT_REQUEST",
    "CMD_HALT_RESUME",
    "CMD_OMS_ADJUST",
    "CMD_OMS_BOOK",
    "CMD_OMS_CANCEL",
    "CMD_OMS_CANCEL_ALL",
    "CMD_OMS_ORDERS",
    "CMD_OMS_REPLACE",
    "CMD_OMS_RESOLVE",
    "CMD_OMS_SUBMIT",
    "CMD_RISK_BLOCKS",
    "CMD_RISK_CHECK",
    "CMD_RISK_ENVELOPE_GET",
    "CMD_RISK_ENVELOPE_UPDATE",
    "CMD_RISK_OVERRIDE",
    "MARKETDATA_BARS",
    "MARKETDATA_QUOTES",
    "OMS_BOOKS_ADJUSTED",
    "OMS_FILLS_CORRECTED",
    "OMS_FILLS_CREATED",
    "OMS_NAV_UPDATED",
    "OMS_ORDERS_ACCEPTED",
    "OMS_ORDERS_CANCELED",
    "OMS_ORDERS_CREATED",
    "OMS_ORDERS_EXPIRED",
    "OMS_ORDERS_FILLED",
    "OMS_ORDERS_REJECTED",
    "OMS_ORDERS_REPLACED",
    "OMS_ORDERS_RESOLVED",
    "OMS_ORDERS_SUBMITTED",
    "OMS_ORDERS_UNKNOWN",
    "OMS_RECONCILIATION_CHANGED",
    "OPERATIONS_AUDIT_APPENDED",
    "OPERATIONS_HALT_REQUESTED",
    "OPERATIONS_HALT_RESUMED",
    "OPERATIONS_SIGNALS_RECEIVED",
    "PLATFORM_SERVICES_HEARTBEAT",
    "RESEARCH_INTENTS_DECIDED",
    "RESEARCH_SIGNALS_PUBLISHED",
    "RISK_BLOCKS_OVERRIDDEN",
    "RISK_BLOCKS_RAISED",
    "RISK_ENVELOPE_SIGNED",
    "RISK_ENVELOPE_UPDATED",
    "RISK_GATE_FAILED",
    "RISK_GATE_PASSED",
    "RISK_ORDERS_APPROVED",
    "RISK_ORDERS_DENIED",
    "STREAMS",
    "SUBJECTS",
    "SUBJECT_VERSION",
    "WATCHDOGS",
    "AuditPayload",
    "Durability",
    "GatePassed",
    "RawFill",
    "StreamSpec",
    "SubjectSpec",
    "advance_subject",
    "bars_subject",
    "base_subject",
    "digest_subject",
    "fills_raw_subject",
    "fund_of",
    "matches",
    "negotiate_version",
    "position_subject",
    "quotes_subject",
    "spec_for",
    "watchdog_subject",
    "with_fund",
]

SUBJECT_VERSION = "v1"
SUPPORTED_VERSIONS = ("v1",)
_ROOT = f"mts.{SUBJECT_VERSION}"


class Durability(StrEnum):
    """Say what happens to a message that nobody is there to receive."""

    DURABLE = "durable"
    CORE = "core"
    COMMAND = "command"


class AuditPayload(FrozenModel):
    """The payload of ``operations.audit.appended``: where the log stands."""

    sequence: int
    hash: str
    actor: str
    action: str
    subject_id: str


class GatePassed(FrozenModel):
    """The payload of ``risk.gate.passed``."""

    order_id: str
    gate: str
    latency_ms: float


class RawFill(FrozenModel):
    """The payload of ``brokers.<broker>.fills.raw``: the venue's own record as text."""

    broker: str
    broker_order_id: str
    record: str


@dataclass(frozen=True, slots=True)
class SubjectSpec:
    """One subject: its payload, its only producer, its stream (None when it has none).

    An event that is ``alone`` is in its stream after whatever was told before it, and before what
    is told after it; others can change places where one of them is published again.
    """

    subject: str
    model: type[FrozenModel]
    producer: str
    stream: str | None
    durability: Durability
    alone: bool = False


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream and the subjects that it keeps. ``fast`` streams may be written lazily."""

    name: str
    subjects: tuple[str, ...]
    fast: bool = False


SUBJECTS: dict[str, SubjectSpec] = {}


def _add(
    path: str,
    model: type[FrozenModel],
    producer: str,
    stream: str | None,
    durability: Durability,
    *,
    alone: bool = False,
) -> str:
    subject = f"{_ROOT}.{path}"
    if subject in SUBJECTS:
        raise ValueError(f"subject {subject} is registered twice")
    SUBJECTS[subject] = SubjectSpec(subject, model, producer, stream, durability, alone)
    return subject


def _event(path: str, model: type[FrozenModel], producer: str, stream: str) -> str:
    return _add(path, model, producer, stream, Durability.DURABLE)


def _command(path: str, model: type[FrozenModel], server: str) -> str:
    return _add(path, model, server, None, Durability.COMMAND)


def _order_event(verb: str) -> str:
    return _event(f"oms.orders.{verb}", Order, "oms", "OMS")


OMS_ORDERS_CREATED = _order_event("created")
OMS_ORDERS_SUBMITTED = _order_event("submitted")
OMS_ORDERS_ACCEPTED = _order_event("accepted")
OMS_ORDERS_FILLED = _order_event("filled")
OMS_ORDERS_REJECTED = _order_event("rejected")
OMS_ORDERS_CANCELED = _order_event("canceled")
OMS_ORDERS_EXPIRED = _order_event("expired")
OMS_ORDERS_REPLACED = _order_event("replaced")
OMS_ORDERS_UNKNOWN = _order_event("unknown")
OMS_FILLS_CREATED = _event("oms.fills.created", Fill, "oms", "OMS")
OMS_FILLS_CORRECTED = _event("oms.fills.corrected", FillCorrection, "oms", "OMS")
OMS_ORDERS_RESOLVED = _event("oms.orders.resolved", ResolveOrder, "oms", "OMS")
OMS_RECONCILIATION_CHANGED = _event(
    "oms.reconciliation.changed", ReconciliationReport, "oms", "OMS"
)
OMS_BOOKS_ADJUSTED = _add(  # alone: what comes before a split is in units of before it
    "oms.books.adjusted", AdjustBooks, "oms", "OMS", Durability.DURABLE, alone=True
)
OMS_NAV_UPDATED = _event("oms.nav.updated", NavSnapshot, "oms", "OMS")

BROKERS_FILLS_RAW = _event("brokers.*.fills.raw", RawFill, "brokers", "BROKERS")

MARKETDATA_QUOTES = _event("marketdata.quotes.*", Quote, "marketdata", "MARKETDATA")
MARKETDATA_BARS = _event("marketdata.bars.*.*", Bar, "marketdata", "MARKETDATA")

RESEARCH_SIGNALS_PUBLISHED = _event("research.signals.published", Signal, "research", "RESEARCH")
RESEARCH_INTENTS_DECIDED = _event(
    "research.intents.decided", IntentDecision, "research", "RESEARCH"
)

RISK_ENVELOPE_UPDATED = _event("risk.envelope.updated", RiskEnvelope, "riskengine", "RISK")
RISK_ENVELOPE_SIGNED = _event("risk.envelope.signed", EnvelopeUpdate, "riskengine", "RISK")
RISK_ORDERS_APPROVED = _event("risk.orders.approved", RiskDecision, "riskengine", "RISK")
RISK_ORDERS_DENIED = _event("risk.orders.denied", RiskDecision, "riskengine", "RISK")
RISK_GATE_FAILED = _event("risk.gate.failed", OrderRejection, "riskengine", "RISK")
RISK_BLOCKS_RAISED = _event("risk.blocks.raised", SoftBlock, "riskengine", "RISK")
RISK_BLOCKS_OVERRIDDEN = _event("risk.blocks.overridden", SoftBlock, "riskengine", "RISK")
RISK_GATE_PASSED = _add("risk.gate.passed", GatePassed, "riskengine", None, Durability.CORE)

OPERATIONS_HALT_REQUESTED = _event(
    "operations.halt.requested", HaltRequest, "operations", "OPERATIONS"
)
OPERATIONS_HALT_RESUMED = _event(
    "operations.halt.resumed", ResumeRequest, "operations", "OPERATIONS"
)
OPERATIONS_SIGNALS_RECEIVED = _event(
    "operations.signals.received", Signal, "operations", "OPERATIONS"
)
OPERATIONS_AUDIT_APPENDED = _add(
    "operations.audit.appended", AuditPayload, "operations", None, Durability.CORE
)

WATCHDOGS = (
    "health",
    "drift",
    "vpin",
    "news",
    "position",
    "db",
    "strategy",
    "theta",
    "dependency",
    "vol_dd",
    "access",
)
for _name in WATCHDOGS:
    _event(f"operations.watchdog.{_name}", WatchdogAlert, "operations", "OPERATIONS")

PLATFORM_SERVICES_HEARTBEAT = _add(
    "platform.services.heartbeat", Heartbeat, "platform", None, Durability.CORE
)

CMD_OMS_SUBMIT = _command("oms.orders.submit", SubmitOrder, "oms")
CMD_OMS_CANCEL = _command("oms.orders.cancel", CancelOrder, "oms")
CMD_OMS_REPLACE = _command("oms.orders.replace", ReplaceOrder, "oms")
CMD_OMS_RESOLVE = _command("oms.orders.resolve", ResolveOrder, "oms")
CMD_OMS_CANCEL_ALL = _command("oms.orders.cancel-all", CancelAll, "oms")
CMD_OMS_ORDERS = _command("oms.orders.get", OrdersQuery, "oms")
CMD_OMS_ADJUST = _command("oms.books.adjust", AdjustBooks, "oms")
CMD_OMS_BOOK = _command("oms.book.get", BookQuery, "oms")
CMD_RISK_CHECK = _command("risk.orders.check", CheckOrder, "riskengine")
CMD_RISK_ENVELOPE_UPDATE = _command("risk.envelope.update", EnvelopeUpdate, "riskengine")
CMD_RISK_ENVELOPE_GET = _command("risk.envelope.get", EnvelopeQuery, "riskengine")
CMD_RISK_OVERRIDE = _command("risk.override.grant", SoftOverride, "riskengine")
CMD_RISK_BLOCKS = _command("risk.blocks.get", OverridesQuery, "riskengine")
CMD_HALT_LEASE = _command("operations.halt.lease", LeaseRequest, "operations")
CMD_HALT_REQUEST = _command("operations.halt.request", HaltRequest, "operations")
CMD_HALT_RESUME = _command("operations.halt.resume", ResumeRequest, "operations")

for _service in ("marketdata", "research", "risk", "oms", "operations"):
    _command(f"{_service}.replay.advance", ReplayStep, _service)
    _command(f"{_service}.replay.position", ReplayPosition, _service)
    _command(f"{_service}.state.digest", StateDigest, _service)


def advance_subject(service: str) -> str:
    """Return the subject that moves ``service`` one replay tick."""
    return f"{_ROOT}.{service}.replay.advance"


def position_subject(service: str) -> str:
    """Return the subject that asks ``service`` for its last replay tick."""
    return f"{_ROOT}.{service}.replay.position"


def digest_subject(service: str) -> str:
    """Return the subject that asks ``service`` for its state digest."""
    return f"{_ROOT}.{service}.state.digest"


_TOKEN = re.compile(r"[A-Za-z0-9_:@/-]+")


def _token(text: str) -> str:
    """Return ``text`` as one subject token; a dot becomes an underscore."""
    token = text.replace(".", "_")
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"{text!r} can not be part of a subject")
    return token


def bars_subject(symbol: str, interval: str) -> str:
    """Return the subject of the bars of one symbol and interval.

    :raises ValueError: when one of them can be no part of a subject, e.g. holds a space.
    """
    return f"{_ROOT}.marketdata.bars.{_token(symbol)}.{_token(interval)}"


def quotes_subject(symbol: str) -> str:
    """Return the subject of the quotes of one symbol.

    :raises ValueError: when it can be no part of a subject.
    """
    return f"{_ROOT}.marketdata.quotes.{_token(symbol)}"


def fills_raw_subject(broker: str) -> str:
    """Return the subject of a broker's own fill records.

    :raises ValueError: when the name can be no part of a subject.
    """
    return f"{_ROOT}.brokers.{_token(broker)}.fills.raw"


def watchdog_subject(name: str) -> str:
    """Return the alert subject of a documented watchdog name, e.g. ``vol_dd``.

    :raises ValueError: for a name that is not in ``WATCHDOGS``.
    """
    if name not in WATCHDOGS:
        raise ValueError(f"no watchdog subject {name!r}; known: {', '.join(WATCHDOGS)}")
    return f"{_ROOT}.operations.watchdog.{name}"


def with_fund(subject: str, fund_id: str) -> str:
    """Return ``subject`` with the partition suffix of one fund.

    :raises ValueError: when the id can be no part of a subject.
    """
    return f"{subject}.fund.{_token(fund_id)}"


def base_subject(subject: str) -> str:
    """Return ``subject`` without the fund suffix."""
    head, mark, _ = subject.partition(".fund.")
    return head if mark else subject


def fund_of(subject: str) -> str | None:
    """Return the fund id of the suffix, or None."""
    _, mark, fund = subject.partition(".fund.")
    return fund if mark else None


@lru_cache(maxsize=16_384)
def matches(pattern: str, subject: str) -> bool:
    """Tell whether ``subject`` matches a pattern with ``*`` (one token) and ``>`` (the rest)."""
    wanted, given = pattern.split("."), subject.split(".")
    for index, token in enumerate(wanted):
        if token == ">":
            return len(given) > index
        if index >= len(given) or token not in ("*", given[index]):
            return False
    return len(wanted) == len(given)


def spec_for(subject: str) -> SubjectSpec:
    """Return the registry row of a concrete subject, with or without a fund suffix.

    :raises LookupError: when no row matches.
    """
    found = _lookup(base_subject(subject))
    if found is None:
        raise LookupError(f"{subject} is no registered subject; see mts1b_foundation.nats.SUBJECTS")
    return found


@lru_cache(maxsize=4096)
def _lookup(base: str) -> SubjectSpec | None:
    exact = SUBJECTS.get(base)
    if exact is not None:
        return exact
    return next((spec for spec in SUBJECTS.values() if matches(spec.subject, base)), None)


def _streams() -> dict[str, StreamSpec]:
    kept: dict[str, list[str]] = {}
    for spec in SUBJECTS.values():
        if spec.stream is not None:
            kept.setdefault(spec.stream, []).extend((spec.subject, f"{spec.subject}.fund.*"))
    return {
        name: StreamSpec(name, tuple(subjects), fast=name == "MARKETDATA")
        for name, subjects in kept.items()
    }


STREAMS: dict[str, StreamSpec] = _streams()


def negotiate_version(offered: tuple[str, ...]) -> str:
    """Return the newest schema version that both sides speak.

    :raises ValueError: when there is none.
    """
    common = [version for version in SUPPORTED_VERSIONS if version in offered]
    if not common:
        raise ValueError(
            f"no common subject version: offered {', '.join(offered) or 'none'}, "
            f"spoken here {', '.join(SUPPORTED_VERSIONS)}"
        )
    return common[-1]
