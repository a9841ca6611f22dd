"""Keep secrets out of everything that is written: by registered value, and by pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

__all__ = ["MASK", "SecretRegistry", "redact"]

MASK = "**********"
_SHORTEST = 6
_SECRET_KEY = re.compile(
    r"(?i)(?:^|[_-])(?:authorization|api[_-]?key|secret|token|password|passphrase)$"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S
        ),
        MASK,
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+"), rf"\1 {MASK}"),
    (
        re.compile(
            r"(?i)\b((?:[a-z]+[_-])*(?:authorization|api[_-]?key|secret|token|password|passphrase)"
            r"[\"']?\s*[:=]\s*[\"']?)(?!bearer\b|basic\b)([^\s\"',;}&]+)"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(://[^/\s:@]+:)[^@\s/]+@"), rf"\1{MASK}@"),
    (re.compile(r"(://)[^/\s:@]+@"), rf"\1{MASK}@"),
)


class SecretRegistry:
    """Know the secret values of this process."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """Register a value; values under six characters would mask ordinary words."""
        if len(value) >= _SHORTEST:
            self._values.add(value)

    def redact(self, text: str) -> str:
        """Return ``text`` with every known secret and secret-looking part masked."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, MASK)
        for pattern, masked in _PATTERNS:
            text = pattern.sub(masked, text)
        return text

    def redact_data(self, value: Any) -> Any:
        """Return a copy of plain data with every string redacted, and what is under a secret's
        name masked."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {
                key: MASK if item and _SECRET_KEY.search(str(key)) else self.redact_data(item)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return type(value)(self.redact_data(item) for item in value)
        return value


def redact(text: str) -> str:
    """Return ``text`` with every secret-looking part masked."""
    return SecretRegistry().redact(text)
