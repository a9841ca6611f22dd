"""The kinds of strategies: found by entry point, built from the configuration."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from mts1b_foundation.symbology import Symbol
from mts1b_platform.config import StrategySettings
from mts1b_platform.plugins import load_plugin, plugin_names

from mts1b_research.errors import StrategyConfigError, UnknownStrategy
from mts1b_research.fence import fenced
from mts1b_research.strategy import Strategy

__all__ = ["StrategyRegistry"]

_GROUP = "mts1b.strategies"
_CAPITAL = "capital_fraction"
"""A parameter of every strategy that the OMS reads: its share of the fund."""

Factory = Callable[[str, Sequence[Symbol], Mapping[str, Any]], Strategy]


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
        return fenced(
            settings.strategy_id,
            partial(factory, settings.strategy_id, symbols, own),
            raises=StrategyConfigError,
        )

    def _factory(self, settings: StrategySettings) -> Factory:
        kind, known = settings.kind, self.kinds()
        if kind in self._own:
            return self._own[kind]
        if kind in known:
            factory: Factory = load_plugin(_GROUP, kind).configure
            return factory
        near = difflib.get_close_matches(kind, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownStrategy(
            f"strategy {settings.strategy_id}: no kind {kind!r} (known: {', '.join(known)}); {hint}"
            "a package adds one with the entry-point group mts1b.strategies"
        )
