"""Which sources there are, and how one is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mts1b_foundation.protocols import MarketDataProtocol
from mts1b_platform.plugins import PluginMissing, load_plugin, plugin_names

from mts1b_marketdata.errors import SourceUnknown

if TYPE_CHECKING:
    from mts1b_platform.clock import Clock

__all__ = ["BUILT_IN", "GROUP", "create_source", "known_sources"]

GROUP = "mts1b.marketdata"
"""The entry-point group of sources: ``create(options, *, clock)``."""

BUILT_IN = {"csv": "declared CSV files of bars, quotes and trades"}


def known_sources() -> tuple[str, ...]:
    """Return the names of all sources, sorted."""
    return tuple(sorted({*BUILT_IN, *plugin_names(GROUP)}))


def create_source(name: str, options: Mapping[str, Any], *, clock: Clock) -> MarketDataProtocol:
    """Return the source ``name`` with its options.

    :raises SourceUnknown: when no source has the name, or its options are wrong.
    """
    source = _factory(name)(options, clock=clock)
    if not isinstance(source, MarketDataProtocol):
        raise SourceUnknown(f"source {name} does not satisfy MarketDataProtocol; see its package")
    return source


def _factory(name: str) -> Any:
    if name == "csv":
        from mts1b_marketdata.csv_source import create

        return create
    try:
        return load_plugin(GROUP, name)
    except PluginMissing:
        raise SourceUnknown(
            f"no market data source {name!r}; known: {', '.join(known_sources())}"
        ) from None
