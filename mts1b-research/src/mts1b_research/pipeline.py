"""The path from signals to orders: the stages, in order, in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from mts1b_foundation.orders import ExecutionMode, Order, OrderType
from mts1b_foundation.signals import IntentDecision, Signal
from mts1b_foundation.symbology import Symbol
from mts1b_platform.ids import derive_id
from mts1b_portfolio.netting import OrderDelta, net_to_orders, weights_to_quantities

from mts1b_research.mandates import Mandate
from mts1b_research.strategy import StrategyBook

__all__ = ["STAGES", "IntentPipeline", "PlannedOrder", "Work"]

_SMALLEST_LOT = Decimal("1E-18")


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """An order that follows from a signal."""

    signal_id: str
    order: Order


@dataclass(slots=True)
class Work:
    """What one decision of one strategy carries through the stages.

    ``asked`` are all its signals, ``signals`` those that no stage has dropped.
    """

    signals: list[Signal]
    book: StrategyBook
    as_of: datetime
    asked: tuple[Signal, ...] = ()
    targets: dict[Symbol, Decimal] = field(default_factory=dict)
    deltas: tuple[OrderDelta, ...] = ()
    orders: list[PlannedOrder] = field(default_factory=list)
    decisions: list[IntentDecision] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class IntentPipeline:
    """Turn the signals of one strategy into orders; every signal ends in one decision.

    :param lot_size: orders are whole multiples of it, rounded toward zero; what is left of a
        position that is closed goes in an order of its own.
    :param lots: the lots of symbols that have another one.
    :param no_trade_band: a change smaller than this fraction of the strategy's NAV is left
        undone (closing a position is always done).
    """

    mandate: Mandate
    mode: ExecutionMode = ExecutionMode.PAPER
    broker: str = "paper"
    lot_size: Decimal = Decimal(1)
    no_trade_band: Decimal = Decimal("0.01")
    lots: Mapping[Symbol, Decimal] = field(default_factory=dict)

    def lot_of(self, symbol: Symbol) -> Decimal:
        """Return the lot of a symbol."""
        return self.lots.get(symbol, self.lot_size)

    def run(self, signals: Sequence[Signal], book: StrategyBook, as_of: datetime) -> Work:
        """Pass the signals through every stage."""
        work = Work(list(signals), book, as_of, asked=tuple(signals))
        for _, stage in STAGES:
            stage(self, work)
        return work

    def strategy_gate(self, work: Work) -> None:
        """Drop signals that the mandate does not cover, or that name no weight, and say so.

        No weight is not the weight zero: the position stays.
        """
        kept = []
        for signal in work.signals:
            held = work.book.exposure(signal.symbol) != 0
            objection = self.mandate.objection(signal, held=held)
            if objection is None and signal.target_weight is None:
                objection = "NO_WEIGHT", "the signal names no target weight: nothing is sized"
            if objection is None:
                kept.append(signal)
            else:
                work.decisions.append(self._decision(work, signal, *objection))
        work.signals = kept

    def size(self, work: Work) -> None:
        """Turn target weights into whole quantities of the strategy's own NAV.

        Without a NAV nothing but closing makes sense.
        """
        if work.book.nav_usd <= 0:
            self._only_close(work)
            return
        signals = {signal.symbol: signal for signal in work.signals}
        for lot, symbols in self._by_lot(signals).items():
            weights = {str(one): signals[one].target_weight or 0.0 for one in symbols}
            prices = {str(one): signals[one].reference_price for one in symbols}
            sized = weights_to_quantities(weights, work.book.nav_usd, prices, lot_size=lot)
            work.targets |= {Symbol(symbol): quantity for symbol, quantity in sized.items()}

    def _by_lot(self, symbols: Iterable[Symbol]) -> dict[Decimal, list[Symbol]]:
        groups: dict[Decimal, list[Symbol]] = {}
        for symbol in symbols:
            groups.setdefault(self.lot_of(symbol), []).append(symbol)
        return groups

    def _only_close(self, work: Work) -> None:
        reason = f"the strategy's NAV is {work.book.nav_usd} USD: there is nothing to size by"
        opening = [signal for signal in work.signals if signal.target_weight]
        work.decisions += [self._decision(work, signal, "NO_NAV", reason) for signal in opening]
        work.signals = [signal for signal in work.signals if not signal.target_weight]
        work.targets = {signal.symbol: Decimal(0) for signal in work.signals}

    def net(self, work: Work) -> None:
        """Compare targets with what is held and working; keep changes worth trading."""
        current = {symbol: work.book.exposure(symbol) for symbol in work.targets}
        wanted = {
            signal.symbol: self._worth_trading(signal, work.targets[signal.symbol], current, work)
            for signal in work.signals
        }
        deltas: list[OrderDelta] = []
        for lot, symbols in self._by_lot(wanted).items():
            goals, have = ({one: all_of[one] for one in symbols} for all_of in (wanted, current))
            deltas += net_to_orders(goals, have, lot_size=lot)
        deltas.sort(key=lambda delta: delta.symbol)
        work.deltas = (*deltas, *self._odd_lots(wanted, current, deltas))

    def _odd_lots(
        self,
        wanted: Mapping[Symbol, Decimal],
        current: Mapping[Symbol, Decimal],
        deltas: Sequence[OrderDelta],
    ) -> tuple[OrderDelta, ...]:
        """Return what whole lots leave of positions that shall be closed, as after a split.

        Apart from the whole lots, so that a venue that takes no odd lot takes at least those.
        """
        done = {delta.symbol: delta.signed_quantity for delta in deltas}
        left = {
            symbol: rest
            for symbol, target in wanted.items()
            if target == 0 and (rest := current[symbol] + done.get(symbol, Decimal(0)))
        }
        return net_to_orders({}, left, lot_size=_SMALLEST_LOT) if left else ()

    def _worth_trading(
        self,
        signal: Signal,
        target: Decimal,
        current: Mapping[Symbol, Decimal],
        work: Work,
    ) -> Decimal:
        have = current[signal.symbol]
        change = abs(target - have) * signal.reference_price
        small = change < self.no_trade_band * work.book.nav_usd
        return have if small and target != 0 else target

    def make_orders(self, work: Work) -> None:
        """Give each change an order with a key that a retry repeats."""
        by_symbol = {signal.symbol: signal for signal in work.signals}
        for delta in work.deltas:
            signal = by_symbol[delta.symbol]
            odd = "" if delta.quantity % self.lot_of(delta.symbol) == 0 else "-odd"
            key = (
                f"{self.mandate.strategy_id}-{work.as_of.isoformat()}"
                f"-{delta.symbol}-{delta.side.value}{odd}"
            )
            order = Order(
                order_id=derive_id("ord", key),
                idempotency_key=key,
                symbol=delta.symbol,
                side=delta.side,
                quantity=delta.quantity,
                order_type=OrderType.MARKET,
                fund_id=self.mandate.fund_id,
                strategy_id=self.mandate.strategy_id,
                broker=self.broker,
                actor="research_signal_executor",
                created_at=work.as_of,
                mode=self.mode,
                signal_id=signal.signal_id,
                reference_price=signal.reference_price,
                reduce_only=delta.reduce_only,
            )
            work.orders.append(PlannedOrder(signal.signal_id, order))

    def decide(self, work: Work) -> None:
        """Record for each remaining signal what came of it."""
        for signal in work.signals:
            orders = tuple(
                planned.order.order_id
                for planned in work.orders
                if planned.signal_id == signal.signal_id
            )
            if orders:
                decision = self._decision(work, signal, "ORDERED", "sent to the OMS", orders)
            else:
                decision = self._decision(
                    work, signal, "NO_CHANGE", "the position is at its target, or close to it"
                )
            work.decisions.append(decision)

    def _decision(
        self,
        work: Work,
        signal: Signal,
        outcome: str,
        reason: str,
        order_ids: tuple[str, ...] = (),
    ) -> IntentDecision:
        return IntentDecision(
            signal_id=signal.signal_id,
            fund_id=self.mandate.fund_id,
            strategy_id=self.mandate.strategy_id,
            symbol=signal.symbol,
            outcome=outcome,
            reason=reason,
            order_ids=order_ids,
            decided_at=work.as_of,
        )


STAGES: tuple[tuple[str, Callable[[IntentPipeline, Work], None]], ...] = (
    ("strategy_gate", IntentPipeline.strategy_gate),
    ("size", IntentPipeline.size),
    ("net", IntentPipeline.net),
    ("make_orders", IntentPipeline.make_orders),
    ("decide", IntentPipeline.decide),
)
"""The stages between a strategy and the OMS, in their order."""
