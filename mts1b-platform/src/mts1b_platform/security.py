"""Keep secrets out of everything that is written: by registered value, and by pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

__all__ = ["MASK", "SecretRegistry", "redact"]

MASK = "**********"
_SHORTEST = 6
_PATTERNS = (
    re.compile(
        r"(?i)\b(authorization|api[_-]?key|secret|token|password|passphrase)(\"?\s*[:=]\s*\"?)([^\s\",;}]+)"
    ),
    re.compile(r"(://[^/\s:@]+:)([^@\s/]+)(@)"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.S),
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
        text = _PATTERNS[0].sub(lambda m: f"{m.group(1)}{m.group(2)}{MASK}", text)
        text = _PATTERNS[1].sub(lambda m: f"{m.group(1)}{MASK}{m.group(3)}", text)
        return _PATTERNS[2].sub(MASK, text)

    def redact_data(self, value: Any) -> Any:
        """Return a copy of plain data with every string redacted."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {key: self.redact_data(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.redact_data(item) for item in value)
        return value


def redact(text: str) -> str:
    """Return ``text`` with every secret-looking part masked."""
    return SecretRegistry().redact(text)
