"""The gateway at the wire: what ends between admission and sending, and what it has noted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import (
    DenyCode,
    ExecutionMode,
    Order,
    OrderStatus,
    OrderType,
    RiskEnvelope,
    TimeInForce,
)
from mts1b_foundation.risk import ActiveHalt, HaltSeverity
from mts1b_oms.gateway import Gateway
from mts1b_oms.outcomes import CouldNotLook, Fenced, NeverSeen, Refused, Sent, Silent
from mts1b_platform.signing import Ed25519Signer, Ed25519Verifier
from oms_risk import SEED


def approve(desk: Any, order: Order) -> Any:
    return desk.risk._mint.approve(
        order,
        RiskEnvelope(envelope_id="e", fund_id=order.fund_id, nav_usd=Decimal(1)),
        decision_id=order.order_id,
        attempt=1,
        reference_price=Decimal(100),
        epoch=desk.halts.state().epoch,
        now=desk.clock.now(),
    )


def resting(order: Any, key: str = "k-1", **changes: Any) -> Order:
    terms = {"order_type": OrderType.LIMIT, "limit_price": Decimal(50), "tif": TimeInForce.GTC}
    return order(key, **(terms | changes))


async def send(desk: Any, admitted: Any) -> Any:
    return await desk.gateway.send(admitted)


async def replace(desk: Any, admitted: Any) -> Any:
    return await desk.gateway.replace(admitted.order, admitted)


WAYS = pytest.mark.parametrize("act", [send, replace])


@WAYS
@pytest.mark.parametrize(("waited", "age_s"), [(0.5, 1.5), (2.0, 0.0)])
async def test_an_approval_that_ends_by_either_clock_is_not_acted_on(
    new_desk: Any, order: Any, act: Any, waited: float, age_s: float
) -> None:
    """At its end it has ended: two seconds since it was asked for, or since it was given."""
    desk = await new_desk()
    one = resting(order)
    approval = approve(desk, one)
    admitted = desk.gateway.admit(one, approval, age_s=age_s)
    desk.clock.advance(waited)
    stopped = await act(desk, admitted)
    assert isinstance(stopped, Fenced)
    assert stopped.code == DenyCode.APPROVAL_INVALID
    assert desk.venue.submitted == []


@WAYS
async def test_an_approval_given_long_before_it_was_asked_for_ends_by_the_wall_clock(
    new_desk: Any, order: Any, act: Any
) -> None:
    desk = await new_desk()
    one = resting(order)
    approval = approve(desk, one)
    desk.clock.advance(1.5)
    admitted = desk.gateway.admit(one, approval, age_s=0.0)
    desk.clock.advance(0.5)
    assert isinstance(await act(desk, admitted), Fenced)


async def test_a_moment_before_its_end_an_approval_is_good(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    one = resting(order)
    admitted = desk.gateway.admit(one, approve(desk, one), age_s=1.4)
    desk.clock.advance(0.5)
    assert isinstance(await desk.gateway.send(admitted), Sent)


@WAYS
async def test_a_halt_between_admission_and_act_stops_both(
    new_desk: Any, order: Any, act: Any
) -> None:
    desk = await new_desk()
    one = resting(order)
    admitted = desk.gateway.admit(one, approve(desk, one))
    desk.halts.apply(
        ActiveHalt(
            halt_id="h",
            scope="fund:alpha",
            severity=HaltSeverity.FUND_HALT,
            reason="drill",
            requested_by="operator:ann",
            requested_at=desk.clock.now(),
            epoch=1,
        )
    )
    stopped = await act(desk, admitted)
    assert isinstance(stopped, Fenced)
    assert stopped.code == DenyCode.FUND_HALTED
    desk.halts.lift("fund:alpha")
    later = await act(desk, admitted)
    assert isinstance(later, Fenced)
    assert later.code == DenyCode.EPOCH_CHANGED
    assert desk.venue.submitted == []


@pytest.mark.parametrize("error", [None, TimeoutError("504")])
async def test_an_act_counts_from_its_beginning_to_its_end(
    new_desk: Any, order: Any, error: Exception | None
) -> None:
    """A venue that answers after half a minute may show the order as late after that."""
    desk = await new_desk(lag_s=10.0)
    one = resting(order)
    touched: list[bool] = []
    submit = desk.venue.submit

    async def slow(sent: Order) -> Order:
        touched.append(desk.gateway.is_untouched(sent.order_id))
        desk.clock.advance(1.0)
        theirs: Order = await submit(sent)
        desk.clock.advance(30.0)
        if error is not None:
            raise error
        return theirs

    desk.venue.submit = slow
    assert desk.gateway.is_untouched(one.order_id)
    answer = await desk.gateway.send(desk.gateway.admit(one, approve(desk, one)))
    assert isinstance(answer, Silent if error else Sent)
    assert touched == [False]
    assert not desk.gateway.shows_all_of(one.order_id)
    desk.clock.advance(10.0)
    assert desk.gateway.shows_all_of(one.order_id)


class Plain:
    """A venue that can do no more than it must, and says nothing of itself."""

    name = "paper"

    def __init__(self) -> None:
        self.submitted: list[Order] = []

    async def submit(self, order: Order) -> Order:
        self.submitted.append(order)
        return order

    async def cancel(self, order_id: str) -> bool:
        return True

    async def get_open_orders(self) -> list[Order]:
        return []

    async def get_positions(self) -> list[Any]:
        return []

    def stream_fills(self) -> Any:
        raise NotImplementedError


async def test_a_venue_without_a_card_is_trusted_with_nothing(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    venue: Any = Plain()
    gateway = Gateway(
        venue=venue,
        verifier=Ed25519Verifier([Ed25519Signer(SEED).public]),
        halts=desk.halts,
        clock=desk.clock,
        mode=ExecutionMode.PAPER,
    )
    one = resting(order)
    admitted: Any = gateway.admit(one, approve(desk, one))
    assert (gateway.can_replace, gateway.answers_by_key) == (False, False)
    refused = await gateway.replace(one, admitted)
    assert isinstance(refused, Refused)
    assert refused.code == "UNSUPPORTED"
    assert venue.submitted == []
    assert isinstance(await gateway.send(admitted), Sent)
    assert isinstance(await gateway.find(one), CouldNotLook)
    desk.clock.advance(29.0)
    assert not gateway.shows_all_of(one.order_id)
    desk.clock.advance(1.0)
    assert gateway.shows_all_of(one.order_id)


async def test_what_the_venue_lists_open_or_has_filled_is_not_absent(
    new_desk: Any, order: Any
) -> None:
    """The query by key finds nothing; the other two kinds of evidence are asked all the same."""
    desk = await new_desk()
    one = resting(order)
    assert isinstance(await desk.gateway.find(one), NeverSeen)
    await desk.gateway.send(desk.gateway.admit(one, approve(desk, one)))
    by_key, listed = desk.venue.get_order_by_key, desk.venue.get_open_orders

    async def nothing(key: str) -> None:
        return None

    async def none() -> list[Order]:
        return []

    desk.venue.get_order_by_key = nothing
    assert isinstance(await desk.gateway.find(one), Sent)
    desk.venue.get_open_orders = none
    assert isinstance(await desk.gateway.find(one), NeverSeen)
    desk.venue.get_order_by_key, desk.venue.get_open_orders = by_key, listed
    await desk.venue.paper.overfill(one.order_id, quantity=Decimal(10), price=Decimal(50))
    desk.venue.get_order_by_key, desk.venue.get_open_orders = nothing, none
    found = await desk.gateway.find(one)
    assert isinstance(found, CouldNotLook)
    assert "booked first" in found.reason


@pytest.mark.parametrize(
    ("told", "code", "reason"),
    [
        ({"rejected_code": "MARGIN", "rejected_reason": "too little"}, "MARGIN", "too little"),
        ({}, DenyCode.VENUE_REFUSED, "the venue gave no reason"),
    ],
)
async def test_a_refusal_by_answer_says_what_the_venue_says(
    new_desk: Any, order: Any, told: dict[str, str], code: str, reason: str
) -> None:
    desk = await new_desk()

    async def refusing(sent: Order) -> Order:
        return sent.with_(status=OrderStatus.REJECTED, **told)

    desk.venue.submit = refusing
    done = await desk.orders.submit(resting(order))
    assert (done.status, done.rejected_code, done.rejected_reason) == (
        OrderStatus.REJECTED,
        code,
        reason,
    )


async def test_silence_for_want_of_sense_names_what_differs(new_desk: Any, order: Any) -> None:
    desk = await new_desk()

    async def confused(sent: Order) -> Order:
        return sent.with_(quantity=Decimal(11))

    desk.venue.submit = confused
    one = resting(order)
    answer = await desk.gateway.send(desk.gateway.admit(one, approve(desk, one)))
    assert isinstance(answer, Silent)
    assert "quantity Decimal('11') for Decimal('10')" in answer.reason


async def test_absence_is_proved_only_after_the_venue_must_have_shown_it(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk(lag_s=10.0)
    one = resting(order)
    desk.venue.script = [ConnectionError("reset")]
    sent_at = desk.clock.now()
    answer = await desk.gateway.send(desk.gateway.admit(one, approve(desk, one)))
    assert isinstance(answer, Silent)
    desk.clock.advance(10.0)
    assert isinstance(await desk.gateway.find(one, sent_at=sent_at), CouldNotLook)
    desk.clock.advance(0.1)
    assert isinstance(await desk.gateway.find(one, sent_at=sent_at), NeverSeen)
