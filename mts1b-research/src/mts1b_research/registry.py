"""The kinds of strategies: found by entry point, built from the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any

from mts1b_foundation.symbology import Symbol
from mts1b_platform.config import StrategySettings

from mts1b_research.errors import UnknownStrategy
from mts1b_research.strategy import Strategy

__all__ = ["StrategyRegistry"]

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
        found = {point.name for point in entry_points(group="mts1b.strategies")}
        return sorted(found | set(self._own))

    def build(self, settings: StrategySettings) -> Strategy:
        """Return the strategy that one configuration entry describes.

        :raises UnknownStrategy: when its kind is not known.
        :raises StrategyConfigError: when a parameter makes no sense.
        """
        symbols = [Symbol(text) for text in settings.symbols]
        return self._factory(settings.kind)(settings.strategy_id, symbols, settings.params)

    def _factory(self, kind: str) -> Factory:
        if kind in self._own:
            return self._own[kind]
        for point in entry_points(group="mts1b.strategies"):
            if point.name == kind:
                factory: Factory = point.load().configure
                return factory
        raise UnknownStrategy(
            f"no strategy kind {kind!r}; known: {', '.join(self.kinds())}. "
            "A package adds one with the entry-point group mts1b.strategies"
        )
