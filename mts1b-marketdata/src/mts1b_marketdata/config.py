"""Which source serves when nothing is replayed: ``<MTS_HOME>/marketdata.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mts1b_foundation import FrozenModel, Symbol
from pydantic import Field, ValidationError

from mts1b_marketdata.errors import SourceUnknown

__all__ = ["SourceConfig", "load_source_config"]


class SourceConfig(FrozenModel):
    """Name a source, its options, the symbols to follow and the bars to build from quotes."""

    source: str
    options: dict[str, Any] = Field(default_factory=dict)
    symbols: list[Symbol] = Field(min_length=1)
    bar_interval: str | None = None


def load_source_config(home: Path) -> SourceConfig | None:
    """Return what the file says, or None when there is no file.

    :raises SourceUnknown: when the file is wrong; the message names the key.
    """
    path = home / "marketdata.json"
    if not path.exists():
        return None
    try:
        return SourceConfig.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "(whole file)"
        raise SourceUnknown(
            f"{path}: {where}: {first['msg']}; known keys are source, options, "
            "symbols, bar_interval"
        ) from error
