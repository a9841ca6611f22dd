"""The local halt record, read and written without any store or bus."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from mts1b_foundation.risk import ActiveHalt, HaltRequest, HaltSeverity
from mts1b_platform.halt import HaltState, HaltStateUnreadable, HaltStore
from mts1b_platform.ids import derive_id

from mts1b_operations.errors import BadSelection
from mts1b_operations.places import HALT_FOLDER

__all__ = [
    "SEVERITIES",
    "active_halts",
    "epoch_above",
    "halt_epoch",
    "halt_of",
    "halted_since",
    "named_by",
    "put_in_force",
    "readable",
    "rebuild_record",
    "request_of",
    "scope_of",
    "signing_time",
    "unreadable_record",
]


def scope_of(
    scope: str | None = None, fund_id: str | None = None, strategy_id: str | None = None
) -> str:
    """Return the one scope that the arguments name; ``firm`` when they name none.

    :raises BadSelection: when they name more than one.
    """
    named = [
        scope or "",
        f"fund:{fund_id}" if fund_id else "",
        f"strategy:{strategy_id}" if strategy_id else "",
    ]
    given = [text for text in named if text]
    if len(given) > 1:
        raise BadSelection(f"name one scope, not {' and '.join(given)}")
    return given[0] if given else "firm"


def active_halts(halts: HaltStore) -> tuple[ActiveHalt, ...]:
    """Return the halts in force; a record that can not be read is a halt of the firm."""
    try:
        return halts.state().active
    except HaltStateUnreadable:
        stop = halts.blocked(fund_id="", strategy_id="", reduce_only=False)
        return () if stop is None else (stop,)


def halt_epoch(halts: HaltStore) -> int:
    """Return the halt epoch; 0 for a record that can not be read."""
    try:
        return halts.state().epoch
    except HaltStateUnreadable:
        return 0


def halted_since(halts: HaltStore, scope: str) -> datetime | None:
    """Return when the newest halt of exactly this scope was asked for; None without any."""
    return max((h.requested_at for h in active_halts(halts) if h.scope == scope), default=None)


def signing_time(halts: HaltStore, scope: str, now: datetime) -> datetime:
    """Return the time of a resume that is signed now: after the halt, also where a clock that was
    ahead has been set back since."""
    since = halted_since(halts, scope)
    return now if since is None else max(now, since)


def halt_of(request: HaltRequest, now: datetime) -> ActiveHalt:
    """Return the halt that a request asks for; its epoch is decided by the record.

    Without a ``halt_id`` one is derived from scope, time and reason.
    """
    moment = request.requested_at or now
    return ActiveHalt(
        halt_id=request.halt_id
        or derive_id("halt", request.scope, moment.isoformat(), request.reason),
        scope=request.scope,
        severity=request.severity,
        reason=request.reason,
        requested_by=request.requested_by,
        requested_at=moment,
        epoch=1,
        reduce_only_allowed=request.reduce_only_allowed,
    )


def request_of(halt: ActiveHalt) -> HaltRequest:
    """Return the request that gives exactly this halt."""
    return HaltRequest(
        severity=halt.severity,
        **named_by(halt.scope),
        reason=halt.reason,
        requested_by=halt.requested_by,
        requested_at=halt.requested_at,
        halt_id=halt.halt_id,
        reduce_only_allowed=halt.reduce_only_allowed,
    )


SEVERITIES = {
    "firm": HaltSeverity.FIRM_HALT,
    "fund": HaltSeverity.FUND_HALT,
    "strategy": HaltSeverity.STRATEGY_HALT,
    "venue": HaltSeverity.VENUE_HALT,
    "symbol": HaltSeverity.SYMBOL_HALT,
}
"""The severity of each kind of scope."""

_FIELDS = {
    "fund": "fund_id",
    "strategy": "strategy_id",
    "venue": "venue",
    "symbol": "symbol",
}


def named_by(scope: str) -> dict[str, str]:
    """Return the field of a halt request that a scope fills, with its value.

    :raises BadSelection: for a text that is no scope.
    """
    kind, mark, name = scope.partition(":")
    if scope == "firm":
        return {}
    if kind not in _FIELDS or not mark or not name:
        raise BadSelection(
            f"{scope!r} is no scope; give firm, fund:ID, strategy:ID, venue:NAME or symbol:SYMBOL"
        )
    return {_FIELDS[kind]: name}


def put_in_force(halts: HaltStore, halt: ActiveHalt) -> tuple[ActiveHalt | None, bool]:
    """Write the record; return the halt in force (None when it was lifted already) and whether
    it is new."""
    try:
        before = halts.state().epoch
        state = halts.apply(halt)
    except HaltStateUnreadable:
        return halt, False  # everything is halted already; the request still goes on record
    active = next((item for item in state.active if item.halt_id == halt.halt_id), None)
    return active, active is not None and active.epoch > before


def readable(halts: HaltStore) -> bool:
    """Return whether the record can be read."""
    try:
        halts.state()
    except HaltStateUnreadable:
        return False
    return True


def unreadable_record(home: Path) -> str:
    """Return what to do about a record that can not be read; "" for one that can."""
    if readable(HaltStore(home / HALT_FOLDER)):
        return ""
    return (
        "the halt record can not be read, so EVERYTHING is halted; mend the disk, then start "
        "operations again (`mts cmd restart-all`, or `mts up`): it makes the record anew, and two "
        "operators end the halt of the firm"
    )


def epoch_above(known: Sequence[tuple[ActiveHalt, bool]]) -> int:
    """Return an epoch above every one that these halts and their resumes brought about."""
    return max((halt.epoch for halt, _ in known), default=0) + len(known) + 1


def rebuild_record(folder: Path, known: Sequence[tuple[ActiveHalt, bool]], *, epoch: int) -> None:
    """Replace a record that can not be read by one made of the halts in the store.

    The new one is there at once or not at all, so that nothing leaves meanwhile.

    :param known: each halt, with whether it was resumed.
    :param epoch: above every earlier one, so that no older signature is good again.
    :raises OSError: when it can not be written; the old one stays, and halts everything.
    """
    path = folder / "halts.json"
    record = HaltState(
        epoch=epoch,
        active=tuple(halt.with_(epoch=epoch) for halt, resumed in known if not resumed),
        lifted=tuple(halt.halt_id for halt, resumed in known if resumed),
    )
    with contextlib.suppress(OSError):
        os.link(path, path.with_suffix(f".unreadable-{epoch}"))  # kept for whoever investigates
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(record.model_dump_json(indent=1).encode())
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
