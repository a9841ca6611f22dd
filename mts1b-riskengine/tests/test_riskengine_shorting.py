"""Short sales: permission, the fee of the loan, and a locate."""

from decimal import Decimal

import pytest
from mts1b_foundation import DenyCode, Side, Symbol
from mts1b_riskengine import BorrowQuote
from riskengine_desk import PASSED, Desk, MakeDesk, judged, make_envelope


async def test_shorting_takes_permission(desk: Desk) -> None:
    assert await judged(desk, side=Side.SHORT) == ("short_side", DenyCode.SHORTING_DISABLED)


async def test_a_sell_of_more_than_is_held_is_a_short_sale(desk: Desk) -> None:
    await desk.hold("10")
    assert await judged(desk, number=1, side=Side.SELL, quantity=Decimal(10)) == PASSED
    assert await judged(desk, number=2, side=Side.SELL, quantity=Decimal(1)) == (
        "short_side",
        DenyCode.SHORTING_DISABLED,
    )


class Desks:
    """A borrow desk with one answer."""

    def __init__(self, quote: BorrowQuote | None) -> None:
        self.answer = quote

    def quote(self, symbol: Symbol) -> BorrowQuote | None:
        return self.answer


@pytest.mark.parametrize(
    ("quote", "code"),
    [
        (None, DenyCode.BORROW_FEE_TOO_HIGH),
        (BorrowQuote(Decimal("NaN"), True), DenyCode.BORROW_FEE_TOO_HIGH),
        (BorrowQuote(Decimal("200.1"), True), DenyCode.BORROW_FEE_TOO_HIGH),
        (BorrowQuote(Decimal(200), False), DenyCode.BORROW_NOT_LOCATED),
        (BorrowQuote(Decimal(200), True), ""),
    ],
)
async def test_a_short_sale_needs_a_fee_within_the_ceiling_and_a_locate(
    make_desk: MakeDesk, quote: BorrowQuote | None, code: str
) -> None:
    limits = make_envelope(enable_shorting=True, require_borrow_locate=True)
    desk = await make_desk(envelope=limits, borrow=Desks(quote))
    assert (await judged(desk, side=Side.SHORT))[1] == code
