"""What moves books without an order: capital, income, transfers of stock, splits."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from pydantic import Field, model_validator

from mts1b_foundation.model import (
    FiniteDecimal,
    FrozenModel,
    Identifier,
    PositiveDecimal,
    UtcDatetime,
    signing_fields_of,
)
from mts1b_foundation.symbology import Symbol

__all__ = ["AdjustBooks", "AdjustReply", "AdjustmentKind"]


class AdjustmentKind(StrEnum):
    """Why books moved, though nothing was executed."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    TRANSFER = "transfer"
    DIVIDEND = "dividend"
    INTEREST = "interest"
    FUNDING = "funding"
    FEE = "fee"
    TAX = "tax"
    SPLIT = "split"

    @property
    def is_capital(self) -> bool:
        """Return whether owners bring or take it, so that it is no gain and no loss."""
        return self in _CAPITAL

    @property
    def is_income(self) -> bool:
        """Return whether it is earned, or paid, in money alone."""
        return not self.is_capital and self is not AdjustmentKind.SPLIT


_CAPITAL = frozenset({AdjustmentKind.DEPOSIT, AdjustmentKind.WITHDRAWAL, AdjustmentKind.TRANSFER})


class AdjustBooks(FrozenModel):
    """An operator's signed word on what moved the account without an order.

    ``cash_usd`` is what the cash grows by, negative when it is paid. ``quantity`` are the signed
    units of ``symbol`` that come (negative: go) with a transfer, at ``price`` USD each, which is
    what lots that come have cost and what lots that go are valued at. ``ratio`` are the units
    after a split for each unit before, and ``price`` is what one of them is worth then; a split is
    of every holder of ``symbol`` and names no fund. ``in_part``: it is one of several movements
    that come nearer to the venue's books only together.
    The signature covers domain ``mts/adjust/v1`` and ``signing_fields``.
    """

    adjustment_id: Identifier
    kind: AdjustmentKind
    fund_id: Identifier | None = None
    strategy_id: Identifier | None = None
    cash_usd: FiniteDecimal = Decimal(0)
    symbol: Symbol | None = None
    quantity: FiniteDecimal = Decimal(0)
    price: PositiveDecimal | None = None
    ratio: PositiveDecimal | None = None
    in_part: bool = False
    reason: str = Field(min_length=1)
    signed_by: str = Field(pattern=r"^operator:[A-Za-z0-9_.-]+$")
    requested_at: UtcDatetime
    key_id: str = ""
    signature: str = ""

    @model_validator(mode="after")
    def _make_sense(self) -> AdjustBooks:
        wrong = self._what_is_wrong()
        if wrong:
            raise ValueError(f"a {self.kind.value} {wrong}")
        return self

    def _what_is_wrong(self) -> str:
        if self.kind is AdjustmentKind.SPLIT:
            return self._wrong_split()
        if self.fund_id is None or self.strategy_id is None:
            return "needs the fund and the strategy that it is booked in"
        if self.ratio is not None:
            return "has no ratio"
        if self.kind is AdjustmentKind.TRANSFER:
            complete = self.symbol is not None and self.quantity and self.price is not None
            return "" if complete else "needs symbol, quantity and price"
        return self._wrong_money()

    def _wrong_split(self) -> str:
        if self.symbol is None or self.ratio is None or self.ratio == 1 or self.price is None:
            return "needs a symbol, a ratio other than 1, and the price of one unit afterwards"
        if self.fund_id is not None or self.strategy_id is not None:
            return "is of every holder; it names no fund and no strategy"
        if self.cash_usd or self.quantity:
            return "moves no money; book cash in lieu as a transfer"
        return ""

    def _wrong_money(self) -> str:
        if self.quantity or self.price is not None:
            return "moves money alone"
        if not self.cash_usd:
            return "needs an amount other than zero"
        if self.kind is AdjustmentKind.DEPOSIT and self.cash_usd < 0:
            return "brings money; what takes it is a withdrawal"
        if self.kind is AdjustmentKind.WITHDRAWAL and self.cash_usd > 0:
            return "takes money; give a negative amount"
        return ""

    @property
    def moves_stock(self) -> bool:
        """Return whether units of a symbol change."""
        return self.symbol is not None and bool(self.quantity or self.ratio)

    @property
    def capital_usd(self) -> Decimal:
        """Return what owners bring, at its price; negative for what they take, zero for income."""
        if not self.kind.is_capital:
            return Decimal(0)
        return self.cash_usd + self.quantity * (self.price or Decimal(0))

    @property
    def income_usd(self) -> Decimal:
        """Return what was earned in money, negative when it was paid."""
        return self.cash_usd if self.kind.is_income else Decimal(0)

    def signing_fields(self) -> list[tuple[str, str]]:
        """Return (name, text) of every bound field in the order of declaration."""
        return signing_fields_of(self)


class AdjustReply(FrozenModel):
    """What is booked; ``again`` when it was booked before by the same words."""

    adjustment: AdjustBooks
    again: bool = False
