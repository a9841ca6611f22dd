"""What the bus refused, as its server tells it: the refused client would not tell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mts1b_foundation.bus_roles import BUS_ROLES
from mts1b_platform.clock import Clock
from mts1b_platform.store import Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_operations.watchdogs.bus_access import BusRefusals

__all__ = ["BusLog", "Refusal", "refusals_in"]

_MOST_BYTES = 1 << 20
_LONGEST_SUBJECT = 120
_CONSUMER, _STREAM = "bus-log", "server.log"
_USERS = frozenset(role.name for role in BUS_ROLES)
_STRANGER = "stranger"
"""Whoever gives no name of ours."""

# Names of clients are free text, so what counts stands at the end, where only the server writes.
_VIOLATION = re.compile(
    r'^\[\d+\] (?P<at>\S+ \S+) \[ERR\] .*"[^"/]*/user:(?P<user>[^"]*)" - '
    r'(?P<verb>Publish|Subscription) Violation - (?:Subject|Reply) "(?P<subject>[^" ]*)"'
)
_STRANGE = re.compile(
    r"^\[\d+\] (?P<at>\S+ \S+) \[ERR\] .* - authentication error"
    r'(?: - User "(?P<user>[^"]*)")?\s*$'
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One line of the server: a publish, a subscription or a login that it did not allow."""

    user: str
    what: str
    at: datetime


def refusals_in(lines: Iterable[str]) -> list[Refusal]:
    """Return the refusals that a server's log tells of."""
    found = []
    for line in lines:
        refused = _VIOLATION.match(line)
        if refused is not None:
            verb = "publish on" if refused["verb"] == "Publish" else "hear"
            what = f"{verb} {refused['subject'][:_LONGEST_SUBJECT]}"
        elif (refused := _STRANGE.match(line)) is not None:
            what = "log in"
        else:
            continue
        user = refused["user"] if refused["user"] in _USERS else _STRANGER
        at = datetime.strptime(refused["at"], "%Y/%m/%d %H:%M:%S.%f").replace(tzinfo=UTC)
        found.append(Refusal(user, what, at))
    return found


class BusLog:
    """Read the log of the home's own server, every line once, also over restarts.

    A server of somebody else keeps its log elsewhere: then there is nothing to read.
    """

    def __init__(self, home: Path, store: Store, clock: Clock) -> None:
        self._path = home / "nats" / "server.log"
        self._store = store
        self._clock = clock
        self._told: set[str] = set()
        self._file = ""
        self._position = 0

    async def start(self) -> None:
        """Go on where the store says that the log is read to."""
        if self._path.exists():
            self._file = str(self._path.stat().st_ino)
            async with self._store.read() as connection:
                self._position = await self._store.inbox.position(
                    connection, _CONSUMER, _STREAM, self._file
                )

    def look(self) -> list[BusRefusals]:
        """Return what each user was refused since the last look; 0 for who was refused before."""
        by_user: dict[str, list[Refusal]] = {user: [] for user in self._told}
        for refusal in refusals_in(self._fresh_lines()):
            by_user.setdefault(refusal.user, []).append(refusal)
        self._told |= by_user.keys()
        return [
            BusRefusals(
                user=user,
                count=len(found),
                first=found[0].what if found else "",
                at=found[0].at if found else self._clock.now(),
            )
            for user, found in sorted(by_user.items())
        ]

    def _fresh_lines(self) -> list[str]:
        try:
            with self._path.open("rb") as file:
                about = self._path.stat()
                if str(about.st_ino) != self._file or about.st_size < self._position:
                    self._file, self._position = str(about.st_ino), 0
                file.seek(self._position)
                data = file.read(_MOST_BYTES)
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1] or (data if len(data) == _MOST_BYTES else b"")
        self._position += len(whole)
        return whole.decode(errors="replace").splitlines()

    async def remember(self, tx: AsyncConnection) -> None:
        """Record how far the log is read, in the transaction of what follows from it."""
        await self._store.inbox.advance(tx, _CONSUMER, _STREAM, self._file, self._position)
