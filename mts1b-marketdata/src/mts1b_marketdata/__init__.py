"""Sources that give prices. Names are imported when first used, so that the CLI starts fast."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mts1b_marketdata.bars import BarBuilder, bar_end
    from mts1b_marketdata.csv_source import CsvClient, CsvFile, CsvKind
    from mts1b_marketdata.errors import (
        DatasetChanged,
        DatasetMissing,
        LateTick,
        MarketDataError,
        NotOffered,
        PriceTooSmall,
        ReplayStopped,
        SourceFileError,
        SourceUnknown,
        SymbolUnknown,
    )
    from mts1b_marketdata.publisher import QuotePublisher, WatchesSince
    from mts1b_marketdata.registry import create_source, known_sources
    from mts1b_marketdata.replay import ReplayFeed, ReplayTick
    from mts1b_marketdata.sanity import Defect, QuoteSieve, bar_defects, quote_defects

__all__ = [
    "BarBuilder",
    "CsvClient",
    "CsvFile",
    "CsvKind",
    "DatasetChanged",
    "DatasetMissing",
    "Defect",
    "LateTick",
    "MarketDataError",
    "NotOffered",
    "PriceTooSmall",
    "QuotePublisher",
    "QuoteSieve",
    "ReplayFeed",
    "ReplayStopped",
    "ReplayTick",
    "SourceFileError",
    "SourceUnknown",
    "SymbolUnknown",
    "WatchesSince",
    "bar_defects",
    "bar_end",
    "create_source",
    "known_sources",
    "quote_defects",
]

_ELSEWHERE = {
    "bars": ("BarBuilder", "bar_end"),
    "csv_source": ("CsvClient", "CsvFile", "CsvKind"),
    "publisher": ("QuotePublisher", "WatchesSince"),
    "registry": ("create_source", "known_sources"),
    "replay": ("ReplayFeed", "ReplayTick"),
    "sanity": ("Defect", "QuoteSieve", "bar_defects", "quote_defects"),
}
_HOME = {name: module for module, names in _ELSEWHERE.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'errors')}"), name)
