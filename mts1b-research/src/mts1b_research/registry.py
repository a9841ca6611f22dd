"""The kinds of strategies: found by entry point, built from the configuration."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from mts1b_foundation.symbology import Symbol
from mts1b_platform.config import StrategySettings
from mts1b_platform.plugins import attempt, load_plugin, plugin_names

from mts1b_research.errors import StrategyConfigError, UnknownStrategy
from mts1b_research.fence import fenced
from mts1b_research.strategy import Strategy

__all__ = ["StrategyRegistry"]

_GROUP = "mts1b.strategies"
_CAPITAL = "capital_fraction"
"""A parameter of every strategy that the OMS reads: its share of the fund."""

Factory = Callable[[str, Sequence[Symbol], Mapping[str, Any]], Strategy]


_VALUES = ("strategy_id", "symbols", "history")
_METHODS = ("is_due", "generate_intents")


def _wrong(made: Any, strategy_id: str, symbols: Sequence[Symbol]) -> str:
    """Return what keeps an object from being the strategy that was asked for; empty for none."""
    absent = [name for name in (*_VALUES, *_METHODS) if not hasattr(made, name)]
    if absent:
        return f"{made!r}, which has no {', '.join(absent)}"
    for name in _METHODS:
        if not callable(getattr(made, name)):
            return f"{type(made).__name__}, whose {name} can not be called"
    if made.strategy_id != strategy_id:
        return f"a strategy_id of {made.strategy_id!r}; its signals would belong to nobody"
    if set(made.symbols) != set(symbols):
        theirs, ours = (", ".join(map(str, some)) for some in (made.symbols, symbols))
        return f"symbols of {theirs}; the settings have {ours}"
    if isinstance(made.history, bool) or not isinstance(made.history, int) or made.history < 1:
        return f"a history of {made.history!r} bars; it is a whole number, 1 or more"
    return ""


class StrategyRegistry:
    """Know kinds of strategies by name.

    Kinds come from the entry-point group ``mts1b.strategies``, and from :meth:`register`.
    """

    def __init__(self) -> None:
        self._own: dict[str, Factory] = {}

    def register(self, kind: str, factory: Factory) -> None:
        """Register a kind of strategy.

        :raises ValueError: when the kind is known already.
        """
        if kind in self.kinds():
            raise ValueError(f"strategy kind {kind!r} is registered already")
        self._own[kind] = factory

    def kinds(self) -> list[str]:
        """Return the known kinds, without importing them."""
        return sorted({*plugin_names(_GROUP), *self._own})

    def build(self, settings: StrategySettings) -> Strategy:
        """Return the strategy that one configuration entry describes.

        :raises UnknownStrategy: when its kind is not known.
        :raises StrategyConfigError: when a symbol or a parameter makes no sense, or the kind fails.
        :raises PluginBroken: when the package that offers the kind can not be loaded.
        """
        factory = self._factory(settings)
        try:
            symbols = [Symbol(text) for text in settings.symbols]
        except ValueError as error:
            raise StrategyConfigError(f"strategy {settings.strategy_id}: {error}") from error
        twice = sorted({str(symbol) for symbol in symbols if symbols.count(symbol) > 1})
        if twice:
            raise StrategyConfigError(
                f"strategy {settings.strategy_id}: {', '.join(twice)} is listed twice; name it once"
            )
        own = {name: value for name, value in settings.params.items() if name != _CAPITAL}
        made = fenced(
            settings.strategy_id,
            partial(factory, settings.strategy_id, symbols, own),
            raises=StrategyConfigError,
        )
        # What raises when it is looked at is told at its first bar: there a halt can still leave.
        wrong, _ = attempt(partial(_wrong, made, settings.strategy_id, symbols))
        if wrong:
            raise StrategyConfigError(
                f"strategy {settings.strategy_id}: kind {settings.kind!r} gave {wrong}"
            )
        return made

    def _factory(self, settings: StrategySettings) -> Factory:
        kind, known = settings.kind, self.kinds()
        if kind in self._own:
            return self._own[kind]
        if kind in known:
            offered = load_plugin(_GROUP, kind)
            factory: Factory | None = getattr(offered, "configure", None)
            if factory is None:
                raise StrategyConfigError(
                    f"strategy {settings.strategy_id}: the kind {kind!r} offers {offered!r}, which "
                    "has no configure; offer the class of a strategy"
                )
            return factory
        near = difflib.get_close_matches(kind, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownStrategy(
            f"strategy {settings.strategy_id}: no kind {kind!r} (known: {', '.join(known)}); {hint}"
            "a package adds one with the entry-point group mts1b.strategies"
        )
