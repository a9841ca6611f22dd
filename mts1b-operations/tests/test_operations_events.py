"""Every durable event of the order path becomes an audit entry, with the evidence in it."""

from __future__ import annotations

from pathlib import Path

from mts1b_foundation import nats
from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.commands import ResolveOrder
from mts1b_foundation.orders import CorrectionKind, FillCorrection, OrderStatus
from mts1b_operations.events import AUDITED, record_of
from mts1b_platform.pump import Event
from operations_world import World, day, fill, order

REPLAY = frozenset(
    subject for subject in nats.SUBJECTS if ".replay." in subject or ".state." in subject
)


def event(subject: str, payload: object) -> Event:
    return Event(subject, subject, None, payload, "m", "OMS", 1)  # type: ignore[arg-type]


def test_what_orders_and_risk_tell_durably_is_audited() -> None:
    told = {
        spec.subject
        for spec in nats.SUBJECTS.values()
        if spec.stream in {"OMS", "RISK"} and spec.durability is nats.Durability.DURABLE
    }
    assert told - REPLAY - set(AUDITED) == set()


def test_a_resolution_is_audited_with_who_signed_it() -> None:
    request = ResolveOrder(
        order_id="o-1",
        order_version=3,
        resolution="never_arrived",
        filled_quantity=0,
        reason="the venue's desk says so",
        signed_by="operator:ann",
        requested_at=day(1),
        key_id="key",
        signature="5ec2e7",
    )

    record = record_of(event(nats.OMS_ORDERS_RESOLVED, request))

    assert (record.action, record.subject_id, record.timestamp) == ("order_resolved", "o-1", day(1))
    assert (record.data["signed_by"], record.data["signature"]) == ("operator:ann", "5ec2e7")


def test_an_adjustment_is_audited_with_who_signed_it() -> None:
    one = AdjustBooks(
        adjustment_id="a-1",
        kind="dividend",
        fund_id="alpha",
        strategy_id="trend",
        cash_usd="12.5",
        reason="statement",
        signed_by="operator:ann",
        requested_at=day(1),
        signature="5ec2e7",
    )

    record = record_of(event(nats.OMS_BOOKS_ADJUSTED, one))

    assert (record.action, record.subject_id) == ("books_adjusted", "a-1")
    assert (record.data["signed_by"], record.data["signature"]) == ("operator:ann", "5ec2e7")
    assert record.data["cash_usd"] == "12.5"


def test_a_bust_is_audited_under_its_order() -> None:
    bust = FillCorrection(
        correction_id="c-1",
        fill_id="f-1",
        order_id="o-1",
        kind=CorrectionKind.BUST,
        venue="paper",
        timestamp=day(2),
    )

    record = record_of(event(nats.OMS_FILLS_CORRECTED, bust))

    assert (record.action, record.subject_id) == ("fill_corrected", "o-1")
    assert record.data["fill_id"] == "f-1"


async def test_an_order_that_ends_filled_in_part_is_not_remembered(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.start()
    await world.publish(nats.OMS_FILLS_CREATED, fill(0, 3, "4"))
    await world.publish(nats.OMS_FILLS_CREATED, fill(1, 3, "4"))
    await world.publish(nats.OMS_ORDERS_CANCELED, order(0, OrderStatus.CANCELED))
    await world.tick(0)
    assert list(world.service._fill_times._last) == ["ord-1"]
    await world.stop()
