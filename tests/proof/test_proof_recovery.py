"""A killed OMS comes back with all that it had, and its gate open."""

from __future__ import annotations

from pathlib import Path

from tools.proof.recovery import FILLS_EACH, LIMIT_S, measure


def test_a_killed_oms_recovers_before_it_trades(tmp_path: Path) -> None:
    """Promise 5; the long form is ``python -m tools.proof.recovery``."""
    (found,) = measure(tmp_path, orders=30, still_open=10, runs=1)
    assert found.gate == "open"
    assert found.fills == 20 * FILLS_EACH
    assert found.orders > 30
    assert found.open_orders > 10
    assert found.seconds <= LIMIT_S
