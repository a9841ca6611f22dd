"""Routing policy, and the command line on a record that a service has left."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import Order, OrderType, Side
from mts1b_foundation.commands import SubmitOrder, SubmitReply
from mts1b_foundation.nats import CMD_OMS_SUBMIT
from mts1b_oms.cli import app
from mts1b_oms.client import OmsClient
from mts1b_oms.errors import OrderRefused, UnknownOrder
from mts1b_oms.manual import BadOrder, OmsAway, build_manual_order, send_manual_order
from mts1b_oms.orders import OrderService
from mts1b_oms.router import PRICING, PricingRule, RoutingTable, Urgency, priced
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.exit_codes import ExitCode
from typer.testing import CliRunner

WORDS: dict[str, Any] = {
    "symbol": "SPX",
    "side": "buy",
    "quantity": "10",
    "fund_id": "alpha",
    "strategy_id": "trend",
    "operator": "ann",
    "key": "by-hand-1",
}


@pytest.mark.parametrize(
    ("side", "urgency", "kind", "limit"),
    [
        (Side.BUY, Urgency.PATIENT, OrderType.LIMIT, "99.95"),
        (Side.SELL, Urgency.PATIENT, OrderType.LIMIT, "100.05"),
        (Side.BUY, Urgency.BALANCED, OrderType.MARKETABLE_LIMIT, "100.10"),
        (Side.SHORT, Urgency.BALANCED, OrderType.MARKETABLE_LIMIT, "99.90"),
        (Side.COVER, Urgency.URGENT, OrderType.MARKET, None),
    ],
)
def test_the_urgency_sets_type_and_price(
    order: Any, side: Side, urgency: Urgency, kind: OrderType, limit: str | None
) -> None:
    routed = priced(order(side=side), urgency)
    assert routed.order_type is kind
    assert routed.limit_price == (None if limit is None else Decimal(limit))


def test_a_routed_price_is_rounded_to_the_safe_side(order: Any) -> None:
    rules = {Urgency.PATIENT: PricingRule(OrderType.LIMIT)}
    exact = order(reference_price=Decimal("100.005"))
    assert priced(exact, Urgency.PATIENT, rules).limit_price == 100
    assert priced(exact.with_(side=Side.SELL), Urgency.PATIENT, rules).limit_price == Decimal(
        "100.01"
    )


def test_no_rule_leaves_its_bounds_or_guesses_a_price(order: Any) -> None:
    with pytest.raises(ValueError, match="51 bps exceeds the limit of 50 bps"):
        PricingRule(OrderType.LIMIT, Decimal(51))
    with pytest.raises(OrderRefused, match="reference_price"):
        priced(order(reference_price=None), Urgency.PATIENT)
    assert set(PRICING) == set(Urgency)


def test_the_table_sends_each_broker_to_its_venue(order: Any) -> None:
    table = RoutingTable({"paper": "paper"})
    assert table.venue_of(order()) == "paper"
    with pytest.raises(OrderRefused, match="known: paper"):
        table.venue_of(order(broker="ibkr"))


def test_words_become_an_order_or_an_error_that_names_them() -> None:
    wanted = build_manual_order(**WORDS, order_type="limit", limit_price="99.5")
    assert (wanted.actor, wanted.limit_price) == ("operator:ann", Decimal("99.5"))
    again = build_manual_order(**WORDS)
    assert again.order_id == wanted.order_id, "the id follows from the key"
    with pytest.raises(BadOrder, match="a limit order needs a limit_price") as caught:
        build_manual_order(**WORDS, order_type="limit")
    assert caught.value.exit_code is ExitCode.USAGE
    with pytest.raises(BadOrder, match=r"side: .*; quantity: "):
        build_manual_order(**(WORDS | {"side": "hold", "quantity": "-1"}))


async def test_a_refusal_of_the_oms_ends_with_exit_code_five() -> None:
    bus = LocalBus()
    wanted = build_manual_order(**WORDS)
    with pytest.raises(OmsAway, match="mts up") as away:
        await send_manual_order(wanted, bus=bus)
    assert away.value.exit_code is ExitCode.UNAVAILABLE
    answers: list[Any] = [
        OrderRefused("UNKNOWN_SYMBOL", "unknown symbol SPX; configured are NDX"),
        wanted.with_(status="rejected", rejected_code="MAX_ORDER_QTY", rejected_reason="static"),
        wanted.with_(status="accepted"),
    ]

    async def serve(data: bytes) -> bytes:
        assert SubmitOrder.model_validate_json(data).order == wanted
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return SubmitReply(order=answer).model_dump_json().encode()

    await bus.serve(CMD_OMS_SUBMIT, serve)
    for code, text in (("UNKNOWN_SYMBOL", "configured are NDX"), ("MAX_ORDER_QTY", "static")):
        with pytest.raises(OrderRefused, match=text) as caught:
            await send_manual_order(wanted, bus=bus)
        assert caught.value.exit_code is ExitCode.REFUSED == 5
        assert caught.value.code == code
    done = await send_manual_order(wanted, bus=bus)
    assert isinstance(done, Order)
    await bus.close()


@pytest.fixture
async def traded(new_desk: Any, order: Any) -> Path:
    desk = await new_desk()
    await desk.orders.submit(order(quantity=Decimal(100)))
    desk.risk.denials["denied"] = ("position_risk", "MAX_POSITION_PCT")
    await desk.orders.submit(order("denied"))
    await desk.tick(1, {order().symbol: ("100", "110")})
    await desk.close()
    home: Path = desk.home
    return home


def run(home: Path, *words: str) -> Any:
    return CliRunner().invoke(app, list(words), env={"MTS_HOME": str(home)})


def test_the_command_line_reads_what_the_service_left(traded: Path) -> None:
    listed = run(traded, "orders")
    assert listed.exit_code == 0
    assert "buy 100 SPX market" in listed.output
    assert "MAX_POSITION_PCT" in listed.output
    assert run(traded, "orders", "--open").output == "none\n"
    everything = json.loads(run(traded, "orders", "--json").output)["items"]
    assert [item["status"] for item in everything] == ["filled", "rejected"]
    shown = run(traded, "order", "order-k-1").output
    assert "submitting: approved -> submitting" in shown.replace("sending", "submitting")
    assert "100 at 100" in shown
    [held] = json.loads(run(traded, "positions", "--json").output)["items"]
    assert (held["quantity"], held["market_value_usd"]) == ("100", "11000.00000000")
    assert "alpha/trend" in run(traded, "positions", "--fund", "alpha").output
    navs = run(traded, "nav", "--strategy", "trend").output
    assert "600995.00" in navs


def test_an_unknown_order_is_an_error_with_a_next_step(traded: Path) -> None:
    result = run(traded, "order", "order-x")
    assert isinstance(result.exception, UnknownOrder)
    assert "mts oms orders" in str(result.exception)


def test_a_limit_order_without_a_price_never_reaches_the_bus(tmp_path: Path) -> None:
    words = ["submit", "--symbol", "SPX", "--side", "buy", "--quantity", "1", "--type", "limit"]
    words += ["--fund", "alpha", "--strategy", "trend", "--operator", "ann", "--key", "k"]
    result = run(tmp_path, *words)
    assert isinstance(result.exception, BadOrder)
    assert result.exception.exit_code == 2


def test_a_client_needs_a_bus() -> None:
    with pytest.raises(TypeError, match="ctx= or bus="):
        OmsClient(fund_id="alpha")
    assert OrderService.__doc__
