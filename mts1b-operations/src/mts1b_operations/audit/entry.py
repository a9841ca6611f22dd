"""One audit entry, and the exact bytes that are hashed for it.

The bytes are the RFC 8785 canonical JSON of the entry without its hash. They are put together
from the stored columns, so a change of any column changes the hash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from json.encoder import encode_basestring as _quote
from typing import Any

import rfc8785
from pydantic import BaseModel

from mts1b_operations.audit.tree import leaf_hash

__all__ = [
    "GENESIS",
    "AuditEntry",
    "StoredRow",
    "canonical_json",
    "entry_bytes",
    "entry_leaf",
    "stamp",
]

GENESIS = "0" * 64
"""The ``previous_hash`` of the first entry."""

StoredRow = tuple[int, str, str, str, str, str, str, str]
"""sequence, hash, timestamp, actor, action, subject_id, data, previous_hash: as stored."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Say who did what to which subject, and when; ``hash`` is also its leaf of the tree."""

    sequence: int
    hash: str
    timestamp: datetime
    actor: str
    action: str
    subject_id: str
    data: Mapping[str, Any]
    previous_hash: str

    @classmethod
    def from_row(cls, row: StoredRow) -> AuditEntry:
        """Return the entry of one stored row."""
        sequence, digest, moment, actor, action, subject_id, data, previous = row
        return cls(
            sequence,
            digest,
            datetime.fromisoformat(moment),
            actor,
            action,
            subject_id,
            json.loads(data),
            previous,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "sequence": self.sequence,
            "hash": self.hash,
            "timestamp": stamp(self.timestamp),
            "actor": self.actor,
            "action": self.action,
            "subject_id": self.subject_id,
            "data": dict(self.data),
            "previous_hash": self.previous_hash,
        }


def stamp(moment: datetime) -> str:
    """Return the one text of a time: UTC, microseconds.

    :raises ValueError: for a time without zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"audit time {moment.isoformat()} has no zone; give an aware time")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def canonical_json(value: Any) -> str:
    """Return the RFC 8785 form of ``value``.

    Models, Decimals, times and enums become what pydantic's JSON mode makes of them.

    :raises ValueError: for what JSON can not hold (NaN, an integer above 2**53 - 1, ...).
    """
    plain, simple = _plain(value)
    if simple:
        # For text, null, booleans and safe integers under ASCII keys the C encoder writes the
        # very bytes of RFC 8785, twenty times as fast.
        return json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return rfc8785.dumps(plain).decode()


def _plain(value: Any) -> tuple[Any, bool]:
    """Return plain JSON values, and whether the fast encoder is exact for them."""
    match value:
        case Enum():
            return _plain(value.value)
        case None | bool() | str():
            return value, True
        case int():
            return value, -(2**53) < value < 2**53
        case float():
            return value, False
        case Mapping():
            parts = {key: _plain(item) for key, item in value.items()}
            simple = all(part[1] for part in parts.values()) and all(map(str.isascii, parts))
            return {key: part[0] for key, part in parts.items()}, simple
        case list() | tuple():
            items = [_plain(item) for item in value]
            return [item[0] for item in items], all(item[1] for item in items)
        case BaseModel():
            return _plain(value.model_dump(mode="json"))
        case Decimal():
            return str(value), True
        case datetime():
            return stamp(value), True
        case _:
            raise ValueError(f"audit data can not hold a {type(value).__name__}: {value!r}")


def entry_bytes(row: StoredRow) -> bytes:
    """Return the bytes that are hashed for stored columns (the hash itself is not read).

    ``data`` is canonical JSON text already, so this is the canonical JSON of the whole entry.

    :raises TypeError: when a column holds something else than text.
    """
    sequence, _, moment, actor, action, subject_id, data, previous = row
    return (
        f'{{"action":{_quote(action)},"actor":{_quote(actor)},"data":{data},'
        f'"previous_hash":"{previous}","sequence":{sequence},'
        f'"subject_id":{_quote(subject_id)},"timestamp":{_quote(moment)}}}'
    ).encode()


def entry_leaf(row: StoredRow) -> bytes:
    """Return the leaf hash that the stored columns deserve."""
    return leaf_hash(entry_bytes(row))
