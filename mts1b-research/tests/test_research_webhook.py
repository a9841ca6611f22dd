"""Signals from outside, traded by research: on the one path, once each, at a price of our own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import Side
from mts1b_foundation.nats import OPERATIONS_SIGNALS_RECEIVED, with_fund
from mts1b_foundation.signals import Signal
from mts1b_research.errors import StrategyConfigError
from mts1b_research.sleeves import check_settings
from mts1b_research.strategies import Webhook
from research_desk import view_of
from research_office import (
    AAA,
    BBB,
    NOW,
    Office,
    OmsOnTheBus,
    eventually,
    fund_settings,
    open_office,
)

HOOK = {"strategy_id": "hook", "fund_id": "f1", "kind": "webhook", "symbols": ["AAA"]}
SETTINGS = fund_settings(
    HOOK,
    HOOK | {"strategy_id": "off", "enabled": False},
    api={"signals": [{"source": "s", "strategy_id": "hook"}]},
)


def sent(number: int = 1, weight: float = 0.5, price: str = "100", **changes: Any) -> Signal:
    known = Signal(
        signal_id=f"sig-{number}",
        agent_id="webhook:s",
        symbol=AAA,
        strategy="hook",
        thesis="a line was crossed",
        direction=(weight > 0) - (weight < 0),
        confidence=1.0,
        expected_return=0.0,
        horizon_minutes=60,
        created_at=NOW,
        reference_price=Decimal(price),
        fund_id="f1",
        target_weight=weight,
    )
    return known.with_(**changes)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(tmp_path, SETTINGS, OmsOnTheBus()) as made:
        yield made


async def test_k2_a_signal_becomes_an_order_sized_by_our_own_price(office: Office) -> None:
    await office.bar("102")
    await office.send(sent(price="100"))
    (decision,) = await office.decided()
    (order,) = office.oms.taken.values()
    assert (order.side, order.quantity, order.reference_price) == (Side.BUY, 490, Decimal("102.0"))
    assert (order.strategy_id, order.fund_id, order.signal_id) == ("hook", "f1", "sig-1")
    assert (decision.outcome, decision.order_ids) == ("ORDERED", (order.order_id,))


async def test_k2_the_same_signal_again_is_traded_once(office: Office) -> None:
    await office.bar()
    for _ in range(4):
        await office.send(sent())
    await office.decided()
    await office.send(sent(2, weight=0.8))
    assert len(await office.decided(2)) == 2
    assert [order.quantity for order in office.oms.taken.values()] == [500, 300]
    assert office.oms.asked == 2


async def test_a_signal_that_comes_again_as_another_message_is_traded_once(office: Office) -> None:
    await office.bar()
    await office.send(sent())
    again = sent().model_dump_json().encode()
    subject = with_fund(OPERATIONS_SIGNALS_RECEIVED, "f1")
    await office.bus.publish_durable(subject, again, message_id="another")
    await office.send(sent(2, weight=0.8))
    assert len(await office.decided(2)) == 2
    assert [order.quantity for order in office.oms.taken.values()] == [500, 300]


async def test_the_target_that_is_held_already_makes_no_order(office: Office) -> None:
    await office.bar()
    await office.send(sent())
    await office.send(sent(2))
    decisions = await office.decided(2)
    assert [decision.outcome for decision in decisions] == ["ORDERED", "NO_CHANGE"]
    assert office.oms.asked == 1


async def test_an_oms_that_is_away_gets_the_order_that_was_decided(office: Office) -> None:
    await office.bar()
    office.oms.away = True
    await office.send(sent())
    await eventually(lambda: office.oms.asked >= 1)
    await office.shut()  # and a restart in between
    office.oms.away = False
    office.clock.advance_to(NOW + timedelta(hours=1))  # too late for a new signal, not for a plan
    await office.open()
    (decision,) = await office.decided()
    (order,) = office.oms.taken.values()
    assert decision.order_ids == (order.order_id,)


@pytest.mark.parametrize(
    ("signal", "bar", "outcome"),
    [
        (sent(price="94"), "100", "SIGNAL_PRICE_GAP"),
        (sent(price="106"), "100", "SIGNAL_PRICE_GAP"),
        (sent(weight=1.5), "100", "SIGNAL_WEIGHT"),
        (sent(target_weight=None), "100", "SIGNAL_WEIGHT"),
        (sent(weight=-1.5), "100", "SIGNAL_WEIGHT"),
        (sent(created_at=NOW - timedelta(seconds=300)), "100", "SIGNAL_STALE"),
        (sent(symbol=BBB), "100", "SIGNAL_NO_PRICE"),
        (sent(), None, "SIGNAL_NO_PRICE"),
    ],
)
async def test_a_signal_that_can_not_be_trusted_leads_to_no_order(
    office: Office, signal: Signal, bar: str | None, outcome: str
) -> None:
    if bar is not None:
        await office.bar(bar)
    await office.send(signal)
    (decision,) = await office.decided()
    assert (decision.outcome, decision.order_ids) == (outcome, ())
    assert office.oms.asked == 0


async def test_a_symbol_without_a_mandate_is_refused_as_ever(office: Office) -> None:
    await office.bar(symbol=BBB)
    await office.send(sent(symbol=BBB))
    (decision,) = await office.decided()
    assert decision.outcome == "MANDATE_SYMBOL"
    assert office.oms.asked == 0


async def test_a_strategy_that_is_off_trades_nothing(office: Office) -> None:
    await office.bar()
    await office.send(sent(strategy="off"))
    await office.send(sent(2))
    (decision,) = await office.decided()
    assert decision.signal_id == "sig-2"


def test_it_never_acts_on_a_bar_and_its_parameters_are_checked() -> None:
    strategy = Webhook.configure("hook", [AAA], {"max_weight": 2, "max_age_s": 10.0})
    assert not any(strategy.is_due(bars) for bars in range(5))
    assert strategy.generate_intents(view_of([100.0], [AAA])) == []
    with pytest.raises(StrategyConfigError, match="max_weight"):
        Webhook.configure("hook", [AAA], {"max_weigth": 2})


def test_signals_for_a_strategy_that_trades_none_are_refused_at_the_start() -> None:
    rule = HOOK | {"strategy_id": "r", "kind": "rule", "params": {"long_when": "close > 1"}}
    api = {"signals": [{"source": "s", "strategy_id": "hook"}, {"source": "t", "strategy_id": "r"}]}
    wrong = fund_settings(HOOK, rule, api=api)
    with pytest.raises(StrategyConfigError, match=r"api\.signals\.1\.strategy_id: r is not of"):
        check_settings(wrong)
    check_settings(fund_settings(HOOK, rule | {"enabled": False}, api=api))
    check_settings(SETTINGS)
