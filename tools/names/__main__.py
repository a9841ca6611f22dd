"""``python -m tools.names [--write]``: check the registry of names, or renew it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tools.names.registry import REGISTRY, NamesBroken, check, current_names, read, renewed

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Return 1 when a name breaks the registry, 2 for other words than ``--write``."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words not in ([], ["--write"]):
        print("usage: python -m tools.names [--write]", file=sys.stderr)
        return 2
    known = read() if REGISTRY.exists() else {}
    try:
        if words:
            REGISTRY.write_text(renewed(current_names(), known), encoding="utf-8")
        else:
            check(current_names(), known)
    except NamesBroken as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
