"""F3: a bit of the store flips, or a page of it is torn, while nobody runs."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import Side, Symbol
from mts1b_oms.errors import ReconciliationMismatch
from mts1b_platform.store import StoreError
from sqlalchemy.exc import DBAPIError

SPX, NDX = Symbol("SPX"), Symbol("NDX")


async def closed_desk(new_desk: Any, order: Any) -> tuple[Any, Path]:
    """Return a desk that has ended, two strategies on both sides of a symbol, and its file."""
    desk = await new_desk()
    await desk.orders.submit(order("a", quantity=Decimal(100)))
    await desk.orders.submit(
        order("b", side=Side.SHORT, quantity=Decimal(40), fund_id="beta", strategy_id="parity")
    )
    await desk.tick(1, {SPX: ("100", "110"), NDX: ("50", "51")})
    await desk.close()
    path: Path = desk.home / "db" / "oms.sqlite"
    database = sqlite3.connect(path)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return desk, path


def flip_a_bit(path: Path, stored: bytes, flipped: bytes) -> None:
    """Flip one bit of the one place in the file that holds what is stored."""
    data = path.read_bytes()
    assert data.count(stored) == 1
    assert sum((a ^ b).bit_count() for a, b in zip(stored, flipped, strict=True)) == 1
    path.write_bytes(data.replace(stored, flipped))


@pytest.mark.parametrize(
    ("stored", "flipped"),
    [
        (b"alphatrendSPX100100.0", b"alphatrendSPX900100.0"),
        (b"alphatrendSPX100100.0", b"alphatrendSPX100104.0"),
        (b"alphatrendSPX100100.0", b"alphatrendSPY100100.0"),
        (b"betaparitySPX-4", b"betaparitySPX-6"),
    ],
)
async def test_f3_a_flipped_bit_of_a_position_is_refused(
    new_desk: Any, order: Any, stored: bytes, flipped: bytes
) -> None:
    desk, path = await closed_desk(new_desk, order)
    flip_a_bit(path, stored, flipped)
    with pytest.raises(StoreError, match="the file is damaged; put a backup back"):
        await desk.reopen()


async def test_f3_a_flipped_bit_of_the_cash_keeps_the_gate_closed(
    new_desk: Any, order: Any
) -> None:
    desk, path = await closed_desk(new_desk, order)
    flip_a_bit(path, b"alphatrend600000589995.0", b"alphatrend600000589991.0")
    desk = await desk.reopen()
    assert "cash" in (desk.gate.reason or "")
    with pytest.raises(ReconciliationMismatch):
        await desk.orders.submit(order("c"))


async def test_f3_a_torn_page_is_refused(new_desk: Any, order: Any) -> None:
    desk, path = await closed_desk(new_desk, order)
    data = bytearray(path.read_bytes())
    page = data.index(b"alphatrendSPX100100.0") // 4096
    data[page * 4096 : page * 4096 + 2048] = bytes(2048)
    path.write_bytes(data)
    with pytest.raises((DBAPIError, StoreError)):
        await desk.reopen()
