"""The manifest: the one file that says what a dataset holds, and proves it."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from mts1b_foundation import FrozenModel, Symbol, UtcDatetime
from pydantic import Field, ValidationError

from mts1b_datalake.errors import DataError, DatasetCorrupt, DatasetMissing

__all__ = ["Adjustment", "FileEntry", "Manifest", "read_manifest"]

Adjustment = Literal["none", "split", "total"]
"""What prices were adjusted for: nothing, splits, or splits and dividends."""

_REPAIR = (
    "copy the newest good manifest-VERSION.json over it, or remove the folder and import again"
)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class FileEntry(FrozenModel):
    """One parquet file: one symbol, sorted by time."""

    path: str
    symbol: Symbol
    rows: int = Field(gt=0)
    sha256: str
    first: UtcDatetime
    last: UtcDatetime


class Manifest(FrozenModel):
    """What one version of a dataset holds.

    ``sha256`` covers everything but itself and ``version``: equal data has an equal hash.
    """

    format: Literal[1] = 1
    dataset: str
    interval: str
    version: int = Field(ge=1)
    created_from: str
    timezone: str | None
    calendar: str | None
    adjustment: Adjustment
    files: tuple[FileEntry, ...]
    sha256: str = ""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the symbols, in order of name."""
        return tuple(entry.symbol for entry in self.files)

    @property
    def rows(self) -> int:
        """Return the number of bars."""
        return sum(entry.rows for entry in self.files)

    @property
    def first(self) -> datetime:
        """Return the end of the first bar."""
        return min(entry.first for entry in self.files)

    @property
    def last(self) -> datetime:
        """Return the end of the last bar."""
        return max(entry.last for entry in self.files)

    def digest(self) -> str:
        """Return the sha256 of the canonical content."""
        content = self.model_dump(mode="json", exclude={"sha256", "version"})
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def sealed(self) -> Self:
        """Return a copy whose ``sha256`` is that of its content."""
        return self.model_copy(update={"sha256": self.digest()})

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        return (json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True) + "\n").encode()


def check_name(dataset: str) -> str:
    """Return ``dataset`` when it can be a folder's name.

    :raises DataError: otherwise.
    """
    if not _NAME.fullmatch(dataset):
        raise DataError(
            f"dataset name {dataset!r} is refused; use 1 to 64 of a-z, 0-9, '_' and '-', "
            "starting with a letter or digit"
        )
    return dataset


def read_manifest(directory: Path, version: int | None = None) -> Manifest:
    """Read the current manifest of a dataset, or a named snapshot's.

    :raises DatasetMissing: when there is none.
    :raises DatasetCorrupt: when it can not be read or its hash is wrong.
    """
    name = "manifest.json" if version is None else f"manifest-{version}.json"
    path = directory / name
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        what = f"version {version} of dataset" if version is not None else "dataset"
        raise DatasetMissing(
            f"no {what} {directory.name!r} under {directory.parent}; "
            "list what is there with 'mts data ls', add one with 'mts data import'"
        ) from None
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        raise DatasetCorrupt(
            f"{path} is not a manifest of format 1 ({error.error_count()} problems); {_REPAIR}"
        ) from error
    if manifest.digest() != manifest.sha256:
        raise DatasetCorrupt(f"{path} was changed: its hash is wrong; {_REPAIR}")
    return manifest
