"""The senders of this machine, reached by their sockets: told of a halt, asked to cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from mts1b_foundation.commands import CancelAllReply
from mts1b_foundation.risk import ActiveHalt
from mts1b_platform.clock import Clock
from mts1b_platform.halt import SocketSilent, ask, sockets_of
from pydantic import ValidationError

from mts1b_operations.lease import LEASE_S
from mts1b_operations.places import RUN_FOLDER

__all__ = ["cancel_once", "cancel_until_none", "tell"]

_CANCEL_S = 10.0
_AGAIN_S = 0.25


async def tell(home: Path, halt: ActiveHalt) -> tuple[list[str], list[str]]:
    """Tell every sender of a halt, at once; return who confirmed it, and who is silent.

    A busy sender may answer late, so each has as long as its lease may last: what was silent then
    may not send either.
    """
    paths = sockets_of(home / RUN_FOLDER)
    answers = await asyncio.gather(*(_confirms(path, halt) for path in paths))
    found: dict[bool, list[str]] = {True: [], False: []}
    for path, confirmed in zip(paths, answers, strict=True):
        found[confirmed].append(path.stem.removeprefix("halt-"))
    return found[True], found[False]


async def _confirms(path: Path, halt: ActiveHalt) -> bool:
    request = {"do": "halt", "halt": halt.model_dump(mode="json")}
    try:
        reply = await ask(path, request, timeout_s=LEASE_S)
    except SocketSilent:
        return False
    return reply.get("halted") is True


async def cancel_once(home: Path, *, scope: str, actor: str, reason: str) -> CancelAllReply | None:
    """Have every sender cancel the orders of a scope; None when none answers."""
    canceled: list[str] = []
    residue: list[str] = []
    answered = False
    request = {"do": "cancel_all", "scope": scope, "actor": actor, "reason": reason}
    for path in sockets_of(home / RUN_FOLDER):
        try:
            found = await ask(path, request, timeout_s=_CANCEL_S)
            reply = CancelAllReply.model_validate(found)
        except (SocketSilent, ValidationError):
            continue
        answered = True
        canceled += reply.canceled
        residue += reply.residue
    return CancelAllReply(canceled=tuple(canceled), residue=tuple(residue)) if answered else None


async def cancel_until_none(
    home: Path,
    confirmed: Sequence[str],
    *,
    scope: str,
    actor: str,
    reason: str,
    patience_s: float,
    clock: Clock,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Cancel again and again until nothing of the scope is open or ``patience_s`` is over.

    Return the orders that were cancelled and those that may still be open.
    """
    if not confirmed:
        return (), ()
    deadline = clock.monotonic() + patience_s
    canceled: dict[str, None] = {}
    while True:
        reply = await cancel_once(home, scope=scope, actor=actor, reason=reason)
        if reply is not None:
            canceled.update(dict.fromkeys(reply.canceled))
            if not reply.residue:
                return tuple(canceled), ()
        if clock.monotonic() >= deadline:
            left = reply.residue if reply is not None else ("the sender stopped answering",)
            return tuple(canceled), left
        await clock.sleep(_AGAIN_S)
