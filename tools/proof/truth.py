"""What the venue has on record, what the OMS has, what its clients were told: compared by means
of their own, reading the files that the processes wrote."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mts1b_foundation.commands import CancelOutcome
from mts1b_operations.audit.reader import AuditReader
from mts1b_operations.errors import ChainIntegrityError

from tools.proof.traders import Intent

__all__ = ["Books", "Verdict", "compare", "read_books", "wire_again"]

_UNSETTLED = frozenset({"created", "pending_risk", "approved", "submitting", "unknown"})
_SHOWN = ("status", "quantity", "filled_quantity", "symbol", "side")


@dataclass(frozen=True, slots=True)
class Books:
    """One side's record: orders by key, fills by id, positions by symbol, cash."""

    orders: Mapping[str, Mapping[str, Any]]
    fills: Mapping[str, Mapping[str, Any]]
    positions: Mapping[str, Decimal]
    cash: Decimal


@dataclass(slots=True)
class Verdict:
    """What was counted, and every difference that was found."""

    orders: int = 0
    fills: int = 0
    acknowledged: int = 0
    denied: int = 0
    lost: int = 0
    duplicated: int = 0
    audit_entries: int = 0
    problems: list[str] = field(default_factory=list)


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=10.0)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def _by(name: str, payloads: Iterable[tuple[str]]) -> dict[str, dict[str, Any]]:
    found = (json.loads(payload) for (payload,) in payloads)
    return {item[name]: item for item in found}


def read_books(home: Path, venue_home: Path) -> tuple[Books, Books]:
    """Return the books of the OMS and those of the venue, each from its own file."""
    ours, theirs = home / "db" / "oms.sqlite", venue_home / "db" / "venue-paper.sqlite"
    held: dict[str, Decimal] = {}
    for symbol, quantity in _rows(ours, "SELECT symbol, quantity FROM positions"):
        held[symbol] = held.get(symbol, Decimal(0)) + Decimal(quantity)
    cash = sum((Decimal(row[0]) for row in _rows(ours, "SELECT cash_usd FROM cash")), Decimal(0))
    oms = Books(
        _by("idempotency_key", _rows(ours, "SELECT payload FROM orders")),
        _by("fill_id", _rows(ours, "SELECT payload FROM fills")),
        {symbol: quantity for symbol, quantity in held.items() if quantity},
        cash,
    )
    positions = _rows(theirs, "SELECT symbol, quantity FROM venue_positions")
    account = _rows(theirs, "SELECT cash FROM venue_account")
    venue = Books(
        _by("idempotency_key", _rows(theirs, "SELECT payload FROM venue_orders")),
        _by("fill_id", _rows(theirs, "SELECT payload FROM venue_fills")),
        {symbol: Decimal(quantity) for symbol, quantity in positions if Decimal(quantity)},
        Decimal(account[0][0]) if account else cash,
    )
    return oms, venue


def wire_again(venue_home: Path) -> list[str]:
    """Return the keys that were submitted although the venue had their order."""
    path = venue_home / "wire.log"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split()[1] for line in lines if line.endswith(" again")]


def compare(home: Path, venue_home: Path, intents: Mapping[str, Intent]) -> Verdict:
    """Compare everything; without problems nothing is lost, doubled or different."""
    oms, venue = read_books(home, venue_home)
    verdict = Verdict(orders=len(venue.orders), fills=len(venue.fills))
    _intents(verdict, venue, intents)
    _records(verdict, oms, venue)
    again = wire_again(venue_home)
    twice = [order_id for order_id, count in Counter(_ids(venue)).items() if count > 1]
    verdict.duplicated = len(again) + len(twice)
    _note(verdict, "submitted again although the venue had it", again)
    _note(verdict, "two orders of one id", twice)
    _audit(verdict, home, [item["order_id"] for item in venue.orders.values()])
    return verdict


def _ids(books: Books) -> list[str]:
    return [item["order_id"] for item in books.orders.values()]


def _note(verdict: Verdict, what: str, keys: Iterable[object]) -> None:
    found = [str(key) for key in keys]
    if found:
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        verdict.problems.append(f"{what} ({len(found)}): {', '.join(found[:5])}{more}")


def _intents(verdict: Verdict, venue: Books, intents: Mapping[str, Intent]) -> None:
    """Hold what clients were told against what the venue has."""
    acknowledged = {key for key, intent in intents.items() if intent.is_acknowledged}
    denied = {key for key, intent in intents.items() if intent.is_denied}
    silent = {key for key, intent in intents.items() if not intent.is_answered}
    lost = acknowledged - venue.orders.keys()
    verdict.acknowledged, verdict.denied, verdict.lost = len(acknowledged), len(denied), len(lost)
    _note(verdict, "acknowledged, and not at the venue", sorted(lost))
    _note(verdict, "denied, and at the venue", sorted(denied & venue.orders.keys()))
    _note(
        verdict, "at the venue, and nobody's intent", sorted(venue.orders.keys() - intents.keys())
    )
    _note(verdict, "never answered", sorted(silent))
    refused = (f"{key} {intent.refused}" for key, intent in intents.items() if intent.refused)
    _note(verdict, "refused", refused)
    gone = (
        key
        for key, intent in intents.items()
        if intent.cancel is CancelOutcome.CONFIRMED
        and venue.orders.get(key, {}).get("status") != "canceled"
    )
    _note(verdict, "cancel confirmed, and not cancelled at the venue", gone)


def _records(verdict: Verdict, oms: Books, venue: Books) -> None:
    """Hold the record of the OMS against that of the venue."""
    unsettled = (k for k, item in oms.orders.items() if item["status"] in _UNSETTLED)
    _note(verdict, "still in doubt at the OMS", unsettled)
    living = {key for key, item in oms.orders.items() if item["status"] != "rejected"}
    _note(verdict, "alive at the OMS alone", sorted(living - venue.orders.keys()))
    _note(verdict, "alive at the venue alone", sorted(venue.orders.keys() - living))
    for key in sorted(living & venue.orders.keys()):
        ours, theirs = oms.orders[key], venue.orders[key]
        for name in _SHOWN:
            if str(ours[name]) != str(theirs[name]) and not _same(ours[name], theirs[name]):
                verdict.problems.append(f"{key} {name}: OMS {ours[name]}, venue {theirs[name]}")
    _note(verdict, "fills of one side alone", sorted(oms.fills.keys() ^ venue.fills.keys()))
    if oms.positions != venue.positions:
        verdict.problems.append(f"positions: OMS {oms.positions}, venue {venue.positions}")
    if oms.cash != venue.cash:
        verdict.problems.append(f"cash: OMS {oms.cash}, venue {venue.cash}")


def _same(ours: object, theirs: object) -> bool:
    try:
        return Decimal(str(ours)) == Decimal(str(theirs))
    except ArithmeticError:
        return False


def _audit(verdict: Verdict, home: Path, order_ids: Iterable[str]) -> None:
    """Verify the log, and look for an entry of every order that the venue has."""
    with AuditReader(home) as reader:
        try:
            verdict.audit_entries, _ = reader.verify()
        except ChainIntegrityError as error:
            verdict.problems.append(f"the audit log does not verify: {error}")
    path = home / "db" / "operations.sqlite"
    known = {row[0] for row in _rows(path, "SELECT DISTINCT subject_id FROM audit_entries")}
    _note(verdict, "at the venue, and not in the audit log", sorted(set(order_ids) - known))
