"""Orders in doubt that people resolve: signed, of one version, and booked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import Fill, Order, OrderStatus
from mts1b_foundation.commands import Resolution, ResolveOrder
from mts1b_oms.errors import ResolutionRefused, UnknownOrder
from mts1b_oms.resolve import Resolver, sign_resolution
from mts1b_oms.tables.books import BookedFill
from mts1b_oms.tables.corrections import corrections_of
from mts1b_platform.rng import SeededRng
from mts1b_platform.signing import KeyRing

LOST = ConnectionError("reset before anything arrived")
TOLD = ("told-0", "told-1")


class TestResolution:
    """`mts oms resolve`."""

    async def lost(self, desk: Any, order: Any) -> Order:
        desk.venue.script = [LOST]
        desk.venue.deaf = True
        found: Order = await desk.orders.submit(order())
        return found

    def keys(self, desk: Any) -> KeyRing:
        ring = KeyRing(desk.home / "keys", SeededRng(5))
        ring.create("operator-ann")
        return ring

    def request(self, order: Order, **changes: Any) -> ResolveOrder:
        words: dict[str, Any] = {
            "order_id": order.order_id,
            "order_version": order.version,
            "resolution": Resolution.NEVER_ARRIVED,
            "filled_quantity": Decimal(0),
            "reason": "the venue's desk has never seen it",
            "signed_by": "operator:ann",
            "requested_at": datetime(2020, 1, 2, tzinfo=UTC),
        }
        return ResolveOrder(**(words | changes))

    async def test_each_resolution(self, new_desk: Any, order: Any) -> None:
        for number, (change, status, filled) in enumerate(
            (
                ({}, OrderStatus.REJECTED, 0),
                ({"resolution": Resolution.CANCELED}, OrderStatus.CANCELED, 0),
                (
                    {"resolution": "canceled", "filled_quantity": 4, "average_price": 101},
                    OrderStatus.CANCELED,
                    4,
                ),
                (
                    {"resolution": "filled", "filled_quantity": 10, "average_price": 101},
                    OrderStatus.FILLED,
                    10,
                ),
            )
        ):
            desk = await new_desk(f"home{number}")
            lost = await self.lost(desk, order)
            ring = self.keys(desk)
            signed = sign_resolution(ring, self.request(lost, **change))
            done = await Resolver(desk.orders, ring).resolve(signed)
            assert (done.status, done.filled_quantity) == (status, filled)
            held = desk.record.ledger.quantities().get(order().symbol, Decimal(0))
            assert held == filled
            assert "orders.resolved" in await desk.verbs()
            with pytest.raises(ResolutionRefused, match="only an order in doubt"):
                await Resolver(desk.orders, ring).resolve(signed)

    async def test_a_late_execution_is_booked_all_the_same(self, new_desk: Any, order: Any) -> None:
        desk = await new_desk()
        lost = await self.lost(desk, order)
        ring = self.keys(desk)
        signed = sign_resolution(ring, self.request(lost, resolution=Resolution.CANCELED))
        await Resolver(desk.orders, ring).resolve(signed)
        desk.venue.deaf = False
        desk.venue.late = [
            Fill(
                fill_id="late-1",
                order_id=lost.order_id,
                symbol=lost.symbol,
                side=lost.side,
                quantity=Decimal(10),
                price=Decimal(99),
                venue="paper",
                timestamp=desk.clock.now(),
            )
        ]
        await desk.sync.collect()
        done = await desk.record.order(lost.order_id)
        assert (done.status, done.filled_quantity) == (OrderStatus.FILLED, 10)

    async def stated(self, desk: Any, order: Any, **found: Any) -> Order:
        lost = await self.lost(desk, order)
        ring = self.keys(desk)
        signed = sign_resolution(ring, self.request(lost, average_price=Decimal(101), **found))
        desk.venue.deaf = False
        return await Resolver(desk.orders, ring).resolve(signed)

    async def tell(self, desk: Any, order: Order, *parts: tuple[str, str]) -> Order:
        desk.venue.late = [
            Fill(
                fill_id=f"told-{number}",
                order_id=order.order_id,
                symbol=order.symbol,
                side=order.side,
                quantity=Decimal(quantity),
                price=Decimal(price),
                fees=Decimal(1),
                venue="paper",
                timestamp=desk.clock.now() - timedelta(seconds=number),
            )
            for number, (quantity, price) in enumerate(parts)
        ]
        await desk.sync.collect()
        return await desk.record.order(order.order_id)  # type: ignore[no-any-return]

    async def booked(self, desk: Any, order: Order) -> list[BookedFill]:
        async with desk.record.unit() as unit:
            found: list[BookedFill] = await unit.fills_of(order.order_id)
        return found

    async def test_what_an_operator_stated_gives_way_to_what_the_venue_tells(
        self, new_desk: Any, order: Any
    ) -> None:
        desk = await new_desk()
        done = await self.stated(
            desk, order, resolution=Resolution.FILLED, filled_quantity=Decimal(10)
        )
        done = await self.tell(desk, done, ("4", "99"), ("6", "100"))
        assert (done.status, done.filled_quantity) == (OrderStatus.FILLED, 10)
        assert done.average_fill_price == Decimal("99.6")
        books = desk.record.ledger
        assert books.quantities()[done.symbol] == 10
        assert books.cash() - (await new_desk("other")).record.ledger.cash() == -998
        assert not desk.record.unhalted
        flags = {item.fill.fill_id: item.flags for item in await self.booked(desk, done)}
        assert [flags["told-0"], flags["told-1"]] == [(), ()]
        verbs = await desk.verbs()
        assert verbs.index("fills.created") < verbs.index("fills.corrected")
        async with desk.record.store.read() as tx:
            made = (await corrections_of(tx, [name for name in flags if name not in TOLD])).values()
        times = [one.timestamp for told in made for one in told]
        assert len(times) == 2
        assert times[0] < times[1], "whoever follows them takes the last one for the last"

    async def test_a_part_that_is_told_leaves_the_rest_as_it_was_stated(
        self, new_desk: Any, order: Any
    ) -> None:
        desk = await new_desk()
        done = await self.stated(
            desk, order, resolution=Resolution.CANCELED, filled_quantity=Decimal(6)
        )
        done = await self.tell(desk, done, ("4", "99"))
        assert (done.status, done.filled_quantity) == (OrderStatus.CANCELED, 6)
        assert desk.record.ledger.quantities()[done.symbol] == 6
        done = await self.tell(desk, done, ("4", "99"), ("3", "99"))
        assert (done.status, done.filled_quantity) == (OrderStatus.CANCELED, 7)
        assert desk.record.ledger.quantities()[done.symbol] == 7

    async def test_what_is_told_beyond_what_was_stated_and_ordered_is_too_much(
        self, new_desk: Any, order: Any
    ) -> None:
        desk = await new_desk()
        done = await self.stated(
            desk, order, resolution=Resolution.FILLED, filled_quantity=Decimal(10)
        )
        done = await self.tell(desk, done, ("10", "99"), ("1", "99"))
        assert desk.record.ledger.quantities()[done.symbol] == 11
        flags = {item.fill.fill_id: item.flags for item in await self.booked(desk, done)}
        assert (flags["told-0"], flags["told-1"]) == ((), ("overfill",))

    async def test_what_is_refused(self, new_desk: Any, order: Any) -> None:
        desk = await new_desk()
        lost = await self.lost(desk, order)
        ring = self.keys(desk)
        resolver = Resolver(desk.orders, ring)
        good = sign_resolution(ring, self.request(lost))
        bad: list[ResolveOrder] = [
            self.request(lost),
            good.with_(reason="another reason"),
            good.with_(signed_by="operator:bob"),
            sign_resolution(ring, self.request(lost, order_version=lost.version + 1)),
            sign_resolution(ring, self.request(lost, filled_quantity=Decimal(3))),
            sign_resolution(ring, self.request(lost, resolution=Resolution.FILLED)),
            sign_resolution(
                ring,
                self.request(lost, resolution=Resolution.CANCELED, filled_quantity=Decimal(3)),
            ),
        ]
        for request in bad:
            with pytest.raises(ResolutionRefused):
                await resolver.resolve(request)
        assert (await desk.record.order(lost.order_id)).status is OrderStatus.UNKNOWN
        stranger = sign_resolution(ring, self.request(lost, order_id="order-nothing"))
        with pytest.raises(UnknownOrder):
            await resolver.resolve(stranger)
        with pytest.raises(ResolutionRefused, match="no key"):
            sign_resolution(ring, self.request(lost, signed_by="operator:zoe"))
        assert (await resolver.resolve(good)).status is OrderStatus.REJECTED
