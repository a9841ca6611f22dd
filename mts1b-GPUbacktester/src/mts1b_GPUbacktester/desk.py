"""The account of a live desk: whole lots, sized when it decides, filled at the next open.

A sweep sizes a position at the price of its fill, in fractions; a desk has to send a number of
lots before that price is known. This is what it does, by the rules of ``docs/parity.md``, so that
simulation and event-driven backtest can be compared to the lot and the cent. The walk below is
exact (decimals, as the books of the live system); ``engines/desk.py`` is the compiled one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any

import numpy as np
from mts1b_foundation import UniversePanel

from mts1b_GPUbacktester.engines import EngineName, Market, choose_engine
from mts1b_GPUbacktester.errors import BadPanel, BadSetting
from mts1b_GPUbacktester.evaluate import Evaluator
from mts1b_GPUbacktester.frames import FIELDS
from mts1b_GPUbacktester.grid import parameter_sets
from mts1b_GPUbacktester.panels import PanelLike, Prices, panel_from
from mts1b_GPUbacktester.rules import Rule
from mts1b_GPUbacktester.semantics import FloatArray, Settings, Signals

__all__ = ["DeskFill", "DeskOrder", "DeskRun", "DeskTerms", "desk_panel", "rule_wishes", "run_desk"]

_DIGITS = 60
_CENT = Decimal("0.01")
_PRICE_STEP = Decimal("0.000001")
_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskTerms:
    """How the desk sizes and what a fill costs. Basis points are per side.

    :ivar lot: orders are whole multiples of it.
    :ivar no_trade_band: a change smaller than this fraction of the NAV is left undone, unless it
        closes the position.
    :ivar volume_share: the most of a bar's volume that may trade; a volume of zero or NaN is
        unknown and limits nothing.
    :raises BadSetting: for a value outside its range.
    """

    initial_cash: float = 1_000_000.0
    lot: float = 1.0
    fees_bps: float = 5.0
    slippage_bps: float = 0.0
    no_trade_band: float = 0.01
    volume_share: float = 1.0

    def __post_init__(self) -> None:
        for name in ("initial_cash", "lot"):
            if not 0 < getattr(self, name) < float("inf"):
                raise BadSetting(f"{name} {getattr(self, name)} must be positive")
        for name in ("fees_bps", "slippage_bps"):
            if not 0 <= getattr(self, name) < 10_000:
                raise BadSetting(f"{name} {getattr(self, name)} is outside [0, 10000) basis points")
        if not 0 <= self.no_trade_band < 1 or not 0 < self.volume_share <= 1:
            raise BadSetting(
                f"no_trade_band {self.no_trade_band} and volume_share {self.volume_share} are "
                "fractions, the second one above zero"
            )


@dataclass(frozen=True, slots=True)
class DeskOrder:
    """An order for signed ``units``, decided at the close of ``bar``."""

    bar: int
    symbol: str
    units: Decimal


@dataclass(frozen=True, slots=True)
class DeskFill:
    """A fill of signed ``units`` in ``bar``; ``price`` includes slippage, ``fee`` is apart."""

    bar: int
    symbol: str
    units: Decimal
    price: Decimal
    fee: Decimal


@dataclass(frozen=True, slots=True)
class DeskRun:
    """Orders and fills in order of time and symbol, and the NAV at each close, (T,)."""

    orders: tuple[DeskOrder, ...]
    fills: tuple[DeskFill, ...]
    nav: FloatArray


def desk_panel(panel: PanelLike) -> UniversePanel:
    """Return the panel with prices as a desk knows them: to six decimals, no gaps.

    :raises BadPanel: for a missing price: a live strategy looks only at bars that all of its
        symbols have, a simulation keeps the gap; for one below the step of a desk.
    """
    universe = panel_from(panel)
    fields: dict[str, Any] = {}
    for name in FIELDS:
        given = getattr(universe, name)
        values = np.full(universe.shape, np.nan) if given is None else np.asarray(given, float)
        if name == "volume":
            values = np.where(np.isnan(values), 0.0, values)
        if np.isnan(values).any():
            bar, asset = (int(place[0]) for place in np.nonzero(np.isnan(values)))
            raise BadPanel(
                f"{name} of {universe.symbols[asset]} at {universe.dates[bar]} is missing; a desk "
                "needs every price of every bar: cut the panel, or leave the symbol out"
            )
        fields[name] = np.round(values, 6)
        gone = (values > 0.0) & (fields[name] == 0.0) & (name != "volume")
        if gone.any():
            bar, asset = (int(place[0]) for place in np.nonzero(gone))
            raise BadPanel(
                f"{name} of {universe.symbols[asset]} at {universe.dates[bar]} is "
                f"{values[bar, asset]:g}; a desk knows prices to six decimals: quote it in a "
                "larger unit"
            )
    return UniversePanel(**fields, dates=universe.dates, symbols=universe.symbols)


def rule_wishes(
    panel: UniversePanel,
    rule: Rule,
    params: dict[str, Any],
    settings: Settings,
    *,
    engine: EngineName = "numpy",
) -> FloatArray:
    """Return the weights that the trades of one engine mean, (T, A).

    Positive or negative at the bar that decides an entry, zero at the bar that decides an exit,
    NaN where nothing changes. Each asset is an account of its own. A stop that a bar has met is
    known at its close, so a desk leaves at the next open, where a sweep leaves inside of the bar.

    :raises BadSetting: for another fill, or an account that is ruined.
    :raises BadRule, BadPanel, EngineMissing: saying what, and what to change.
    """
    if settings.fill != "next_open":
        raise BadSetting(f"fill {settings.fill!r}: the simulated venue fills at the next open")
    worker, choice = choose_engine(engine, panel.shape[0] * panel.shape[1])
    prices = Prices.of(panel)
    (checked,) = parameter_sets(rule, [dict(params)], size=settings.fraction)
    signals = _evaluator(prices, choice.name).signals(rule, settings, checked)
    market = Market.of(prices, settings, stops=rule.has_stops)
    paths = worker.paths(signals, market, settings)
    _require_solvent(panel, paths.equity)
    wishes = np.full(panel.shape, np.nan)
    for asset, trades in enumerate(paths.trades):
        for enter, _, leave, _, units in trades.tolist():
            if leave > 0:
                known = _exit_known(signals, asset, int(enter), int(leave), np.sign(units))
                wishes[known, asset] = 0.0
        for enter, _, _, _, units in trades.tolist():
            decided = int(enter) - 1
            wishes[decided, asset] = np.sign(units) * signals.fractions[asset, decided]
    return wishes


def _exit_known(signals: Signals, asset: int, enter: int, leave: int, side: float) -> int:
    """Return the bar at whose close an exit is known: of a stop its own, else the one before."""
    expired = 0 < signals.most_bars <= leave - enter
    return leave - 1 if expired or signals.want[asset, leave - 1] != side else leave


def _require_solvent(panel: UniversePanel, equity: FloatArray) -> None:
    """Refuse a ruined account: its end is the simulation's own, no decision of the rule."""
    ruined = equity <= 0.0
    if ruined.any():
        bar = int(np.argmax(ruined.any(axis=0)))
        asset = int(np.argmax(ruined[:, bar]))
        raise BadSetting(
            f"the account of {panel.symbols[asset]} is ruined in bar {bar}: a simulation ends "
            "it and a desk's rule goes on; take a smaller size, or cut the panel before"
        )


def _evaluator(prices: Prices, engine: str) -> Evaluator:
    """Return the evaluator whose averages the engine computes."""
    if engine != "numba":
        return Evaluator(prices, budget=2**28)
    from mts1b_GPUbacktester.engines.numba_averages import NumbaAverages

    return Evaluator(prices, budget=2**28, averages=NumbaAverages())


def run_desk(
    panel: UniversePanel,
    wishes: FloatArray,
    terms: DeskTerms,
    *,
    engine: EngineName = "numpy",
    assets: Sequence[int] | None = None,
) -> DeskRun:
    """Trade weights (T, A) of one account, NaN for no wish, as a desk does.

    :param panel: as :func:`desk_panel` gives it.
    :param assets: the columns to trade; None for all.
    :raises BadSetting: for wishes of another shape, or an order that the volume would cut.
    """
    if wishes.shape != panel.shape:
        raise BadSetting(f"wishes have shape {wishes.shape}, the panel has {panel.shape}")
    columns = list(range(panel.shape[1]) if assets is None else assets)
    columns.sort(key=lambda column: str(panel.symbols[column]))
    tape = _Tape(
        opens=np.ascontiguousarray(np.asarray(panel.open)[:, columns]),
        closes=np.ascontiguousarray(np.asarray(panel.close)[:, columns]),
        volumes=np.ascontiguousarray(np.asarray(panel.volume)[:, columns]),
        wishes=np.ascontiguousarray(wishes[:, columns]),
        symbols=tuple(str(panel.symbols[column]) for column in columns),
    )
    if choose_engine(engine, wishes.size)[1].name == "numba":
        return _compiled(tape, terms)
    with localcontext(prec=_DIGITS):
        return _Walk(tape, terms).run()


@dataclass(frozen=True, slots=True)
class _Tape:
    opens: FloatArray
    closes: FloatArray
    volumes: FloatArray
    wishes: FloatArray
    symbols: tuple[str, ...]


class _Walk:
    """The exact walk."""

    def __init__(self, tape: _Tape, terms: DeskTerms) -> None:
        self._tape, self._terms = tape, terms
        self._cash = Decimal(repr(terms.initial_cash))
        self._units = [Decimal(0)] * len(tape.symbols)
        self._orders: list[DeskOrder] = []
        self._fills: list[DeskFill] = []

    def run(self) -> DeskRun:
        """Walk every bar."""
        nav = np.empty(len(self._tape.closes))
        sent: list[tuple[int, Decimal]] = []
        for bar in range(len(nav)):
            for asset, units in sent:
                self._fill(bar, asset, units)
            closes = [Decimal(repr(float(price))) for price in self._tape.closes[bar]]
            value = sum((u * p for u, p in zip(self._units, closes, strict=True)), Decimal(0))
            worth = self._cash + value
            nav[bar] = float(worth)
            sent = self._decide(bar, worth, closes)
        return DeskRun(tuple(self._orders), tuple(self._fills), nav)

    def _decide(
        self, bar: int, worth: Decimal, closes: Sequence[Decimal]
    ) -> list[tuple[int, Decimal]]:
        sent = []
        for asset, wish in enumerate(self._tape.wishes[bar].tolist()):
            if np.isnan(wish):
                continue
            held = self._units[asset]
            target = self._target(wish, worth, closes[asset], held)
            for change in _legs(held, target):
                sent.append((asset, change))
                self._orders.append(DeskOrder(bar, self._tape.symbols[asset], change))
        return sent

    def _target(self, wish: float, worth: Decimal, price: Decimal, held: Decimal) -> Decimal:
        """Return the whole lots that a weight buys at the close; what is too small stays."""
        if wish == 0.0:
            return Decimal(0)
        if worth <= 0:
            return held
        lot = Decimal(repr(self._terms.lot))
        target = (Decimal(repr(wish)) * worth) // (price * lot) * lot
        band = Decimal(repr(self._terms.no_trade_band)) * worth
        small = target != 0 and abs(target - held) * price < band
        return held if small else target

    def _fill(self, bar: int, asset: int, units: Decimal) -> None:
        volume = float(self._tape.volumes[bar, asset])
        if volume > 0 and float(abs(units)) > volume * self._terms.volume_share:
            raise _too_large(self._tape.symbols[asset], bar, float(units), volume)
        sign = 1 if units > 0 else -1
        slip = Decimal(repr(self._terms.slippage_bps)) / _BPS
        price = Decimal(repr(float(self._tape.opens[bar, asset])))
        price = (price * (1 + sign * slip)).quantize(_PRICE_STEP, ROUND_HALF_EVEN)
        fee = abs(units) * price * Decimal(repr(self._terms.fees_bps)) / _BPS
        fee = fee.quantize(_CENT, ROUND_HALF_EVEN)
        self._cash -= units * price + fee
        self._units[asset] += units
        self._fills.append(DeskFill(bar, self._tape.symbols[asset], units, price, fee))


def _legs(held: Decimal, target: Decimal) -> list[Decimal]:
    """Return the orders of a change: through zero it is two, closing before opening."""
    if held == target:
        return []
    return [-held, target] if held * target < 0 else [target - held]


def _too_large(symbol: str, bar: int, units: float, volume: float) -> BadSetting:
    return BadSetting(
        f"an order for {units:g} {symbol} meets a volume of {volume:g} in bar {bar}, so a part "
        "would be filled; start with less cash, or leave the volume out (0 is unknown)"
    )


def _compiled(tape: _Tape, terms: DeskTerms) -> DeskRun:
    from mts1b_GPUbacktester.engines.desk import walk_desk

    walked = walk_desk(
        tape.opens, tape.closes, tape.volumes, tape.wishes, terms.initial_cash, terms.lot,
        terms.fees_bps, terms.slippage_bps, terms.no_trade_band, terms.volume_share,
    )  # fmt: skip
    if walked.cut >= 0:
        bar, asset, units = walked.fills[walked.cut][:3]
        bar, asset = int(bar), int(asset)
        raise _too_large(tape.symbols[asset], bar, units, float(tape.volumes[bar, asset]))
    orders = tuple(
        DeskOrder(int(bar), tape.symbols[int(asset)], _exact(units))
        for bar, asset, units in walked.orders
    )
    fills = tuple(
        DeskFill(int(bar), tape.symbols[int(asset)], _exact(units), _exact(price), _exact(fee))
        for bar, asset, units, price, fee in walked.fills
    )
    return DeskRun(orders, fills, walked.nav)


def _exact(value: float) -> Decimal:
    """Return the decimal that a float of at most six decimals stands for."""
    return Decimal(repr(round(float(value), 6)))
