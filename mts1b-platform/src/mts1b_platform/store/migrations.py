"""Schema versions: one small step from each to the next, run with alembic's operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.tables import schema

if TYPE_CHECKING:
    from alembic.operations import Operations

__all__ = ["migrate", "register_migration"]

Step = Callable[["Operations"], None]
_STEPS: dict[tuple[str, int], Step] = {}


def register_migration(store: str, to_version: int, step: Step) -> None:
    """Register the step that lifts ``store`` from ``to_version - 1`` to ``to_version``.

    :raises ValueError: when that step is registered already.
    """
    if (store, to_version) in _STEPS:
        raise ValueError(f"store {store} has a step to version {to_version} already")
    _STEPS[(store, to_version)] = step


async def migrate(tx: AsyncConnection, store: str, version: int) -> int:
    """Run the missing steps up to ``version``; return the version that was found.

    A new store starts at ``version``: its tables were just created.
    """
    row = (await tx.execute(sa.select(schema.c.version).where(schema.c.name == store))).first()
    if row is None:
        await tx.execute(schema.insert().values(name=store, version=version))
        return version
    found = int(row.version)
    for target in range(found + 1, version + 1):
        step = _STEPS.get((store, target))
        if step is not None:
            await tx.run_sync(_run, step)
    if found < version:
        await tx.execute(schema.update().where(schema.c.name == store).values(version=version))
    return found


def _run(connection: sa.Connection, step: Step) -> None:
    from alembic.migration import MigrationContext  # needed once in a version's life
    from alembic.operations import Operations

    step(Operations(MigrationContext.configure(connection)))
