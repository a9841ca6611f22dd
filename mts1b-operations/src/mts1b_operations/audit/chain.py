"""The append-only log in the operations store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from mts1b_platform.clock import Clock
from mts1b_platform.signing import KeyRing
from mts1b_platform.store import Prepared, Store
from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.inline import transaction_of

from mts1b_operations.audit.checkpoint import Checkpoint, CheckpointSigner
from mts1b_operations.audit.entry import (
    GENESIS,
    AuditEntry,
    StoredRow,
    canonical_json,
    entry_leaf,
    stamp,
)
from mts1b_operations.audit.evidence import Witness, Witnessed, witnessed
from mts1b_operations.audit.proof import LogCheck
from mts1b_operations.audit.tree import CompactRange
from mts1b_operations.errors import ChainIntegrityError
from mts1b_operations.tables import AUDIT_CHECKPOINTS, AUDIT_ENTRIES, WATCHED

__all__ = ["AuditChain", "AuditRecord"]

_CHECKPOINT_EVERY = 256
_CHUNK = 5_000
_COLUMNS = tuple(AUDIT_ENTRIES.c)
_NAMES = tuple(column.name for column in _COLUMNS)
_INSERT = Prepared(AUDIT_ENTRIES.insert())
_LAST = Prepared(
    sa.select(AUDIT_ENTRIES.c.sequence, AUDIT_ENTRIES.c.hash)
    .order_by(AUDIT_ENTRIES.c.sequence.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """What is to be appended. Without ``timestamp`` it is the clock's time."""

    actor: str
    action: str
    subject_id: str
    data: Mapping[str, Any] = field(default_factory=dict)
    timestamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Head:
    """Where the log stands: its tree, the hash of its last entry, its last checkpoint."""

    tree: CompactRange = field(default_factory=CompactRange)
    last_hash: str = GENESIS
    checkpoint_size: int = 0


class AuditChain:
    """Append to, read and verify the log of one store.

    :param store: open on :data:`mts1b_operations.tables.METADATA`.
    :param keyring: signs checkpoints; without it the log has none.
    :param witness: keeps hashes and the last checkpoint outside of the store.
    """

    hashes_at_once: ClassVar[int] = 20_000
    """So many of a log are in memory while it is looked through."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        keyring: KeyRing | None = None,
        witness: Witness | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keyring = keyring
        self._signer = CheckpointSigner(keyring) if keyring is not None else None
        self._witness = witness
        self._head = _Head()
        self._settled = _Head()
        self._last: StoredRow | None = None
        self._transaction: object = None
        self._unwitnessed: list[bytes] = []
        self._looked = False

    @property
    def size(self) -> int:
        """Return how many entries this object has seen, those of an open transaction included."""
        return self._head.tree.size

    @property
    def last(self) -> AuditEntry | None:
        """Return the last entry that this object appended, or None."""
        return None if self._last is None else AuditEntry.from_row(self._last)

    @property
    def root(self) -> str:
        """Return the root over those entries."""
        return self._head.tree.root.hex()

    async def append(
        self,
        *,
        actor: str,
        action: str,
        subject_id: str,
        data: Mapping[str, Any] | None = None,
        timestamp: datetime | None = None,
    ) -> AuditEntry:
        """Append one entry, durably."""
        record = AuditRecord(actor, action, subject_id, data or {}, timestamp)
        return (await self.append_many([record]))[0]

    async def append_many(self, records: Sequence[AuditRecord]) -> list[AuditEntry]:
        """Append entries in one durable transaction."""
        async with self._store.transaction() as tx:
            entries = await self.add(tx, records)
        self.settle()
        return entries

    async def add(self, tx: AsyncConnection, records: Sequence[AuditRecord]) -> list[AuditEntry]:
        """Append entries inside the caller's transaction; call :meth:`settle` after it commits.

        :raises ValueError: when data can not be written as JSON.
        """
        if not records:
            return []
        await self.enter(tx)
        rows, leaves = self._rows(records)
        await _INSERT.run_many(tx, [dict(zip(_NAMES, row, strict=True)) for row in rows])
        self._unwitnessed.extend(leaves)
        self._last = rows[-1]
        self._head = _Head(self._head.tree.add(leaves), rows[-1][1], self._head.checkpoint_size)
        if self._head.tree.size - self._head.checkpoint_size >= _CHECKPOINT_EVERY:
            await self._store_checkpoint(tx)
        return [AuditEntry.from_row(row) for row in rows]

    def _rows(self, records: Sequence[AuditRecord]) -> tuple[list[StoredRow], list[bytes]]:
        rows: list[StoredRow] = []
        leaves: list[bytes] = []
        sequence, previous, now = self._head.tree.size, self._head.last_hash, self._clock.now()
        for record in records:
            moment, data = stamp(record.timestamp or now), canonical_json(record.data)
            what = (record.actor, record.action, record.subject_id)
            leaf = entry_leaf((sequence, "", moment, *what, data, previous))
            digest = leaf.hex()
            rows.append((sequence, digest, moment, *what, data, previous))
            leaves.append(leaf)
            sequence, previous = sequence + 1, digest
        return rows, leaves

    async def enter(self, tx: AsyncConnection) -> int:
        """Bring the head in line with the store at the start of a transaction; return the size.

        Another process may have appended, and an earlier transaction may have rolled back.
        """
        transaction = transaction_of(tx)
        if transaction is not self._transaction:
            self._transaction = transaction
            await self._align(tx)
        return self._head.tree.size

    async def _align(self, tx: AsyncConnection) -> None:
        last = (await _LAST.run(tx)).first()
        size, digest = (last.sequence + 1, last.hash) if last is not None else (0, GENESIS)
        if self._looked and (size, digest) == (self._head.tree.size, self._head.last_hash):
            return
        self._unwitnessed = []
        known = self._settled if self._settled.tree.size <= size else _Head()
        self._head = self._settled = await self._reload(tx, known, digest)
        self._looked = True

    async def _reload(self, tx: AsyncConnection, known: _Head, last_hash: str) -> _Head:
        """Take what the store holds, once it is what was witnessed: it will be signed.

        :raises ChainIntegrityError: when it is not.
        """
        tree = known.tree
        async for leaves in self._stored(tx, tree.size):
            if self._witness is not None:
                self._witness.require(tree, leaves)
            tree = tree.add(leaves)
        if self._witness is not None:
            self._witness.require_no_more(tree.size)
            await self._put_aside(tx, self._witness, tree.size)
        checkpoint = await tx.scalar(sa.select(sa.func.max(AUDIT_CHECKPOINTS.c.size)))
        return _Head(tree, last_hash, int(checkpoint or 0))

    async def _put_aside(self, tx: AsyncConnection, witness: Witness, size: int) -> None:
        """Put aside what the witness lacks of a log that all of it agrees with."""
        at = witness.size
        if at < size:
            async for leaves in self._stored(tx, at):
                witness.record(at, leaves)
                at += len(leaves)

    async def _stored(self, tx: AsyncConnection, first: int) -> AsyncIterator[list[bytes]]:
        """Yield the hashes of the store from sequence ``first`` on, some at a time."""
        while True:
            found = await tx.execute(
                sa.select(AUDIT_ENTRIES.c.sequence, AUDIT_ENTRIES.c.hash)
                .where(AUDIT_ENTRIES.c.sequence >= first)
                .order_by(AUDIT_ENTRIES.c.sequence)
                .limit(self.hashes_at_once)
            )
            rows = found.all()
            if not rows:
                return
            yield [bytes.fromhex(row.hash) for row in rows]
            first = rows[-1].sequence + 1

    async def _store_checkpoint(self, tx: AsyncConnection) -> None:
        if self._signer is None:
            return
        checkpoint = self._signer.sign(self._head.tree, self._clock.now())
        values = checkpoint.model_dump() | {"created_at": stamp(checkpoint.created_at)}
        await tx.execute(AUDIT_CHECKPOINTS.insert(), values)
        self._head = _Head(self._head.tree, self._head.last_hash, checkpoint.size)

    def settle(self) -> None:
        """Put aside, outside of the store, what the last transaction committed."""
        if not self._unwitnessed:
            return
        grown = self._head.checkpoint_size > self._settled.checkpoint_size
        first = self._head.tree.size - len(self._unwitnessed)
        leaves, self._unwitnessed = self._unwitnessed, []
        self._settled = self._head
        if self._witness is not None:
            self._witness.record(first, leaves)
            if self._signer is not None:
                signed = self._signer.sign(self._head.tree, self._clock.now())
                self._witness.publish(signed, durable=grown)

    async def checkpoint(self) -> Checkpoint | None:
        """Sign the log as it stands, in the store and beside it; None without a key or entries."""
        async with self._store.transaction() as tx:
            await self.enter(tx)
            if self._signer is None or self._head.tree.size == 0:
                return None
            if self._head.checkpoint_size < self._head.tree.size:
                await self._store_checkpoint(tx)
        self._settled = self._head
        signed = self._signer.sign(self._head.tree, self._clock.now())
        if self._witness is not None:
            self._witness.publish(signed, durable=True)
        return signed

    async def get_trail(self, *, subject_id: str) -> list[AuditEntry]:
        """Return every entry of one subject, oldest first."""
        query = (
            sa.select(*_COLUMNS)
            .where(AUDIT_ENTRIES.c.subject_id == subject_id)
            .order_by(AUDIT_ENTRIES.c.sequence)
        )
        async with self._store.read() as connection:
            return [AuditEntry.from_row(_row(r)) for r in await connection.execute(query)]

    async def rows(self, first: int, limit: int = _CHUNK) -> list[StoredRow]:
        """Return stored rows from sequence ``first`` on.

        :raises sqlalchemy.exc.DBAPIError: when the database can not be read.
        """
        query = (
            sa.select(*_COLUMNS)
            .where(AUDIT_ENTRIES.c.sequence >= first)
            .order_by(AUDIT_ENTRIES.c.sequence)
            .limit(limit)
        )
        async with self._store.read() as connection:
            return [_row(r) for r in await connection.execute(query)]

    async def entries(self, *, since: int = 0, limit: int = _CHUNK) -> list[AuditEntry]:
        """Return up to ``limit`` entries from sequence ``since`` on, oldest first."""
        return [AuditEntry.from_row(row) for row in await self.rows(since, limit)]

    async def watched(self, *, since: int = 0, limit: int = _CHUNK) -> list[AuditEntry]:
        """Return up to ``limit`` entries of :data:`WATCHED` from sequence ``since`` on."""
        query = (
            sa.select(*_COLUMNS)
            .where(AUDIT_ENTRIES.c.sequence >= since, sa.text(WATCHED))
            .order_by(AUDIT_ENTRIES.c.sequence)
            .limit(limit)
        )
        async with self._store.read() as connection:
            return [AuditEntry.from_row(_row(r)) for r in await connection.execute(query)]

    async def verify(self, from_sequence: int = 0) -> bool:
        """Re-derive the log from the stored bytes and return True.

        Rows before ``from_sequence`` are taken at their stored hash; the signed roots still
        cover them.

        :raises ChainIntegrityError: naming the first bad index.
        :raises BadSelection: when there is no entry ``from_sequence``.
        """
        check = LogCheck(await self._witnessed(), from_sequence=from_sequence)
        while True:
            rows = await self._readable_rows(check)
            if not rows:
                break
            check.feed(rows)
            await asyncio.sleep(0)
        check.finish()
        return True

    async def _readable_rows(self, check: LogCheck) -> list[StoredRow]:
        try:
            return await self.rows(check.size)
        except (sa.exc.DBAPIError, ValueError):
            pass
        while True:  # one at a time up to the row that the database can not give
            try:
                single = await self.rows(check.size, 1)
            except (sa.exc.DBAPIError, ValueError) as error:
                raise ChainIntegrityError(check.size, f"it can not be read: {error}") from error
            if not single:
                return []
            check.feed(single)

    async def _witnessed(self) -> Witnessed:
        if self._keyring is None:
            return Witnessed(self._witness.leaves() if self._witness else ())
        found: list[Checkpoint] = []
        async with self._store.read() as connection:
            for row in await connection.execute(
                sa.select(AUDIT_CHECKPOINTS).order_by(AUDIT_CHECKPOINTS.c.size)
            ):
                found.append(Checkpoint.model_validate(dict(row._mapping)))
        return witnessed(self._keyring, self._witness, found)


def _row(row: sa.Row[Any]) -> StoredRow:
    found: StoredRow = tuple(row)
    return found
