"""What this OMS takes no orders for, and when two orders ask for the same."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import (
    DenyCode,
    ExecutionMode,
    OrderStatus,
    OrderType,
    Side,
    Symbol,
    TimeInForce,
)
from mts1b_oms.errors import OrderRefused
from mts1b_oms.intake import FUND_INACTIVE, MODE_MISMATCH, UNKNOWN_FUND, Intake, same_economics
from mts1b_oms.router import RoutingTable

OLD = Symbol("OLD")


def intake(**changes: Any) -> Intake:
    terms: dict[str, Any] = {
        "symbols": {"SPX", "NDX"},
        "funds": {"alpha", "beta"},
        "mode": ExecutionMode.PAPER,
        "routes": RoutingTable({"paper": "paper"}),
        "inactive": {"beta"},
    }
    return Intake(**(terms | changes))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": OrderStatus.APPROVED}, DenyCode.SCHEMA_INVALID),
        ({"version": 1}, DenyCode.SCHEMA_INVALID),
        ({"filled_quantity": Decimal(1)}, DenyCode.SCHEMA_INVALID),
        ({"symbol": OLD}, DenyCode.UNKNOWN_SYMBOL),
        ({"symbol": "NONE", "reduce_only": True}, DenyCode.UNKNOWN_SYMBOL),
        ({"symbol": OLD, "reduce_only": True}, ""),
        ({"fund_id": "gamma"}, UNKNOWN_FUND),
        ({"fund_id": "gamma", "reduce_only": True}, UNKNOWN_FUND),
        ({"fund_id": "beta"}, FUND_INACTIVE),
        ({"fund_id": "beta", "reduce_only": True}, ""),
        ({"mode": ExecutionMode.LIVE}, MODE_MISMATCH),
        ({"reduce_only": True}, ""),
        ({}, ""),
    ],
)
def test_what_can_not_become_an_order_says_why(
    order: Any, changes: dict[str, Any], code: str
) -> None:
    """OLD is held, and nobody lists it any more."""
    wanted = order("k-1").with_(**changes)
    if not code:
        intake().check(wanted, held=lambda: {OLD})
        return
    with pytest.raises(OrderRefused) as refused:
        intake().check(wanted, held=lambda: {OLD})
    assert refused.value.code == code


@pytest.mark.parametrize(("count", "shown"), [(12, "S11$"), (13, "S11 and 1 more$")])
def test_a_refusal_lists_a_dozen_of_what_would_be_taken(order: Any, count: int, shown: str) -> None:
    many = {f"S{number:02d}" for number in range(count)}
    with pytest.raises(OrderRefused, match=f"configured are S00, S01, .*{shown}"):
        intake(symbols=many).check(order("k-1"))


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": Decimal(11)},
        {"side": Side.SELL},
        {"symbol": "NDX"},
        {"fund_id": "beta"},
        {"strategy_id": "carry"},
        {"account": "other"},
        {"mode": ExecutionMode.LIVE},
        {"broker": "other"},
        {"order_type": OrderType.LIMIT, "limit_price": Decimal(100)},
        {"tif": TimeInForce.GTC},
        {"reduce_only": True},
        {"parent_order_id": "p-1"},
        {"signal_id": "s-1"},
    ],
    ids=str,
)
def test_orders_ask_for_the_same_when_every_term_is_the_same(
    order: Any, changes: dict[str, Any]
) -> None:
    one = order("k-1")
    again = one.with_(order_id="another", created_at=one.created_at + timedelta(seconds=5))
    assert same_economics(one, again)
    assert not same_economics(one, again.with_(**changes))
