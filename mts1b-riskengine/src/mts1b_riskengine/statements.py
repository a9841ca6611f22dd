"""Statements that are built once and run on every tick."""

from __future__ import annotations

import sqlalchemy as sa
from mts1b_platform.store import Prepared, Store

__all__ = ["upsert"]

_KNOWN: dict[tuple[str, sa.Table], Prepared] = {}


def upsert(store: Store, table: sa.Table) -> Prepared:
    """Return an INSERT of a whole row that replaces the row of the same primary key."""
    known = _KNOWN.get((store.dialect, table))
    if known is None:
        insert = store.insert(table).values({c.name: sa.bindparam(c.name) for c in table.columns})
        keys = [column.name for column in table.primary_key]
        rest = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in keys}
        known = Prepared(insert.on_conflict_do_update(index_elements=keys, set_=rest))
        _KNOWN[store.dialect, table] = known
    return known
