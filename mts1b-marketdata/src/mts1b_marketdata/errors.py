"""What can be wrong with market data, by who must act."""

from __future__ import annotations

from mts1b_platform.errors import DataError, FixConfiguration, MustStop

__all__ = [
    "DatasetChanged",
    "DatasetMissing",
    "LateTick",
    "MarketDataError",
    "NotOffered",
    "PriceTooSmall",
    "ReplayStopped",
    "SourceFileError",
    "SourceUnknown",
    "SymbolUnknown",
]


class MarketDataError(Exception):
    """The root of this package's errors."""

    code = "MARKETDATA"


class SourceFileError(MarketDataError, DataError):
    """A file does not hold what was declared of it; the message names file, line and column."""

    code = "SOURCE_FILE"


class DatasetMissing(MarketDataError, DataError):
    """The lake has no such dataset or symbol: import it."""

    code = "DATASET_MISSING"


class DatasetChanged(MarketDataError, DataError):
    """A file of the lake is not the one that its manifest describes: import it again."""

    code = "DATASET_CHANGED"


class PriceTooSmall(MarketDataError, DataError):
    """A price is too small for its six decimals: import it in a larger unit."""

    code = "PRICE_TOO_SMALL"


class SymbolUnknown(MarketDataError, DataError):
    """The source has nothing of this symbol."""

    code = "SYMBOL_UNKNOWN"


class LateTick(MarketDataError, DataError):
    """A trade or quote is older than the bar that is being built."""

    code = "LATE_TICK"


class NotOffered(MarketDataError, FixConfiguration):
    """The source does not offer this kind of data: configure another one."""

    code = "NOT_OFFERED"


class SourceUnknown(MarketDataError, FixConfiguration):
    """No source has that name, or its options are wrong."""

    code = "SOURCE_UNKNOWN"


class ReplayStopped(MarketDataError, MustStop):
    """The replay can not go on as it is; the message says what to do."""

    code = "REPLAY_STOPPED"
