"""What the people at the paper venue can do to an account: for drills and tests."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from mts1b_foundation import Fill, Liquidity, Order
from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.orders import CorrectionKind, FillCorrection
from mts1b_platform.ids import derive_id

from mts1b_brokers.errors import BrokerRefused
from mts1b_brokers.paper.correcting import Restatement, correct, order_after
from mts1b_brokers.paper.moving import move
from mts1b_brokers.paper.session import PaperSession
from mts1b_brokers.paper.state import Draft
from mts1b_brokers.paper.venue import PaperVenue

__all__ = ["VenueDesk"]


class VenueDesk(PaperSession):
    """Acts of the venue's own people. They need no message and work in maintenance too.

    All of them raise ``BrokerRefused`` for an id that the venue does not know.
    """

    async def bust(self, fill_id: str, reason: str = "") -> FillCorrection:
        """Take an execution back whole: quantity, money and fees.

        An open order gets its quantity back; one that had ended stays ended.
        """
        return await self._correct(fill_id, Restatement(CorrectionKind.BUST, reason))

    async def amend(
        self,
        fill_id: str,
        *,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
        reason: str = "",
    ) -> FillCorrection:
        """State an execution's quantity and price anew; its fees stay."""
        new = Restatement(CorrectionKind.AMEND, reason, quantity=quantity, price=price)
        return await self._correct(fill_id, new)

    async def fee(self, fill_id: str, *, fees: Decimal, reason: str = "") -> FillCorrection:
        """State an execution's fees anew."""
        return await self._correct(fill_id, Restatement(CorrectionKind.FEE, reason, fees=fees))

    async def _correct(self, fill_id: str, new: Restatement) -> FillCorrection:
        return await self._act(
            lambda venue, now: correct(venue.state, fill_id, new, now=now, venue=self.name)
        )

    async def play_adjustment(self, one: AdjustBooks) -> AdjustBooks:
        """Move money or stock of the account without an order, as a bank or an issuer does.

        Once for each id. A split ends what is open in its symbol.

        :raises BrokerRefused: for an id that said something else, and for money that is not there.
        """
        return await self._act(lambda venue, now: move(venue.state, one, now=now, venue=self.name))

    async def external(self, order: Order) -> Order:
        """Take an order that a person placed by hand in the same account."""

        def decide(venue: PaperVenue, now: datetime) -> tuple[Order, Draft]:
            draft = Draft(venue.state)
            venue.require_takeable(order, now)
            return venue.take(order, now, draft), draft

        return await self._act(decide)

    async def overfill(self, order_id: str, *, quantity: Decimal, price: Decimal) -> Fill:
        """Execute ``quantity`` of an order whatever is open of it, also when it had ended.

        So an order is filled beyond its quantity, or after its cancel.
        """

        def decide(venue: PaperVenue, now: datetime) -> tuple[Fill, Draft]:
            return _overfill(venue, order_id, quantity, price, now)

        return await self._act(decide)


def _overfill(
    venue: PaperVenue, order_id: str, quantity: Decimal, price: Decimal, now: datetime
) -> tuple[Fill, Draft]:
    working = venue.find(order_id)
    if working is None:
        raise BrokerRefused(f"venue {venue.name} has no order {order_id}", code="UNKNOWN_ORDER")
    order, broker_id = working.order, working.order.broker_order_id or ""
    fill = Fill(
        fill_id=derive_id("fill", venue.name, broker_id, str(working.fills + 1)),
        order_id=order.order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=quantity,
        price=price,
        fees=venue.profile.fee(quantity, price),
        venue=venue.name,
        timestamp=now,
        broker_order_id=broker_id,
        fund_id=order.fund_id,
        strategy_id=order.strategy_id,
        fee_currency=venue.profile.currency,
        liquidity=Liquidity.TAKER,
    )
    draft = Draft(venue.state)
    draft.book(fill, order)
    known = [f for f in venue.state.fills if (f.broker_order_id or "") in working.broker_ids]
    stands = [venue.state.standing(one) for one in known]
    after = order_after(order, [*(one for one in stands if one is not None), fill])
    draft.put(working._replace(order=after, fills=working.fills + 1))
    return fill, draft
