"""What goes wrong for one strategy stays with it; a book is one of a single moment."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import Order, Side, Symbol
from mts1b_foundation.commands import BookReply, OrdersQuery, OrdersReply, SubmitOrder
from mts1b_foundation.positions import Position
from mts1b_foundation.signals import Signal
from mts1b_research.strategies.rule import RuleStrategy
from mts1b_research.strategy import StrategyBook
from research_desk import AAA as DESK_AAA
from research_desk import START, halt, signal
from research_office import (
    AAA,
    NOW,
    Office,
    OmsOnTheBus,
    eventually,
    fund_settings,
    open_office,
)

MINUTE = timedelta(minutes=1)


def rule(strategy_id: str) -> dict[str, Any]:
    return {
        "strategy_id": strategy_id,
        "fund_id": "f1",
        "kind": "rule",
        "symbols": ["AAA"],
        "interval": "1m",
        "params": {"long_when": "close > lag(close, 1)"},
    }


class OmsOfTwo(OmsOnTheBus):
    """Know two strategies; refuse every order of the first."""

    refuses = False

    async def book(self, data: bytes) -> bytes:
        query = data.decode()
        self.strategy_id = "first" if '"first"' in query else "second"
        return await super().book(data)

    async def orders(self, data: bytes) -> bytes:
        wanted = OrdersQuery.model_validate_json(data).strategy_id
        own = tuple(o for o in self.taken.values() if o.strategy_id == wanted)
        return OrdersReply(orders=own).model_dump_json().encode()

    async def submit(self, data: bytes) -> bytes:
        order = SubmitOrder.model_validate_json(data).order
        if self.refuses and order.strategy_id == "first":
            raise ValueError("not this one")
        return await super().submit(data)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    settings = fund_settings(rule("first"), rule("second"))
    async with open_office(tmp_path, settings, OmsOfTwo()) as made:
        yield made


async def minutes(office: Office, *closes: str) -> None:
    for number, close in enumerate(closes):
        at = NOW + number * MINUTE
        office.clock.advance_to(at + timedelta(seconds=1))
        office.oms.struck = at
        await office.publish(close, AAA, at=at)


def traded(office: Office, strategy_id: str) -> Callable[[], bool]:
    return lambda: any(o.strategy_id == strategy_id for o in office.oms.taken.values())


class Own(Exception):
    """An error of a strategy's own package, which can not even say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


FAULTS = [
    ZeroDivisionError("a fault"),
    OSError("no such file"),
    Own(),
    SystemExit(3),
    CancelledError(),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("place", ["generate_intents", "is_due"])
async def test_a_strategy_that_raises_leaves_the_others_at_work(
    office: Office, monkeypatch: pytest.MonkeyPatch, place: str, fault: BaseException
) -> None:
    sound = getattr(RuleStrategy, place)

    def faulty(self: RuleStrategy, given: Any) -> Any:
        if self.strategy_id == "first":
            raise fault
        return sound(self, given)

    monkeypatch.setattr(RuleStrategy, place, faulty)
    await minutes(office, "100", "101")
    await eventually(traded(office, "second"))
    assert not traded(office, "first")()


async def test_a_strategy_whose_order_the_oms_refuses_leaves_the_others_at_work(
    office: Office,
) -> None:
    assert isinstance(office.oms, OmsOfTwo)
    office.oms.refuses = True
    await minutes(office, "100", "101")
    await eventually(traded(office, "second"))
    assert not traded(office, "first")()
    office.oms.refuses = False
    await eventually(traded(office, "first"))


def hook(strategy_id: str) -> dict[str, Any]:
    names = {"strategy_id": strategy_id, "fund_id": "f1"}
    return names | {"kind": "webhook", "symbols": ["AAA"], "params": {}}


def sent(strategy_id: str, number: int, weight: float) -> Signal:
    own = signal(AAA, weight).with_(strategy=strategy_id, created_at=NOW)
    return own.with_(signal_id=f"{strategy_id}-{number}")


async def test_a_signal_whose_order_the_oms_refuses_holds_up_its_own_strategy_alone(
    tmp_path: Path,
) -> None:
    oms = OmsOfTwo()
    oms.refuses = True
    async with open_office(tmp_path, fund_settings(hook("first"), hook("second")), oms) as office:
        await office.bar()
        await office.send(sent("first", 1, 0.5))
        await office.send(sent("first", 2, 0.1))
        await office.send(sent("second", 1, 0.5))
        await eventually(traded(office, "second"))
        assert not traded(office, "first")()
        oms.refuses = False
        await office.decided(3)
        own = [order for order in oms.taken.values() if order.strategy_id == "first"]
        assert [order.quantity for order in own] == [500, 400]  # in the order of their coming


class OmsThatHolds(OmsOnTheBus):
    """Hold 100 shares for the strategy."""

    async def book(self, data: bytes) -> bytes:
        reply = BookReply.model_validate_json(await super().book(data))
        held = Position(symbol=AAA, quantity=Decimal(100))
        return reply.model_copy(update={"positions": (held,)}).model_dump_json().encode()


@pytest.mark.parametrize("others", [(), (rule("second") | {"symbols": ["BBB"]},)])
@pytest.mark.parametrize("halted", [True, False])
async def test_a_halted_fund_that_trades_signals_leaves_its_positions(
    tmp_path: Path, others: tuple[dict[str, Any], ...], halted: bool
) -> None:
    oms = OmsThatHolds()
    async with open_office(tmp_path, fund_settings(hook("hook"), *others), oms) as office:
        assert office.service is not None
        in_force = halt(reduce_only=True) if halted else None
        office.service._runner._halt_of = lambda fund, strategy: in_force
        await minutes(office, "100")
        live = office.service._live_bars
        assert live is not None
        await eventually(lambda: live._acted.get("hook") == NOW)
        left = [(order.side, order.quantity, order.reduce_only) for order in oms.taken.values()]
        assert left == ([(Side.SELL, 100, True)] if halted else [])


def order(order_id: str, quantity: int, parent: str | None = None) -> Order:
    return Order.model_validate(
        {
            "order_id": order_id,
            "idempotency_key": order_id,
            "symbol": "AAA",
            "side": Side.BUY,
            "quantity": Decimal(quantity),
            "order_type": "market",
            "fund_id": "f1",
            "strategy_id": "first",
            "broker": "paper",
            "actor": "test",
            "created_at": START,
            "parent_order_id": parent,
        }
    )


def test_what_works_of_an_algorithm_counts_once() -> None:
    parent, child = order("p", 1000), order("c", 100, parent="p")
    book = StrategyBook.of("first", BookReply(), [parent, child])
    assert book.exposure(DESK_AAA) == 1000
    # Once the parent is over, what its child may still fill is all there is.
    assert StrategyBook.of("first", BookReply(), [child]).exposure(DESK_AAA) == 100


class OmsThatFills(OmsOfTwo):
    """Fill the one working order as soon as anything has been read of it."""

    reads = 0
    fills_after = 1

    def _filled(self) -> bool:
        self.reads += 1
        return self.reads > self.fills_after

    async def book(self, data: bytes) -> bytes:
        reply = BookReply.model_validate_json(await super().book(data))
        held = Position(symbol=Symbol("AAA"), quantity=Decimal(100))
        positions = (held,) if self._filled() else ()
        return reply.model_copy(update={"positions": positions}).model_dump_json().encode()

    async def orders(self, data: bytes) -> bytes:
        working = () if self._filled() else (order("o", 100),)
        return OrdersReply(orders=working).model_dump_json().encode()


@pytest.mark.parametrize("fills_after", range(5))
async def test_a_fill_while_the_book_is_read_counts_once(tmp_path: Path, fills_after: int) -> None:
    oms = OmsThatFills()
    oms.fills_after = fills_after
    async with open_office(tmp_path, fund_settings(rule("first")), oms) as office:
        assert office.service is not None
        book = await office.service._read_book("f1", "first")
        assert book.exposure(AAA) == 100


@pytest.mark.parametrize("fault", ["the id of another bar", "one symbol twice"])
async def test_a_strategy_whose_signals_share_an_id_leaves_the_others_at_work(
    office: Office, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    sound = RuleStrategy.generate_intents

    def generate(self: RuleStrategy, view: Any) -> Any:
        signals = sound(self, view)
        if self.strategy_id == "second":
            return signals
        if fault == "one symbol twice":
            return signals * 2
        return [one.with_(signal_id="always") for one in signals]

    monkeypatch.setattr(RuleStrategy, "generate_intents", generate)
    await minutes(office, "100")
    await eventually(lambda: office.service is not None and office.service._history.knows(AAA))
    for number, close in enumerate(["101", "100", "102", "103"], start=1):
        at = NOW + number * MINUTE
        office.clock.advance_to(at + timedelta(seconds=1))
        office.oms.struck = at
        await office.publish(close, AAA, at=at)
        assert office.service is not None
        live = office.service._live_bars
        assert live is not None
        await eventually(lambda live=live, at=at: live._acted.get("second") == at)  # type: ignore[misc]
    decided = [one for one in await office.decisions() if one.strategy_id == "first"]
    assert len(decided) == (1 if fault == "the id of another bar" else 0)
    assert not traded(office, "first")()
