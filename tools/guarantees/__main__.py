"""``python -m tools.guarantees``: print the page, write it, or record a figure of a campaign."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tools.guarantees.figures import record
from tools.guarantees.page import PAGE, render

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when a named test does not exist or a figure is no line."""
    parser = argparse.ArgumentParser(prog="python -m tools.guarantees", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="the workspace (default: here)")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}")
    parser.add_argument("--figure", metavar="NAME", help="record a figure instead")
    parser.add_argument("--text", default="", help="the figure, in one line")
    parser.add_argument("--by", default="", help="the command that gave it")
    options = parser.parse_args(arguments)
    try:
        if options.figure:
            today = datetime.now(UTC).date().isoformat()
            record(
                options.root,
                options.figure,
                text=options.text,
                command=options.by,
                measured=today,
            )
            return 0
        page = render(options.root)
    except (LookupError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.write:
        (options.root / PAGE).write_text(page)
    else:
        print(page, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
