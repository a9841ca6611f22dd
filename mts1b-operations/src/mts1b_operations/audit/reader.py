"""Read the log of a home without any running service, and without being able to change it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from mts1b_platform.rng import SystemRng
from mts1b_platform.signing import KeyRing

from mts1b_operations.audit.checkpoint import Checkpoint, Head, require_signed
from mts1b_operations.audit.entry import AuditEntry, StoredRow
from mts1b_operations.audit.evidence import Witness, witnessed
from mts1b_operations.audit.packed import PackedHashes, pack
from mts1b_operations.audit.proof import LogCheck
from mts1b_operations.errors import AuditUnavailable, ChainIntegrityError
from mts1b_operations.places import AUDIT_FOLDER, KEY_FOLDER, STORE_NAME
from mts1b_operations.tables import WATCHED

__all__ = ["AuditReader", "has_store"]

_COLUMNS = "sequence, hash, timestamp, actor, action, subject_id, data, previous_hash"
_CHUNK = 10_000


def _store_of(home: Path) -> Path:
    return home / "db" / f"{STORE_NAME}.sqlite"


def has_store(home: Path) -> bool:
    """Return whether there is anything where the store of a home is kept, readable or not."""
    return os.path.lexists(_store_of(home))


class AuditReader:
    """Answer questions from the SQLite store of a home, opened read-only.

    :raises AuditUnavailable: when there is no readable store.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        path = _store_of(home)
        if not has_store(home):
            raise AuditUnavailable(
                f"no audit store at {path}; run `make paper` or `mts up` first, or set MTS_HOME"
            )
        try:
            self._connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
            self._connection.execute("PRAGMA busy_timeout=10000")
        except sqlite3.Error as error:
            raise AuditUnavailable(f"the audit store {path} can not be opened: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _select(self, rest: str, values: Sequence[object] = ()) -> Iterator[AuditEntry]:
        try:
            cursor = self._connection.execute(
                f"SELECT {_COLUMNS} FROM audit_entries {rest}", tuple(values)
            )
            for row in cursor:
                yield AuditEntry.from_row(row)
        except (sqlite3.DatabaseError, ValueError, TypeError) as error:
            raise _unreadable(error) from error

    @property
    def is_new(self) -> bool:
        """Return whether the store holds no table yet, and no entry was ever put aside.

        So it is while it is being made; one that was emptied is not new.

        :raises AuditUnavailable: when it can not be read.
        """
        try:
            tables = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise _unreadable(error) from error
        return not tables and not (self._home / AUDIT_FOLDER).exists()

    @property
    def size(self) -> int:
        """Return the number of entries that the last sequence implies."""
        found = next(self._select("ORDER BY sequence DESC LIMIT 1"), None)
        return 0 if found is None else found.sequence + 1

    def entries(self, *, actions: Sequence[str] = (), since: int = 0) -> Iterator[AuditEntry]:
        """Return entries from sequence ``since`` on, of some actions or of all, oldest first."""
        if not actions:
            return self._select("WHERE sequence >= ? ORDER BY sequence", [since])
        marks = ", ".join("?" * len(actions))
        watched = f"{WATCHED} AND " if all(f"'{name}'" in WATCHED for name in actions) else ""
        rest = f"WHERE {watched}sequence >= ? AND action IN ({marks}) ORDER BY sequence"
        return self._select(rest, [since, *actions])

    def trail(self, subject_id: str) -> list[AuditEntry]:
        """Return every entry of one subject, oldest first."""
        return list(self._select("WHERE subject_id = ? ORDER BY sequence", [subject_id]))

    def tail(self, count: int) -> list[AuditEntry]:
        """Return the last entries, oldest first."""
        return list(self._select("ORDER BY sequence DESC LIMIT ?", [count]))[::-1]

    def holding(self, action: str, field: str, value: str) -> list[AuditEntry]:
        """Return the entries of one action whose data has ``field`` equal to ``value``."""
        watched = f"{WATCHED} AND " if f"'{action}'" in WATCHED else ""
        rest = f"WHERE {watched}action = ? AND json_extract(data, ?) = ? ORDER BY sequence"
        return list(self._select(rest, [action, f"$.{field}", value]))

    def rows(self, *, since: int = 0) -> Iterator[StoredRow]:
        """Return every stored row from sequence ``since`` on as it is, oldest first."""
        query = f"SELECT {_COLUMNS} FROM audit_entries WHERE sequence >= ? ORDER BY sequence"
        try:
            yield from self._connection.execute(query, (since,))
        except sqlite3.DatabaseError as error:
            raise _unreadable(error) from error

    def hashes(self, size: int) -> PackedHashes:
        """Return the hashes of the first ``size`` entries."""
        query = "SELECT hash FROM audit_entries WHERE sequence < ? ORDER BY sequence"
        try:
            return pack(row[0] for row in self._connection.execute(query, (size,)))
        except sqlite3.DatabaseError as error:
            raise _unreadable(error) from error

    def checkpoints(self) -> list[Checkpoint]:
        """Return the checkpoints of the store and the last one beside it, smallest first.

        :raises ChainIntegrityError: when they can not be read.
        """
        last = Witness(self._home / AUDIT_FOLDER).checkpoint()
        known = {c.size: c for c in [*self._checkpoints(), *([last] if last else [])]}
        return [known[size] for size in sorted(known)]

    def overrides(self) -> list[tuple[str, float | None, str | None]]:
        """Return (watchdog, threshold, paused until) as operators left them."""
        query = "SELECT watchdog, threshold, paused_until FROM watchdog_overrides ORDER BY 1"
        try:
            return self._connection.execute(query).fetchall()
        except sqlite3.DatabaseError as error:
            raise _unreadable(error) from error

    def funds(self) -> list[str]:
        """Return the funds that have a NAV, by name.

        :raises AuditUnavailable: when the store can not be read.
        """
        query = (
            "SELECT DISTINCT +subject_id FROM audit_entries "  # plus: not by the index of subjects
            f"WHERE {WATCHED} AND action = 'nav_updated'"
        )
        try:
            return sorted(str(row[0]) for row in self._connection.execute(query))
        except sqlite3.DatabaseError as error:
            raise _unreadable(error) from error

    def latest_nav(self, fund_id: str) -> AuditEntry | None:
        """Return the last total NAV of a fund, or None."""
        rest = (
            "WHERE subject_id = ? AND action = 'nav_updated' "
            "AND json_extract(data, '$.strategy_id') IS NULL ORDER BY sequence DESC LIMIT 1"
        )
        return next(self._select(rest, [fund_id]), None)

    def head(self) -> Checkpoint | None:
        """Return the newest signed statement of how large the log is, or None before the first.

        :raises ChainIntegrityError: when the log's key did not sign it.
        """
        signed = self.checkpoints()
        ring = KeyRing(self._home / KEY_FOLDER, SystemRng())
        return require_signed(ring, signed[-1]) if signed else None

    def verify(
        self,
        from_sequence: int = 0,
        *,
        keyring: KeyRing | None = None,
        expected: Head | None = None,
    ) -> tuple[int, str]:
        """Re-derive the log from the stored bytes; return its size and root.

        :param expected: a head of this log that was kept elsewhere: what it covers must be there.
        :raises ChainIntegrityError: naming the first bad index.
        :raises BadSelection: when there is no entry ``from_sequence``.
        """
        witness = Witness(self._home / AUDIT_FOLDER)
        ring = keyring or KeyRing(self._home / KEY_FOLDER, SystemRng())
        known = witnessed(ring, witness, self._checkpoints())
        if expected is not None:
            known = known.and_of(expected)
        check = LogCheck(known, from_sequence=from_sequence)
        for rows in self._chunks(check):
            check.feed(rows)
        check.finish()
        self._require_sound(check.size)
        return check.size, check.range.root.hex()

    def _chunks(self, check: LogCheck) -> Iterator[list[StoredRow]]:
        limit = _CHUNK
        rest = "WHERE sequence >= ? ORDER BY sequence LIMIT ?"
        query = f"SELECT {_COLUMNS} FROM audit_entries {rest}"
        while True:
            try:
                rows = self._connection.execute(query, (check.size, limit)).fetchall()
            except sqlite3.DatabaseError as error:
                if limit == 1:
                    raise ChainIntegrityError(check.size, f"it can not be read: {error}") from error
                limit = 1  # go on one by one up to the row that can not be read
                continue
            if not rows:
                return
            yield rows

    def _checkpoints(self) -> list[Checkpoint]:
        query = "SELECT size, root, created_at, key_id, signature FROM audit_checkpoints ORDER BY 1"
        names = ("size", "root", "created_at", "key_id", "signature")
        try:
            found = self._connection.execute(query).fetchall()
            return [Checkpoint.model_validate(dict(zip(names, r, strict=True))) for r in found]
        except (sqlite3.DatabaseError, ValueError) as error:
            raise ChainIntegrityError(0, f"the checkpoints can not be read: {error}") from error

    def _require_sound(self, size: int) -> None:
        try:
            found = self._connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            found = str(error)
        if found != "ok":
            raise ChainIntegrityError(
                size, f"every entry is intact, the database file around them is not: {found}"
            )


def _unreadable(error: Exception) -> AuditUnavailable:
    return AuditUnavailable(
        f"the audit store can not be read ({error}); run `mts mts1b-operations audit verify` to "
        "find the first bad entry"
    )
