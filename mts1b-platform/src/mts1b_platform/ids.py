"""Identifiers: derived from what they name wherever that is possible, else from a seam."""

from __future__ import annotations

import hashlib
import itertools
import uuid
from typing import Protocol, runtime_checkable

__all__ = ["Ids", "SequentialIds", "SystemIds", "derive_id"]


def derive_id(prefix: str, *parts: str) -> str:
    """Return ``prefix-<24 hex digits>``, a function of the parts alone.

    The parts are hashed with their lengths, so ("ab", "c") and ("a", "bc") differ. A retry, a
    replay and a restart therefore give the same thing the same name.
    """
    sized = b"".join([len(part).to_bytes(8) + part for part in map(str.encode, parts)])
    return f"{prefix}-{hashlib.sha256(sized).hexdigest()[:24]}"


@runtime_checkable
class Ids(Protocol):
    """Make identifiers that are new."""

    def new(self, prefix: str) -> str:
        """Return ``prefix-...``, never returned before."""
        ...


class SystemIds:
    """Random identifiers of 122 bits."""

    def new(self, prefix: str) -> str:
        """Return ``prefix-<32 hex digits>``."""
        return f"{prefix}-{uuid.uuid4().hex}"


class SequentialIds:
    """Counted identifiers, for replays and tests."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def new(self, prefix: str) -> str:
        """Return ``prefix-1``, ``prefix-2``, ..."""
        return f"{prefix}-{next(self._count)}"
