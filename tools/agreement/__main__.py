"""``python -m tools.agreement``: print the page, or write it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.agreement.page import PAGE, PEERS, installed, measure, read, render

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when a peer is missing or a limit is exceeded."""
    parser = argparse.ArgumentParser(prog="python -m tools.agreement", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="the workspace (default: here)")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}")
    options = parser.parse_args(arguments)
    missing = sorted(set(PEERS) - {name for name, _ in installed()})
    if missing:
        print(f"error: not installed: {', '.join(missing)}; run: make agreement", file=sys.stderr)
        return 1
    data = read()
    rows = measure(data)
    page = render(data, rows)
    beyond = [row for row in rows if not row.seen <= row.comparison.limit]
    for row in beyond:
        one = row.comparison
        print(
            f"{one.function} and {row.peer} {one.theirs} differ by {row.seen:.2e}, "
            f"more than {one.limit:.0e}",
            file=sys.stderr,
        )
    if options.write and not beyond:
        (options.root / PAGE).write_text(page, encoding="utf-8")
    elif not options.write:
        print(page)
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
