"""No price, size or amount is a float where an order or a book passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tools.contracts import run_checks
from tools.contracts.checks.money import EXACT_MONEY

Plant = Callable[..., Any]


@pytest.mark.parametrize(
    "text",
    [
        "class A:\n    limit_price: float  # <-",
        "class A:\n    cash_usd: 'float | None' = None  # <-",
        "class A:\n    prices: list[float]  # <-",
        "def f(quantity: float):  # <-\n    return quantity",
        "def notional(x) -> float:  # <-\n    return x",
        "average_price = 1.5  # <-",
        "f(\n    fees=-0.5,  # <-\n)",
        "peak_nav_usd = float(x)  # <-",
        "x = float(order.quantity)  # <-",
        "x = float(-fill.price * 2)  # <-",
        "x = order.price * 1.5  # <-",
        "x = 0.5 * cash  # <-",
        "x = Decimal(0.1)  # <-",
    ],
)
@pytest.mark.parametrize("package", ["mts1b_foundation", "mts1b_oms", "mts1b_riskengine"])
def test_float_money_is_caught(plant: Plant, text: str, package: str) -> None:
    planted = plant({f"{package}/ledger.py": text + "\n"})
    (violation,) = planted.found_by(EXACT_MONEY)
    assert violation.rule == "exact-money"
    assert "Decimal" in violation.remedy


@pytest.mark.parametrize(
    "text",
    [
        "class A:\n    limit_price: Decimal\n    fee_bps: float\n    weight: float",
        "price = Decimal('1.5')\ntimeout_s = 1.5",
        "x = float(latency_s)\ny = price * 2",
        "def price(x) -> Decimal:\n    return x",
    ],
)
def test_decimals_ratios_and_durations_pass(plant: Plant, text: str) -> None:
    assert plant({"mts1b_oms/ledger.py": text + "\n"}).found_by(EXACT_MONEY) == []


def test_research_code_may_use_floats(plant: Plant) -> None:
    planted = plant({"mts1b_quantkit/costs.py": "price: float = 1.5\n"})
    assert planted.found_by(EXACT_MONEY) == []


def test_a_reasoned_marker_lets_a_conversion_pass(plant: Plant) -> None:
    text = "x = float(order.price)  # float-ok: the model estimates, it books nothing\n"
    report = run_checks(plant({"mts1b_oms/ledger.py": text}).project(), [EXACT_MONEY])
    assert report.clean
    assert report.markers == {"float-ok": 1}
