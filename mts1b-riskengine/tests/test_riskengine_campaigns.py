"""The campaign of interleavings, in short, and that it finds what is planted.

``INTERLEAVINGS=100000`` makes it long; ``python -m mts1b_riskengine.campaigns`` needs no pytest.
"""

import os
from decimal import Decimal
from pathlib import Path

from mts1b_foundation import Order, Side
from mts1b_riskengine.campaigns import Campaign
from mts1b_riskengine.campaigns.model import Known, overshoots
from mts1b_riskengine.campaigns.world import CAPS, PRICE, START
from mts1b_riskengine.gates import default_gates

COUNT = int(os.environ.get("INTERLEAVINGS", "60"))


async def test_no_interleaving_overshoots_a_cap(tmp_path: Path) -> None:
    result = await Campaign(tmp_path, seed=1).run(COUNT)
    assert result.failures == []
    assert result.interleavings == COUNT
    happened = set(result.counts)
    assert {"crash after reserving", "crash while waiting", "answer lost", "expired"} <= happened
    assert {"restart", "released", "filled", "canceled", "approved"} <= happened
    assert {"denied MAX_POSITION_PCT", "denied MAX_GROSS_EXPOSURE", "denied FIRM_CAPITAL"} <= (
        happened
    )
    assert "0 overshoots" in result.text()


async def test_an_interleaving_is_a_function_of_its_seed(tmp_path: Path) -> None:
    runs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        runs.append(await Campaign(tmp_path / name, seed=7).run(5))
    assert runs[0] == runs[1]


async def test_a_missing_cap_is_found_out(tmp_path: Path) -> None:
    gates = [gate for gate in default_gates() if gate.name != "position_risk"]
    result = await Campaign(tmp_path, seed=1, gates=gates).run(20)
    assert any("position" in text for text in result.failures)
    assert any("firm" in text for text in result.failures)
    assert any("symbol" in text for text in result.failures)


def test_the_model_counts_what_may_still_fill() -> None:
    def known(number: int, side: Side, quantity: str, filled: str = "0") -> Known:
        order = Order(
            order_id=f"o-{number}",
            idempotency_key=f"k-{number}",
            symbol="AAPL",
            side=side,
            quantity=Decimal(quantity),
            fund_id="alpha",
            strategy_id="trend",
            created_at=START,
        )
        return Known(order, Decimal(filled))

    full = [known(1, Side.BUY, "60", "30"), known(2, Side.BUY, "40"), known(3, Side.SELL, "9")]
    assert overshoots(full, CAPS, PRICE) == []
    assert overshoots([*full, known(4, Side.BUY, "0.01")], CAPS, PRICE) == [
        "position alpha/trend/AAPL: 10001.00 > 10000"
    ]
    full[1].closed = True
    assert overshoots([*full, known(4, Side.BUY, "40")], CAPS, PRICE) == []


async def test_an_order_that_reduces_one_strategy_carries_no_symbol_over_its_cap(
    tmp_path: Path,
) -> None:
    """The seed that found a symbol cap which netted strategies, so that reducing overshot it."""
    result = await Campaign(tmp_path, seed=219_962).run(1)
    assert result.failures == []
