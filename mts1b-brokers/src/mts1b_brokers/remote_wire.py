"""What goes over the line between a venue and its clients: one JSON object a line, each way.

The venue greets with its card. Then each :data:`Ask` of a client is answered by its number, in
any order: ``{"number": 7, "value": ...}`` or ``{"number": 7, "error": {"kind", "code", "text"}}``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from mts1b_foundation import Bar, Fill, Order, Position, Quote
from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.model import FiniteDecimal, FrozenModel, UtcDatetime
from mts1b_foundation.orders import FillCorrection
from mts1b_foundation.protocols import AccountSnapshot, VenueCard
from pydantic import Field, TypeAdapter, model_validator

from mts1b_brokers.errors import BrokerError, BrokerRefused, DuplicateOrderId, KeyReuseMismatch

__all__ = [
    "ANY_ASK",
    "VALUES",
    "Answer",
    "Ask",
    "AskAccount",
    "AskAdjustment",
    "AskBars",
    "AskByKey",
    "AskCancel",
    "AskCancelAll",
    "AskCorrections",
    "AskDeadMan",
    "AskFills",
    "AskOpenOrders",
    "AskPositions",
    "AskQuote",
    "AskReplace",
    "AskSubmit",
    "ErrorKind",
    "Failure",
    "Greeting",
    "failure_of",
    "raised_by",
]


class ErrorKind(StrEnum):
    """Say what an error is evidence of."""

    REFUSED = "refused"
    """The venue has not done it, for certain."""
    UNAVAILABLE = "unavailable"
    """Nobody knows."""
    VALUE = "value"
    """The question itself can not be answered."""


class Failure(FrozenModel):
    """An error on the line."""

    kind: ErrorKind
    code: str
    text: str


class Answer(FrozenModel):
    """The answer to one ask: a value, which may be null, or an error; no answer has neither."""

    number: int
    value: Any = None
    error: Failure | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if ("value" in self.model_fields_set) == (self.error is not None):
            raise ValueError("an answer has a value or an error")
        return self


class Greeting(FrozenModel):
    """The first line of the venue."""

    card: VenueCard


class Ask(FrozenModel):
    """One request; ``number`` is the client's own."""

    number: int


class AskSubmit(Ask):
    """Submit an order."""

    act: Literal["submit"] = "submit"
    order: Order


class AskCancel(Ask):
    """Cancel an order."""

    act: Literal["cancel"] = "cancel"
    order_id: str


class AskCancelAll(Ask):
    """Cancel every open order."""

    act: Literal["cancel_all"] = "cancel_all"


class AskReplace(Ask):
    """Change an open order."""

    act: Literal["replace"] = "replace"
    order_id: str
    quantity: FiniteDecimal
    limit_price: FiniteDecimal | None


class AskByKey(Ask):
    """Find an order by its key."""

    act: Literal["by_key"] = "by_key"
    key: str


class AskOpenOrders(Ask):
    """List the open orders."""

    act: Literal["open_orders"] = "open_orders"


class AskPositions(Ask):
    """List the positions."""

    act: Literal["positions"] = "positions"


class AskAccount(Ask):
    """State cash and positions."""

    act: Literal["account"] = "account"


class AskFills(Ask):
    """List the fills after a cursor; with ``wait_s``, wait up to that long for one."""

    act: Literal["fills"] = "fills"
    cursor: str | None
    wait_s: float = Field(default=0.0, ge=0.0, le=60.0)


class AskCorrections(Ask):
    """List the corrections after a cursor."""

    act: Literal["corrections"] = "corrections"
    cursor: str | None


class AskDeadMan(Ask):
    """Arm or disarm the dead-man timer."""

    act: Literal["dead_man"] = "dead_man"
    seconds: float


class AskAdjustment(Ask):
    """Move the account without an order."""

    act: Literal["adjustment"] = "adjustment"
    adjustment: AdjustBooks


class AskBars(Ask):
    """Let a simulated market move: first the time, then the bars."""

    act: Literal["bars"] = "bars"
    now: UtcDatetime | None
    bars: tuple[Bar, ...]


class AskQuote(Ask):
    """Let a simulated market quote."""

    act: Literal["quote"] = "quote"
    quote: Quote


ANY_ASK: TypeAdapter[Ask] = TypeAdapter(
    Annotated[
        AskSubmit
        | AskCancel
        | AskCancelAll
        | AskReplace
        | AskByKey
        | AskOpenOrders
        | AskPositions
        | AskAccount
        | AskFills
        | AskCorrections
        | AskDeadMan
        | AskAdjustment
        | AskBars
        | AskQuote,
        Field(discriminator="act"),
    ]
)

VALUES: dict[type[Ask], TypeAdapter[Any]] = {
    AskSubmit: TypeAdapter(Order),
    AskCancel: TypeAdapter(bool),
    AskCancelAll: TypeAdapter(list[str]),
    AskReplace: TypeAdapter(Order),
    AskByKey: TypeAdapter(Order | None),
    AskOpenOrders: TypeAdapter(list[Order]),
    AskPositions: TypeAdapter(list[Position]),
    AskAccount: TypeAdapter(AccountSnapshot),
    AskFills: TypeAdapter(tuple[list[Fill], str]),
    AskCorrections: TypeAdapter(tuple[list[FillCorrection], str]),
    AskDeadMan: TypeAdapter(None),
    AskAdjustment: TypeAdapter(AdjustBooks),
    AskBars: TypeAdapter(None),
    AskQuote: TypeAdapter(None),
}
"""What the value of an answer is, by what was asked."""

_REFUSALS: dict[str, type[BrokerRefused]] = {
    KeyReuseMismatch.code: KeyReuseMismatch,
    DuplicateOrderId.code: DuplicateOrderId,
}


def failure_of(error: BrokerError | ValueError | OSError) -> Failure:
    """Return an error as it goes over the line; only a refusal goes as evidence."""
    if isinstance(error, BrokerRefused):
        return Failure(kind=ErrorKind.REFUSED, code=error.code, text=str(error))
    if isinstance(error, ValueError):
        return Failure(kind=ErrorKind.VALUE, code="VALUE", text=str(error))
    code = error.code if isinstance(error, BrokerError) else "OS"
    return Failure(kind=ErrorKind.UNAVAILABLE, code=code, text=str(error))


def raised_by(failure: Failure) -> BrokerRefused | ValueError | None:
    """Return what a failure raises at the client; None where it is evidence of nothing."""
    if failure.kind is ErrorKind.REFUSED:
        return _REFUSALS.get(failure.code, BrokerRefused)(failure.text, code=failure.code)
    return ValueError(failure.text) if failure.kind is ErrorKind.VALUE else None
