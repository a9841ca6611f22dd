"""A store that ends, however it ends, holds its file no more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from alembic.operations import Operations
from mts1b_platform.store import Store, StoreClosed, StoreError
from mts1b_platform.store.migrations import register_migration

DESCRIPTORS = Path("/proc/self/fd")
pytestmark = pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="open files can not be seen")


def is_open(path: Path) -> bool:
    """Return whether this process holds a file."""
    return path in [link.resolve() for link in DESCRIPTORS.iterdir()]


async def test_a_store_is_open_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    store = await Store.open(path)
    assert is_open(path)
    await store.close()
    assert not is_open(path)


async def test_a_file_that_is_no_database_is_let_go(tmp_path: Path) -> None:
    path = tmp_path / "broken.sqlite"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StoreError, match="can not be opened") as told:
        await Store.open(path)
    assert not is_open(path)
    assert told.value.__traceback__  # which keeps all that it saw


async def test_a_store_whose_making_fails_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"

    def step(alter: Operations) -> None:
        raise ValueError("a step that was never right")

    register_migration("never_made", 2, step)
    await (await Store.open(path, name="never_made")).close()
    with pytest.raises(ValueError, match="never right") as told:
        await Store.open(path, name="never_made", version=2)
    assert not is_open(path)
    assert told.value.__traceback__


async def test_a_close_that_is_cancelled_closes(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    store = await Store.open(path)
    turn = store.transaction()
    await turn.__aenter__()
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0.05)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    assert not is_open(path)
    with pytest.raises(StoreClosed):
        async with store.read():
            pass
    await turn.__aexit__(KeyError, KeyError(), None)
