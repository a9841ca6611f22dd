"""The engine: one decision per order, reservations under concurrency, rollback, restart."""

import asyncio
import tempfile
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation import DenyCode, OrderRejection, OrderStatus, RiskDecision, Side, Symbol
from mts1b_foundation.nats import (
    RISK_GATE_FAILED,
    RISK_ORDERS_APPROVED,
    RISK_ORDERS_DENIED,
    with_fund,
)
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import HaltStore
from mts1b_platform.latency import StageLatency
from mts1b_platform.signing import HmacSigner
from mts1b_platform.store import Store
from mts1b_platform.store import tables as platform_tables
from mts1b_riskengine import (
    HaltRecord,
    ReservationInUse,
    RiskBook,
    RiskEngine,
    default_gates,
    metadata,
)
from mts1b_riskengine.digest import economic_digest
from mts1b_riskengine.positions import UNASSIGNED
from riskengine_desk import (
    AT,
    FUND,
    Desk,
    MakeDesk,
    make_bar,
    make_envelope,
    make_halt,
    make_order,
)


async def events(desk: Desk) -> list[tuple[str, bytes]]:
    outbox = platform_tables.outbox
    async with desk.store.read() as connection:
        rows = await connection.execute(sa.select(outbox).order_by(outbox.c.position))
        found = [(row.subject, row.payload) for row in rows]
    return [item for item in found if "envelope" not in item[0]]


def line(desk: Desk, strategy: str = "trend", symbol: str = "AAPL") -> tuple[str, str, str]:
    held = desk.book.positions.of_fund(FUND).get((strategy, Symbol(symbol)))
    assert held is not None
    return str(held.quantity), str(held.open_buy), str(held.open_sell)


async def test_an_approval_is_recorded_with_its_event(desk: Desk) -> None:
    decision = await desk.engine.check(make_order())
    ((subject, payload),) = await events(desk)
    assert subject == with_fund(RISK_ORDERS_APPROVED, FUND)
    assert RiskDecision.model_validate_json(payload) == decision


async def test_a_denial_is_recorded_with_the_gate_the_limit_and_the_value(desk: Desk) -> None:
    decision = await desk.engine.check(make_order(quantity=Decimal(501)))
    (denied, payload), (failed, rejection) = await events(desk)
    assert denied == with_fund(RISK_ORDERS_DENIED, FUND)
    assert RiskDecision.model_validate_json(payload) == decision
    assert failed == with_fund(RISK_GATE_FAILED, FUND)
    told = OrderRejection.model_validate_json(rejection)
    assert (told.gate, told.code) == ("position_risk", DenyCode.MAX_POSITION_PCT)
    assert (told.limit, told.value) == ("50000.0", "50100")
    assert "50100" in decision.reason
    assert "50000.0" in decision.reason


async def test_the_same_order_gets_the_same_answer_and_one_event(desk: Desk) -> None:
    order = make_order()
    first = await desk.engine.check(order)
    again = await desk.engine.check(order.with_(status=OrderStatus.PENDING_RISK, version=1))
    assert again == first
    assert line(desk) == ("0", "10", "0")
    assert len(await events(desk)) == 1


async def test_a_denial_is_final(desk: Desk) -> None:
    desk.halts.apply(make_halt())
    denied = await desk.engine.check(make_order())
    desk.halts.lift("fund:alpha")
    assert await desk.engine.check(make_order()) == denied


async def test_no_envelope_no_order(desk: Desk) -> None:
    decision = await desk.engine.check(make_order(fund_id="gamma"))
    assert (decision.rejecting_gate, decision.code) == ("envelope", DenyCode.NO_ENVELOPE)


async def test_an_expired_approval_is_signed_anew_for_an_order_that_was_not_sent(
    desk: Desk,
) -> None:
    order = make_order()
    first = (await desk.engine.check(order)).approval
    desk.clock.advance(2)
    second = (await desk.engine.check(order)).approval
    assert first is not None
    assert second is not None
    assert second.nonce != first.nonce
    assert second.approval_id != first.approval_id
    assert second.reservation_id == first.reservation_id
    assert line(desk) == ("0", "10", "0")
    assert len(await events(desk)) == 2


async def test_an_approval_of_before_a_halt_or_another_envelope_is_judged_anew(
    desk: Desk,
) -> None:
    order = make_order()
    first = (await desk.engine.check(order)).approval
    assert first is not None
    await desk.engine.update_envelope(make_envelope(version=2))
    second = (await desk.engine.check(order)).approval
    assert second is not None
    assert (first.envelope_version, second.envelope_version) == (1, 2)
    desk.halts.apply(make_halt())
    assert (await desk.engine.check(order)).code == DenyCode.FUND_HALTED
    # It may be on its way already: only the OMS's word releases what it reserved.
    assert line(desk) == ("0", "10", "0")
    await desk.end(order, OrderStatus.REJECTED)
    assert line(desk) == ("0", "0", "0")


async def test_an_order_judged_anew_does_not_count_itself(make_desk: MakeDesk) -> None:
    desk = await make_desk(envelope=make_envelope(max_position_pct=0.1))
    order = make_order(quantity=Decimal(100))
    assert (await desk.engine.check(order)).approved
    desk.clock.advance(5)
    assert (await desk.engine.check(order)).approved


async def test_a_sent_or_finished_order_keeps_its_recorded_decision(desk: Desk) -> None:
    sent, finished = make_order(1), make_order(2)
    decisions = [await desk.engine.check(order) for order in (sent, finished)]
    await desk.feed(sent.with_(status=OrderStatus.SUBMITTED))
    await desk.end(finished, OrderStatus.CANCELED)
    desk.clock.advance(60)
    assert [await desk.engine.check(order) for order in (sent, finished)] == decisions


# --- reservations


async def test_fills_turn_reserved_units_into_positions(desk: Desk) -> None:
    order = make_order()
    await desk.engine.check(order)
    await desk.fill(order, "4")
    assert line(desk) == ("4", "6", "0")
    await desk.fill(order, "6")
    assert line(desk) == ("10", "0", "0")
    assert desk.book.reservations.open_ids() == []


async def test_a_cancel_releases_what_did_not_fill(desk: Desk) -> None:
    order = make_order()
    await desk.engine.check(order)
    await desk.fill(order, "4")
    await desk.end(order, OrderStatus.CANCELED, filled="4")
    assert line(desk) == ("4", "0", "0")


async def test_a_fill_that_is_still_to_come_stays_reserved_after_the_end(desk: Desk) -> None:
    order = make_order()
    await desk.engine.check(order)
    await desk.end(order, OrderStatus.CANCELED, filled="4")
    assert line(desk) == ("0", "4", "0")
    await desk.fill(order, "4")
    assert line(desk) == ("4", "0", "0")


async def test_an_unknown_order_keeps_its_reservation(desk: Desk) -> None:
    order = make_order()
    await desk.engine.check(order)
    await desk.feed(order.with_(status=OrderStatus.UNKNOWN))
    desk.clock.advance(1_000_000)
    assert line(desk) == ("0", "10", "0")


async def test_an_execution_counts_once_whatever_the_bus_delivers(desk: Desk) -> None:
    order = make_order()
    await desk.engine.check(order)
    await desk.fill(order, "4")
    await desk.fill(order, "4")
    assert line(desk) == ("4", "6", "0")


async def test_a_late_overfill_is_booked_and_reserves_nothing(desk: Desk) -> None:
    order = make_order()
    await desk.engine.check(order)
    await desk.fill(order)
    await desk.end(order, OrderStatus.FILLED, filled="10")
    await desk.fill(order, "3")
    assert line(desk) == ("13", "0", "0")


async def test_a_live_order_that_risk_never_approved_counts_too(desk: Desk) -> None:
    stray = make_order("stray")
    await desk.fill(stray, "3")
    await desk.feed(stray.with_(status=OrderStatus.ACCEPTED, filled_quantity=Decimal(3)))
    assert line(desk) == ("3", "7", "0")
    await desk.feed(make_order("never").with_(status=OrderStatus.REJECTED))
    await desk.feed(make_order("parent").with_(status=OrderStatus.ACCEPTED, accepted_at=AT))
    assert desk.book.reservations.open_ids() == ["o-stray"]
    await desk.feed(make_order("idle").with_(status=OrderStatus.ACCEPTED))
    with pytest.raises(ReservationInUse):
        await desk.engine.release("o-idle")


async def test_a_stray_sale_counts_over_a_restart_and_is_not_given_back(
    make_desk: MakeDesk,
) -> None:
    desk = await make_desk()
    stray = make_order("stray", side=Side.SELL)
    await desk.feed(make_order("asked", status=OrderStatus.PENDING_RISK))
    await desk.fill(stray, "3")
    await desk.feed(stray.with_(status=OrderStatus.ACCEPTED, submitted_at=AT, version=2))
    for _ in range(2):
        assert line(desk) == ("-3", "0", "7")
        assert desk.book.reservations.open_ids() == ["o-stray"]
        with pytest.raises(ReservationInUse):
            await desk.engine.release("o-stray")
        await desk.store.close()
        desk = await make_desk(prices=False)


async def test_what_is_filled_reserves_nothing_after_a_restart(make_desk: MakeDesk) -> None:
    desk, order = await make_desk(), make_order()
    assert (await desk.engine.check(order)).approved
    await desk.fill(order)
    await desk.store.close()
    again = await make_desk(prices=False)
    assert again.book.reservations.open_ids() == []


async def test_a_stray_order_of_which_nobody_knows_whether_it_arrived_counts(desk: Desk) -> None:
    """It was neither sent nor accepted on record, and is no parent for that."""
    await desk.feed(make_order("stray", status=OrderStatus.UNKNOWN))
    assert line(desk) == ("0", "10", "0")


async def test_an_order_whose_fill_came_first_is_not_given_back(desk: Desk) -> None:
    """Fills can overtake the event that tells of the sending."""
    order = make_order()
    await desk.engine.check(order)
    await desk.fill(order, "4")
    with pytest.raises(ReservationInUse, match="6 may still fill"):
        await desk.engine.release(order.order_id)
    assert line(desk) == ("4", "6", "0")


async def test_nothing_is_agreed_on_an_order_that_holds_nothing(desk: Desk) -> None:
    assert not await desk.engine.agree("nobody", None, asked_at=desk.clock.monotonic())


async def test_a_fill_of_nobody_is_booked_to_nobody(desk: Desk) -> None:
    from mts1b_foundation import Fill

    await desk.feed(
        Fill(
            fill_id="f-x",
            order_id="o-x",
            symbol=Symbol("AAPL"),
            side=Side.SELL,
            quantity=Decimal(2),
            price=Decimal(100),
            venue="paper",
            timestamp=AT,
        )
    )
    held = desk.book.positions.of_fund(UNASSIGNED).get((UNASSIGNED, Symbol("AAPL")))
    assert held is not None
    assert held.quantity == -2


async def test_a_checked_order_that_is_not_sent_can_be_given_back(desk: Desk) -> None:
    order = make_order()
    await desk.engine.check(order)
    assert await desk.engine.release(order.order_id)
    assert not await desk.engine.release(order.order_id)
    assert line(desk) == ("0", "0", "0")
    await desk.engine.check(make_order(2))
    await desk.feed(make_order(2, status=OrderStatus.SUBMITTED))
    with pytest.raises(ReservationInUse, match="cancel it"):
        await desk.engine.release("o-2")


@given(
    quantities=st.lists(st.integers(1, 60), min_size=2, max_size=16),
    sides=st.lists(st.sampled_from([Side.BUY, Side.SELL]), min_size=16, max_size=16),
    start=st.integers(-80, 80),
    turns=st.permutations(range(16)),
)
@settings(max_examples=25, deadline=None)
def test_no_interleaving_of_checks_overshoots_a_cap(
    quantities: list[int], sides: list[Side], start: int, turns: list[int]
) -> None:
    async def scenario(home: Path) -> None:
        clock = VirtualClock(AT)
        store = await Store.open(home / "r.sqlite", metadata=metadata, name="riskengine")
        halts = HaltRecord(HaltStore(home / "halt"))
        gates = [gate for gate in default_gates() if gate.name != "short_side"]
        engine = RiskEngine(
            store,
            book=RiskBook(store, clock=clock),
            signer=HmacSigner(b"k" * 32),
            halts=halts,
            clock=clock,
            gates=gates,
        )
        await engine.start()
        await engine.seed_envelope(make_envelope(max_position_pct=0.1, max_gross_exposure_pct=0.1))
        desk = Desk(home, clock, store, HaltStore(home / "halt"), engine, None)  # type: ignore[arg-type]
        await desk.feed(make_bar("AAPL"))
        if start:
            await desk.hold(str(start))
        orders = [
            make_order(i, quantity=Decimal(quantity), side=sides[i])
            for i, quantity in enumerate(quantities)
        ]
        orders.sort(key=lambda order: turns[int(order.order_id[2:])])
        decisions = await asyncio.gather(*(engine.check(order) for order in orders))
        approved = [o for o, d in zip(orders, decisions, strict=True) if d.approved]
        buys = sum((o.quantity for o in approved if o.side is Side.BUY), Decimal(0))
        sells = sum((o.quantity for o in approved if o.side is Side.SELL), Decimal(0))
        assert max(abs(start + buys), abs(start - sells)) <= 100
        held = engine.book.positions.of_fund(FUND).get(("trend", Symbol("AAPL")))
        assert held is not None or not approved
        if held is not None:
            assert (held.quantity, held.open_buy, held.open_sell) == (start, buys, sells)
        await store.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(scenario(Path(folder)))


# --- rollback and restart


async def test_memory_does_not_run_ahead_of_a_transaction_that_failed(desk: Desk) -> None:
    order = make_order()
    await desk.engine.check(order)
    with pytest.raises(ZeroDivisionError):
        async with desk.store.transaction() as tx:
            await desk.book.sync(tx)
            await desk.book.reservations.release(tx, order.order_id)
            await desk.book.positions.set_mark(tx, make_bar(close="1"))
            raise ZeroDivisionError
    await desk.engine.check(make_order(2))
    assert line(desk) == ("0", "20", "0")
    assert desk.book.positions.marks[Symbol("AAPL")].price == 100


async def test_a_restart_loses_nothing(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.hold("7")
    first = await desk.engine.check(make_order(1))
    sell = make_order(2, side=Side.SELL, quantity=Decimal(3))
    await desk.engine.check(sell)
    await desk.fill(sell, "1")
    held = line(desk)
    digest = await economic_digest(desk.store)
    await desk.store.close()
    again = await make_desk(prices=False)
    assert line(again) == held == ("6", "10", "2")
    assert await again.engine.check(make_order(1)) == first
    assert await economic_digest(again.store) == digest


async def test_the_digest_ignores_attempts_and_sees_decisions(
    make_desk: MakeDesk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    digests = []
    for ask_again, quantity in ((False, 10), (True, 10), (False, 11)):
        desk = await make_desk(home=tmp_path_factory.mktemp("home"))
        order = make_order(quantity=Decimal(quantity))
        await desk.engine.check(order)
        if ask_again:
            desk.clock.advance(10)
            await desk.engine.check(order)
        digests.append(await economic_digest(desk.store))
    assert digests[0] == digests[1]
    assert digests[0][0] != digests[2][0]
    assert digests[0][1]["decisions"] == 1


async def test_latency_is_told_per_stage_and_gate(make_desk: MakeDesk) -> None:
    latency = StageLatency()
    desk = await make_desk(latency=latency)
    await desk.engine.check(make_order())
    stages = latency.summary()
    assert stages["risk.check"]["count"] == 1
    assert {f"risk.gate.{name}" for name in desk.engine.gate_names} <= set(stages)
