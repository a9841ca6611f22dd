"""Soft blocks: denials that two operators may override, one at a time, once."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from mts1b_foundation import DenyCode, GateResult, Order, SoftBlock, SoftOverride
from mts1b_foundation.nats import RISK_BLOCKS_OVERRIDDEN, RISK_BLOCKS_RAISED, with_fund
from mts1b_platform.ids import derive_id
from mts1b_platform.store import Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_riskengine import tables
from mts1b_riskengine.economics import terms_digest
from mts1b_riskengine.errors import OverrideRefused
from mts1b_riskengine.statements import upsert

__all__ = ["STANDING", "BlockBook"]

STANDING = timedelta(days=36_500)
"""A disabled strategy stays so, however long nobody looks."""


class BlockBook:
    """Keep the blocks that are not settled in memory, and every one in the store."""

    def __init__(self, store: Store, *, ttl_s: float) -> None:
        self._store = store
        self._ttl = timedelta(seconds=ttl_s)
        self._upsert = upsert(store, tables.blocks)
        self._open: dict[str, SoftBlock] = {}
        self._granted: dict[str, list[SoftBlock]] = {}
        self._disabled: dict[tuple[str, str], SoftBlock] = {}

    def waiting(self, fund_id: str | None, now: datetime) -> tuple[SoftBlock, ...]:
        """Return the blocks that may still be overridden or used, oldest first."""
        found = [
            block
            for block in self._open.values()
            if fund_id in (None, block.order.fund_id) and now < _ends_at(block)
        ]
        return tuple(sorted(found, key=lambda block: (block.raised_at, block.block_id)))

    def get(self, block_id: str) -> SoftBlock:
        """Return a block that is not settled.

        :raises OverrideRefused: when there is none; a hard denial never has one.
        """
        block = self._open.get(block_id)
        if block is None:
            raise OverrideRefused(
                f"there is no open soft block {block_id}; see `mts risk blocks`. Hard denials "
                "can not be overridden"
            )
        return block

    def disabled(self, fund_id: str, strategy_id: str) -> SoftBlock | None:
        """Return the block that keeps a strategy disabled, or None."""
        return self._disabled.get((fund_id, strategy_id))

    def granted(self, order: Order, now: datetime) -> dict[str, SoftBlock]:
        """Return the overrides that let this order pass, by the code that they override."""
        if not self._granted:
            return {}
        return {
            block.code: block
            for block in self._granted.get(terms_digest(order), ())
            if now < _ends_at(block)
        }

    async def raise_(
        self, tx: AsyncConnection, order: Order, denial: GateResult, decision_id: str, now: datetime
    ) -> SoftBlock:
        """Record that an order was softly denied, and tell."""
        code = denial.code or DenyCode.GATE_DENIED.value
        standing = code == DenyCode.REPEATED_EXECUTION
        block = SoftBlock(
            block_id=derive_id("blk", decision_id, code),
            order=order,
            gate=denial.gate,
            code=code,
            reason=denial.reason,
            limit=denial.limit,
            value=denial.value,
            raised_at=now,
            expires_at=now + (STANDING if standing else self._ttl),
        )
        await self._settle_expired(tx, now)
        await self._put(tx, block, RISK_BLOCKS_RAISED)
        return block

    async def _settle_expired(self, tx: AsyncConnection, now: datetime) -> None:
        """Stop carrying blocks that nobody can override or use any more; the store keeps them."""
        for block in [block for block in self._open.values() if now >= _ends_at(block)]:
            await self._put(tx, block, None, is_open=False)

    async def grant(
        self, tx: AsyncConnection, block: SoftBlock, override: SoftOverride, now: datetime
    ) -> SoftBlock:
        """Let one order with the block's economics pass, until the override expires.

        :raises OverrideRefused: when the block is overridden already, or either has expired.
        """
        if block.override is not None:
            raise OverrideRefused(f"block {block.block_id} is overridden already")
        if now >= block.expires_at:
            raise OverrideRefused(
                f"block {block.block_id} expired at {block.expires_at}; send the order again"
            )
        if not override.requested_at <= now < override.expires_at:
            raise OverrideRefused(
                f"the override is good from {override.requested_at} to {override.expires_at}, "
                f"now it is {now}; sign a new one"
            )
        changed = block.with_(override=override)
        await self._put(tx, changed, RISK_BLOCKS_OVERRIDDEN)
        return changed

    async def use(self, tx: AsyncConnection, block: SoftBlock, order: Order) -> None:
        """Spend an override on an order that is about to be approved."""
        await self._put(tx, block.with_(used_by=order.order_id), None)

    async def _put(
        self, tx: AsyncConnection, block: SoftBlock, subject: str | None, *, is_open: bool = True
    ) -> None:
        body = block.model_dump_json()
        row = {"block_id": block.block_id, "fund_id": block.order.fund_id}
        terms = terms_digest(block.order)
        is_open = is_open and block.used_by is None
        await self._upsert.run(tx, {**row, "terms": terms, "open": is_open, "body": body})
        if subject is not None:
            await self._store.outbox.add(
                tx,
                event_id=derive_id("evt", subject, block.block_id),
                subject=with_fund(subject, block.order.fund_id),
                payload=body.encode(),
            )
        self._remember(block, is_open=is_open)

    def _remember(self, block: SoftBlock, *, is_open: bool = True) -> None:
        """Keep a block where the gates look for it."""
        self._open.pop(block.block_id, None)
        terms = terms_digest(block.order)
        others = [b for b in self._granted.pop(terms, ()) if b.block_id != block.block_id]
        if is_open:
            self._open[block.block_id] = block
            if block.override is not None:
                others.append(block)
        if others:
            self._granted[terms] = others
        if block.code == DenyCode.REPEATED_EXECUTION:
            self._mark_disabled(block)

    def _mark_disabled(self, block: SoftBlock) -> None:
        key = (block.order.fund_id, block.order.strategy_id)
        if block.override is None:
            self._disabled[key] = block
        elif (held := self._disabled.get(key)) and held.block_id == block.block_id:
            del self._disabled[key]

    async def load(self, tx: AsyncConnection) -> None:
        """Replace the memory by the unsettled blocks of the store."""
        self._open, self._granted, self._disabled = {}, {}, {}
        query = sa.select(tables.blocks.c.body).where(tables.blocks.c.open.is_(True))
        for row in await tx.execute(query):
            self._remember(SoftBlock.model_validate_json(row.body))


def _ends_at(block: SoftBlock) -> datetime:
    return block.override.expires_at if block.override is not None else block.expires_at
