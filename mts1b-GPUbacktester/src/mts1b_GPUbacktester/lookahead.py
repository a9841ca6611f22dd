"""Find decisions that know the future: cut it off, or change it, and see what moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from mts1b_foundation import UniversePanel

from mts1b_GPUbacktester.errors import BadRule, BadSetting
from mts1b_GPUbacktester.evaluate import Evaluator
from mts1b_GPUbacktester.panels import PanelLike, Prices, panel_from
from mts1b_GPUbacktester.rules import Rule
from mts1b_GPUbacktester.semantics import FloatArray, Settings

__all__ = ["Lookahead", "find_lookahead"]

Decide = Callable[[UniversePanel], Any]


@dataclass(frozen=True, slots=True)
class Lookahead:
    """A decision that depends on bars after it.

    ``how`` is what was done to the bars from ``cut`` on; the decision at bar ``bar`` of column
    ``asset`` was ``before`` and became ``after``.
    """

    how: str
    cut: int
    bar: int
    asset: int
    before: float
    after: float

    def __str__(self) -> str:
        return (
            f"with the bars from {self.cut} on {self.how}, the decision at bar {self.bar} of "
            f"asset {self.asset} is {self.after!r} instead of {self.before!r}"
        )


def find_lookahead(
    panel: PanelLike,
    *,
    decide: Decide | None = None,
    rule: Rule | None = None,
    params: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
    cuts: int = 16,
    tolerance: float = 0.0,
) -> Lookahead | None:
    """Return the first decision that knows the future, or None.

    At evenly spread bars, after the first tenth, the future is once cut off, and once turned around
    and tripled; all decisions before must stay the same. Every second of these bars is moved to
    right after a decision that was a new one: what looks ahead a bar and acts once a month shows
    there alone. What is never asked for can not be found: use data on which the strategy acts.

    :param decide: your own strategy: takes a UniversePanel, gives (T,) or (T, A) numbers, such as
        weights or scores; or give a ``rule`` with its ``params`` (and ``settings``).
    :param cuts: at how many bars.
    :param tolerance: how far a decision may move, relative to its size; 0 for not at all.
    :raises BadRule: unless one of decide and rule is given, or decisions have another length.
    """
    if (decide is None) == (rule is None):
        raise BadRule("give exactly one of decide= and rule=")
    universe = panel_from(panel)
    length = universe.shape[0]
    if cuts < 1 or length < 2:
        raise BadSetting(f"cuts {cuts} must be 1 or more, and the panel's {length} bars 2 or more")
    ask = decide if decide is not None else _decisions(rule, dict(params or {}), settings)
    whole = _table(ask(universe), length)
    for cut in _places(whole, cuts):
        futures = (("cut off", _until(universe, cut)), ("changed", _other(universe, cut)))
        for how, changed in futures:
            found = _table(ask(changed), changed.shape[0])[:cut]
            moved = _moved(whole[:cut], found, tolerance)
            if moved.any():
                bar, asset = (int(place[0]) for place in np.nonzero(moved))
                before, after = float(whole[bar, asset]), float(found[bar, asset])
                return Lookahead(how, cut, bar, asset, before, after)
    return None


def _places(whole: FloatArray, cuts: int) -> list[int]:
    """Return the bars at which the future begins."""
    length = len(whole)
    first = max(1, length // 10)
    spread = np.linspace(first, length - 1, min(cuts, length - first)).astype(int)
    before, after = whole[:-1], whole[1:]
    same = (before == after) | np.isnan(after)
    acted = np.flatnonzero(~same.all(axis=1)) + 2  # the bar after that of a new decision
    places = set(spread[1::2].tolist())
    for turn, place in enumerate(spread[::2].tolist()):
        # Every second time the one before: what is an order in one bar is none in the next.
        latest = int(np.searchsorted(acted, place, side="right")) - 1 - turn % 2
        places.add(int(acted[latest]) if latest >= 0 else place)
    return sorted(places)


def _decisions(rule: Rule | None, params: dict[str, Any], settings: Settings | None) -> Decide:
    assert rule is not None
    used = settings if settings is not None else Settings()

    def decide(panel: UniversePanel) -> Any:
        signals = Evaluator(Prices.of(panel), budget=2**28).signals(rule, used, params)
        return (signals.want * np.nan_to_num(signals.fractions)).T

    return decide


def _table(decisions: Any, length: int) -> FloatArray:
    values = np.asarray(decisions, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or len(values) != length:
        raise BadRule(
            f"decisions have shape {values.shape}; give one row for each of {length} bars"
        )
    return values


def _moved(before: FloatArray, after: FloatArray, tolerance: float) -> Any:
    """Return where a decision moved; missing stays missing."""
    if before.shape != after.shape:
        raise BadRule(f"decisions change their shape from {before.shape} to {after.shape}")
    room = tolerance * np.maximum(np.abs(np.nan_to_num(before)), 1.0 if tolerance else 0.0)
    with np.errstate(invalid="ignore"):
        near = np.abs(after - before) <= room
    return ~(near | (before == after) | (np.isnan(before) & np.isnan(after)))


def _until(panel: UniversePanel, cut: int) -> UniversePanel:
    return _with(panel, lambda values: values[:cut], panel.dates[:cut])


def _other(panel: UniversePanel, cut: int) -> UniversePanel:
    """Return a panel whose future is turned around and tripled."""

    def change(values: Any) -> Any:
        return np.concatenate((values[:cut], 3.0 * values[cut:][::-1]))

    return _with(panel, change, panel.dates)


def _with(panel: UniversePanel, change: Callable[[Any], Any], dates: Any) -> UniversePanel:
    return UniversePanel(
        close=change(np.asarray(panel.close)),
        high=change(np.asarray(panel.high)),
        low=change(np.asarray(panel.low)),
        volume=change(np.asarray(panel.volume)),
        open=None if panel.open is None else change(np.asarray(panel.open)),
        dates=dates,
        symbols=panel.symbols,
    )
