"""One hash over what the log says of the economy: equal runs give equal hashes.

Left out are what machines and people differ in: signatures and keys, halt epochs, the life of
services, watchdogs that look at the machine, and acts of operators that changed nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable

from mts1b_foundation.risk import ActiveHalt

from mts1b_operations.audit.entry import StoredRow, canonical_json
from mts1b_operations.events import AUDITED
from mts1b_operations.watchdogs.runner import WATCHDOGS

__all__ = ["EconomicDigest"]

_STRIPPED: dict[str, tuple[str, ...]] = {
    "order_approved": ("approval",),
    "halt_requested": ("epoch",),
    "halt_resumed": ("epoch", "key_id", "signature"),
    "watchdog_alert": (),
}
_COUNTED = frozenset({rule.action for rule in AUDITED.values() if rule.economic} | set(_STRIPPED))


class EconomicDigest:
    """Take rows, then give the digest; the order of entries of one time does not matter."""

    def __init__(self) -> None:
        self._leaves: list[bytes] = []
        self._counts: Counter[str] = Counter()

    def take(self, rows: Iterable[StoredRow]) -> None:
        """Take stored rows."""
        for row in rows:
            _, _, moment, actor, action, subject_id, data, _ = row
            if action not in _COUNTED:
                continue
            text = _economic(action, data)
            if text is None:
                continue
            leaf = "\x1f".join((moment, actor, action, subject_id, text))
            self._leaves.append(hashlib.sha256(leaf.encode()).digest())
            self._counts[action] += 1

    def finish(self, halts: Iterable[ActiveHalt]) -> tuple[str, dict[str, int]]:
        """Return the hex digest over the rows and the halts in force, and the counts by action."""
        total = hashlib.sha256(b"".join(sorted(self._leaves)))
        for halt in sorted(halts, key=lambda item: item.halt_id):
            stamped = (halt.halt_id, halt.scope, halt.reason, halt.requested_at.isoformat())
            total.update("\x1f".join(stamped).encode())
        return total.hexdigest(), dict(sorted(self._counts.items()))


def _economic(action: str, data: str) -> str | None:
    names = _STRIPPED.get(action)
    if names is None:
        return data
    values = json.loads(data)
    if action == "watchdog_alert" and WATCHDOGS[values["watchdog"]].machine:
        return None
    for name in names:
        values.pop(name, None)
    return canonical_json(values)
