"""``python -m tools.settings``: print the page of all settings, or write it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.settings.page import PAGE, render

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when a setting has no meaning."""
    parser = argparse.ArgumentParser(prog="python -m tools.settings", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="the workspace (default: here)")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}")
    options = parser.parse_args(arguments)
    try:
        page = render()
    except LookupError as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        return 1
    if options.write:
        (options.root / PAGE).write_text(page, encoding="utf-8")
    else:
        print(page, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
