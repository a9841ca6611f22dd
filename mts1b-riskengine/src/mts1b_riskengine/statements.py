"""Statements that are built once and run on every tick."""

from __future__ import annotations

import sqlalchemy as sa
from mts1b_platform.store import Prepared, Store

__all__ = ["upsert"]


def upsert(store: Store, table: sa.Table) -> Prepared:
    """Return an INSERT of a whole row that replaces the row of the same primary key."""
    insert = store.insert(table).values({c.name: sa.bindparam(c.name) for c in table.columns})
    keys = [column.name for column in table.primary_key]
    rest = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in keys}
    return Prepared(insert.on_conflict_do_update(index_elements=keys, set_=rest))
