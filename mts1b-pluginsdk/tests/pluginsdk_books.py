"""The books of the exemplar: what was filled, corrected and is held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from mts1b_foundation import (
    Bar,
    CorrectionKind,
    Fill,
    FillCorrection,
    OrderType,
    Position,
    TimeInForce,
)
from mts1b_foundation.protocols import DedupePolicy

_BEGIN = datetime(2000, 1, 1, tzinfo=UTC)
_NOTHING = Decimal(0)


@dataclass(frozen=True)
class Traits:
    """What one exemplar promises."""

    dedupe: DedupePolicy = DedupePolicy.PERMANENT
    window_s: float | None = None
    lag_s: float = 0.0
    history_s: float | None = None
    types: tuple[OrderType, ...] = tuple(OrderType)
    tifs: tuple[TimeInForce, ...] = tuple(TimeInForce)
    changes_id: bool = False
    rate: float | None = None
    burst: int = 12
    dead_man_max_s: float | None = 60.0


@dataclass
class Holding:
    """One symbol's position, folded from its fills."""

    quantity: Decimal = _NOTHING
    average: Decimal = _NOTHING
    realized: Decimal = _NOTHING

    def book(self, signed: Decimal, price: Decimal) -> None:
        """Add a signed quantity at a price."""
        held, left = self.quantity, self.quantity + signed
        if held * signed >= 0:
            self.average = (held * self.average + signed * price) / left
        else:
            closed = min(abs(held), abs(signed)) * (1 if held > 0 else -1)
            self.realized += closed * (price - self.average)
            self.average = self.average if left * held > 0 else price
        self.quantity = left


class Books:
    """What the venue tells of executions, positions and cash."""

    name = "exemplar"

    def __init__(self, traits: Traits) -> None:
        self.traits = traits
        self.now = _BEGIN
        self.marks: dict[str, Bar] = {}
        self.fills: list[tuple[Fill, datetime]] = []
        self.corrections: list[FillCorrection] = []

    def shown_from(self, moment: datetime) -> datetime:
        """Return from when on something of this moment is shown."""
        return moment + timedelta(seconds=0.9 * self.traits.lag_s)

    def standing(self) -> list[Fill]:
        """Return the fills as they are corrected."""
        found = {fill.fill_id: fill for fill, _ in self.fills}
        for one in self.corrections:
            if one.kind is CorrectionKind.BUST:
                found.pop(one.fill_id, None)
                continue
            stated = {"quantity": one.quantity, "price": one.price, "fees": one.fees}
            changes = {name: value for name, value in stated.items() if value is not None}
            found[one.fill_id] = found[one.fill_id].with_(**changes)
        return list(found.values())

    def cash(self) -> Decimal:
        """Return cash after every fill that stands."""
        paid = (-fill.signed_quantity * fill.price - fill.fees for fill in self.standing())
        return Decimal(1_000_000) + sum(paid, _NOTHING)

    def holdings(self) -> dict[str, Holding]:
        """Return the position of each symbol."""
        held: dict[str, Holding] = {}
        for fill in self.standing():
            held.setdefault(fill.symbol, Holding()).book(fill.signed_quantity, fill.price)
        return held

    def held(self, symbol: str) -> Decimal:
        """Return the signed quantity of one symbol."""
        return self.holdings().get(symbol, Holding()).quantity

    def positions(self) -> list[Position]:
        """Return what is not flat, by symbol."""
        rows = sorted(self.holdings().items())
        return [self.position(symbol, one) for symbol, one in rows if one.quantity]

    def position(self, symbol: str, holding: Holding) -> Position:
        """Return one row."""
        last = self.marks[symbol].close
        return Position.model_validate(
            {
                "symbol": symbol,
                "quantity": holding.quantity,
                "average_price": holding.average,
                "last_price": last,
                "market_value_usd": holding.quantity * last,
                "realized_pnl_usd": holding.realized,
                "unrealized_pnl_usd": holding.quantity * (last - holding.average),
                "as_of": self.now,
            }
        )

    def correct(self, fill_id: str, kind: CorrectionKind, **stated: Decimal) -> None:
        """Correct an execution; one that was taken back stays so."""
        if not any(fill.fill_id == fill_id for fill in self.standing()):
            raise ValueError(f"no execution {fill_id} stands")
        order_id = next(fill.order_id for fill, _ in self.fills if fill.fill_id == fill_id)
        self.corrections.append(
            FillCorrection.model_validate(
                {
                    "correction_id": f"C-{len(self.corrections) + 1}",
                    "fill_id": fill_id,
                    "order_id": order_id,
                    "kind": kind,
                    "venue": self.name,
                    "timestamp": self.now,
                    **stated,
                }
            )
        )

    def told(self, cursor: str | None) -> tuple[list[Fill], str]:
        """Return the fills that are shown after a cursor, and the new cursor."""
        start = self.place(cursor, len(self.fills))
        end = start
        while end < len(self.fills) and self.fills[end][1] <= self.now:
            end += 1
        return [fill for fill, _ in self.fills[start:end] if self.is_recent(fill)], str(end)

    def is_recent(self, fill: Fill) -> bool:
        """Tell whether the history still reaches back to a fill."""
        limit = self.traits.history_s
        return limit is None or (self.now - fill.timestamp).total_seconds() <= limit

    @staticmethod
    def place(cursor: str | None, last: int) -> int:
        """Return where a cursor stands."""
        if cursor is None:
            return 0
        if cursor.isdecimal() and int(cursor) <= last:
            return int(cursor)
        raise ValueError(f"cursor {cursor!r} is not of this account")
